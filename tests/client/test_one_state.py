"""One statement, one state (truth L29): a query that scans more than once sees all of it at one moment."""

import threading
from contextlib import contextmanager

import pytest

import kalam_notebook as kalam
from kalam_notebook.errors import QueryError

TRIES = 60
#: So much is written at most, so that reading does not grow with the speed of the writer.
MOST_ROWS = 600

pytestmark = pytest.mark.contract


@contextmanager
def written_meanwhile(server, statement):
    """Others write: ``statement`` with ``{i}`` for 1, 2 …, as long as the block runs."""
    stop, began = threading.Event(), threading.Event()

    def write():
        with kalam.Client(server.url, user="root", password=server.root_password) as client:
            for number in range(1, MOST_ROWS):
                client.execute_query(statement.format(i=number))
                began.set()
                if stop.is_set():
                    return

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert began.wait(60)
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def twins(client, namespace):
    """Two tables, and how others write a row into the first and then into the second.

    Not in one transaction: the server shows one over several tables in part, also to a transaction that reads.
    """
    for name in ("a", "b"):
        client.execute_query(f"CREATE TABLE {namespace}.{name} (id INT PRIMARY KEY, n INT) WITH (TYPE = 'SHARED')")
    return f"INSERT INTO {namespace}.a (id, n) VALUES ({{i}}, 1); INSERT INTO {namespace}.b (id, n) VALUES ({{i}}, 1)"


COUNTS = "SELECT a.n - b.n AS d FROM (SELECT count(*) AS n FROM {0}.{1}) AS a, (SELECT count(*) AS n FROM {0}.{2}) AS b"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "params", "wanted"),
    [
        (COUNTS.format("{0}", "a", "a"), [], {0}),
        (COUNTS.format("{0}", "a", "b"), [], {0, 1}),
        (COUNTS.format("{0}", "a", "a") + " WHERE a.n >= $1", [0], {0}),
        ("WITH c AS (SELECT sum(n) AS n FROM {0}.a) SELECT x.n - y.n AS d FROM c AS x, c AS y", [], {0}),
        ("SELECT sum(n) AS d FROM (SELECT n FROM {0}.a UNION ALL SELECT -n FROM {0}.a) AS u", [], {0}),
        # Read again exactly: computed times are mislabelled.
        (
            "SELECT CAST('2026-01-01' AS TIMESTAMP) AS t, (SELECT count(*) FROM {0}.a) - (SELECT count(*) FROM {0}.a) "
            "AS d",
            [],
            {0},
        ),
    ],
)
def test_a_statement_of_several_scans_sees_one_state(server, client, namespace, twins, sql, params, wanted):
    text = sql.format(namespace)
    with written_meanwhile(server, twins):
        found = [client.query_arrow(text, params)["d"].to_pylist() for _ in range(TRIES)]
    assert {d for (d,) in found} <= wanted


@pytest.mark.slow
def test_local_copies_of_several_tables_are_of_one_state(server, client, namespace, twins):
    sql = COUNTS.format(namespace, "a", "b")
    with written_meanwhile(server, twins):
        found = [client.query_arrow(sql, engine="local")["d"].to_pylist() for _ in range(8)]
    assert {d for (d,) in found} <= {0, 1}


@pytest.mark.slow
def test_batches_see_one_state(server, client, namespace, twins):
    with written_meanwhile(server, twins):
        for _ in range(8):
            (batch,) = client.query_batches(COUNTS.format(namespace, "a", "a"))
            assert batch.column("d").to_pylist() == [0]


@pytest.mark.slow
def test_a_live_query_of_several_scans_sees_one_state(server, client, namespace, twins):
    with client.live(COUNTS.format(namespace, "a", "a")) as live, written_meanwhile(server, twins):
        for _ in range(8):
            live.refresh()
            assert live.arrow()["d"].to_pylist() == [0]


def test_errors_tell_of_the_statement_as_it_was_written(client, namespace, twins):
    sql = f"SELECT a.x FROM {namespace}.a AS a, {namespace}.b AS b"
    with pytest.raises(QueryError, match="No field named") as caught:
        client.query(sql)
    assert "Statement 2" not in str(caught.value)
    assert caught.value.sql == sql
    with pytest.raises(QueryError, match="not found"):
        client.query(f"SELECT a.id FROM {namespace}.a AS a, {namespace}.gone AS b")


def test_a_value_that_cannot_be_sent_is_read_as_text_there_too(client, namespace, twins):
    client.execute_query(twins.format(i=1))
    sql = f"SELECT CAST('NaN' AS DOUBLE) AS x, a.id FROM {namespace}.a AS a, {namespace}.b AS b"
    (row,) = client.query_arrow(sql).to_pylist()
    assert str(row) == "{'x': nan, 'id': 1}"


def test_other_users_rows_are_read_at_one_state(client, namespace):
    client.execute_query(f"CREATE TABLE {namespace}.u (id INT PRIMARY KEY) WITH (TYPE = 'USER')")
    client.execute_query(f"EXECUTE AS USER 'alice' (INSERT INTO {namespace}.u (id) VALUES (1), (2))")
    sql = f"EXECUTE AS USER 'alice' (SELECT count(*) AS n FROM {namespace}.u AS a, {namespace}.u AS b WHERE a.id < $1)"
    assert client.query_arrow(sql, [5]).to_pylist() == [{"n": 4}]
