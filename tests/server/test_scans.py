"""Which scans statements make, and what they cost: as the CPU time of a KalamDB 0.4.3-rc.4 shows (truth L32)."""

import asyncio
import threading

import pytest
import websockets
from live_doubles import Client
from serving import serving

SCAN_ROW_NS = 1_000_000
FLUSHED_ROW_NS = 250_000
ROWS = 40


@pytest.fixture(scope="module")
def module_server():
    with serving() as served:
        served.sql("CREATE NAMESPACE app")
        for name in ("hot", "cold", "other"):
            served.sql(f"CREATE TABLE app.{name} (id BIGINT PRIMARY KEY, n INT, t TEXT)")
            values = ", ".join(f"({i}, {i % 5}, 'x')" for i in range(ROWS))
            served.sql(f"INSERT INTO app.{name} (id, n, t) VALUES {values}")
        served.sql("STORAGE FLUSH TABLE app.cold")
        yield served


@pytest.fixture
def asked(module_server):
    """Send SQL and return kind, unflushed versions and flushed rows of each scan that it made."""

    def ask(sql, params=None):
        _route(module_server, "DELETE")
        module_server.sql(sql, params)
        statements = _route(module_server, "GET").json()["statements"]
        return [(s["kind"], s["unflushed"], s["flushed"]) for one in statements for s in one["scans"]]

    ask.server = module_server
    return ask


def _route(served, method, user="root"):
    headers = {"Authorization": f"Bearer {served.token(user)}"}
    return served.client.request(method, "/sandbox/scans", headers=headers)


WHOLE, COUNT, POINT = ("whole", ROWS, 0), ("count", ROWS, 0), ("point", 0, 0)


@pytest.mark.parametrize(
    ("sql", "scans"),
    [
        ("SELECT sum(n) FROM app.hot", [WHOLE]),
        ("SELECT max(_seq) FROM app.hot", [WHOLE]),
        ("SELECT * FROM app.hot LIMIT 1", [WHOLE]),
        ("SELECT id FROM app.hot ORDER BY id LIMIT 1", [WHOLE]),
        ("SELECT id FROM app.hot WHERE id > 5", [WHOLE]),
        ("SELECT id FROM app.hot WHERE _deleted", [WHOLE]),
        ("SELECT count(*) FROM app.hot WHERE n = 3", [WHOLE]),
        ("SELECT arrow_typeof(first_value(c)) FROM (SELECT n FROM app.hot) AS q(c)", [WHOLE]),
        ("SELECT count(*) FROM app.hot", [COUNT]),
        ("SELECT 1 WHERE EXISTS (SELECT 1 FROM app.hot)", [COUNT]),
        ("SELECT * FROM app.hot LIMIT 0", []),
        ("SELECT sum(n) FROM app.hot WHERE false", []),
        ("SELECT 1", []),
        ("SELECT count(*) FROM system.tables", []),
        ("DESCRIBE TABLE app.hot", []),
        ("EXPLAIN SELECT sum(n) FROM app.hot", []),
        # Keys: one value is looked up, two are a scan.
        ("SELECT t FROM app.hot WHERE id = 5", [POINT]),
        ("SELECT t FROM app.hot WHERE 5 = id AND n = 0", [POINT]),
        ("SELECT t FROM app.hot WHERE id IN (5)", [POINT]),
        ("SELECT t FROM (SELECT * FROM app.hot) AS q WHERE id = 5", [POINT]),
        ("SELECT t FROM app.hot WHERE id = 5 UNION ALL SELECT t FROM app.hot WHERE id = 6", [POINT, POINT]),
        ("SELECT t FROM app.hot WHERE id IN (5, 6)", [WHOLE]),
        ("SELECT t FROM app.hot WHERE id = 5 OR id = 6", [WHOLE]),
        ("BEGIN; SELECT t FROM app.hot WHERE id = 5; COMMIT", [WHOLE]),
        # Several scans.
        ("SELECT a.n FROM app.hot AS a JOIN app.hot AS b ON a.id = b.id LIMIT 1", [WHOLE, WHOLE]),
        ("SELECT n FROM app.hot UNION ALL SELECT n FROM app.other", [WHOLE, WHOLE]),
        ("SELECT id FROM app.hot WHERE n = (SELECT max(n) FROM app.hot)", [WHOLE, WHOLE]),
        ("SELECT count(*) FROM app.hot WHERE id IN (SELECT id FROM app.other)", [WHOLE, WHOLE]),
        ("WITH w AS (SELECT * FROM app.hot) SELECT (SELECT max(n) FROM w), (SELECT min(n) FROM w)", [WHOLE, WHOLE]),
        ("SELECT sum(n) FROM app.hot; SELECT sum(n) FROM app.hot", [WHOLE, WHOLE]),
        ("BEGIN; SELECT sum(n) FROM app.hot; SELECT sum(n) FROM app.hot; COMMIT", [WHOLE, WHOLE]),
        # Files are read whole whatever `_seq` is asked for; a key in them is looked for.
        ("SELECT sum(n) FROM app.cold", [("whole", 0, ROWS)]),
        ("SELECT count(*) FROM app.cold", [("count", 0, ROWS)]),
        ("SELECT n FROM app.cold WHERE _seq > 9000000000000000000", [("after", 0, ROWS)]),
        ("SELECT n FROM app.cold WHERE id = 5", [("point", 0, ROWS)]),
        # Writing. A changed row is looked for by a scan, even by key.
        ("UPDATE app.hot SET t = 'x' WHERE id = 5", [WHOLE]),
        ("UPDATE app.hot SET t = 'x' WHERE id = 999", [WHOLE]),
        ("DELETE FROM app.hot WHERE id = 999", [WHOLE]),
        ("DELETE FROM app.hot WHERE n = 77", [WHOLE]),
        ("INSERT INTO app.hot (id, n) SELECT id + 1000, n FROM app.other WHERE n = 77", [WHOLE]),
    ],
)
def test_scans_of_a_statement(asked, sql, scans):
    assert asked(sql) == scans


