"""Opens the live table of a query, or of a topic.

That of a query subscribes first and reads the rows over HTTP after that, because a snapshot from the socket may lack
rows (truth L12).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from kalam_notebook.errors import ConfigError, SubscriptionError
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.following.engine import Engine, RowSource
from kalam_notebook.live_queries.following.follower import Follower
from kalam_notebook.live_queries.following.keyed import KeyedEngine
from kalam_notebook.live_queries.following.patience import patiently
from kalam_notebook.live_queries.following.plan import Form, is_keyed
from kalam_notebook.live_queries.following.pool import Pool
from kalam_notebook.live_queries.following.query import parse_live_query
from kalam_notebook.live_queries.following.rerun import parse_rerun_query
from kalam_notebook.live_queries.following.rerunning import RerunEngine
from kalam_notebook.live_queries.following.schedule import Rhythm, told
from kalam_notebook.live_queries.table import LiveTable, Narrow
from kalam_notebook.live_queries.topic import TopicLog, TopicTail
from kalam_notebook.sql.live_filter import has_sub_query
from kalam_notebook.sql.tables import bound_table
from kalam_notebook.wire.arguments import check_number
from kalam_notebook.wire.fileref import FileHost
from kalam_notebook.wire.row_version import tells_gaps

__all__ = ["open_table", "open_topic"]

#: Seconds in which a server that cannot be reached may come back while a live table begins.
_PATIENCE = 10.0

#: How often the server is asked. Where events only ring, nothing is shown before a question has been answered.
_RHYTHMS = {
    Form.DIRECT: Rhythm(),
    Form.DELTA: Rhythm(settle=0.0, rest=100.0, longest=1.5),
    Form.RERUN: Rhythm(settle=0.02, gap=0.5, rest=20.0),
}


def open_table(
    sql: str,
    *,
    source: RowSource,
    socket: LiveSocket,
    pool: Pool,
    key: str | Sequence[str] | None = None,
    max_rows: int | None = None,
    timeout: float = 20.0,
    rhythm: Rhythm | None = None,
    given: str | None = None,
    host: FileHost | None = None,
    narrow: Narrow | None = None,
) -> LiveTable:
    """Make the live table of a query, complete when this returns.

    Args:
        sql: A SELECT.
        source: Reads rows; its calls block.
        socket: The client's connection for live queries.
        pool: The client's threads for asking the server.
        key: For the form ``re-run`` the columns that tell rows apart; None to find them.
        max_rows: How many rows are kept, those with the newest changes; None for all.
        timeout: Seconds until the server has to acknowledge the query. Reading the rows has the client's own timeout.
        rhythm: How often the server is asked; None for the usual.
        given: The query as the reader wrote it, if that is not ``sql``.
        host: What fetches the files of FILE cells.
        narrow: As of ``LiveTable``.

    Raises:
        SubscriptionError: The query cannot be followed, or the server refuses it.
        ConnectError: There is no live connection within ``timeout``.
        KalamError: The rows cannot be read.
    """
    if max_rows is not None:
        check_number("max_rows", max_rows)
    named = [key] if isinstance(key, str) else key
    if named is not None and not (isinstance(named, Sequence) and all(isinstance(name, str) for name in named)):
        raise ConfigError(f"key is the name of a column or a list of such, not {key!r}.")
    engine, bind = patiently(
        lambda: _engine_for(sql, source, key=named, max_rows=max_rows), seconds=min(timeout, _PATIENCE)
    )

    usual = _RHYTHMS[engine.form]
    rhythm = rhythm or (told(usual) if tells_gaps(engine.version) else usual)
    follower = Follower(engine, source=source, pool=pool, rhythm=rhythm)
    try:
        follower.start(socket, timeout=timeout)
        return LiveTable(follower, sql=given or sql, bind=bind, host=host, narrow=narrow)
    except BaseException:
        follower.close()
        raise


def open_topic(log: TopicLog, *, partitions: int, max_rows: int) -> LiveTable:
    """Make the live table of the newest messages of a topic.

    Args:
        log: The topic on its server.
        partitions: How many partitions it has.
        max_rows: Messages that are kept, the newest.

    Raises:
        KalamError: The topic cannot be read.
    """
    tail = TopicTail(log, partitions=partitions, max_rows=max_rows)
    try:
        tail.begin()
        return LiveTable(tail, sql=log.topic_id)
    except BaseException:
        tail.close()
        raise


def _engine_for(
    sql: str, source: RowSource, *, key: Sequence[str] | None, max_rows: int | None
) -> tuple[Engine, tuple[str, str] | None]:
    """The engine for a query, and the table that its FILE cells belong to."""
    query = None
    if key is None:
        with contextlib.suppress(SubscriptionError):
            query = parse_live_query(sql)
    if query is not None and not has_sub_query(query.filter_tokens):
        info = source.describe(query.source)
        if is_keyed(info):
            return KeyedEngine(query, info, max_rows=max_rows), (query.namespace, query.table)

    rerun = parse_rerun_query(sql)
    if max_rows is not None:
        raise ConfigError("max_rows goes with a live query over one table; here write LIMIT into the query.")
    return RerunEngine(rerun, [source.describe(table) for table in rerun.tables], key=key), bound_table(sql)
