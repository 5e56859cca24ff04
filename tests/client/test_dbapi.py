"""DB-API 2.0: the public tests of PEP 249, and the libraries that take hold of a database by it."""

from __future__ import annotations

import datetime as dt
import warnings
from decimal import Decimal

import dbapi20
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import kalam_notebook as kalam
from kalam_notebook import dbapi

ROWS = 1200


@pytest.fixture
def connection(server, namespace):
    client = kalam.Client(server.url, token=server.token, namespace=namespace)
    with client, dbapi.connect(client=client) as connection:
        yield connection


@pytest.fixture
def cursor(connection):
    with connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def filled(cursor):
    """A table that the server cuts, with values that it changes."""
    cursor.execute(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, d DECIMAL(8, 2), s TEXT, at TIMESTAMP) WITH (TYPE = 'SHARED')"
    )
    values = ", ".join(f"({i}, '-0.{i % 90 + 10}', 't{i}', '2024-01-01T00:00:00.000001Z')" for i in range(ROWS))
    cursor.execute(f"INSERT INTO t (id, d, s, at) VALUES {values}")
    assert cursor.rowcount == ROWS
    assert cursor.description is None
    return cursor


# The public tests.


@pytest.mark.contract
class TestCompliance(dbapi20.DatabaseAPI20Test):
    """Every table needs a key here; nothing else is other than the tests have it."""

    driver = dbapi
    ddl1 = "CREATE TABLE dbapi20test_booze (name TEXT PRIMARY KEY) WITH (TYPE = 'SHARED')"
    ddl2 = "CREATE TABLE dbapi20test_barflys (name TEXT PRIMARY KEY, drink TEXT) WITH (TYPE = 'SHARED')"

    @pytest.fixture(autouse=True)
    def _connected(self, connection):
        self.connect_kw_args = {"client": connection.client}

    def test_non_idempotent_close(self):
        """To close what is closed is no error: PEP 249 leaves it open."""
        connection = self._connect()
        connection.close()
        connection.close()

    def test_nextset(self):
        """There are no further sets: several statements that return rows are refused."""
        with self._connect().cursor() as cursor, pytest.raises(dbapi.ProgrammingError, match="several statements"):
            cursor.execute("SELECT 1; SELECT 2")

    def test_setoutputsize(self):
        self.test_setoutputsize_basic()


# Rows.


@pytest.mark.contract
def test_rows_are_complete_and_exact(filled):
    filled.execute("SELECT id, d, at FROM t ORDER BY id")
    assert (filled.rowcount, filled.completeness.is_complete) == (ROWS, True)
    assert [column[:2] for column in filled.description] == [
        ("id", dbapi.NUMBER), ("d", dbapi.NUMBER), ("at", dbapi.DATETIME)
    ]  # fmt: skip
    assert filled.description[1][4:6] == (8, 2)
    moment = dt.datetime(2024, 1, 1, 0, 0, 0, 1, dt.UTC)
    assert filled.fetchone() == (0, Decimal("-0.10"), moment)
    assert filled.fetchmany(2) == [(1, Decimal("-0.11"), moment), (2, Decimal("-0.12"), moment)]
    rest = filled.fetchall()
    assert [row[0] for row in rest] == list(range(3, ROWS))
    assert (filled.fetchone(), filled.fetchmany(3), filled.fetchall(), list(filled)) == (None, [], [], [])
    filled.execute("SELECT id FROM t ORDER BY id")
    assert filled.arrow().column("id").to_pylist() == list(range(ROWS))


@pytest.mark.contract
def test_a_stream_reads_as_it_is_fetched(filled):
    with filled.connection.cursor(stream=True) as cursor:
        cursor.execute("SELECT id, s FROM t WHERE id >= :1", [100])
        assert (cursor.rowcount, cursor.completeness) == (-1, None)
        assert [column[0] for column in cursor.description] == ["id", "s"]
        first = cursor.fetchmany(10)
        assert len(first) == 10
        assert sorted(row[0] for row in [*first, *cursor]) == list(range(100, ROWS))
        assert cursor.completeness.is_complete

        cursor.execute("SELECT id, s FROM t WHERE id < 0")
        assert cursor.description[0][:2] == ("id", dbapi.NUMBER)
        assert cursor.fetchall() == []

        cursor.execute("SELECT id FROM t")
        assert isinstance(cursor.arrow(), pa.Table)


