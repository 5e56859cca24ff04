"""What live queries ask of a client: its address and token, and the exact readings that tell them the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kalam_notebook.http.session import Session
from kalam_notebook.live_queries.following.plan import Reading, ResultReading, TableInfo, TablePlan
from kalam_notebook.live_queries.following.together import Together
from kalam_notebook.live_queries.following.whole import read_whole
from kalam_notebook.live_queries.rows.decoding import Doubts
from kalam_notebook.live_queries.rows.fingerprint import Delta, DeltaQuestion
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.listing import Listed, listed_table
from kalam_notebook.reading.lists import may_hold_lists, with_lists
from kalam_notebook.reading.reader import Reader
from kalam_notebook.reading.window import WindowCheck, newer_version
from kalam_notebook.results.results import QueryResult
from kalam_notebook.wire.row_version import WRITTEN_AT, RowVersion, row_version_of, tells_gaps
from kalam_notebook.wire.types import FLOATS, Column

__all__ = ["ClientSource"]


class ClientSource:
    """A ``RowSource`` over the parts of a client, which also tells the socket its address and token.

    Args:
        url: The server.
        session: Gives tokens.
        endpoint: Runs SQL.
        reader: Reads completely.
        window: The reader's knowledge of tables beyond the scan window.
        deltas: Asks for the live tables of the client together.
        domains: By table, as it stands in SQL, what the versions of its live events belong to; filled by the streams.
    """

    def __init__(
        self,
        url: str,
        *,
        session: Session,
        endpoint: Endpoint,
        reader: Reader,
        window: WindowCheck,
        deltas: Together[tuple[TablePlan, DeltaQuestion], Delta | None],
        domains: dict[str, Mapping[str, Any]],
    ) -> None:
        self._url = url
        self._session = session
        self._endpoint = endpoint
        self._reader = reader
        self._window = window
        self._deltas = deltas
        self.domains = domains

    def websocket_url(self) -> str:
        """``ws(s)://host/v1/ws``."""
        scheme, rest = self._url.split("://", 1)
        return f"{'wss' if scheme == 'https' else 'ws'}://{rest}/v1/ws"

    def access_token(self, *, renew: bool = False) -> str:
        """A token; with ``renew`` one other than the last, which was refused."""
        token = self._session.token()
        return (self._session.renew(token) if renew else token).reveal()

    def describe(self, table: str) -> TableInfo:
        """The columns of a table, its kind, and for how long a STREAM table keeps its rows."""
        columns = self.columns(table)
        doubts = self.doubts(columns)
        is_stream = any(column.name == WRITTEN_AT for column in columns)
        if may_hold_lists(row_version_of(columns)) and self._reader.limits.sends_anything(self._endpoint):
            columns = with_lists(self._endpoint, f"SELECT * FROM {table}", columns)
        listed = listed_table(self._endpoint, table) or Listed("stream" if is_stream else "")
        has_policies = tells_gaps(row_version_of(columns))
        hidden = " ".join(self._reader.hidden_rows([table])) if has_policies else ""
        return TableInfo(columns, listed.kind, listed.ttl_ms, doubts, hidden)

    def doubts(self, columns: Sequence[Column]) -> Doubts:
        """Which cells of events may not be what is stored; the server is asked once, and where it has such columns."""
        types = {column.type_name for column in columns}
        has_new_floats = tells_gaps(row_version_of(columns)) and not types.isdisjoint(FLOATS)
        return Doubts(
            signs="Decimal" in types and self._reader.limits.ask(self._endpoint).drops_sign,
            nulls=has_new_floats and self._reader.limits.sends_anything(self._endpoint),
        )

    def columns(self, table: str) -> tuple[Column, ...]:
        """The columns of a table, the hidden ones included."""
        return self._endpoint.execute(f"SELECT * FROM {table} LIMIT 0").columns()

    def read_rows(self, plan: TablePlan, max_rows: int | None) -> Reading:
        """All rows that match, exact; with a limit one more than that, those with the greatest versions."""
        if max_rows is None:
            reading = read_whole(self._endpoint, plan, self._reader.limits.damages)
            if reading is not None:
                return reading
        # A proof compares what is read here with a scan, which would be cut at the same place.
        self._window.forget()
        scan = self._window.scan(self._endpoint, plan.source)
        sql = plan.reading
        if max_rows is not None and not scan.is_beyond:
            sql += f" ORDER BY {plan.version.name} DESC LIMIT {max_rows + 1}"
        result = self._reader.read(sql)
        return Reading(result.arrow(), scan.newest, scan.is_beyond, _doubt(result))

    def read_delta(self, plan: TablePlan, ask: DeltaQuestion) -> Delta | None:
        """What changed, and what it is compared with; None for too much."""
        return self._deltas.ask((plan, ask), group=plan.source, asker=self)

    def newer_version(self, table: str, version: RowVersion, newest: int) -> int | None:
        """A version of a table that is newer than one, also if no scan would reach it; None when there is none."""
        return newer_version(self._endpoint, table, version, newest)

    def read_result(self, sql: str) -> ResultReading:
        """The result of any query, exact."""
        # A table may have come to be beyond the window a moment ago by what others wrote.
        self._window.forget()
        result = self._reader.read(sql)
        return ResultReading(result.columns, result.arrow(), _doubt(result))


def _doubt(result: QueryResult) -> str:
    found = result.completeness
    return "" if found is None or found.is_complete else str(found)
