"""A CREATE TABLE for a frame: the server's types for Arrow's. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from kalam_notebook.errors import FrameError
from kalam_notebook.sql.params import literal
from kalam_notebook.sql.statement import quote_name
from kalam_notebook.wire.arguments import check_number
from kalam_notebook.wire.types import KALAM_TYPE, Column
from kalam_notebook.writing.names import check_names
from kalam_notebook.writing.objects import GUESSED
from kalam_notebook.writing.problems import Problems
from kalam_notebook.writing.target import Target

__all__ = ["check_ttl", "create_statement", "derive_target"]

#: Types that a key works with (protocol/sql.md#create-table).
_KEY_TYPES = {"BigInt", "Int", "SmallInt", "Text"}
_MAX_EMBEDDING = 8192
#: Digits of the widest decimal.
_MAX_DIGITS = 38
#: Prices and rates have less; the server multiplies two such numbers without an overflow.
_LEAST_SCALE = 10


def derive_target(
    table: pa.Table,
    namespace: str,
    name: str,
    *,
    key: str | None,
    kind: str,
    problems: Problems,
    renaming: Callable[[dict[str, str]], str],
) -> Target:
    """Make the table that holds a frame.

    Args:
        table: The frame.
        namespace: Namespace of the new table.
        name: Its name.
        key: Column that becomes the primary key; None for a STREAM table without one.
        kind: ``USER``, ``SHARED`` or ``STREAM``.
        renaming: What to type to give columns of the frame other names.
        problems: Told of columns that have no type or name on the server, or cannot be the key. They are left out.

    Returns:
        The table as it will be: every column but the key takes NULL.
    """
    with problems.noted():
        check_names(table.column_names, renaming)
    with problems.noted():
        _check_key(table, f"{namespace}.{name}", key, kind, known=[*table.column_names, *problems.columns])
    columns = []
    for field in table.schema:
        with problems.noted():
            columns.append(_column(table, field, is_key=field.name == key))
    return Target(f"{quote_name(namespace)}.{quote_name(name)}", kind.lower(), tuple(columns), {})


def _check_key(table: pa.Table, name: str, key: str | None, kind: str, *, known: Sequence[str]) -> None:
    if key is None and kind != "STREAM":
        usable = (one.name for one in table.schema if _is_key(table.column(one.name)))
        example = next(usable, None)
        advice = f"for example key={example!r}" if example else "key='id', after frame = frame.reset_index(names='id')"
        raise FrameError(f"{name} does not exist, and create=True needs its primary key: {advice}.")
    if key is not None and key not in known:
        raise FrameError(
            f"The frame has no column {key!r}, which is to be the key. It has: {', '.join(known)}.\n"
            f"To number the rows: frame = frame.reset_index(names={key!r})"
        )


def _is_key(values: pa.ChunkedArray) -> bool:
    """Whether a column can tell rows apart."""
    is_possible = types.is_integer(values.type) or types.is_string(values.type) or types.is_large_string(values.type)
    return is_possible and values.null_count == 0 and len(pc.unique(values)) == len(values)


def create_statement(target: Target, *, ttl_seconds: int | None) -> str:
    """The CREATE TABLE for a derived table.

    Args:
        target: The table.
        ttl_seconds: For how many seconds a STREAM table keeps rows; None for other tables.

    Raises:
        ConfigError: ``ttl_seconds`` is no number of seconds.
        FrameError: A STREAM table without ``ttl_seconds``, or another table with it.
    """
    check_ttl(ttl_seconds)
    if (target.kind == "stream") != (ttl_seconds is not None):
        raise FrameError("ttl_seconds says how long a STREAM table keeps its rows; give it with kind='STREAM' only.")
    columns = [
        f"    {quote_name(column.name)} {column.sql_type}" + (" PRIMARY KEY" if column.is_primary_key else "")
        for column in target.columns
    ]
    options = f"TYPE = {literal('kind', target.kind.upper())}"
    if ttl_seconds is not None:
        options += f", TTL_SECONDS = {literal('ttl_seconds', ttl_seconds)}"
    return f"CREATE TABLE {target.name} (\n" + ",\n".join(columns) + f"\n) WITH ({options})"


def check_ttl(ttl_seconds: object) -> None:
    """See that a time to live is one.

    Raises:
        ConfigError: It is something else. Rows with 0 seconds would be gone at once.
    """
    if ttl_seconds is not None:
        check_number("ttl_seconds", ttl_seconds)


def _column(table: pa.Table, field: pa.Field, *, is_key: bool) -> Column:
    flags = ("pk", "nn", "uq") if is_key else ()
    column = _typed(table.column(field.name), field, flags)
    if is_key and column.type_name not in _KEY_TYPES:
        raise FrameError(
            f"would be a key of type {column.sql_type}; keys are BIGINT, INT, SMALLINT or TEXT.", column=field.name
        )
    return column


def _typed(values: pa.ChunkedArray, field: pa.Field, flags: tuple[str, ...]) -> Column:
    kind = field.type
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        kind = kind.value_type
    known = (field.metadata or {}).get(KALAM_TYPE, b"").decode()

    if types.is_decimal(kind):
        if not 0 <= kind.scale <= kind.precision <= _MAX_DIGITS:
            raise FrameError(f"is {kind}; the server's decimals have 38 digits at most.", column=field.name)
        # What was read from a table has the type of that table.
        precision = kind.precision if known else _MAX_DIGITS
        scale = _roomy_scale(kind) if GUESSED in (field.metadata or {}) else kind.scale
        return Column(field.name, "Decimal", precision, scale, flags=flags)

    if types.is_timestamp(kind):
        is_zoned = kind.tz is not None and known != "TIMESTAMP"
        return Column(field.name, "DateTime" if is_zoned else "Timestamp", flags=flags)
    if size := _embedding_size(values, kind):
        return Column(field.name, "Embedding", size=size, flags=flags)

    name = _simple_name(kind)
    if name in {"SmallInt", "Int"} and not known:
        name = "BigInt"  # Of the numbers that are there 8 bits may be enough; the next rows may need more.
    if name == "Text" and known in {"JSON", "FILE"}:
        name = known.title()
    if not name:
        raise FrameError(
            f"is {kind}, which has no type on the server. Convert it, or leave it out."
            if not types.is_null(kind)
            else "has no values, so that its type is not known. Convert it to the type it shall have, or leave it out.",
            column=field.name,
        )
    return Column(field.name, name, flags=flags)


def _simple_name(kind: pa.DataType) -> str:
    """The server's type name for an Arrow type; empty when there is none."""
    names = {
        pa.bool_(): "Boolean", pa.int8(): "SmallInt", pa.uint8(): "SmallInt", pa.int16(): "SmallInt",
        pa.uint16(): "Int", pa.int32(): "Int", pa.uint32(): "BigInt", pa.int64(): "BigInt", pa.uint64(): "BigInt",
        pa.float16(): "Float", pa.float32(): "Float", pa.float64(): "Double", pa.string(): "Text",
        pa.large_string(): "Text", pa.string_view(): "Text", pa.binary(): "Bytes", pa.large_binary(): "Bytes",
        pa.binary_view(): "Bytes", pa.date32(): "Date", pa.date64(): "Date",
    }  # fmt: skip
    if isinstance(kind, pa.UuidType):
        return "Uuid"
    if types.is_time(kind):
        return "Time"
    if types.is_nested(kind) and not types.is_union(kind):
        return "Json"
    return "Bytes" if types.is_fixed_size_binary(kind) else names.get(kind, "")


def _roomy_scale(kind: pa.Decimal128Type) -> int:
    """Digits behind the point for a type that Arrow found in the values: the next ones may need more.

    Whole numbers stay whole, as those beyond BIGINT.
    """
    if kind.scale == 0:
        return 0
    before = kind.precision - kind.scale
    return int(max(kind.scale, min(_LEAST_SCALE, _MAX_DIGITS - before)))


def _embedding_size(values: pa.ChunkedArray, kind: pa.DataType) -> int:
    """The length of lists of floats that are all of one length; 0 for anything else."""
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    if not is_list or not types.is_floating(kind.value_type):
        return 0
    sizes = pc.unique(pc.drop_null(pc.list_value_length(values))).to_pylist()
    return int(sizes[0]) if len(sizes) == 1 and 1 <= sizes[0] <= _MAX_EMBEDDING else 0
