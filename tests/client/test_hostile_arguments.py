"""Every parameter of everything public gets hostile values: no second statement runs, and only plain errors come."""

import asyncio
import inspect

import pyarrow as pa
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import kalam_notebook as kalam
from kalam_notebook.errors import KalamError


class EvilText(str):
    """A text that shows itself as another one."""

    __slots__ = ()

    def __str__(self):
        return "'; DROP TABLE app.victim; --"

    __repr__ = __str__

    def __format__(self, spec):
        return str(self)


class EvilNumber(int):
    """A number that shows itself as a statement."""

    def __str__(self):
        return "1); DROP TABLE app.victim; --"

    __repr__ = __str__

    def __format__(self, spec):
        return str(self)


DROPS = ("; DROP TABLE app.victim; --", "; DELETE FROM app.victim WHERE id >= 0; --")
#: Behind each of these a statement would begin, where a value stood bare, in quotes or in parentheses.
TEXTS = [f"{opening}{drop}" for drop in DROPS for opening in ("1", "60)", "x'", 'x"', "x')", 'x")', "app.t", "\\'")]
TEXTS += [EvilText("x"), "$$; DROP TABLE app.victim; $$", "x\n; DROP TABLE app.victim\n", "*/; DROP TABLE app.victim"]
OTHERS = [
    "", "\0", "x\0y", "\ud800", "\u202eevil", "../../x", "a\r\nX-Evil: 1", "x" * 100_000, b"x", -1, 0, 2**70, 1e308,
    float("nan"), float("inf"), EvilNumber(1), True, [], [[]], {}, {"x": object()}, object(), ("x", 1, None),
]  # fmt: skip
#: Python writes no number of so many digits.
HUGE = [10**5000, -(10**5000)]

REF = kalam.FileRef("1", "f0001", "a.txt", 1, "text/plain", "0" * 64, "app", "files")
#: The arguments of an ordinary call of each method.
CALLS = {
    "execute_query": {"sql": "SELECT id FROM app.t WHERE id = $1", "params": [1], "namespace": None},
    "query_batches": {"sql": "SELECT id FROM t WHERE id = $1", "params": [1], "namespace": "app"},
    "execute_with_files": {
        "sql": 'UPDATE app.files SET f = FILE("f") WHERE id = $1', "files": {"f": b"x"}, "params": [1],
    },
    "write": {"frame": pa.table({"id": [1]}), "table": "app.t", "mode": "upsert"},
    "export": {"sql": "SELECT id FROM t WHERE id = $1", "path": "x.csv", "params": [1], "namespace": "app"},
    "copy": {
        "sql": "SELECT id FROM t WHERE id = $1", "to_client": None, "table": "app.t", "params": [1],
        "namespace": "app", "mode": "upsert",
    },
    "partitions": {"sql": "SELECT id FROM t WHERE id > $1", "params": [1], "namespace": "app"},
    "download_file": {"ref": REF, "namespace": "app", "table": "files"},
    "download_bound_file": {"ref": REF},
    "download": {"ref": REF},
    "upload": {"files": {1: b"x"}, "table": "app.files", "column": "f"},
    "login": {"user": "nobody", "password": "wrong"},
    "refresh_access_token": {"refresh_token": "x"},
    "server_setup": {"user": "x", "password": "x", "root_password": "x"},
    "live": {"sql": "SELECT id, name FROM t WHERE name <> $1", "params": ["x"], "namespace": "app"},
    "live_events": {"sql": "SELECT id FROM t WHERE name = $1", "params": ["x"], "namespace": "app"},
    "live_topic": {"topic": "app.events"},
    "tables": {"namespace": "app"},
    "describe": {"table": "app.t"},
    "consumer": {"topic": "app.events", "group_id": "g", "start": "earliest"},
}  # fmt: skip
CALLS |= dict.fromkeys(("query", "query_arrow", "query_polars", "query_result"), CALLS["query_batches"])
CALLS["to_dask"] = CALLS["partitions"]
#: A new STREAM table, for what only that takes.
NEW_TABLE = {
    "frame": pa.table({"id": [1]}), "table": "app.new", "mode": "insert", "key": None, "create": True, "kind": "STREAM",
    "ttl_seconds": 60,
}  # fmt: skip
#: Without parameters, or without the server.
NO_CALL = {
    "namespaces",
    "subscriptions",
    "close",
    "disconnect",
    "connect",
    "check_login",
    "health_check",
    "cluster_health_check",
    "check_setup_status",
    "recent_requests",
    "save_login",
}
#: What the reader writes as SQL is sent as it is.
IS_SQL = {"sql"}
#: What would wait, or be told what to do by its own argument.
LEFT_OUT = {"to"}  # ``test_files`` writes to hostile places.


