"""What the server has: namespaces, tables, and what a table is made of."""

import asyncio
import uuid

import pytest

import kalam_notebook as kalam
from kalam_notebook.errors import ConfigError, QueryError

pytestmark = pytest.mark.contract

COLUMNS = ["column_name", "data_type", "is_nullable", "is_primary_key", "column_default"]


@pytest.fixture
def orders(client, namespace):
    columns = "id BIGINT PRIMARY KEY, customer TEXT NOT NULL"
    client.execute_query(f"CREATE TABLE {namespace}.orders ({columns}) WITH (TYPE = 'SHARED')")
    client.execute_query(f"INSERT INTO {namespace}.orders (id, customer) VALUES (1, 'Ada'), (2, 'Grace')")
    return f"{namespace}.orders"


def test_namespaces_and_tables(client, orders):
    namespace, table = orders.split(".")
    frame = client.namespaces().df()
    assert namespace in list(frame["name"])
    assert list(frame.columns) == ["name", "created_at"]
    assert client.tables(namespace).arrow().to_pylist() == [{"namespace": namespace, "table": table, "columns": 2}]
    everywhere = client.tables()
    assert everywhere.completeness.is_complete
    assert (namespace, table) in {(row["namespace"], row["table"]) for row in everywhere.arrow().to_pylist()}
    assert client.tables(f"{namespace}_none").row_count == 0


def test_what_a_table_is_made_of(client, orders):
    described = client.describe(orders)
    rows = described.arrow().to_pylist()
    assert described.arrow().column_names == COLUMNS
    assert [row["column_name"] for row in rows] == ["id", "customer"]
    assert [row["is_primary_key"] for row in rows] == [True, False]
    assert described.row_count == 2
    assert "SHARED table" in described.footer
    assert "2 rows in the table" in described.footer


def test_a_table_without_its_namespace(client, server, orders):
    namespace, table = orders.split(".")
    with kalam.Client(server.url, user="root", password=server.root_password, namespace=namespace) as other:
        assert other.describe(table).arrow().equals(client.describe(orders).arrow())


def test_an_ordinary_user_sees_what_it_may(client, server, orders):
    user, password = f"u{uuid.uuid4().hex[:8]}", f"Passw0rd!{uuid.uuid4().hex}"
    namespace = orders.split(".")[0]
    client.execute_query(f"CREATE TABLE {namespace}.own (id BIGINT PRIMARY KEY, note TEXT) WITH (TYPE = 'USER')")
    client.execute_query(f"CREATE USER '{user}' WITH PASSWORD '{password}' ROLE 'user'")
    with kalam.Client(server.url, user=user, password=password) as other:
        assert namespace in list(other.namespaces().df()["name"])
        assert "own" in list(other.tables(namespace).df()["table"])
        described = other.describe(f"{namespace}.own")
    assert described.arrow()["column_name"].to_pylist() == ["id", "note"]
    assert "0 rows in the table" in described.footer


def test_what_is_no_table(client, orders):
    with pytest.raises(QueryError, match="none"):
        client.describe(f"{orders}_none")
    for name in ("'a'", "", "a, b", "(SELECT 1)", f"{orders} o", f"{orders};"):
        with pytest.raises(ConfigError, match=r"no table's name.*kalam\.tables\(\) has all"):
            client.describe(name)


def test_awaited(server, orders):
    async def read():
        async with kalam.AsyncClient(server.url, user="root", password=server.root_password) as client:
            return await client.namespaces(), await client.tables(namespace), await client.describe(orders)

    namespace = orders.split(".")[0]
    namespaces, tables, described = asyncio.run(read())
    assert namespace in namespaces.arrow()["name"].to_pylist()
    assert tables.row_count == 1
    assert described.row_count == 2
