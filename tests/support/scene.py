"""A table, a client beside its server, and one behind a network that fails: what most tests of faults are played on."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack

import pyarrow as pa
from servers import Server
from tcp_proxy import TcpProxy

import kalam_notebook as kalam
from kalam_notebook.settings import Timeouts

#: All times of a test are multiples of this, for machines that are slow.
SCALE = float(os.environ.get("KALAM_TEST_TIME_SCALE", "1"))
#: Seconds after which the table must be equal to the server. Nothing waits that long when all is well.
DEADLINE = 30.0 * SCALE
#: A dead connection is missed within about a second.
QUICK = Timeouts(connect=5.0, receive=3.0, auth=5.0, subscribe=5.0, pong=SCALE, keepalive=0.2)
#: Nobody is taken for dead who is only slow.
PATIENT = Timeouts(connect=20.0, receive=20.0, auth=20.0, subscribe=20.0, pong=20.0, keepalive=0.2)

COLUMNS = "id, room, n"


class Scene:
    """A namespace with one table ``messages`` on a server, and two clients of it.

    Attributes:
        near: A client that reaches the server without the proxy; it writes, and reads what is true.
        far: A client behind the proxy; its live tables are what is tested.
        proxy: The network between.
        table: Name of the table with its namespace.
        received: Frames that the far client got, as text.
        sent: Frames that it sent.
    """

    def __init__(self, server, *, timeouts: Timeouts = QUICK, kind: str = "SHARED", **login) -> None:
        self.server = server
        self.received: list[str] = []
        self.sent: list[str] = []
        self.namespace = f"f{uuid.uuid4().hex[:12]}"
        self.table = f"{self.namespace}.messages"
        self._timeouts, self._kind = timeouts, kind
        self._root = _as_root(server)
        self._login = login or self._root
        self._tables: list[kalam.LiveTable] = []

    def __enter__(self) -> Scene:
        with ExitStack() as stack:
            self.near = stack.enter_context(kalam.Client(self.server.url, **self._root))
            self.proxy = stack.enter_context(TcpProxy(self.server.url))
            self.make_table()
            self.far = stack.enter_context(self.client())
            self._pool = stack.enter_context(ThreadPoolExecutor(4))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._stack:
            # Threads that still wait for the far server get an answer.
            self.proxy.come_up()
            self.proxy.thaw()
            for live in self._tables:
                live.close()
            self.near.execute_query(f"DROP NAMESPACE {self.namespace} CASCADE")

    def client(self, **options) -> kalam.Client:
        """Another client behind the proxy, as the same user unless another login is given."""
        login = {} if options.keys() & {"user", "token", "token_provider"} else self._login
        options = {"on_receive": self.received.append, "on_send": self.sent.append, **options}
        # Compressed frames would hide from the proxy what it looks for.
        return kalam.Client(self.proxy.url, timeouts=self._timeouts, compression=False, **login, **options)

    def use(self, server) -> None:
        """Write to another server, and take for true what it holds; the far client is led there by the proxy alone."""
        self.server = server
        self.near = self._stack.enter_context(kalam.Client(server.url, **_as_root(server)))

    def start(self, server: AbstractContextManager[kalam.Sandbox]) -> kalam.Sandbox:
        """Start another server, which ends with the scene."""
        return self._stack.enter_context(server)

    def make_table(self) -> None:
        """Create the namespace and the table, for instance anew on a server that has lost everything."""
        ttl = ", TTL_SECONDS = 3600" if self._kind == "STREAM" else ""
        self.near.execute_query(f"CREATE NAMESPACE IF NOT EXISTS {self.namespace}")
        self.near.execute_query(
            f"CREATE TABLE {self.table} (id BIGINT PRIMARY KEY, room TEXT, n INT) WITH (TYPE = '{self._kind}'{ttl})"
        )

    # Writing, by the client that reaches the server.

    def insert(self, ids: Iterable[int], *, room: str = "a") -> None:
        """Insert rows in one statement; ``n`` is the id."""
        values = ", ".join(f"({number}, '{room}', {number})" for number in ids)
        self.near.execute_query(f"INSERT INTO {self.table} ({COLUMNS}) VALUES {values}")

    def update(self, assignments: str, where: str) -> None:
        self.near.execute_query(f"UPDATE {self.table} SET {assignments} WHERE {where}")

    def delete(self, where: str) -> None:
        self.near.execute_query(f"DELETE FROM {self.table} WHERE {where}")

    def flush(self) -> None:
        """Have the server write its rows to files, which ends the memory of deleted ones."""
        self.near.execute_query(f"STORAGE FLUSH TABLE {self.table}")

    # Live tables behind the proxy.

    def live(self, where: str = "", *, client: kalam.Client | None = None) -> kalam.LiveTable:
        live = (client or self.far).live(self.sql(where))
        self._tables.append(live)
        return live

    def begin_live(self, where: str = "") -> Future[kalam.LiveTable]:
        """Start a live table on another thread, where it may have to wait."""
        return self._pool.submit(self.live, where)

    def begin(self, call: Callable[[], object]) -> Future[object]:
        """Do something on another thread."""
        return self._pool.submit(call)

    def sql(self, where: str = "") -> str:
        return f"SELECT {COLUMNS} FROM {self.table} {where}".rstrip()

    def go_away(self, *lives: kalam.LiveTable, only_sockets: bool = False) -> None:
        """Take the network away and wait until the live tables have missed it."""
        self.proxy.go_down(only_sockets=only_sockets)
        for live in lives:
            live.wait_for(lambda t: t.status.startswith("reconnecting"), timeout=DEADLINE)

    def cut_readings(self, number: int, *, after_bytes: int) -> None:
        """Have the network cut in the middle of the answers to the next requests that read the table."""

        def arm() -> None:
            self.proxy.after_bytes(after_bytes, self.proxy.cut)

        for times in range(1, number + 1):
            self.proxy.before(self.namespace.encode(), arm, times=times)

    def settle(self, *lives: kalam.LiveTable, timeout: float = DEADLINE) -> None:
        """Wait until live tables are live again and hold exactly what the server holds now."""
        # Many live tables may have few queries, and nobody writes meanwhile.
        true = {live.sql: ordered(self.true(live)) for live in {live.sql: live for live in lives}.values()}
        for live in lives:
            expected = true[live.sql]
            try:
                live.wait_for(lambda t, rows=expected: t.status == "live" and is_equal(t, rows), timeout=timeout)
            except TimeoutError:
                assert (live.status, difference(live, expected)) == ("live", NO_DIFFERENCE)

    def true(self, live: kalam.LiveTable) -> pa.Table:
        """What a live table should hold: the answer to its query, without the system's columns that ``*`` adds."""
        table = self.near.query_arrow(live.sql, max_rows=None)
        hidden = {"_seq", "_deleted"} - set(live.schema.names)
        return table.select([name for name in table.column_names if name not in hidden])

    def connections(self) -> int:
        """How often the far client was accepted on its WebSocket."""
        return sum('"type":"auth_success"' in text for text in self.received)


