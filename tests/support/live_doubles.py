"""A dict-backed double of the engine, and a WebSocket client of another library than the server's."""

import asyncio
import contextlib
import functools
import gzip
import inspect
import json
import re
from dataclasses import replace

import websockets
from aiohttp import web

from kalam_sandbox.backend import Caller, Change, Column, SelectRows, SqlFailed, TableInfo, Unencodable
from kalam_sandbox.live.routes import LIVE_REGISTRY, add_live_routes
from kalam_sandbox.options import Options

DEADLINE = 5.0
SYSTEM_COLUMNS = (Column("_seq", "BigInt", ("nn",)), Column("_deleted", "Boolean", ("nn",)))
COLUMNS = (Column("id", "BigInt", ("pk", "nn", "uq")), Column("room", "Text", ()), Column("n", "Int", ()))
QUERY = re.compile(
    r"SELECT (?P<columns>.*?) FROM (?P<table>\w+\.\w+) WHERE (?P<where>.*?)"
    r"( ORDER BY _seq (?P<order>ASC|DESC) LIMIT (?P<limit>\d+))?$"
)


def table(name, kind="user", columns=COLUMNS):
    return TableInfo("ws", name, kind, columns + SYSTEM_COLUMNS)


class FakeBackend:
    """Tables as dicts; understands the SELECTs that the live part makes, with the engine's faults."""

    def __init__(self, *tables):
        self.tables = {info.name: info for info in tables or (table("t"), table("marker"))}
        self.rows = {name: {} for name in self.tables}
        self.callers = {"root-token": Caller("root", "system"), "alice-token": Caller("alice", "user")}
        self.listeners = []
        self.queries = []
        self.seq = 1000
        # Set it to hold every SELECT back; a SELECT waits in its own thread.
        self.gate = None
        self.waiting = 0
        self.refused = set()
        self.unencodable = set()

    def authenticate(self, token):
        if token not in self.callers:
            raise PermissionError(token)
        return self.callers[token]

    def describe(self, caller, namespace, name):
        if name in self.refused:
            raise SqlFailed("PERMISSION_DENIED", f"no access to {namespace}.{name}")
        return self.tables.get(name) if namespace == "ws" else None

    def select(self, caller, sql):
        self.queries.append(sql)
        if self.gate is not None:
            self.waiting += 1
            assert self.gate.wait(DEADLINE)
        match = QUERY.match(sql)
        name = match["table"].removeprefix("ws.")
        if "nope" in sql:
            raise SqlFailed("SQL_EXECUTION_ERROR", "Schema error: No field named nope.")
        info = self.tables[name]
        rows = [row for owner, row in self.rows[name].values() if owner in (None, caller.user_id)]
        rows = [row for row in rows if matches(row, match["where"])]
        if match["limit"] is None:
            greatest = max((int(row["_seq"]) for row in rows), default=None)
            return SelectRows((), [[None if greatest is None else str(greatest)]])
        rows.sort(key=lambda row: int(row["_seq"]), reverse=match["order"] == "DESC")
        rows = rows[: int(match["limit"])]
        names = [column.name for column in info.columns]
        if match["columns"] != "*":
            names = match["columns"].split(", ")
        if name in self.unencodable and "room" in names:
            raise Unencodable("NaN is not JSON")
        if "id" in names:
            rows.sort(key=lambda row: int(row["id"]))
        by_name = {column.name: column for column in info.columns}
        cells = [[row[name] for name in names] for row in rows[:1000]]
        return SelectRows(tuple(by_name[name] for name in names), cells)

    def on_commit(self, listener):
        self.listeners.append(listener)

    def tell(self, changes):
        for listener in self.listeners:
            listener(changes)

    def write(self, name, *rows, owner="root"):
        """Insert or update rows in one commit."""
        shared = self.tables[name].kind == "shared"
        owner = None if shared else owner
        changes = []
        for row in rows:
            self.seq += 1
            held = self.rows[name].get((owner, row["id"]))
            old = held[1] if held else None
            blank = {column.name: None for column in self.tables[name].columns}
            new = {**blank, **(old or {}), **row, "_seq": str(self.seq), "_deleted": False}
            self.rows[name][owner, row["id"]] = (owner, new)
            kind = "update" if old else "insert"
            changes.append(Change("ws", name, kind, owner, self.seq, new, old))
        self.tell(changes)

    def delete(self, name, key, owner="root"):
        owner = None if self.tables[name].kind == "shared" else owner
        _, old = self.rows[name].pop((owner, key))
        self.seq += 1
        new = {**old, "_seq": str(self.seq), "_deleted": True}
        self.tell([Change("ws", name, "delete", owner, self.seq, new, old)])