@pytest.mark.contract
def test_placeholders(filled):
    def found(sql, parameters):
        return [row[0] for row in filled.execute(sql, parameters).fetchall()]

    assert found("SELECT id FROM t WHERE id = :1 AND s = :2", (7, "t7")) == [7]
    assert found("SELECT id FROM t WHERE id = $1", [7]) == [7]
    assert found("SELECT id FROM t WHERE s = :name AND id < :most", {"most": 50, "name": "t7"}) == [7]
    assert found("SELECT id FROM t WHERE id IN (:ids) ORDER BY id", {"ids": [3, 5]}) == [3, 5]
    assert found("SELECT CAST(id AS TEXT) || ':1 :name' AS a FROM t WHERE id = :1 -- :2", [1]) == ["1:1 :name"]
    assert found("SELECT id::BIGINT AS id FROM t WHERE id = :id", {"id": 9}) == [9]
    assert found("SELECT [10, 20, 30][1:2] AS a", None) == [[10, 20]]
    for sql, parameters, text in (
        ("SELECT id FROM t WHERE id = :id", {"other": 1}, "':id', it|:id.*it has no value; given: other"),
        ("SELECT id FROM t WHERE id = :id", {"id": 1, "more": 2}, ":more.*it has a value"),
        ("SELECT id FROM t WHERE id = :1", [1, 2], r"\$2.*it has a value"),
        ("SELECT id FROM t WHERE id = :1 AND s = :2", [1], r"\$2.*it has no value"),
    ):
        with pytest.raises(dbapi.ProgrammingError, match=text):
            filled.execute(sql, parameters)


# Errors and transactions.


@pytest.mark.contract
def test_errors_are_those_of_the_pep(filled):
    for sql, kind in (
        ("SELEC 1", dbapi.ProgrammingError),
        ("SELECT nothing FROM t", dbapi.ProgrammingError),
        ("SELECT * FROM missing", dbapi.ProgrammingError),
        ("INSERT INTO t (id) VALUES (1)", dbapi.IntegrityError),
        ("DELETE FROM t WHERE id IN (SELECT id FROM t)", dbapi.NotSupportedError),
    ):
        with pytest.raises(kind) as caught:
            filled.execute(sql)
        assert isinstance(caught.value.__cause__, kalam.errors.KalamError)
        assert str(caught.value) == str(caught.value.__cause__)
    with pytest.raises(dbapi.ProgrammingError, match="execute a query first"):
        filled.fetchone()


def test_errors_without_a_server(closed_port, server):
    with pytest.raises(dbapi.OperationalError, match="Cannot reach"):
        dbapi.connect(f"http://127.0.0.1:{closed_port}", token="t")
    with pytest.raises(dbapi.OperationalError):
        dbapi.connect(server.url, user="nobody", password="wrong-hunter2")
    with pytest.raises(dbapi.InterfaceError):
        dbapi.connect("ftp://somewhere", token="t")


@pytest.mark.contract
def test_nothing_is_taken_back_and_that_is_said(filled):
    filled.connection.commit()
    filled.connection.rollback()
    filled.execute("DELETE FROM t WHERE id = 1")
    assert filled.rowcount == 1
    with pytest.raises(dbapi.NotSupportedError, match="What was written stays"):
        filled.connection.rollback()
    filled.connection.rollback()
    assert filled.execute("SELECT id FROM t WHERE id = 1").fetchall() == []


def test_what_is_closed_is_not_used(connection):
    cursor = connection.cursor()
    cursor.close()
    for call in (cursor.fetchone, lambda: cursor.execute("SELECT 1")):
        with pytest.raises(dbapi.InterfaceError, match="cursor is closed"):
            call()
    connection.close()
    for call in (connection.cursor, connection.commit, connection.rollback):
        with pytest.raises(dbapi.InterfaceError, match="connection is closed"):
            call()
    assert "closed" in repr(connection)
    assert connection.client.query("SELECT 1 AS one").one[0] == 1


# Libraries.


@pytest.mark.contract
def test_pandas_reads_through_it(filled):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="pandas only supports SQLAlchemy")
        frame = pd.read_sql(
            "SELECT id, d, s FROM t WHERE id >= :1 ORDER BY id", filled.connection, params=[1], coerce_float=False
        )
    assert frame["id"].tolist() == list(range(1, ROWS))
    assert frame["d"][0] == Decimal("-0.11")


@pytest.mark.contract
def test_polars_reads_through_it(filled):
    frame = pl.read_database("SELECT id, d, s FROM t ORDER BY id", filled.connection)
    assert frame["id"].to_list() == list(range(ROWS))
    assert frame["d"].to_list()[:2] == [Decimal("-0.10"), Decimal("-0.11")]
