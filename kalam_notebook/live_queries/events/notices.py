"""What a reader of ``live_events`` has to know because the server does not tell it, as events with a code.

Facts: docs/protocol/live.md and docs/server-truths.md; ``events.streaming`` decides when each is told.
"""

from __future__ import annotations

from collections.abc import Sequence

from kalam_notebook.errors import SubscriptionError
from kalam_notebook.live_queries.events.messages import LiveNotice
from kalam_notebook.live_queries.following.query import LiveQuery
from kalam_notebook.sql.live_filter import doubtful_part, filter_columns
from kalam_notebook.wire.row_version import VERSION_COLUMNS, row_version_of, version_name
from kalam_notebook.wire.types import Column

__all__ = [
    "CHANGES_NOT_TOLD",
    "ROWS_COME_AGAIN",
    "SNAPSHOT_MAY_MISS_ROWS",
    "columns_changed",
    "connection_lost",
    "deletes_not_told",
    "doubtful_decimals",
    "last_rows_may_be_wrong",
    "query_notices",
    "reading_held_up",
    "unknown_message",
]

_TRUTH = "kalam.live(sql) keeps a table that stays true, kalam.query(sql) reads it once."

#: The stream goes on without a place.
CHANGES_NOT_TOLD = LiveNotice(
    "CHANGES_NOT_TOLD",
    f"What changed while the connection was lost is never told: no row had come to go on from. {_TRUTH}",
)
#: The rows are sent from the beginning.
ROWS_COME_AGAIN = LiveNotice(
    "ROWS_COME_AGAIN",
    "The connection was lost before the last batch of rows, so they begin anew and some come again. Rows that were "
    f"deleted since are never told. {_TRUTH}",
)
#: There is more than one batch.
SNAPSHOT_MAY_MISS_ROWS = LiveNotice(
    "SNAPSHOT_MAY_MISS_ROWS",
    "The rows do not fit into one batch. Between batches the server may leave rows out and send others twice, and "
    f"of changes made meanwhile it keeps 128 at most. {_TRUTH}",
)


def query_notices(query: LiveQuery, columns: Sequence[Column], kind: str) -> tuple[LiveNotice, ...]:
    """Return what is wrong with the events of a query, whatever happens.

    Args:
        query: The live query.
        columns: All columns of its table.
        kind: ``user``, ``shared`` or ``stream``; empty where it is not known.

    Raises:
        SubscriptionError: A column is selected that does not exist, or that the server does not let one select.
    """
    system = [name for name in query.projection or () if name.startswith("_")]
    if system:
        hint = f"Leave it out: {_version_name(columns)} comes with every row, and _deleted with SELECT *."
        raise SubscriptionError("UNSUPPORTED", f"{system[0]} cannot be selected.", query.sql, hint)
    query.visible_names(columns)
    key = [column.name for column in columns if column.is_primary_key]
    notices = [_stream_deletes(query)] if kind == "stream" else [_key(query, key), _leaving(query, columns, key)]
    return tuple(notice for notice in (_filter(query, columns), *notices) if notice is not None)


def _version_name(columns: Sequence[Column]) -> str:
    return version_name([column.name for column in columns])


def _filter(query: LiveQuery, columns: Sequence[Column]) -> LiveNotice | None:
    doubt = doubtful_part(query.filter_tokens, columns) if query.filter_sql else None
    if doubt is None:
        return None
    text = (
        f"Events may be missing, or too many: the server sends no sure events for the filter `{doubt}`. Use "
        "comparisons of columns with =, < and > joined by AND, or leave the filter out and look at each event yourself."
    )
    return LiveNotice("FILTER_NOT_SURE", text)


def _leaving(query: LiveQuery, columns: Sequence[Column], key: Sequence[str]) -> LiveNotice | None:
    # Servers whose versions hold no time tell it (protocol/live.md#other-versions).
    version = row_version_of(columns)
    if version is not None and not version.has_time:
        return None
    # Keys never change (protocol/live.md#changes), and versions only grow.
    mutable = [name for name in filter_columns(query.filter_tokens, columns) if name not in {*key, *VERSION_COLUMNS}]
    if not mutable:
        return None
    text = (
        f"Rows that an update of {' or '.join(mutable)} moves out of the filter send no event, nor do their later "
        "updates and deletes. Leave the filter out and look at each event yourself to be sure."
    )
    return LiveNotice("ROWS_LEAVE_UNTOLD", text)


def _key(query: LiveQuery, key: Sequence[str]) -> LiveNotice | None:
    if query.projection is None or set(key) <= set(query.projection):
        return None
    text = f"Inserts and deletes come without the key, so deletes cannot be matched with rows. Select {', '.join(key)}."
    return LiveNotice("KEY_NOT_SELECTED", text)


def _stream_deletes(query: LiveQuery) -> LiveNotice | None:
    if query.filter_sql:
        text = "Deletes of STREAM rows are not told under a filter. Leave it out and look at each event yourself."
    elif query.projection is not None:
        text = "Deletes of STREAM rows do not tell which row it was when columns are named. Use SELECT *."
    else:
        return None
    return LiveNotice("STREAM_DELETES_UNTOLD", text)


def doubtful_decimals(columns: Sequence[Column]) -> LiveNotice | None:
    """The notice for columns of the type Decimal, if there are any."""
    names = [column.name for column in columns if column.type_name == "Decimal"]
    if not names:
        return None
    text = f"Values of {', '.join(names)} between -1 and 0 come without their sign. {_TRUTH}"
    return LiveNotice("DECIMAL_SIGN_MISSING", text)


def connection_lost(reason: str) -> LiveNotice:
    """Nothing comes for now."""
    return LiveNotice("CONNECTION_LOST", f"No events come until it is back: {reason or 'the connection was lost'}.")


def deletes_not_told(seq: int) -> LiveNotice:
    """The stream goes on from a place."""
    text = (
        f"The stream goes on from version {seq}. Rows that were written since then follow; those that were deleted "
        f"since, or left the filter, are never told. {_TRUTH}"
    )
    return LiveNotice("DELETES_NOT_TOLD", text)


def last_rows_may_be_wrong(last_rows: int) -> LiveNotice:
    """As many rows came as were asked for, so there may be more."""
    text = (
        f"If there are more than {last_rows} rows, these are not the newest: the server takes one row more and leaves "
        "out the one with the greatest key. Read them with kalam.query(sql + ' ORDER BY … DESC LIMIT …')."
    )
    return LiveNotice("LAST_ROWS_MAY_BE_WRONG", text)


def columns_changed(names: Sequence[str]) -> LiveNotice:
    """Rows have other columns than were announced."""
    text = (
        f"The table was altered: rows now come with or without {', '.join(names)}, unlike what was announced. Begin a "
        "new stream to learn the new columns."
    )
    return LiveNotice("COLUMNS_CHANGED", text)


def reading_held_up(seconds: float) -> LiveNotice:
    """The reader was slow, and nothing was read from the connection for a while."""
    text = (
        f"Reading was held up for {seconds:.1f} s because the queue was full. The server drops events without a sign "
        f"when more than 128 wait for a connection. {_TRUTH}"
    )
    return LiveNotice("READING_HELD_UP", text)


def unknown_message(kind: object, text: str) -> LiveNotice:
    """The server said something that this client does not understand."""
    return LiveNotice("UNKNOWN_MESSAGE", f"The server sent a message of the unknown type {kind!r}: {text}", True)
