"""Files: multipart uploads and downloads to disk.

A download is streamed into a temporary file beside its target, checked for size and SHA-256, and only then renamed: a
file that stands under its name is whole. Source: protocol/http.md#downloads.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import IO, Any

import orjson

from kalam_notebook.errors import ConfigError, DownloadError, KalamError, ParameterError
from kalam_notebook.http.client import HttpTransport, Request
from kalam_notebook.http.endpoint import Answer, SqlEndpoint
from kalam_notebook.settings import Secret
from kalam_notebook.sql.statement import Statement
from kalam_notebook.sql.tokens import Kind
from kalam_notebook.wire.arguments import check_path, check_text
from kalam_notebook.wire.fileref import FileRef

__all__ = ["FileSource", "download", "upload"]

#: What can be uploaded: a path, the bytes themselves, an open binary file, or ``(file name, bytes or path)``.
FileSource = str | os.PathLike[str] | bytes | IO[bytes] | tuple[str, "bytes | str | os.PathLike[str]"]


#: What to do when the disk does not take a file.
_ELSEWHERE = "Give another place: to='/another/folder/'."


def placeholders(sql: str) -> set[str]:
    """The names of the ``FILE("name")`` placeholders in a statement."""
    tokens = Statement.of(sql).tokens
    found = set()
    for word, left, name, right in zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False):
        if word.word == "FILE" and left.text == "(" and right.text == ")" and name.kind in (Kind.NAME, Kind.STRING):
            found.add(name.text[1:-1])
    return found


def upload(endpoint: SqlEndpoint, sql: str, files: Mapping[str, FileSource], params: Sequence[Any]) -> Answer:
    """Send a statement with files for its ``FILE("name")`` placeholders.

    Raises:
        ParameterError: Placeholders and files do not match. The server does not check it.
        KalamError: The server refuses, or cannot be reached.
    """
    if not isinstance(files, Mapping) or not all(isinstance(name, str) for name in files):
        raise ParameterError("files", "it names a file for each placeholder: files={'name': 'path/to/file'}.")
    wanted = placeholders(sql)
    missing, extra = wanted - set(files), set(files) - wanted
    if missing:
        name = sorted(missing)[0]
        raise ParameterError(f'FILE("{name}")', f"no file is given. Pass files={{{name!r}: 'path/to/file'}}.")
    if extra:
        name = sorted(extra)[0]
        raise ParameterError(f"file {name!r}", f'the statement has no FILE("{name}"). Write it where the file belongs.')
    with ExitStack() as stack:
        parts: list[tuple[str, Any]] = [("sql", (None, sql.encode()))]
        if params:
            parts.append(("params", (None, orjson.dumps(list(params)))))
        for name, source in files.items():
            file_name, content = _open_source(name, source, stack)
            parts.append((f"file:{name}", (file_name, content)))
        return endpoint.upload(parts, sql)


def _open_source(name: str, source: FileSource, stack: ExitStack) -> tuple[str, Any]:
    file_name, content = _named(name, source)
    if isinstance(content, (str, os.PathLike)):
        _, path = check_path(f"file {name!r}", content)
        try:
            return file_name, stack.enter_context(path.open("rb"))
        except OSError as exc:
            raise ConfigError(f"Cannot read the file {str(content)!r} for {name!r}: {exc.strerror}.") from exc
    if isinstance(content, bytes) or _is_binary_file(content):
        return file_name, content
    raise ParameterError(
        f"file {name!r}",
        f"{type(source).__name__} cannot be uploaded. Give a path, bytes, a file that is open in mode 'rb', or (file "
        "name, bytes or path).",
    )


def _named(name: str, source: FileSource) -> tuple[str, Any]:
    """The name that a file is stored under, and where its content is."""
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], str):
        return source
    if isinstance(source, (str, os.PathLike)):
        return Path(source).name, source
    return Path(str(getattr(source, "name", name))).name, source


def _is_binary_file(source: object) -> bool:
    return hasattr(source, "read") and not isinstance(source, io.TextIOBase)


def download(
    http: HttpTransport,
    endpoint: SqlEndpoint,
    ref: FileRef,
    path: str,
    *,
    to: str | os.PathLike[str],
    user_id: str | None,
) -> Path:
    """Download a file, check it and put it in place.

    Args:
        http: Sends.
        endpoint: Gives tokens.
        ref: What the file must be.
        path: Its download path.
        to: A folder (existing, or written with a slash at the end), where a name that another file has gets a number,
            else the file to write, which is replaced. Folders are made.
        user_id: Whose file it is, or None for one's own.

    Returns:
        The file that was written.

    Raises:
        DownloadError: The content differs from the reference, the disk does not take it, or the target is no ordinary
            file. No file is left then.
        KalamError: The server refuses, or cannot be reached.
    """
    target = _target(ref, to)
    query = {"user_id": check_text("target_user_id", user_id, most=1_000)} if user_id else None
    request = Request("GET", path, params=query, repeatable=True, max_bytes=None)

    def fetch(token: Secret) -> Path:
        # Named before it is made, so that an interrupt at any moment leaves none.
        temporary = target.with_name(f".kalam-{secrets.token_hex(8)}.part")
        try:
            # Nothing is made before the answer is there.
            with http.stream(request, token=token) as response, _create(temporary) as file:
                _write_checked(file, response.iter_bytes(), ref, target)
            temporary.replace(target)
        except OSError as exc:
            if isinstance(exc, KalamError):  # The server was silent: RequestTimeoutError is an OSError too.
                raise
            raise DownloadError(f"Cannot write {target}: {exc.strerror}. Nothing was kept.\n{_ELSEWHERE}") from exc
        finally:
            with suppress(OSError):  # It is in place, or was never made.
                temporary.unlink()
        return target

    return endpoint.with_token(fetch)


def _target(ref: FileRef, to: str | os.PathLike[str]) -> Path:
    given, path = check_path("to", to)
    try:
        is_folder = path.is_dir() or given.endswith(("/", os.sep))
        target = _free_name(_inside(path, ref.safe_name), ref) if is_folder else path
        is_other = target.exists() and not target.is_file()
    except OSError as exc:
        raise DownloadError(f"Cannot write to {path}: {exc.strerror}. {_ELSEWHERE}") from exc
    if is_other:  # Renaming would put a file in its place, if it were /dev/null.
        raise DownloadError(f"{target} is no ordinary file, and is not replaced by one. {_ELSEWHERE}")
    return target


def _inside(folder: Path, name: str) -> Path:
    """The path of a file in a folder, whatever its name is made of."""
    path = folder / name
    if path.name != name or path.parent.resolve() != folder.resolve():
        raise DownloadError(f"A file of the name {name!r} would not lie in {folder}. {_ELSEWHERE}")
    return path


def _free_name(path: Path, ref: FileRef) -> Path:
    """The path, or with a number where another file has it: rows may hold different files of one name."""
    named = (path if number == 1 else path.with_stem(f"{path.stem} ({number})") for number in count(1))
    return next(one for one in named if not one.exists() or not one.is_file() or _is_the_same(one, ref))


def _is_the_same(path: Path, ref: FileRef) -> bool:
    if path.stat().st_size != ref.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == ref.sha256


def _create(path: Path) -> IO[bytes]:
    """A new file that only its owner reads."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "xb", opener=partial(os.open, mode=0o600))
    except OSError as exc:
        raise DownloadError(f"Cannot write to {path.parent}: {exc.strerror}. {_ELSEWHERE}") from exc


def _write_checked(file: IO[bytes], chunks: Iterator[bytes], ref: FileRef, target: Path) -> None:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        if size > ref.size:
            raise DownloadError(
                f"{ref.name!r} should have {ref.size:,} bytes and more came. {target} was not written; try again."
            )
        file.write(chunk)
    file.flush()
    if size != ref.size:
        raise DownloadError(
            f"{ref.name!r} should have {ref.size:,} bytes and {size:,} came. {target} was not written; try again."
        )
    if digest.hexdigest() != ref.sha256:
        raise DownloadError(
            f"The content of {ref.name!r} is not what was uploaded (SHA-256 differs). {target} was not written.\n"
            "Try again; if it stays so, the stored file is damaged: upload it anew."
        )
