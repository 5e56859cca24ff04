"""The SQLAlchemy dialect: engines, Core, reflection, and pandas over it."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pandas as pd
import pytest
import sqlalchemy as sa

from kalam_notebook.client.client import Client

ROWS = 260


@pytest.fixture
def engine(server, namespace):
    url = sa.URL.create(
        "kalamdb",
        username="root",
        password=server.root_password,
        host="127.0.0.1",
        port=int(server.url.rpartition(":")[2]),
        database=namespace,
    )
    engine = sa.create_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def orders(engine):
    """A table of every type, with more rows than the server sends at once."""
    table = sa.Table(
        "orders",
        sa.MetaData(),
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("room", sa.String(50), nullable=False),
        sa.Column("price", sa.Numeric(8, 2)),
        sa.Column("ratio", sa.Float),
        sa.Column("is_open", sa.Boolean),
        sa.Column("at", sa.DateTime(timezone=True)),
        sa.Column("day", sa.Date),
        sa.Column("note", sa.JSON),
        sa.Column("tag", sa.Uuid),
    )
    table.create(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(table), [row(i) for i in range(ROWS)])
    return table


def row(i):
    moment = dt.datetime(2024, 5, 1, 12, 0, 0, i, dt.UTC)
    return {
        "id": i,
        "room": f"it's {i % 7}",
        "price": Decimal(f"-0.{i % 90 + 10}"),
        "ratio": i / 3,
        "is_open": i % 2 == 0,
        "at": moment,
        "day": moment.date(),
        "note": {"n": i, "text": "a'b"},
        "tag": uuid.UUID(int=i),
    }


@pytest.mark.contract
def test_rows_go_in_and_come_out_as_they_were(engine, orders):
    with engine.connect() as connection:
        found = connection.execute(sa.select(orders).order_by(orders.c.id)).mappings().all()
    assert [dict(each) for each in found] == [row(i) for i in range(ROWS)]


@pytest.mark.contract
def test_statements(engine, orders):
    with engine.connect() as connection:

        def ids(query):
            return list(connection.execute(query).scalars())

        rooms = ["it's 1", "it's 2"]
        assert ids(sa.select(orders.c.id).where(orders.c.room.in_(rooms)).order_by(orders.c.id).limit(3).offset(1)) == [
            2, 8, 9
        ]  # fmt: skip
        assert ids(sa.select(orders.c.id).where(orders.c.id.in_(range(70))).order_by(orders.c.id)) == list(range(70))
        assert ids(sa.select(orders.c.id).where(orders.c.id.in_([]))) == []
        assert ids(sa.text("SELECT count(*) FROM orders WHERE room = :room").bindparams(room="it's 3")) == [37]
        assert ids(sa.select(sa.func.sum(orders.c.id)).where(orders.c.price < Decimal("-0.5"))) == [
            sum(i for i in range(ROWS) if i % 90 + 10 > 50)
        ]
        grouped = sa.select(orders.c.room, sa.func.count()).group_by(orders.c.room).order_by(orders.c.room)
        assert connection.execute(grouped).all()[0] == ("it's 0", 38)

        changed = connection.execute(sa.update(orders).where(orders.c.id == 5).values(room="new", price=None))
        assert changed.rowcount == 1
        assert connection.execute(sa.select(orders.c.room, orders.c.price).where(orders.c.id == 5)).one() == (
            "new",
            None,
        )
        assert connection.execute(sa.delete(orders).where(orders.c.id == 5)).rowcount == 1
        assert ids(sa.select(orders.c.id).where(orders.c.id == 5)) == []


@pytest.mark.contract
def test_reflection(engine, orders, namespace):
    inspected = sa.inspect(engine)
    assert namespace in inspected.get_schema_names()
    assert inspected.get_table_names() == ["orders"]
    assert inspected.has_table("orders")
    assert not inspected.has_table("others")
    assert inspected.get_pk_constraint("orders")["constrained_columns"] == ["id"]
    assert [column["name"] for column in inspected.get_columns("orders")] == [column.name for column in orders.c]
    again = sa.Table("orders", sa.MetaData(), autoload_with=engine)
    assert isinstance(again.c.price.type, sa.DECIMAL)
    assert (again.c.price.type.precision, again.c.price.type.scale) == (8, 2)
    assert not again.c.room.nullable
    with engine.connect() as connection:
        assert len(connection.execute(sa.select(again)).all()) == ROWS
    with pytest.raises(sa.exc.NoSuchTableError):
        sa.Table("others", sa.MetaData(), autoload_with=engine)


@pytest.mark.contract
def test_pandas_reads_and_writes(engine, orders):
    frame = pd.read_sql("SELECT id, room FROM orders ORDER BY id", engine)
    assert frame["id"].tolist() == list(range(ROWS))
    more = pd.DataFrame({"id": range(1000, 1120), "room": "frame", "price": 1.5})
    more.to_sql("orders", engine, if_exists="append", index=False)
    found = pd.read_sql("SELECT count(*) AS n FROM orders WHERE room = 'frame'", engine)
    assert found["n"].tolist() == [120]
    assert len(pd.read_sql_table("orders", engine)) == ROWS + 120


@pytest.mark.contract
def test_errors(engine, orders):
    with engine.connect() as connection:
        for query, kind in (
            (sa.text("SELECT nothing FROM orders"), sa.exc.ProgrammingError),
            (sa.insert(orders).values(id=1, room="x"), sa.exc.IntegrityError),
        ):
            with pytest.raises(kind):
                connection.execute(query)
    keyless = sa.Table("keyless", sa.MetaData(), sa.Column("a", sa.Integer))
    with pytest.raises(sa.exc.CompileError, match="has no primary key"):
        keyless.create(engine)
    with pytest.raises(sa.exc.ArgumentError, match="token"):
        sa.create_engine("kalamdb://host/ns?token=secret").connect()
    wrong = sa.create_engine(engine.url.set(username="nobody", password="wrong-hunter2"))
    with pytest.raises(sa.exc.OperationalError) as caught:
        wrong.connect()
    assert "hunter2" not in str(caught.value)


def test_engines_close_their_clients(engine, monkeypatch):
    closed, close = [], Client.close
    monkeypatch.setattr(Client, "close", lambda self: (closed.append(self), close(self)))
    engine.connect().close()
    engine.dispose()
    assert len(closed) == 1
