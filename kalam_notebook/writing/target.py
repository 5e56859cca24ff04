"""The table that is written: its kind, key, columns and defaults, and which of a frame's columns go where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kalam_notebook.errors import ConfigError, FrameError, PermissionDeniedError
from kalam_notebook.http.endpoint import Answer
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.listing import LISTED, find_listed
from kalam_notebook.sql.statement import quote_name, quote_text
from kalam_notebook.sql.tables import named_alone
from kalam_notebook.texts import did_you_mean
from kalam_notebook.wire.answered import one_number
from kalam_notebook.wire.types import Column

__all__ = ["Target", "exists", "match_columns", "needs_literal_path", "read_target", "table_parts"]

#: Types of keys that the server can find rows by (protocol/sql.md#create-table).
_KEY_TYPES = {"BigInt", "Int", "SmallInt", "Text", "Json", "Boolean"}
#: An UPDATE that does not set a NOT NULL column of these types fails (protocol/sql.md#update-delete).
_FRAGILE = {"Decimal", "Time", "Bytes", "Uuid", "Embedding"}
#: Types that have no literal outside an INSERT of plain values (protocol/sql.md#literals).
_LITERAL_PATH_ONLY = {"Uuid", "Embedding", "Bytes"}


@dataclass(frozen=True, slots=True)
class Target:
    """A table of the server.

    Attributes:
        name: Namespace and table as they stand in SQL.
        kind: ``user``, ``shared`` or ``stream``; empty when the role may not ask.
        columns: The table's columns, without hidden ones.
        defaults: Names of columns that the server fills when they are left out, and what it fills them with.
    """

    name: str
    kind: str
    columns: tuple[Column, ...]
    defaults: dict[str, str]

    @property
    def key(self) -> Column | None:
        """The primary key; STREAM tables may have none."""
        return next((column for column in self.columns if column.is_primary_key), None)

    @property
    def replaces_silently(self) -> bool:
        """Whether an INSERT of a key that is taken replaces the row: such keys are not checked.

        Source: protocol/sql.md#insert.
        """
        return self.key is not None and self.defaults.get(self.key.name, "").upper().startswith("SNOWFLAKE_ID")


def table_parts(table: str) -> tuple[str, str]:
    """Read ``namespace.table``.

    Raises:
        ConfigError: It has another form; a name without a namespace may mean another table than one thinks (truth L23).
    """
    name = named_alone(table) if isinstance(table, str) else None
    if name is not None and name.namespace is not None:
        return name.namespace, name.table
    raise ConfigError(f"{table!r} does not name a table. Write namespace.table, for example 'app.messages'.")


def exists(endpoint: Endpoint, namespace: str, table: str) -> bool:
    """Ask whether there is such a table."""
    sql = (
        "SELECT count(*) AS n FROM information_schema.tables "
        f"WHERE table_schema = {quote_text(namespace)} AND table_name = {quote_text(table)}"
    )
    return bool(one_number(endpoint.execute_row(sql)))


def read_target(endpoint: Endpoint, namespace: str, table: str) -> Target:
    """Ask the server what a table looks like.

    Raises:
        QueryError: There is no such table.
        KalamError: The server cannot be reached.
    """
    name = f"{quote_name(namespace)}.{quote_name(table)}"
    answer = _looked(endpoint, [f"SELECT * FROM {name} LIMIT 0", f"DESCRIBE TABLE {name}", "SHOW TABLES"])
    listed = find_listed(answer.table(2, LISTED), namespace, table) if len(answer.results) > 2 else None
    columns = tuple(column for column in answer.columns() if not column.name.startswith("_"))
    return Target(name, listed.kind if listed else "", columns, _defaults(answer))


def _looked(endpoint: Endpoint, looks: list[str]) -> Answer:
    """What a user may ask: from 0.5 on an ordinary one may list no tables, and perhaps describe none."""
    while True:
        try:
            return endpoint.execute("; ".join(looks))
        except PermissionDeniedError:
            if len(looks) == 1:
                raise
            looks = looks[:-1]


def _defaults(answer: Answer) -> dict[str, str]:
    if len(answer.results) < 2:
        return {}
    described = answer.table(1, ("column_name", "column_default")).to_pylist()
    defaults = {str(row["column_name"]): row["column_default"] for row in described}
    return {name: str(told) for name, told in defaults.items() if told is not None and not name.startswith("_")}


def match_columns(target: Target, names: Sequence[str], *, mode: str, key: str | None) -> tuple[Column, ...]:
    """Find the table's column for each column of the frame that is written.

    Args:
        target: The table.
        names: The frame's columns.
        mode: ``insert``, ``upsert``, ``update`` or ``delete``.
        key: The key as the caller names it, or None.

    Returns:
        The columns to write, in the table's order; for a delete the key alone.

    Raises:
        FrameError: A column is missing in the frame or in the table, or the mode is not possible on this table.
    """
    _check_mode(target, mode)
    own = target.key
    if key is not None and (own is None or own.name != key):
        raise FrameError(f"The key of {target.name} is {own.name if own else 'not set'}, not {key}. Leave key out.")

    known = [column.name for column in target.columns]
    extra = [name for name in names if name not in known]
    wanted = [own.name] if own is not None and mode in {"update", "delete"} else known
    # The server fills defaults when it inserts; a key that is to be found must be there.
    filled = set(target.defaults) - ({own.name} if own is not None and mode != "insert" else set())
    missing = [name for name in wanted if name not in names and name not in filled]
    if extra or missing:
        raise FrameError(_differences(target, extra, missing, [name for name in known if name not in names]))

    if mode == "delete" and own is not None:
        return (own,)
    columns = tuple(column for column in target.columns if column.name in names)
    _check_columns(target, columns, mode)
    return columns


def _check_mode(target: Target, mode: str) -> None:
    if mode == "insert":
        if target.key is not None and target.key.type_name not in _KEY_TYPES | {"Float", "Double"}:
            raise FrameError(
                f"{target.name} has a key of type {target.key.sql_type}; the server refuses its rows. Use a TEXT key."
            )
        return
    if target.kind == "stream" and mode != "delete":
        raise FrameError(f"{target.name} is a STREAM table, which has no {mode}. Use mode='insert'.")
    if target.key is None:
        raise FrameError(f"{target.name} has no primary key, so that no row can be found. Use mode='insert'.")
    if target.key.type_name not in _KEY_TYPES:
        raise FrameError(
            f"{target.name} has a key of type {target.key.sql_type}, by which the server finds no row. "
            "Use mode='insert'."
        )


def _check_columns(target: Target, columns: Sequence[Column], mode: str) -> None:
    if mode == "insert":
        return
    names = {column.name for column in columns}
    if mode == "update" and len(columns) == 1:
        raise FrameError(f"The frame has the key of {target.name} alone; there is nothing to update.")
    for column in target.columns:
        if "nn" in column.flags and column.type_name in _FRAGILE and column.name not in names:
            raise FrameError(
                f"is {column.sql_type} NOT NULL, and the server refuses an UPDATE that does not set it. Add it to the "
                "frame.",
                column=column.name,
            )


def _differences(target: Target, extra: Sequence[str], missing: Sequence[str], free: Sequence[str]) -> str:
    """What the frame lacks, what the table lacks, and which of its free columns were probably meant."""
    parts = []
    if missing:
        parts.append(f"The frame lacks {_listed(missing)} of {target.name}; add them, with None for NULL.")
    if extra:
        parts.append(f"{target.name} has no {_listed(extra)}; drop or rename them.")
    lower = {column.name for column in target.columns} & {name.lower() for name in extra}
    if lower:
        parts.append("The server's names are in lower case: frame.rename(columns=str.lower).")
        return " ".join(parts)

    meant = (did_you_mean(name, free) for name in extra[:3])
    return " ".join(parts) + "".join(meant)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:10])
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{'column' if len(names) == 1 else 'columns'} {shown}{more}"


def needs_literal_path(target: Target, columns: Sequence[Column]) -> bool:
    """Whether rows keep their values on the literal path of INSERT only: for some types, and for defaults."""
    written = {column.name for column in columns}
    return any(column.type_name in _LITERAL_PATH_ONLY for column in columns) or bool(set(target.defaults) - written)
