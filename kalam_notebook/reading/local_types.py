"""The types of the local engine and those of the client: tables on their way in, results on their way out. Pure."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import types

from kalam_notebook.errors import ResultError
from kalam_notebook.wire.types import KALAM_TYPE

__all__ = ["as_on_the_server", "as_read", "without_metadata"]


def as_on_the_server(table: pa.Table) -> pa.Table:
    """The table under the server's Arrow types: TIMESTAMP has no zone there, a UUID is 16 bytes."""
    fields = []
    for found in table.schema:
        kind = found.type
        if (found.metadata or {}).get(KALAM_TYPE) == b"TIMESTAMP":
            kind = pa.timestamp("us")
        elif isinstance(kind, pa.UuidType):
            kind = pa.binary(16)
        fields.append(found.with_type(kind))
    return table.cast(pa.schema(fields))


def without_metadata(table: pa.Table) -> pa.Table:
    """The table without what its fields say of the server's types."""
    return table.cast(pa.schema([found.remove_metadata() for found in table.schema]))


def as_read(batches: list[pa.RecordBatch], announced: pa.Schema) -> pa.Table:
    """The result as the client gives it: times without a zone are UTC, 16 bytes are a UUID, views are plain.

    A dictionary comes as its values and an interval as text, in lists too. Every field takes NULL: the engine's batches
    differ in that, and in their metadata, from each other and from what it announces.

    Args:
        batches: The rows as the engine gives them.
        announced: The schema that it announces.

    Raises:
        ResultError: A column has a type that the client has no form for.
    """
    schema = pa.schema([pa.field(f.name, _plain(f.type), metadata=f.metadata) for f in announced])
    rows = [
        pa.RecordBatch.from_arrays([_cast(*pair) for pair in zip(batch.columns, schema, strict=True)], schema=schema)
        for batch in batches
    ]
    return pa.Table.from_batches(rows, schema)


def _plain(kind: pa.DataType) -> pa.DataType:
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _plain(kind.value_type)
    if types.is_list(kind) or types.is_list_view(kind):
        return pa.list_(_plain(kind.value_type))
    if types.is_large_list(kind) or types.is_large_list_view(kind):
        return pa.large_list(_plain(kind.value_type))
    if types.is_fixed_size_list(kind):
        return pa.list_(_plain(kind.value_type), kind.list_size)
    if types.is_map(kind):
        return pa.map_(_plain(kind.key_type), _plain(kind.item_type))
    if types.is_struct(kind):
        return pa.struct([pa.field(field.name, _plain(field.type)) for field in kind])
    if types.is_timestamp(kind) and kind.tz in (None, "+00:00"):
        return pa.timestamp(kind.unit, "UTC")
    if types.is_string_view(kind) or types.is_interval(kind):
        return pa.string()
    if types.is_binary_view(kind):
        return pa.binary()
    return pa.uuid() if kind == pa.binary(16) else kind


def _cast(cells: pa.Array, field: pa.Field) -> pa.Array:
    try:
        return cells.cast(field.type)
    except pa.ArrowNotImplementedError:
        # Arrow in Python has no text for intervals, and does not decode a dictionary of views.
        return _cast_by_engine(cells, field)


def _cast_by_engine(cells: pa.Array, field: pa.Field) -> pa.Array:
    from datafusion import SessionConfig, SessionContext

    context = SessionContext(SessionConfig().with_target_partitions(1))  # Several would not keep the order.
    context.register_record_batches("cells", [[pa.record_batch({"v": cells})]])
    try:
        found = context.sql(f"SELECT arrow_cast(v, '{_engine_name(field.type)}') AS v FROM cells").collect()
    except Exception as exc:  # The package raises plain exceptions for every failure of the engine.
        raise ResultError(
            f"Column {field.name!r} is {cells.type}, which cannot be read. Cast it in SQL, or select its fields."
        ) from exc
    return pa.chunked_array([batch.column(0) for batch in found], field.type).combine_chunks()


def _engine_name(kind: pa.DataType) -> str:
    """A list of texts, or a text, as the engine names it."""
    if types.is_fixed_size_list(kind):
        return f"FixedSizeList({kind.list_size} x {_engine_name(kind.value_type)})"
    if types.is_list(kind) or types.is_large_list(kind):
        return f"{'Large' if types.is_large_list(kind) else ''}List({_engine_name(kind.value_type)})"
    return "Binary" if types.is_binary(kind) else "Utf8"