def test_a_scan_after_a_seq_goes_through_what_is_newer(asked):
    seqs = [int(row[0]) for row in asked.server.rows("SELECT _seq FROM app.hot ORDER BY _seq")]
    assert asked(f"SELECT n FROM app.hot WHERE _seq > {seqs[-1]} LIMIT 1") == [("after", 0, 0)]
    assert asked(f"SELECT id FROM app.hot WHERE _seq > {seqs[-1]} AND _deleted = true") == [("after", 0, 0)]
    assert asked(f"SELECT n FROM app.hot WHERE _seq >= {seqs[-4]}") == [("after", 4, 0)]
    assert asked(f"BEGIN; SELECT n FROM app.hot WHERE _seq > {seqs[-4]}; COMMIT") == [("after", 3, 0)]
    assert asked(f"SELECT n FROM app.hot WHERE _seq = {seqs[-1]}") == [("after", 1, 0)]
    assert asked(f"SELECT n FROM app.hot WHERE _seq < {seqs[-4]}") == [WHOLE]


def test_versions_count_and_not_rows():
    with serving(scan_window=10) as served:
        served.sql("CREATE NAMESPACE app; CREATE TABLE app.t (id BIGINT PRIMARY KEY, n INT)")
        served.sql("INSERT INTO app.t (id, n) VALUES (1, 1)")
        for n in range(2, 5):
            served.sql(f"UPDATE app.t SET n = {n} WHERE id = 1")
        _route(served, "DELETE")
        served.sql("SELECT n FROM app.t")
        served.sql("INSERT INTO app.t (id, n) VALUES " + ", ".join(f"({i}, 0)" for i in range(2, 20)))
        served.sql("SELECT sum(n) FROM app.t")
        versions = [s["unflushed"] for one in _route(served, "GET").json()["statements"] for s in one["scans"]]
    # Beyond the window a scan reads no more (truth L3).
    assert versions == [4, 10]


def test_the_report(asked):
    asked("SELECT count(*) AS n FROM app.hot")
    asked.server.sql("BEGIN; SELECT id FROM app.hot WHERE id = $1; COMMIT".replace("$1", "1"))
    report = _route(asked.server, "GET").json()
    assert report["count"] == 2
    assert report["scans"] == {"whole": 1, "after": 0, "count": 1, "point": 0}
    first, second = report["statements"]
    assert first == {
        "sql": "SELECT count(*) AS n FROM app.hot",
        "user": "root",
        "is_live": False,
        "in_transaction": False,
        "scans": [{"table": "app.hot", "kind": "count", "unflushed": first["scans"][0]["unflushed"], "flushed": 0}],
    }
    assert second["in_transaction"]
    assert _route(asked.server, "DELETE").json() == report
    assert _route(asked.server, "GET").json()["count"] == 0


