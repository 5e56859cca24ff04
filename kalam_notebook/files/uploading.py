"""Many uploads: after them each row has its file, and files that are there already are not sent again."""

from __future__ import annotations

import hashlib
import io
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from kalam_notebook.errors import ConfigError, FrameError, KalamError, TransportError
from kalam_notebook.files.outcome import OF_ALL, Outcome, failed, report
from kalam_notebook.files.parallel import each_reported
from kalam_notebook.http.client import HttpTransport
from kalam_notebook.http.endpoint import SqlEndpoint
from kalam_notebook.http.uploads import FileSource, named_source, open_source, upload
from kalam_notebook.results.progress import Meter
from kalam_notebook.sql.params import encode
from kalam_notebook.sql.placeholders import bind
from kalam_notebook.sql.statement import quote_name
from kalam_notebook.wire.arguments import check_path, check_text
from kalam_notebook.wire.fileref import FileRef, is_no_file, parse_file_ref
from kalam_notebook.writing.target import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Item", "file_column", "items_of", "upload_many"]

#: Rows that are looked up at a time.
_KEYS = 500
_REPORT = ("key", "name", "bytes", "result", "error")


@dataclass(frozen=True, slots=True)
class Item:
    """One row and its file.

    Attributes:
        source: The file.
        values: The row's other columns, by name.
    """

    source: FileSource
    values: Mapping[str, Any] = field(default_factory=dict)


def file_column(target: Target, column: str | None) -> str:
    """The column for the files.

    Raises:
        ConfigError: There is none, or it is not told which of several.
    """
    files = [one.name for one in target.columns if one.type_name == "File"]
    if column is not None and check_text("column", column) in files:
        return column
    if column is None and len(files) == 1:
        return files[0]
    if not files:
        raise ConfigError(
            f"{target.name} has no FILE column. Add one: ALTER TABLE {target.name} ADD COLUMN attachment FILE."
        )
    raise ConfigError(f"column names a FILE column of {target.name}: {', '.join(files)}.")


def items_of(files: object, target: Target, column: str) -> tuple[list[Item], Any]:
    """The rows that are meant, and the labels of a frame's.

    Args:
        files: A folder, a file, several of them, a mapping of keys to files, or a frame with the table's columns.
        target: The table.
        column: The column for the files.

    Raises:
        ConfigError: It is none of them, or paths cannot be the keys of the table.
        FrameError: A frame has other columns than the table.
    """
    frame: Any = files.to_pandas() if hasattr(files, "to_pandas") else files
    if hasattr(frame, "columns") and hasattr(frame, "to_dict"):
        _check_frame(list(frame.columns), target, column)
        records = frame.to_dict("records")
        return [Item(record.pop(column), record) for record in records], frame.index

    own = target.key
    if isinstance(files, Mapping):
        if own is None:
            raise ConfigError(f"{target.name} has no key. Give a list of files, or a frame with its columns.")
        return [Item(source, {own.name: key}) for key, source in files.items()], None

    sources = list(_sources(files))
    if own is None or own.name in target.defaults:
        return [Item(source) for source in sources], None
    if own.type_name != "Text":
        raise ConfigError(
            f"Names of files cannot be keys of {target.name}: {own.name} is {own.sql_type}.\n"
            f"Give the keys: upload({{1: 'a.png', 2: 'b.png'}}, …), or a frame with {own.name} and {column}."
        )
    return [Item(source, {own.name: named_source(column, source)[0]}) for source in sources], None


def _sources(files: object) -> Iterable[FileSource]:
    if isinstance(files, (str, os.PathLike)):
        _, path = check_path("files", files)
        try:
            return sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
        except OSError as exc:
            raise ConfigError(f"files cannot be read: {exc.strerror}. Give a folder or paths that exist.") from None
    if isinstance(files, Iterable) and not isinstance(files, (bytes, io.IOBase)):
        return files
    raise ConfigError(
        f"files is {type(files).__name__}. Give a folder, a list of paths, {{key: path}}, or a frame with the table's "
        "columns."
    )


def _check_frame(names: Sequence[str], target: Target, column: str) -> None:
    known = [one.name for one in target.columns]
    if column not in names:
        raise FrameError(f"The frame has no column {column!r} with the files. It has: {', '.join(map(str, names))}.")
    if extra := [name for name in names if name not in known]:
        raise FrameError(f"{target.name} has no column {extra[0]}; drop or rename it.")
    own = target.key
    if own is not None and own.name not in names and own.name not in target.defaults:
        raise FrameError(f"The frame lacks {own.name}, the key of {target.name}. Add it.")