def matches(row, where):
    """Understand the conditions the live part adds and ``room = '…'``."""
    for condition in where.split(" AND "):
        seq = int(row["_seq"])
        if found := re.fullmatch(r"_seq > (-?\d+)", condition):
            held = seq > int(found[1])
        elif found := re.fullmatch(r"_seq <= (\d+)", condition):
            held = seq <= int(found[1])
        elif condition == "_deleted = false":
            held = True
        else:
            held = row["room"] == re.fullmatch(r"room = '(\w*)'", condition)[1]
        if not held:
            return False
    return True


class Server:
    def __init__(self, url, backend, registry, stop):
        self.url = url
        self.stop = stop
        self.backend = backend
        self.registry = registry

    @contextlib.asynccontextmanager
    async def connect(self, *, token="root-token", query="", headers=None):
        """Open a socket; with a token, authenticated by header and greeted."""
        if headers is None:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with websockets.connect(
            self.url + query,
            additional_headers=headers,
            proxy=None,
            compression=None,
            ping_interval=None,
            max_size=None,
            max_queue=None,
        ) as socket:
            client = Client(socket)
            if token:
                assert (await client.receive())["type"] == "auth_success"
            yield client


class Client:
    def __init__(self, socket):
        self.socket = socket
        self.kinds = []

    async def send(self, message):
        await self.socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    async def receive(self):
        frame = await asyncio.wait_for(self.socket.recv(), DEADLINE)
        self.kinds.append("text" if isinstance(frame, str) else "binary")
        return json.loads(frame if isinstance(frame, str) else gzip.decompress(frame))

    async def receive_close(self):
        """Return code and reason of the close frame, (None, None) for a connection that was just cut."""
        with contextlib.suppress(websockets.ConnectionClosed):
            message = await asyncio.wait_for(self.socket.recv(), DEADLINE)
            raise AssertionError(f"a message instead of a close frame: {message!r}")
        await asyncio.wait_for(self.socket.wait_closed(), DEADLINE)
        received = self.socket.protocol.close_rcvd
        return (received.code, received.reason) if received else (None, None)

    async def subscribe(self, id="s", sql="SELECT * FROM ws.t", **request):
        """Send a subscribe; give ``options`` for a snapshot. Returns the first answer."""
        await self.send({"type": "subscribe", "subscription": {"id": id, "sql": sql, **request}})
        return await self.receive()

    async def next_batch(self, id, last_seq_id=None):
        await self.send({"type": "next_batch", "subscription_id": id, "last_seq_id": last_seq_id})
        return await self.receive()

    async def changes_until(self, marker_id):
        """Return all changes up to the insert of this key into the table ``marker``."""
        changes = []
        while True:
            message = await self.receive()
            if message.get("subscription_id") == "marker" and message["rows"][0]["id"] == marker_id:
                return changes
            changes.append(message)

    async def events_after(self, backend, marker_id):
        """Return what was sent before now: a row in ``marker`` is the last event of the queue."""
        backend.write("marker", {"id": marker_id})
        return await self.changes_until(marker_id)


def on_server(*tables, **options):
    """Run a coroutine test against a server of its own, on the double."""

    def decorate(test):
        @functools.wraps(test)
        def run(**named):
            asyncio.run(_run(test, tables, options, named))

        # The server is given here; what remains is for pytest.
        signature = inspect.signature(test)
        run.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])
        return run

    return decorate


async def _run(test, tables, options, named):
    backend = FakeBackend(*tables)
    async with serving(backend, replace(Options(), **options)) as server:
        await test(server, **named)


@contextlib.asynccontextmanager
async def serving(backend, options):
    app = web.Application()
    add_live_routes(app, backend, options)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"ws://127.0.0.1:{runner.addresses[0][1]}/v1/ws"
    try:
        yield Server(url, backend, app[LIVE_REGISTRY], runner.cleanup)
    finally:
        await runner.cleanup()
