"""Rows written into a file batch by batch: Parquet, Arrow, CSV and JSON lines, with what is known of them in the end.

A file is written beside its place and renamed when it is whole. Called by exports.
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from pyarrow import types

from kalam_notebook.errors import ConfigError, KalamError, ResultError
from kalam_notebook.partfiles import discard, part_beside
from kalam_notebook.results.results import Completeness
from kalam_notebook.wire.arguments import check_path

__all__ = ["COMPLETENESS", "Sink", "checked_target", "writing"]

#: Key of the metadata of a file: a JSON object with the attributes of ``Completeness``.
COMPLETENESS = b"kalam:completeness"

#: Of a row group of Parquet: enough for the readers, and little beside the memory of any machine.
_GROUP_BYTES = 8 << 20

#: Before 26, pyarrow cannot read lists of one size with NULL among them from Parquet, and cannot always write them.
_HAS_SIZED_LISTS = int(pa.__version__.partition(".")[0]) >= 26


class Sink:
    """A file that takes batches; a context manager, which closes what it writes with.

    Args:
        file: Where to.
        schema: The schema of all batches.
    """

    def __init__(self, file: pa.NativeFile, schema: pa.Schema) -> None:
        self.file = file
        self.schema = schema

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):  # What could not be written before has been told.
            self.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Take the next rows."""
        raise NotImplementedError

    def finish(self, completeness: Completeness) -> None:
        """Write what is left, and what is known of the rows where the format has a place for it."""
        self.close()

    def close(self) -> None:
        """Close the writer; may be called twice."""


class _Parquet(Sink):
    def __init__(self, file: pa.NativeFile, schema: pa.Schema) -> None:
        super().__init__(file, schema)
        self._written = schema if _HAS_SIZED_LISTS else pa.schema([_unsized(field) for field in schema])
        self._writer = pq.ParquetWriter(file, self._written)
        self._waiting: list[pa.RecordBatch] = []
        self._bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= _GROUP_BYTES:
            self._write_group()

    def finish(self, completeness: Completeness) -> None:
        self._write_group()
        self._writer.add_key_value_metadata({COMPLETENESS: _told(completeness)})
        self.close()

    def close(self) -> None:
        self._writer.close()

    def _write_group(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting, self.schema)
            for index, (found, written) in enumerate(zip(self.schema, self._written, strict=True)):
                if found.type != written.type:
                    cells = [_unsized_cells(chunk) for chunk in table.column(index).chunks]
                    table = table.set_column(index, written, pa.chunked_array(cells, written.type))
            self._writer.write_table(table)
        self._waiting.clear()
        self._bytes = 0


def _unsized(field: pa.Field) -> pa.Field:
    return field.with_type(pa.list_(field.type.value_field)) if types.is_fixed_size_list(field.type) else field


def _unsized_cells(cells: pa.FixedSizeListArray) -> pa.ListArray:
    lengths = pc.fill_null(pc.list_value_length(cells), 0).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    kind = pa.list_(cells.type.value_field)
    return pa.ListArray.from_arrays(offsets, cells.flatten(), type=kind, mask=cells.is_null())


class _Arrow(Sink):
    def __init__(self, file: pa.NativeFile, schema: pa.Schema) -> None:
        super().__init__(file, schema)
        self._writer = pa.ipc.new_file(file, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def finish(self, completeness: Completeness) -> None:
        # The metadata of the file itself has to be known before the first row.
        last = pa.RecordBatch.from_pylist([], self.schema)
        self._writer.write_batch(last, custom_metadata={COMPLETENESS: _told(completeness)})
        self.close()

    def close(self) -> None:
        self._writer.close()


class _Csv(Sink):
    """NULL is an empty cell, and an empty text one in quotes."""

    def __init__(self, file: pa.NativeFile, schema: pa.Schema) -> None:
        super().__init__(file, schema)
        kinds = [pa.string() if _needs_text(kind) else kind for kind in schema.types]
        self._fields = pa.schema(list(zip(schema.names, kinds, strict=True)))
        self._writer = pa.csv.CSVWriter(file, self._fields)

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [
            pa.array(_texts(column), pa.string()) if _needs_text(column.type) else column for column in batch.columns
        ]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._fields))

    def close(self) -> None:
        self._writer.close()


