"""Downloads: to disk, into memory, and the answer to whether a file is there.

A download to disk is streamed into a temporary file beside its target, checked for size and SHA-256, and only then gets
its name: a file that stands under its name is whole. Source: protocol/http.md#downloads.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import IO

from kalam_notebook.errors import DownloadError, KalamError, NotFoundError
from kalam_notebook.http.client import HttpTransport, Request
from kalam_notebook.http.endpoint import SqlEndpoint
from kalam_notebook.partfiles import discard, part_beside
from kalam_notebook.settings import Secret
from kalam_notebook.wire.arguments import check_path, check_text
from kalam_notebook.wire.fileref import FileRef

__all__ = ["Downloads"]

#: What to do when the disk does not take a file.
_ELSEWHERE = "Give another place: to='/another/folder/'."
#: Bytes of an opened file that stay in memory.
_IN_MEMORY = 16_000_000

#: Held while a file gets its name where the disk has no hard links.
_naming = threading.Lock()


class Downloads:
    """The files of one server, as one user.

    Args:
        http: Sends.
        endpoint: Gives tokens.
    """

    def __init__(self, http: HttpTransport, endpoint: SqlEndpoint) -> None:
        self._http = http
        self._endpoint = endpoint

    def to_disk(
        self,
        ref: FileRef,
        path: str,
        *,
        to: str | os.PathLike[str],
        user_id: str | None = None,
        on_bytes: Callable[[int], object] | None = None,
    ) -> Path:
        """Download a file, check it and put it in place; a file that is there with this content is left as it is.

        Args:
            ref: What the file must be.
            path: Its download path.
            to: A folder (existing, or written with a slash at the end), where a name that another file has gets a
                number, else the file to write, which is replaced. Folders are made.
            user_id: Whose file it is, or None for one's own.
            on_bytes: Called with the number of bytes that have come anew.

        Returns:
            The file that was written.

        Raises:
            DownloadError: The content differs from the reference, the disk does not take it, or the target is no
                ordinary file. No file is left then.
            KalamError: The server refuses, or cannot be reached.
        """
        target, is_in_folder = _target(ref, to)
        request = _request(path, user_id)

        def fetch(token: Secret) -> Path:
            temporary = part_beside(target)
            try:
                # Nothing is made before the answer is there.
                with self._http.stream(request, token=token) as chunks, _create(temporary) as file:
                    counted = chunks if on_bytes is None else _counted(chunks, on_bytes)
                    _write_checked(file, counted, ref, f"{target} was not written")
                if is_in_folder:
                    return _put(temporary, _inside(target.parent, ref.safe_name), ref)
                return _take_place(temporary, target)
            except OSError as exc:
                if isinstance(exc, KalamError):  # The server was silent: RequestTimeoutError is an OSError too.
                    raise
                raise DownloadError(f"Cannot write {target}: {exc.strerror}. Nothing was kept.\n{_ELSEWHERE}") from None
            finally:
                discard(temporary)

        return self._endpoint.with_token(fetch)

    def find(self, ref: FileRef, to: str | os.PathLike[str]) -> Path | None:
        """The file in a folder that has the name and the content of a reference, if there is one; nothing is asked.

        Raises:
            DownloadError: The folder cannot be read, or what has the name is no ordinary file.
        """
        target, _ = _target(ref, to)
        return target if target.is_file() and _is_the_same(target, ref) else None

    def open(self, ref: FileRef) -> IO[bytes]:
        """Download a file into memory, beyond 16 MB into a nameless file, and give it when all of it is there.

        Raises:
            DownloadError: The content differs from the reference.
            KalamError: The server refuses, or cannot be reached.
        """
        request = _request(ref.path(), None)

        def fetch(token: Secret) -> IO[bytes]:
            file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the caller closes it.
            try:
                with self._http.stream(request, token=token) as chunks:
                    _write_checked(file, chunks, ref, "Nothing of it was kept")
            except BaseException:
                file.close()
                raise
            file.seek(0)
            return file

        return self._endpoint.with_token(fetch)

    def exists(self, ref: FileRef) -> bool:
        """Whether the server has the file; nothing of it is read.

        Raises:
            KalamError: The server refuses, or cannot be reached.
        """
        request = _request(ref.path(), None)

        def ask(token: Secret) -> bool:
            # The server has no HEAD for files.
            with self._http.stream(request, token=token):
                return True

        try:
            return self._endpoint.with_token(ask)
        except NotFoundError:
            return False


def _request(path: str, user_id: str | None) -> Request:
    query = {"user_id": check_text("target_user_id", user_id, most=1_000)} if user_id else None
    return Request("GET", path, params=query, repeatable=True, max_bytes=None)


def _target(ref: FileRef, to: str | os.PathLike[str]) -> tuple[Path, bool]:
    """Where a file shall stand, as far as can be seen before it is there, and whether a folder was given."""
    given, path = check_path("to", to)
    try:
        is_folder = path.is_dir() or given.endswith(("/", os.sep))
        target = _free_name(_inside(path, ref.safe_name), ref) if is_folder else path
        is_other = target.exists() and not target.is_file()
    except OSError as exc:
        raise DownloadError(f"Cannot write to {path}: {exc.strerror}. {_ELSEWHERE}") from None
    if is_other:  # Renaming would put a file in its place, if it were /dev/null.
        raise DownloadError(f"{target} is no ordinary file, and is not replaced by one. {_ELSEWHERE}")
    return target, is_folder


def _inside(folder: Path, name: str) -> Path:
    """The path of a file in a folder, whatever its name is made of."""
    path = folder / name
    if path.name != name or path.parent.resolve() != folder.resolve():
        raise DownloadError(f"A file of the name {name!r} would not lie in {folder}. {_ELSEWHERE}")
    return path


def _names(path: Path) -> Iterator[Path]:
    """The path, and with a number behind its name: rows may hold different files of one name."""
    for number in count(1):
        yield path if number == 1 else path.with_stem(f"{path.stem} ({number})")


def _free_name(path: Path, ref: FileRef) -> Path:
    """The first name that no other file has."""
    return next(one for one in _names(path) if not one.exists() or not one.is_file() or _is_the_same(one, ref))


def _is_the_same(path: Path, ref: FileRef) -> bool:
    if path.stat().st_size != ref.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == ref.sha256


def _put(temporary: Path, path: Path, ref: FileRef) -> Path:
    """Give a file the first name that no other file has, also when others look for one at this moment."""
    for target in _names(path):
        if target.is_symlink() and not target.exists():
            return _take_place(temporary, target)  # The link is replaced, and not followed.
        if target.exists():
            if target.is_file() and _is_the_same(target, ref):
                return target
        elif _named(temporary, target):
            return target
    raise AssertionError("unreachable")


def _named(temporary: Path, target: Path) -> bool:
    """Give a file a name, unless another one has it by now."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        return False
    except OSError:  # A disk without hard links.
        with _naming:
            if target.exists():
                return False
            _take_place(temporary, target)
    return True