@pytest.mark.slow
def test_long_statements_are_cut_and_old_ones_go(asked):
    asked(f"SELECT '{'x' * 5000}' AS t")
    (statement,) = _route(asked.server, "GET").json()["statements"]
    assert len(statement["sql"]) == 2000
    assert statement["sql"].endswith("x…")
    for _ in range(11):
        asked.server.sql("; ".join(["SELECT 1"] * 100))
    report = _route(asked.server, "GET").json()
    assert report["count"] == 1101
    assert len(report["statements"]) == 1000


def test_only_administrators_see_statements(asked):
    user = asked.server.add_user("reader", "user")
    assert _route(asked.server, "GET", user).status_code == 403
    assert asked.server.client.get("/sandbox/scans").status_code == 401


# What they cost -----------------------------------------------------------------------------------------------------


@pytest.fixture
def charging():
    with serving(scan_row_ns=SCAN_ROW_NS, scan_flushed_row_ns=FLUSHED_ROW_NS) as served:
        served.sql("CREATE NAMESPACE app; CREATE TABLE app.t (id BIGINT PRIMARY KEY, n INT)")
        served.sql("INSERT INTO app.t (id, n) VALUES " + ", ".join(f"({i}, 0)" for i in range(200)))
        yield served


def test_what_a_scan_costs(charging):
    """A sleep is never shorter than it was told to be; what is cheap is compared with a generous bound."""
    assert charging.post("SELECT id FROM app.t LIMIT 1").json()["took"] >= 200
    assert charging.post("SELECT a.id FROM app.t a, app.t b WHERE a.id = b.id LIMIT 1").json()["took"] >= 400
    assert charging.post("SELECT count(*) FROM app.t").json()["took"] >= 140
    assert charging.post("UPDATE app.t SET n = 1 WHERE id = 5").json()["took"] >= 200
    assert charging.post("BEGIN; SELECT n FROM app.t WHERE id = 5; COMMIT").json()["took"] >= 200
    for cheap in ("SELECT n FROM app.t WHERE id = 5", "SELECT n FROM app.t LIMIT 0"):
        assert min(charging.post(cheap).json()["took"] for _ in range(5)) < 200
    charging.sql("STORAGE FLUSH TABLE app.t")
    assert charging.post("SELECT id FROM app.t LIMIT 1").json()["took"] >= 50
    assert charging.post("SELECT n FROM app.t WHERE id = 5").json()["took"] >= 30


def test_a_write_that_pays_keeps_nobody_waiting(charging):
    slow = threading.Thread(target=charging.sql, args=("; ".join(["UPDATE app.t SET n = 1 WHERE id = 5"] * 2),))
    slow.start()
    while charging.rows("SELECT n FROM app.t WHERE id = 5") != [[1]]:
        pass
    charging.sql("INSERT INTO app.t (id, n) VALUES (900, 0)")
    assert slow.is_alive()
    slow.join()


# Live queries ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "condition", "kinds"),
    [
        (None, "", []),
        ({}, "", ["whole", "whole"]),
        ({"batch_size": 10}, "", ["whole", "whole"]),
        ({"last_rows": 1}, "", ["whole", "whole"]),
        ({"last_rows": 0}, "", ["whole"]),
        ({"from": 1}, "", ["after", "after"]),
        ({}, " WHERE id = 5", ["point", "point"]),
    ],
)
def test_scans_of_a_subscription(module_server, options, condition, kinds):
    """The server looks for the end of the snapshot first, then reads its first page."""

    async def subscribe():
        headers = {"Authorization": f"Bearer {module_server.token()}"}
        url = module_server.url.replace("http", "ws", 1) + "/v1/ws"
        async with websockets.connect(url, additional_headers=headers, max_size=None, proxy=None) as socket:
            client = Client(socket)
            assert (await client.receive())["type"] == "auth_success"
            given = {} if options is None else {"options": options}
            answer = await client.subscribe(sql=f"SELECT * FROM app.hot{condition}", **given)
            assert answer["type"] == "subscription_ack"

    _route(module_server, "DELETE")
    asyncio.run(subscribe())
    statements = _route(module_server, "GET").json()["statements"]
    assert all(one["is_live"] for one in statements)
    assert [scan["kind"] for one in statements for scan in one["scans"]] == kinds
