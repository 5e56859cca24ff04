"""A text is tokenized once, where it enters: what is asked of it later goes by the tokens that are there."""

import sys
from collections import Counter

import pytest

from kalam_notebook.sql import statement


@pytest.fixture
def tokenized(monkeypatch):
    """How often each text was tokenized."""
    counts = Counter()
    tokenize = statement.tokenize
    statement._kept.cache_clear()

    def counted(sql):
        counts[str(sql)] += 1
        return tokenize(sql)

    monkeypatch.setattr(statement, "tokenize", counted)
    yield counts
    statement._kept.cache_clear()


@pytest.fixture
def table(client, namespace):
    name = f"{namespace}.t"
    client.execute_query(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, n INT) WITH (TYPE = 'SHARED')")
    client.execute_query(f"INSERT INTO {name} (id, n) VALUES " + ", ".join(f"({i}, {i % 7})" for i in range(80)))
    return name


def test_a_query(client, table, tokenized):
    sql = f"SELECT n, count(*) AS c FROM {table} GROUP BY n ORDER BY n -- {'long enough not to be kept ' * 200}"
    assert len(client.query(sql)) == 7
    assert tokenized[sql] == 1
    assert set(tokenized.values()) == {1}


def test_an_exact_reading(client, table, tokenized):
    sql = f"SELECT * FROM {table} WHERE n < $1 -- {'long enough not to be kept ' * 200}"
    assert len(client.query(sql, [6])) == 69
    assert tokenized[sql] == 1


def test_a_query_in_a_namespace(client, namespace, table, tokenized):
    sql = f"SELECT id FROM t WHERE n IN ($1) /* {'long enough not to be kept ' * 200} */"
    assert len(client.query(sql, [[1, 2]], namespace=namespace)) == 24
    assert tokenized[sql] == 1


@pytest.mark.parametrize("sql", ["SELECT * FROM {} WHERE n < 3", "SELECT n, count(*) AS c FROM {} GROUP BY n"])
def test_a_live_query(client, table, tokenized, sql):
    sql = sql.format(table) + f" /* {'long enough not to be kept ' * 200} */"
    with client.live(sql) as live:
        assert live.num_rows > 0
    assert tokenized[sql] == 1


def room_of(frame):
    """The room of this package that a frame belongs to; empty for another package, and for what Python has written."""
    package, _, rest = frame.f_globals.get("__name__", "").partition(".")
    is_ours = package == "kalam_notebook" and frame.f_code.co_filename != "<string>"
    return rest.partition(".")[0] if is_ours else ""


def test_the_way_of_a_select_to_its_request_is_short(client, table):
    """Calls from one room into another, from ``query`` until httpx is called."""
    crossings = []
    is_underway = False

    def watch(frame, event, arg):
        nonlocal is_underway
        if event != "call":
            return
        if frame.f_globals.get("__name__", "").startswith("httpx"):
            is_underway = False
        is_underway = is_underway or (frame.f_code.co_name == "query" and room_of(frame) == "client")
        caller = frame.f_back
        while caller is not None and not room_of(caller):
            caller = caller.f_back
        if is_underway and caller is not None and room_of(frame) not in ("", room_of(caller)):
            crossings.append(frame.f_code.co_qualname)

    client.query(f"SELECT id, n FROM {table} WHERE id = 1")
    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        client.query(f"SELECT id, n FROM {table} WHERE id = $1", [1])
    finally:
        sys.setprofile(before)
    assert 10 < len(crossings) <= 25, "\n".join([str(len(crossings)), *crossings])


def test_a_look_up_by_key_costs_one_request(client, table):
    sql = f"SELECT id, n FROM {table} WHERE id = $1"
    client.query_result(sql, [1])
    results = [client.query_result(sql, [number]) for number in range(2, 6)]
    assert [result.completeness.requests for result in results] == [1, 1, 1, 1]
    assert [result.row_count for result in results] == [1, 1, 1, 1]
    client.execute_query(f"UPDATE {table} SET n = 3 WHERE id = 1")  # What was known of tables holds no longer.
    assert client.query_result(sql, [1]).completeness.requests == 2
