"""How a live table is held: its form, its columns and key, and what it subscribes to. Pure; the engines act by it.

Three forms (design, "Live"): *direct*, where the server's events tell every change of the rows; *delta*, where they
only ring, because the server does not evaluate the filter for events, or tells nothing of rows that leave it; and
*re-run* for anything but a filter over one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import pyarrow as pa

from kalam_notebook.errors import ProtocolError, SubscriptionError
from kalam_notebook.live_queries.following.query import LiveQuery
from kalam_notebook.live_queries.rows.decoding import USUAL, Doubts
from kalam_notebook.live_queries.rows.fingerprint import Fingerprint
from kalam_notebook.sql.live_filter import doubtful_part, filter_columns
from kalam_notebook.sql.statement import quote_name
from kalam_notebook.wire.row_version import WRITTEN_AT, RowVersion, row_version_of
from kalam_notebook.wire.types import Column

__all__ = ["Form", "Reading", "ResultReading", "TableInfo", "TablePlan", "doorbell_sql", "is_keyed", "plan_table"]


class Form(Enum):
    """How a live table follows the server."""

    DIRECT = "direct"
    DELTA = "delta"
    RERUN = "re-run"


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table on the server.

    Attributes:
        columns: All its columns, the hidden ones included.
        kind: ``user``, ``shared`` or ``stream``; empty where this user is not told.
        ttl_ms: For how long a STREAM table keeps its rows, in milliseconds; None for ever.
        doubts: Which cells of its events may not be what is stored.
        hidden: Why its rows may be hidden from the user, as long as there is none; empty when they are not.
    """

    columns: tuple[Column, ...]
    kind: str
    ttl_ms: int | None = None
    doubts: Doubts = USUAL
    hidden: str = ""


@dataclass(frozen=True, slots=True)
class TablePlan:
    """How a live query over one table is held.

    Attributes:
        form: Direct or delta.
        source: The table as it stands in SQL.
        filter_sql: The condition, or empty.
        version: The row version.
        columns: The columns that are held: the visible ones, the key, the version, and when a row was taken in where it
            will expire and its version does not tell.
        visible: Names of the columns that are shown, in order.
        key: Name of the column whose values are unique.
        row_names: Names of all columns of the table.
        subscription: The statement for the socket.
        reading: The statement that reads the columns of all rows over HTTP.
        ttl_ms: For how long rows live; None for ever.
        in_transaction: Whether the server reads the table in transactions.
        doubts: Which cells of events may not be what is stored.
        hidden: Why rows may be hidden from the user, as long as there is none; empty when they are not.
    """

    form: Form
    source: str
    filter_sql: str
    version: RowVersion
    columns: tuple[Column, ...]
    visible: tuple[str, ...]
    key: str
    row_names: frozenset[str]
    subscription: str
    reading: str
    ttl_ms: int | None = None
    in_transaction: bool = True
    doubts: Doubts = USUAL
    hidden: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """All rows of a live query over one table, at one point in time.

    Attributes:
        rows: The columns of the plan.
        newest: A version up to which everything that happened to the table is in the rows.
        is_beyond: Whether the table holds more row versions than one scan of the server reads (truth L3).
        doubt: Why cells may not be right, for example because a flush has damaged them; empty when nothing is known.
        fingerprint: Of the rows, by the server, from the same scan; None when it was not asked for.
        now_ms: The server's clock, milliseconds since 1970; 0 when it was not asked for.
    """

    rows: pa.Table
    newest: int
    is_beyond: bool = False
    doubt: str = ""
    fingerprint: Fingerprint | None = None
    now_ms: int = 0


@dataclass(frozen=True, slots=True)
class ResultReading:
    """The result of any query.

    Attributes:
        columns: Its columns.
        rows: Its rows, in order.
        doubt: Why it may not be complete; empty when it is.
    """

    columns: tuple[Column, ...]
    rows: pa.Table
    doubt: str = ""


def plan_table(query: LiveQuery, info: TableInfo) -> TablePlan:
    """Plan a live table over one table.

    Raises:
        SubscriptionError: A column does not exist, or rows cannot be told apart.
        ProtocolError: The server names two columns alike.
    """
    columns = info.columns
    if len({column.name for column in columns}) < len(columns):
        raise ProtocolError(f"The server names two columns of {query.table_name} alike.")
    visible = query.visible_names(columns)
    if (version := row_version_of(columns)) is None or (key := _key_of(info, version)) is None:
        reason = f"The rows of {query.table_name} have no version, or no key, so they cannot be told apart."
        raise SubscriptionError("UNSUPPORTED", reason, query.sql, "For a single answer use kalam.query(sql).")
    form = _form_of(query, info, key, version)
    needed = {*visible, key, version.name, *({WRITTEN_AT} if info.ttl_ms is not None else ())}
    held = tuple(column for column in columns if column.name in needed)
    return TablePlan(
        form=form,
        source=query.source,
        filter_sql=query.filter_sql,
        version=version,
        columns=held,
        visible=visible,
        key=key,
        row_names=frozenset(column.name for column in columns),
        subscription=query.subscription_sql() if form is Form.DIRECT else doorbell_sql(query.source, columns),
        reading=query.read_sql(held),
        ttl_ms=info.ttl_ms,
        # A server whose STREAM rows tell their time beside the version refuses them in transactions.
        in_transaction=all(column.name != WRITTEN_AT for column in columns),
        doubts=info.doubts,
        hidden=info.hidden,
    )


def doorbell_sql(source: str, columns: tuple[Column, ...]) -> str:
    """The statement for events that only have to ring: one column of every row, the key if there is one."""
    plain = [column for column in columns if not column.name.startswith("_")]
    chosen = next((column for column in plain if column.is_primary_key), plain[0] if plain else None)
    return f"SELECT {quote_name(chosen.name) if chosen else '*'} FROM {source}"


def is_keyed(info: TableInfo) -> bool:
    """Whether the rows of a table have versions and a key: a view has none, and later servers have tables without."""
    version = row_version_of(info.columns)
    return version is not None and _key_of(info, version) is not None


def _key_of(info: TableInfo, version: RowVersion) -> str | None:
    """The column that tells rows apart; None where there is none."""
    if info.kind == "stream":
        return version.name  # The primary key of a STREAM table is not unique (protocol/live.md#changes).
    keys = [column.name for column in info.columns if column.is_primary_key]
    return keys[0] if len(keys) == 1 else None


def _form_of(query: LiveQuery, info: TableInfo, key: str, version: RowVersion) -> Form:
    if not query.filter_sql:
        return Form.DIRECT
    if doubtful_part(query.filter_tokens, info.columns) is not None or info.kind == "stream":
        return Form.DELTA
    # Where versions hold a time, no event tells that a row has left its filter. Keys never change, and versions only
    # grow. Later servers tell it (protocol/live.md#other-versions).
    named = filter_columns(query.filter_tokens, info.columns)
    is_told = not version.has_time or all(name in {key, version.name} for name in named)
    return Form.DIRECT if is_told else Form.DELTA
