"""Uploads: one statement with files for its ``FILE("name")`` placeholders, as a multipart request."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import orjson

from kalam_notebook.errors import ConfigError, ParameterError
from kalam_notebook.http.endpoint import Answer, SqlEndpoint
from kalam_notebook.sql.statement import Statement
from kalam_notebook.sql.tokens import Kind
from kalam_notebook.wire.arguments import check_path

__all__ = ["FileSource", "named_source", "open_source", "upload"]

#: What can be uploaded: a path, the bytes themselves, an open binary file, or ``(file name, one of these)``.
FileSource = str | os.PathLike[str] | bytes | IO[bytes] | tuple[str, "bytes | str | os.PathLike[str] | IO[bytes]"]


def placeholders(sql: str) -> set[str]:
    """The names of the ``FILE("name")`` placeholders in a statement."""
    tokens = Statement.of(sql).tokens
    found = set()
    for word, left, name, right in zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False):
        if word.word == "FILE" and left.text == "(" and right.text == ")" and name.kind in (Kind.NAME, Kind.STRING):
            found.add(name.text[1:-1])
    return found


def upload(
    endpoint: SqlEndpoint,
    sql: str,
    files: Mapping[str, FileSource],
    params: Sequence[Any],
    *,
    on_sent: Callable[[int, int], object] | None = None,
) -> Answer:
    """Send a statement with files for its ``FILE("name")`` placeholders.

    Args:
        endpoint: Sends.
        sql: The statement.
        files: The file for each placeholder.
        params: JSON values for ``$1 …``.
        on_sent: Called with the bytes of all files that were sent so far, and how many they are.

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
            file_name, content = open_source(name, source, stack)
            parts.append((f"file:{name}", (file_name, content)))
        return endpoint.upload(parts if on_sent is None else _counted(parts, on_sent), sql)


class _Counted:
    """A file that tells how far it was read, from its beginning each time that it is sent.

    Args:
        content: The file.
        told: Called after each piece.
    """

    def __init__(self, content: bytes | IO[bytes], told: Callable[[], None]) -> None:
        self._file: IO[bytes] = io.BytesIO(content) if isinstance(content, bytes) else content
        self._told = told
        self.size = self._file.seek(0, io.SEEK_END)
        self.sent = self._file.seek(0)

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.sent += len(chunk)
        if chunk:
            self._told()
        return chunk

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.sent = self._file.seek(offset, whence)
        return self.sent

    def tell(self) -> int:
        return self._file.tell()


def _counted(
    parts: Sequence[tuple[str, Any]], on_sent: Callable[[int, int], object]
) -> list[tuple[str, tuple[str | None, Any]]]:
    """The parts of a request, whose files tell how far they are."""
    files: list[_Counted] = []

    def told() -> None:
        on_sent(sum(file.sent for file in files), sum(file.size for file in files))

    counted = []
    for name, (file_name, content) in parts:
        if file_name is not None:
            content = _Counted(content, told)
            files.append(content)
        counted.append((name, (file_name, content)))
    return counted


def open_source(name: str, source: FileSource, stack: ExitStack) -> tuple[str, Any]:
    """The name that a file is stored under, and its content: bytes or an open file.

    Args:
        name: Its placeholder, for messages.
        source: The file.
        stack: Closes what is opened here.

    Raises:
        ConfigError: It cannot be read.
        ParameterError: It is nothing that can be uploaded.
    """
    file_name, content = named_source(name, source)
    if isinstance(content, (str, os.PathLike)):
        _, path = check_path(f"file {name!r}", content)
        try:
            return file_name, stack.enter_context(path.open("rb"))
        except OSError as exc:
            raise ConfigError(f"Cannot read the file {str(content)!r} for {name!r}: {exc.strerror}.") from None
    if isinstance(content, bytes) or _is_binary_file(content):
        return file_name, content
    raise ParameterError(
        f"file {name!r}",
        f"{type(source).__name__} cannot be uploaded. Give a path, bytes, a file that is open in mode 'rb', or (file "
        "name, bytes or path).",
    )


def named_source(name: str, source: FileSource) -> tuple[str, Any]:
    """The name that a file is stored under, and where its content is."""
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], str):
        return source
    if isinstance(source, (str, os.PathLike)):
        return Path(source).name, source
    return Path(str(getattr(source, "name", name))).name, source


def _is_binary_file(source: object) -> bool:
    return hasattr(source, "read") and not isinstance(source, io.TextIOBase)