@pytest.fixture(scope="module")
def scene():
    """A sandbox of its own, with a table that must stay as it is."""
    with kalam.sandbox() as server, kalam.Client(server.url, user="root", password=server.root_password) as client:
        client.execute_query("CREATE NAMESPACE app")
        for name in ("victim", "t"):
            client.execute_query(f"CREATE TABLE app.{name} (id BIGINT PRIMARY KEY, name TEXT) WITH (TYPE = 'SHARED')")
        client.execute_query("INSERT INTO app.victim (id, name) VALUES (1, 'a'), (2, 'b')")
        client.execute_query("CREATE TABLE app.files (id BIGINT PRIMARY KEY, f FILE) WITH (TYPE = 'SHARED')")
        client.execute_query("INSERT INTO app.files (id) VALUES (1)")
        client.execute_query("CREATE TOPIC app.events")
        yield client, server


@pytest.fixture
def victim(scene):
    """Tell that the table is as it was."""
    client, _ = scene

    def check(told):
        assert client.query_arrow("SELECT id, name FROM app.victim ORDER BY id").num_rows == 2, told
        tables = client.query_arrow("SELECT table_name FROM information_schema.tables WHERE table_schema = 'app'")
        assert set(tables["table_name"].to_pylist()) - {"new"} == {"victim", "t", "files"}, told

    return check


def consume(result):
    """Take what comes only when it is asked for, and end what goes on."""
    if isinstance(result, kalam.QueryBatches):
        list(result)
    elif isinstance(result, kalam.Consumer):
        result.poll(timeout=0)
    if hasattr(result, "close"):
        result.close()


def attacked(kind):
    """Each method, its ordinary call, and a parameter of it."""
    for name in dir(kind):  # Most are defined in the classes that it builds on.
        method = getattr(kind, name)
        if name.startswith("_") or not callable(method) or name in NO_CALL:
            continue
        for parameter in list(inspect.signature(method).parameters)[1:]:
            if parameter not in LEFT_OUT:
                yield name, CALLS[name], parameter
    yield "write", NEW_TABLE, "ttl_seconds"
    for parameter in ("table", "key", "kind"):
        yield "write", NEW_TABLE, parameter


def values_for(name, parameter):
    if parameter in IS_SQL:
        return OTHERS
    is_number = "int" in str(inspect.signature(getattr(kalam.Client, name)).parameters[parameter].annotation)
    return [*TEXTS, *OTHERS, *(HUGE if is_number else ())]


def attempt(call, values):
    """Call with each value; what came but errors of the package."""
    for value in values:
        try:
            consume(call(value))
        except (KalamError, kalam.FilesWarning) as exc:
            text = str(exc)
            assert len(text) < 3_000, (len(text), text[:300])
        except Exception as exc:
            given = "a huge number" if value in HUGE else f"{value!r:.40}"
            yield f"{given}: {type(exc).__name__}: {exc}"[:200]


def parameters(kind):
    return [pytest.param(*one, id=f"{one[0]}-{one[2]}-{number}") for number, one in enumerate(attacked(kind))]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "base", "parameter"), parameters(kalam.Client))