def _take_place(temporary: Path, target: Path) -> Path:
    temporary.replace(target)
    return target


def _create(path: Path) -> IO[bytes]:
    """A new file that only its owner reads."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "xb", opener=partial(os.open, mode=0o600))
    except OSError as exc:
        raise DownloadError(f"Cannot write to {path.parent}: {exc.strerror}. {_ELSEWHERE}") from None


def _counted(chunks: Iterable[bytes], on_bytes: Callable[[int], object]) -> Iterator[bytes]:
    for chunk in chunks:
        on_bytes(len(chunk))
        yield chunk


def _write_checked(file: IO[bytes], chunks: Iterable[bytes], ref: FileRef, outcome: str) -> None:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        if size > ref.size:
            raise DownloadError(f"{ref.name!r} should have {ref.size:,} bytes and more came. {outcome}; try again.")
        file.write(chunk)
    file.flush()
    if size != ref.size:
        raise DownloadError(f"{ref.name!r} should have {ref.size:,} bytes and {size:,} came. {outcome}; try again.")
    if digest.hexdigest() != ref.sha256:
        raise DownloadError(
            f"The content of {ref.name!r} is not what was uploaded (SHA-256 differs). {outcome}.\n"
            "Try again; if it stays so, the stored file is damaged: upload it anew."
        )
