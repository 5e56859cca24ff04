"""Definitions of tables: columns, defaults, options, and the Arrow schema made from them.

A definition never changes; ALTER TABLE puts a new one with a higher version in its place. Rows live elsewhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property

import pyarrow as pa

from kalam_sandbox.backend import Column
from kalam_sandbox.ids import version_name
from kalam_sandbox.store.types import BIGINT, BOOLEAN, ColumnType

DELETED = "_deleted"
#: When a row of a STREAM table came in, where versions hold no time.
INGESTED = "_timestamp"


@dataclass(frozen=True, slots=True)
class Default:
    """The DEFAULT of a column: a function by name, or a literal.

    Attributes:
        function: ``SNOWFLAKE_ID``, ``UUID_V7``, ``ULID``, ``NOW`` or ``CURRENT_USER``; None for a literal.
        value: The literal (text, number, boolean or None).
    """

    function: str | None = None
    value: bool | int | float | str | None = None

    @property
    def sql(self) -> str:
        """The spelling of DESCRIBE TABLE."""
        if self.function:
            return f"{self.function}()"
        if isinstance(self.value, str):
            return "'" + self.value.replace("'", "''") + "'"
        if self.value is None:
            return "NULL"
        return str(self.value).upper() if isinstance(self.value, bool) else str(self.value)

    @property
    def debug(self) -> str:
        """The spelling of `system.columns`."""
        if self.function:
            return f"{self.function}()"
        if isinstance(self.value, str):
            return f"String({json.dumps(self.value, ensure_ascii=False)})"
        if isinstance(self.value, bool):
            return f"Bool({str(self.value).lower()})"
        return "Null" if self.value is None else f"Number({self.value})"

    @property
    def json(self) -> object:
        """The form inside the `columns` text of `system.schemas`."""
        return {"FunctionCall": {"name": self.function, "args": []}} if self.function else {"Literal": self.value}


@dataclass(frozen=True, slots=True)
class ColumnDef:
    """One column of a table.

    Attributes:
        name: Stored name, lower case.
        type: Declared type.
        nullable: Whether NULL may be stored; false for the key.
        is_key: Whether this is the primary key.
        default: What fills the column when it is left out, None for nothing.
        column_id: Number that stays when columns are dropped; from 1.
        comment: Shown in the catalogue.
        added_after: Greatest version when ALTER TABLE added the column; rows up to it have no value, 0 for none.
        is_hidden: Whether the server keeps the column itself, and nobody may write it.
    """

    name: str
    type: ColumnType
    nullable: bool = True
    is_key: bool = False
    default: Default | None = None
    column_id: int = 0
    comment: str | None = None
    added_after: int = 0
    is_hidden: bool = False

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags of answers: a key has all three."""
        if self.is_key:
            return ("pk", "nn", "uq")
        return () if self.nullable else ("nn",)

    @property
    def field(self) -> pa.Field:
        """The Arrow field, with the metadata that the server keeps on it."""
        metadata = {"kalam_data_type": self.type.metadata}
        if self.flags:
            metadata["kalam_column_flags"] = json.dumps(self.flags, separators=(",", ":"))
        return pa.field(self.name, self.type.arrow, self.nullable, metadata)

    @property
    def wire(self) -> Column:
        """The column as answers and live queries announce it."""
        return Column(self.name, self.type.wire, self.flags)


def hidden_columns(first_id: int, kind: str = "shared", *, by_log: bool = False) -> tuple[ColumnDef, ...]:
    """Return the columns that the server adds to a table: the version first, then `_deleted`.

    Args:
        first_id: Id of the first of them.
        kind: Kind of the table.
        by_log: Whether versions are positions in a log; then rows of a STREAM table have a time as well.
    """
    meaning = "Version ID (MVCC): position in the log" if by_log else "Version ID (MVCC) with embedded timestamp"
    columns = [
        ColumnDef(version_name(by_log=by_log), BIGINT, nullable=False, comment=meaning),
        ColumnDef(DELETED, BOOLEAN, nullable=False, default=Default(value=False), comment="Soft delete flag"),
    ]
    if by_log and kind == "stream":
        columns.append(ColumnDef(INGESTED, BIGINT, nullable=False, comment="Ingestion time in milliseconds"))
    return tuple(replace(column, column_id=first_id + place, is_hidden=True) for place, column in enumerate(columns))


@dataclass(frozen=True)
class TableDef:
    """One version of a table's definition.

    Attributes:
        namespace: Namespace, lower case.
        name: Table name, lower case.
        kind: ``user``, ``shared`` or ``stream``.
        columns: All columns in ordinal order, hidden ones included.
        options: JSON-ready options as `system.schemas` shows them.
        access_level: ``Public``, ``Private``, ``Restricted`` or ``Dba`` for SHARED tables, else None.
        ttl_seconds: Life of a row of a STREAM table, else None.
        version: Schema version from 1.
        comment: Table comment.
        created_ms: Creation time, Unix milliseconds.
        updated_ms: Time of this version, Unix milliseconds.
    """

    namespace: str
    name: str
    kind: str
    columns: tuple[ColumnDef, ...]
    options: dict[str, object] = field(default_factory=dict)
    access_level: str | None = None
    ttl_seconds: int | None = None
    version: int = 1
    comment: str | None = None
    created_ms: int = 0
    updated_ms: int = 0

    @property
    def full_name(self) -> str:
        """``namespace.table``."""
        return f"{self.namespace}.{self.name}"

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema of stored and scanned rows."""
        return pa.schema([column.field for column in self.columns])

    @cached_property
    def key(self) -> ColumnDef | None:
        """The primary key column, None for a STREAM table without one."""
        return next((column for column in self.columns if column.is_key), None)

    @cached_property
    def by_name(self) -> dict[str, ColumnDef]:
        """Columns by stored name."""
        return {column.name: column for column in self.columns}

    @cached_property
    def writable(self) -> tuple[ColumnDef, ...]:
        """Columns that an INSERT without a column list counts."""
        return tuple(column for column in self.columns if not column.is_hidden)

    @cached_property
    def hidden(self) -> tuple[str, ...]:
        """Names of the columns that the server keeps itself, the version first; a system table has none."""
        return tuple(column.name for column in self.columns if column.is_hidden)

    @property
    def version_column(self) -> str:
        """Name of the column that numbers row versions."""
        return self.hidden[0]