def _as_root(server) -> dict[str, str]:
    """The login of root: a token where the test needs no other, since passwords cost the server time."""
    if isinstance(server, Server):
        return {"token": server.token}
    return {"user": "root", "password": server.root_password}


def is_lost(live: kalam.LiveTable) -> bool:
    """Whether a live table has missed its connection, and does not only wait for a server that is silent."""
    return live.status not in {"live", "waiting for the server"}


NO_DIFFERENCE = {"missing": [], "too many": []}


def ordered(table: pa.Table) -> pa.Table:
    """Rows in an order of their own and without metadata, for comparison."""
    plain = table.replace_schema_metadata(None).sort_by([(name, "ascending") for name in table.column_names])
    return plain.cast(pa.schema([pa.field(field.name, field.type) for field in plain.schema]))


def is_equal(live: kalam.LiveTable, expected: pa.Table) -> bool:
    return live.num_rows == expected.num_rows and ordered(live.arrow()).equals(expected)


def difference(live: kalam.LiveTable, expected: pa.Table) -> dict[str, list]:
    """What a live table lacks and what it has too much, at most ten rows of each."""
    held, true = rows(live.arrow()), rows(expected)
    missing, extra = [row for row in true if row not in held], [row for row in held if row not in true]
    return {"missing": missing[:10], "too many": extra[:10]}


def rows(table: pa.Table) -> list[tuple]:
    """Rows as tuples in order of their text."""
    return sorted((tuple(row.values()) for row in table.to_pylist()), key=repr)


def ids(live: kalam.LiveTable) -> list[int]:
    """The keys that a live table holds; a key that is there twice is here twice."""
    return sorted(live.arrow()["id"].to_pylist())
