"""The SQLAlchemy dialect: engines, Core, reflection, and pandas over it."""

from __future__ import annotations

import datetime as dt
import uuid
import warnings
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
def test_uuids_are_compared(engine, orders):
    tag, first, second = orders.c.tag, uuid.UUID(int=1), uuid.UUID(int=2)
    with engine.connect() as connection:
        for condition, expected in (
            (tag == first, [1]),
            (tag.in_([first, second]), [1, 2]),
            (sa.and_(tag != first, orders.c.id < 3), [0, 2]),
        ):
            found = connection.scalars(sa.select(orders.c.id).where(condition).order_by(orders.c.id))
            assert found.all() == expected


@pytest.mark.contract
@pytest.mark.slow
def test_elements_of_documents(engine, orders):
    note = orders.c.note
    document = {"n": 1, "text": "it's", "list": [1, {"deep": 2.5}, True, None], "long": 12345678901234567890}
    with engine.begin() as connection:
        connection.execute(sa.update(orders).where(orders.c.id == 7).values(note=document))
        for element, expected in (
            (note["list"], document["list"]),
            (note["missing"], None),
            (note["text"].as_string(), "it's"),
            (note["n"].as_integer(), 1),
            (note[("list", 1, "deep")].as_float(), 2.5),
            (note["list"][1]["deep"].as_numeric(4, 1), Decimal("2.5")),
            (note["long"].as_numeric(20, 0), 12345678901234567890),
            (note[("list", 2)].as_boolean(), True),
            (note[("list", 3)].as_boolean(), None),
        ):
            assert connection.scalar(sa.select(element).where(orders.c.id == 7)) == expected
        found = connection.scalars(sa.select(orders.c.id).where(note["n"].as_integer() == 5))
        assert found.all() == [5]


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


# What SQLAlchemy's own suite found, without which these were wrong.


@pytest.mark.contract
def test_moments_have_a_zone_where_the_type_has_one(engine):
    table = sa.Table(
        "moments",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("here", sa.DateTime),
        sa.Column("there", sa.DateTime(timezone=True)),
    )
    table.create(engine)
    moment = dt.datetime(2024, 5, 1, 12, 0, 0, 7)
    day, time = moment.date(), moment.time()
    with engine.connect() as connection:
        connection.execute(sa.insert(table).values(id=1, here=moment, there=moment.replace(tzinfo=dt.UTC)))
        found = connection.execute(sa.select(table.c.here, table.c.there)).one()
        assert found == (moment, moment.replace(tzinfo=dt.UTC))
        assert found.here.tzinfo is None
        assert connection.execute(sa.select(sa.literal(day), sa.literal(time), sa.literal(moment))).one() == (
            day,
            time,
            moment,
        )


@pytest.mark.contract
def test_select_as_it_is_written(engine, orders):
    with engine.connect() as connection:

        def found(query, **values):
            return list(connection.execute(query, values).scalars())

        assert found(sa.select(orders.c.id).order_by(orders.c.id).limit(sa.bindparam("n")), n=2) == [0, 1]
        with warnings.catch_warnings(action="ignore"):  # SQLAlchemy 2.1 would like another way to write it.
            each = sa.select(orders.c.room).distinct(orders.c.room).order_by(orders.c.room, orders.c.id)
        assert found(each) == [f"it's {i}" for i in range(7)]
        frame = sa.func.sum(orders.c.id).over(order_by=orders.c.id, rows=(-1, 0))
        assert found(sa.select(frame).order_by(orders.c.id).limit(3)) == [0, 1, 3]
        first = sa.select(orders.c.id).order_by(orders.c.id).limit(1)
        assert found(first.where(orders.c.room.regexp_match("S 3$", flags="i"))) == [3]
        assert found(first.where(~orders.c.room.regexp_match("[0-3]"))) == [4]
        assert found(sa.select(sa.func.max(orders.c.room.regexp_replace("it's ", "")))) == ["6"]
        with pytest.raises(sa.exc.CompileError, match="'i' and no other"):
            found(first.where(orders.c.room.regexp_match("x", flags="g")))


@pytest.mark.contract
def test_tables_as_they_are_written(engine, namespace):
    parents = sa.Table(
        "parents",
        sa.MetaData(),
        sa.Column("id", sa.BigInteger, primary_key=True, server_default=sa.text("SNOWFLAKE_ID()")),
        sa.Column("a", sa.Text),
    )
    children = sa.Table(
        "children",
        parents.metadata,
        sa.Column("id", sa.String(20), primary_key=True, server_default="first"),
        sa.Column("parent", sa.ForeignKey(parents.c.id)),
        sa.Column("other", sa.ForeignKey(parents.c.id)),
    )
    parents.metadata.create_all(engine)
    with engine.connect() as connection:
        connection.execute(sa.insert(parents), [{"a": "x"}, {"a": "y"}])
        last = connection.execute(sa.select(sa.func.max(parents.c.id))).scalar_one()
        connection.execute(sa.insert(children).values(parent=last))
        joined = sa.select(parents.c.a, children.c.id).join(children, parents.c.id == children.c.parent)
        assert connection.execute(joined).all() == [("y", "first")]
    several = sa.Table(
        "several",
        sa.MetaData(),
        sa.Column("a", sa.Integer, primary_key=True),
        sa.Column("b", sa.Integer, primary_key=True),
    )
    with pytest.raises(sa.exc.CompileError, match="one key column"):
        several.create(engine)


@pytest.mark.contract
def test_rows_of_a_stream_are_read_as_they_are_fetched(engine, orders):
    with engine.connect().execution_options(stream_results=True) as connection:
        result = connection.execute(sa.select(orders.c.id))
        assert result.cursor.rowcount == -1
        assert sorted(result.scalars()) == list(range(ROWS))
        frames = list(pd.read_sql("SELECT id FROM orders", connection, chunksize=100))
    assert [len(frame) for frame in frames] == [100, 100, 60]


@pytest.mark.contract
def test_one_question_for_columns_and_key(engine, orders, monkeypatch):
    asked, ask = [], Client.execute_query
    monkeypatch.setattr(Client, "execute_query", lambda self, sql, *rest: (asked.append(sql), ask(self, sql, *rest))[1])
    sa.Table("orders", sa.MetaData(), autoload_with=engine)
    assert len(asked) == 1


@pytest.mark.contract
def test_options_of_an_engine(engine, orders):
    options = {"json_serializer": lambda value: '{"n": 7}', "json_deserializer": lambda text: text.upper()}
    other = sa.create_engine(engine.url.set(drivername="kalamdb+http"), **options)
    with other.connect() as connection:
        connection.execute(sa.update(orders).where(orders.c.id == 1).values(note={"n": 1}))
        assert connection.execute(sa.select(orders.c.note).where(orders.c.id == 1)).scalar_one() == '{"N": 7}'
    other.dispose()
