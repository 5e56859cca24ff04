"""Tables that tests write to, what they hold, and an endpoint for others to change; modules import the fixtures."""

import pyarrow as pa
import pytest


@pytest.fixture(name="make")
def make_table(client, namespace):
    """Make a table with the given columns, and give its name."""

    def run(columns, *, name="t", kind="SHARED", options=""):
        client.execute_query(f"CREATE TABLE {namespace}.{name} ({columns}) WITH (TYPE = '{kind}'{options})")
        return f"{namespace}.{name}"

    return run


@pytest.fixture(name="table")
def ten_rows(make, client):
    """Ten rows: ``id`` 0 to 9, ``n`` the same, ``t`` its text."""
    name = make("id BIGINT PRIMARY KEY, n INT, t TEXT")
    client.write(rows(range(10)), name)
    return name


def rows(ids, n=None, t=None):
    ids = list(ids)
    return pa.table({"id": ids, "n": n or ids, "t": t or [str(number) for number in ids]})


def held(client, table, columns="id, n, t"):
    return [tuple(row.values()) for row in client.query_arrow(f"SELECT {columns} FROM {table}").to_pylist()]


def counts(report):
    names = ("inserted", "updated", "deleted", "unchanged", "missing")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


class Passing:
    """An endpoint that hands everything on, for others to change a part of it."""

    def __init__(self, client):
        self.inner = client._endpoint
        self.texts = []

    def execute(self, sql, params=()):
        self.texts.append(sql)
        return self.inner.execute(sql, params)

    def execute_row(self, sql, params=()):
        return self.inner.execute_row(sql, params)

    def execute_lists(self, sql, params, types):
        return self.inner.execute_lists(sql, params, types)
