"""What an acknowledgement means for a live table: the columns that are held, their key, and what cannot be promised.

Pure; the follower reads and applies by it.
"""

from __future__ import annotations

from dataclasses import dataclass

from kalam_notebook.errors import SubscriptionError
from kalam_notebook.live.filters import doubtful_part, filter_columns
from kalam_notebook.live.query import LiveQuery
from kalam_notebook.wire.types import Column

__all__ = ["DOUBTFUL_DECIMALS", "OTHER_COLUMNS", "TablePlan", "plan_table"]

DOUBTFUL_DECIMALS = (
    "Decimals between 0 and 1 that came by event may be negative: the server's events leave out the sign of values "
    "between -1 and 0. Read the rows with kalam.query(sql) to be sure."
)
OTHER_COLUMNS = (
    "The columns of the table have changed since this live table began. Close it and start it again to see them."
)


@dataclass(frozen=True, slots=True)
class TablePlan:
    """How a live query is held.

    Attributes:
        columns: The columns that are held: the visible ones, the key and ``_seq``.
        visible: Names of the columns that are shown, in order.
        key: Name of the column whose values are unique.
        row_names: Names of all columns in the server's rows.
        notices: What the table may not show rightly, in sentences.
    """

    columns: tuple[Column, ...]
    visible: tuple[str, ...]
    key: str
    row_names: frozenset[str]
    notices: tuple[str, ...]


def plan_table(query: LiveQuery, columns: tuple[Column, ...], *, kind: str) -> TablePlan:
    """Plan a live table.

    Args:
        query: The live query.
        columns: All columns of its table, from the acknowledgement.
        kind: ``user``, ``shared`` or ``stream``.

    Raises:
        SubscriptionError: A column does not exist, or rows cannot be told apart.
    """
    visible = query.visible_names(columns)
    key = _key_of(query, columns, kind)
    held = tuple(column for column in columns if column.name in {*visible, key, "_seq"})
    notices = tuple(_filter_notices(query, columns, key, kind))
    if kind == "stream" and query.filter_sql:
        notices += (
            "Rows that are deleted stay in this table until it is read again: the server sends no event for the delete "
            "of a STREAM row under a filter. Leave the filter out and filter the frame.",
        )
    if kind == "stream":
        notices += (
            "Rows that expire stay in this table until it is read again: the server sends no event when the time of a "
            "STREAM row is over.",
        )
    return TablePlan(held, visible, key, frozenset(column.name for column in columns), notices)


def _key_of(query: LiveQuery, columns: tuple[Column, ...], kind: str) -> str:
    if all(column.name != "_seq" for column in columns):
        reason = f"The rows of {query.table_name} have no _seq; servers from 0.7.1 on are not supported yet."
        raise SubscriptionError("UNSUPPORTED", reason, query.sql)
    if kind == "stream":
        return "_seq"  # The primary key of a STREAM table is not unique (live reference, section 4.5).
    keys = [column.name for column in columns if column.is_primary_key]
    if len(keys) != 1:
        reason = f"The server names no primary key of {query.table_name}, so its rows cannot be told apart."
        raise SubscriptionError("UNSUPPORTED", reason, query.sql, "For a single answer use kalam.query(sql).")
    return keys[0]


def _filter_notices(query: LiveQuery, columns: tuple[Column, ...], key: str, kind: str) -> list[str]:
    doubt = doubtful_part(query.filter_tokens, columns) if query.filter_sql else None
    if doubt is not None:
        return [
            f"This table may not follow changes: the server sends no sure events for the filter `{doubt}`. Use "
            "comparisons of columns with =, < and > joined by AND, or leave the filter out and filter the frame."
        ]
    # Keys never change, and STREAM rows are never updated (live reference, section 4.5); _seq only grows.
    mutable = [name for name in filter_columns(query.filter_tokens, columns) if name not in {key, "_seq"}]
    if mutable and kind != "stream":
        return [
            f"Rows that an update of {' or '.join(mutable)} moves out of the filter stay in this table until it is "
            "read again: the server sends no event for that. Leave the filter out and filter the frame to be sure."
        ]
    return []