class _JsonLines(Sink):
    def __init__(self, file: pa.NativeFile, schema: pa.Schema) -> None:
        super().__init__(file, schema)
        twice = [name for name, count in Counter(schema.names).items() if count > 1]
        if twice:
            raise ResultError(
                f"A JSON object cannot have two members named {twice[0]!r}. Give them names in SQL: "
                f"... AS {twice[0]}_2."
            )

    def write(self, batch: pa.RecordBatch) -> None:
        names = self.schema.names
        for row in zip(*map(_json_cells, batch.columns), strict=True):
            self.file.write(orjson.dumps(dict(zip(names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE))


_SINKS: dict[str, type[Sink]] = {".parquet": _Parquet, ".arrow": _Arrow, ".csv": _Csv, ".jsonl": _JsonLines}


def checked_target(path: object) -> Path:
    """The file that is meant, whose name tells the format.

    Raises:
        ConfigError: It is no path, or its ending is that of no format.
        ResultError: What is there is no ordinary file.
    """
    _, target = check_path("path", path)
    if target.suffix.lower() not in _SINKS:
        *others, last = _SINKS
        raise ConfigError(
            f"The ending of {str(path)[:100]!r} tells no format. Use {', '.join(others)} or {last}; for others write "
            "the batches of kalam.query_batches(sql) by hand."
        )
    try:
        is_other = target.exists() and not target.is_file()
    except OSError as exc:
        raise _refusal(target, exc) from None
    if is_other:  # Renaming would put a file in its place, if it were /dev/null.
        raise ResultError(f"{target} is no ordinary file, and is not replaced by one.")
    return target


@contextmanager
def writing(target: Path, schema: pa.Schema) -> Iterator[Sink]:
    """Open a file beside its place, and put it there when the block has ended without an error.

    Args:
        target: From ``checked_target``; a file that is there is replaced.
        schema: The schema of all batches.

    Raises:
        ResultError: The disk does not take it. Nothing is left then.
    """
    temporary = part_beside(target)
    try:
        make = _SINKS[target.suffix.lower()]
        with _told_shortly(target), pa.OSFile(str(temporary), "wb") as file, make(file, schema) as sink:
            yield sink
        with _told_shortly(target):
            temporary.replace(target)
    finally:
        discard(temporary)


@contextmanager
def _told_shortly(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if isinstance(exc, KalamError):  # The server was silent: RequestTimeoutError is an OSError too.
            raise
        raise _refusal(target, exc) from None


def _refusal(target: Path, error: OSError) -> ResultError:
    why = error.strerror or str(error).splitlines()[0]
    return ResultError(
        f"Cannot write {target}: {why}. Nothing was kept.\nGive another place: path='/another/folder/…'."
    )


def _told(completeness: Completeness) -> bytes:
    return orjson.dumps(asdict(completeness))


# Cells of formats that are text.


def _needs_text(kind: pa.DataType) -> bool:
    """Whether the CSV writer does not know a type."""
    return isinstance(kind, pa.UuidType) or types.is_nested(kind) or types.is_duration(kind) or _is_binary(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def _texts(column: pa.Array) -> list[str | None]:
    cells = _json_cells(column)
    return [cell if cell is None or isinstance(cell, str) else orjson.dumps(cell).decode() for cell in cells]


def _json_cells(column: pa.Array) -> list[Any]:
    """Values as JSON has them: numbers but those that it cannot hold, and text for everything else."""
    kind = column.type
    if types.is_nested(kind):
        return [_jsonable(value) for value in column.to_pylist()]
    if types.is_timestamp(kind):
        # As RFC 3339 writes it. What a column has below microseconds, datetime has not.
        return [None if text is None else text.replace(" ", "T", 1) for text in column.cast(pa.string()).to_pylist()]
    if types.is_decimal(kind) or types.is_date(kind) or types.is_time(kind):
        return list(column.cast(pa.string()).to_pylist())
    if types.is_duration(kind):
        return list(column.cast(pa.int64()).to_pylist())
    is_plain = types.is_integer(kind) or types.is_boolean(kind) or types.is_string(kind)
    return list(column.to_pylist()) if is_plain else [_jsonable(value) for value in column.to_pylist()]


def _jsonable(value: Any) -> Any:  # noqa: ANN401 - any value of a cell.
    if isinstance(value, float):
        return value if math.isfinite(value) else _NO_NUMBERS[str(value)]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _jsonable(item) for name, item in value.items()}
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


#: JSON has no such numbers, and would show NULL.
_NO_NUMBERS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