def upload_many(
    http: HttpTransport,
    endpoint: SqlEndpoint,
    items: Sequence[Item],
    target: Target,
    column: str,
    *,
    read: Callable[[str, list[Any]], pa.Table],
    replace: bool,
    parallel: int,
    index: Any,  # noqa: ANN401 - an index of pandas.
    meter: Meter,
) -> pd.DataFrame:
    """Upload files into the rows of a table.

    Args:
        http: Sends; for these alone, since it is closed when the reader interrupts.
        endpoint: Sends by it.
        items: The rows.
        target: The table.
        column: The column for the files.
        read: Runs a query.
        replace: Whether a row's other file is replaced.
        parallel: Files at a time, at most.
        index: The rows' labels.
        meter: Told of each file.

    Returns:
        For each row ``key``, ``name``, ``bytes``, ``result``, ``error``.

    Raises:
        FrameError: Two rows have one key; nothing was sent.
        AuthError: The login is refused.
        ConnectError: The server cannot be reached.
    """
    rows = _Rows(target, column, read)
    keys = [rows.key_of(item) for item in items]
    if twice := [key for key, count in Counter(keys).items() if key is not None and count > 1]:
        raise FrameError(f"Two of the files would have the key {twice[0]!r}. Give each its own: upload({{key: file}}).")
    there = rows.files([key for key in keys if key is not None])

    send = partial(_send, endpoint, rows, there=there, replace=replace)
    outcomes = each_reported(send, items, done="uploaded", meter=meter, parallel=parallel, give_up=http.close)
    return report(outcomes, index, columns=_REPORT, verb="uploaded")


class _Rows:
    """The table's rows, as far as they are asked for."""

    def __init__(self, target: Target, column: str, read: Callable[[str, list[Any]], pa.Table]) -> None:
        self._target = target
        self._column = quote_name(column)
        self._read = read
        self._own = target.key

    def key_of(self, item: Item) -> object:
        """The row's key as it is sent; None where the server gives it."""
        return encode("the key", item.values.get(self._own.name)) if self._own is not None else None

    def files(self, keys: Sequence[object]) -> dict[object, FileRef | None]:
        """The files of those rows that are there, by key."""
        if self._own is None:
            return {}
        key, found = quote_name(self._own.name), {}
        for start in range(0, len(keys), _KEYS):
            sql = f"SELECT {key} AS k, {self._column} AS f FROM {self._target.name} WHERE {key} IN ($1)"
            table = self._read(sql, [keys[start : start + _KEYS]])
            cells = zip(table.column("k").to_pylist(), table.column("f").to_pylist(), strict=True)
            found.update({encode("the key", one): parse_file_ref(cell) for one, cell in cells})
        return found

    def statement(self, item: Item, *, is_there: bool) -> tuple[str, list[Any]]:
        """The statement that gives a row its file, and its values."""
        names = list(item.values)
        values = [None if is_no_file(value) else value for value in item.values.values()]
        if not is_there:
            columns = ", ".join([*map(quote_name, names), self._column])
            marks = ", ".join([*(f"${number}" for number in range(1, len(names) + 1)), 'FILE("file")'])
            return f"INSERT INTO {self._target.name} ({columns}) VALUES ({marks})", values
        assert self._own is not None
        number = names.index(self._own.name) + 1
        sets = [f"{quote_name(name)} = ${at}" for at, name in enumerate(names, 1) if at != number]
        changes = ", ".join([*sets, f'{self._column} = FILE("file")'])
        return f"UPDATE {self._target.name} SET {changes} WHERE {quote_name(self._own.name)} = ${number}", values


def _send(
    endpoint: SqlEndpoint, rows: _Rows, item: Item, there: Mapping[object, FileRef | None], *, replace: bool
) -> Outcome:
    key = rows.key_of(item)
    more = {"key": key}
    if is_no_file(item.source):
        return Outcome(None, None, "no file", more=more)

    name, size = named_source("file", item.source)[0], None
    try:
        with ExitStack() as stack:
            name, opened = open_source("file", item.source, stack)
            content: IO[bytes] = io.BytesIO(opened) if isinstance(opened, bytes) else opened
            size = content.seek(0, os.SEEK_END)
            content.seek(0)

            old = there.get(key) if key is not None else None
            if old is not None and _is_the_same(content, size, old):
                return Outcome(name, size, "already there", more=more)
            if old is not None and not replace:
                what = f"The row has another file: {old.name!r}, {old.size:,} bytes."
                return Outcome(name, size, "failed", f"{what} replace=True puts this one in its place.", more)

            sql, values = rows.statement(item, is_there=key is not None and key in there)
            _upload(endpoint, rows, sql, values, name, content, size, key)
            return Outcome(name, size, "uploaded", more=more)
    except OF_ALL:
        raise
    except (KalamError, OSError) as exc:
        outcome = failed(exc, name, size)
        return Outcome(name, size, outcome.result, outcome.error, more)


def _upload(
    endpoint: SqlEndpoint,
    rows: _Rows,
    sql: str,
    values: list[Any],
    name: str,
    content: IO[bytes],
    size: int,
    key: object,
) -> None:
    statement, sent = bind(sql, values)
    try:
        upload(endpoint, statement, {"file": (name, content)}, sent)
    except OF_ALL:
        raise
    except TransportError:
        # The answer was lost, and perhaps nothing else.
        found = rows.files([key]).get(key) if key is not None else None
        if found is None or not _is_the_same(content, size, found):
            raise


def _is_the_same(content: IO[bytes], size: int, ref: FileRef) -> bool:
    if size != ref.size:
        return False
    content.seek(0)
    is_same = hashlib.file_digest(content, "sha256").hexdigest() == ref.sha256  # type: ignore[arg-type]
    content.seek(0)
    return is_same