def test_no_argument_of_a_client_becomes_sql(scene, victim, name, base, parameter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client, _ = scene
    method = getattr(client, name)
    failures = list(attempt(lambda value: method(**{**base, parameter: value}), values_for(name, parameter)))
    victim((name, parameter))
    assert failures == []


@pytest.mark.parametrize("parameter", inspect.signature(kalam.Client).parameters)
def test_no_setting_of_a_client_becomes_sql(scene, victim, parameter, monkeypatch):
    _, server = scene
    base = {"url": server.url, "user": "root", "password": server.root_password}
    if parameter in {"token", "token_provider", "profile"}:
        base = {"url": server.url}

    def call(value):
        with kalam.Client(**{**base, parameter: value}) as client:
            repr(client)
            if parameter not in base:  # Every other user would be another login, which costs the server much.
                client.query("SELECT id FROM t")

    failures = list(attempt(call, [*TEXTS, *OTHERS, *HUGE]))
    victim(parameter)
    assert failures == []


def test_every_public_method_is_attacked():
    methods = {name for name in dir(kalam.Client) if not name.startswith("_") and callable(getattr(kalam.Client, name))}
    assert methods == set(CALLS) | NO_CALL


@pytest.mark.slow
def test_no_argument_of_an_async_client_becomes_sql(scene, victim, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, server = scene

    async def attack():
        async with kalam.AsyncClient(server.url, user="root", password=server.root_password) as client:
            for name, base, parameter in attacked(kalam.AsyncClient):
                if parameter in IS_SQL:
                    continue
                for value in (TEXTS[1], TEXTS[3], 2**70, object()):
                    try:
                        result = await getattr(client, name)(**{**base, parameter: value})
                    except KalamError:
                        continue
                    if hasattr(result, "close"):
                        await asyncio.to_thread(result.close)

    asyncio.run(attack())
    victim("AsyncClient")


def test_the_table_of_a_consumer_is_a_name(scene, victim):
    client, _ = scene
    message = kalam.TopicMessage("app.events", 0, 0, "Insert", "1", None, 0, b'{"id": "1"}')
    with client.consumer("app.events", group_id="g") as consumer:
        failures = [
            *attempt(lambda value: consumer.arrow([message], table=value), [*TEXTS, *OTHERS]),
            *attempt(lambda value: consumer.df([message], table=value), [*TEXTS, *OTHERS]),
            *attempt(lambda value: consumer.commit_sync(value), [*TEXTS, *OTHERS]),
        ]
        assert consumer.arrow([message], table="app.t").num_rows == 1
    victim("arrow")
    assert failures == []


LINES = [
    *("%%kalam --namespace {}", "%%kalam --params {}", "%%kalam --params [{}]", "%%kalam --max-rows {}"),
    *("%%kalam --format {}", "%%kalam --engine {}", "%%kalam {} <<", "%%kalam {}", "%kalam tables {}", "%kalam {}"),
    *("%kalam connect {}", "%kalam connect --profile {}", "%kalam connect --namespace {}", "%kalam status {}"),
]


@pytest.mark.parametrize("line", LINES)
def test_no_word_of_a_magic_becomes_sql(scene, victim, line):
    _, server = scene
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    try:
        shell.run_line_magic("load_ext", "kalam_notebook")
        for text in (text.replace("\n", " ") for text in TEXTS):
            for spelled in (text, f"'{text}'"):
                if line.startswith("%kalam connect") or text == TEXTS[0]:
                    kalam.close()
                    kalam.connect(server.url, user="root", password=server.root_password, namespace="app")
                cell = "\nSELECT $1 AS t" if "params" in line else "\nSELECT id FROM t"
                with capture_output():
                    done = shell.run_cell(line.format(spelled) + (cell if line.startswith("%%") else ""))
                assert isinstance(done.error_in_exec, KalamError | None), (spelled, done.error_in_exec)
        victim(line)
    finally:
        kalam.close()
        shell.history_manager.end_session()
        InteractiveShell.clear_instance()
