"""Live queries of any shape: their tables, the key of their results, and what moves from one result to the next."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.errors import ConfigError, SubscriptionError
from kalam_notebook.live_queries.following.plan import ResultReading, TableInfo, doorbell_sql
from kalam_notebook.live_queries.following.rerun import parse_rerun_query, result_key
from kalam_notebook.live_queries.following.rerunning import RerunEngine
from kalam_notebook.live_queries.following.schedule import Question
from kalam_notebook.live_queries.rows.changes import change_table
from kalam_notebook.live_queries.rows.history import Applied
from kalam_notebook.live_queries.rows.result_store import ResultStore
from kalam_notebook.wire.live import Change
from kalam_notebook.wire.types import Column

ID = Column("id", "BigInt", flags=("pk", "nn", "uq"))
ROOM = Column("room", "Text")
N = Column("n", "BigInt")
SEQ = Column("_seq", "BigInt")
DELETED = Column("_deleted", "Boolean")


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT count(*) FROM a.t;", ("a.t",)),
        ("SELECT * FROM a.t JOIN b.u ON t.id = u.id, a.t AS again", ("a.t", "b.u")),
        ("WITH x AS (SELECT * FROM a.t) SELECT * FROM x", ("a.t",)),
        ('SELECT 1 FROM a."T" WHERE id IN (SELECT id FROM a.u)', ('a."T"', "a.u")),
        ("SELECT id FROM a.t UNION ALL SELECT id FROM a.u ORDER BY 1", ("a.t", "a.u")),
    ],
)
def test_tables(sql, tables):
    assert parse_rerun_query(sql).tables == tables


@pytest.mark.parametrize(
    ("sql", "code", "words"),
    [
        ("DELETE FROM a.t", "INVALID_SQL", "not a single SELECT"),
        ("SELECT 1 FROM a.t; SELECT 2 FROM a.t", "INVALID_SQL", "not a single SELECT"),
        ("SELECT count(*) FROM t", "INVALID_SQL", "has no namespace"),
        ("SELECT count(*) FROM system.users", "UNSUPPORTED", "system table"),
        ("SELECT 1 AS one", "UNSUPPORTED", "reads no table"),
        ("SELECT count(*) FROM a.t WHERE id = $1", "INVALID_SQL", "no value for $1"),
    ],
)
def test_queries_that_cannot_be_followed(sql, code, words):
    with pytest.raises(SubscriptionError) as caught:
        parse_rerun_query(sql)
    assert caught.value.code == code
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("sql", "columns", "key"),
    [
        ("SELECT room, count(*) AS n FROM a.t GROUP BY room", (ROOM, N), ("room",)),
        ("SELECT t.room, count(*) AS n FROM a.t GROUP BY t.room HAVING count(*) > 1 ORDER BY n", (ROOM, N), ("room",)),
        ("SELECT room, n, max(id) AS m FROM a.t GROUP BY 1, 2", (ROOM, N, ID), ("room", "n")),
        ("SELECT count(*) AS n FROM a.t GROUP BY room", (N,), ()),
        ("SELECT upper(room) AS room FROM a.t GROUP BY upper(room)", (ROOM,), ()),
        ("SELECT count(*) AS n FROM a.t", (N,), ()),
        ("SELECT DISTINCT id FROM a.t", (ID,), ()),
        ("SELECT id, n FROM a.t ORDER BY n DESC LIMIT 5", (ID, N), ("id",)),
        ("SELECT t.id, u.nr FROM a.t JOIN a.u ON true", (ID, Column("nr", "Int", flags=("pk",))), ("id", "nr")),
        ("SELECT t.id FROM a.t JOIN a.u ON true", (ID,), ()),
        ("SELECT t.id, u.id FROM a.t JOIN a.u ON true", (ID, ID), ()),
        ("SELECT id FROM a.t UNION SELECT id FROM a.t", (ID,), ()),
        ("SELECT id, (SELECT max(n) FROM a.t GROUP BY room) AS m FROM a.t LIMIT 1", (ID, N), ("id",)),
    ],
)
def test_keys_of_results(sql, columns, key):
    assert result_key(parse_rerun_query(sql), columns) == key


def test_doorbells_ask_for_one_column():
    assert doorbell_sql("a.t", (ROOM, ID, SEQ)) == "SELECT id FROM a.t"
    assert doorbell_sql("a.t", (ROOM, SEQ)) == "SELECT room FROM a.t"
    assert doorbell_sql("a.t", (SEQ,)) == "SELECT * FROM a.t"


# Results.


def result(*rows: tuple[str | None, float]) -> pa.Table:
    rooms, numbers = pa.array([row[0] for row in rows], pa.string()), pa.array([row[1] for row in rows], pa.float64())
    return pa.table({"room": rooms, "x": numbers})


COLUMNS = (ROOM, Column("x", "Double"))


def make_store(*rows, key=("room",), **options) -> ResultStore:
    return ResultStore(COLUMNS, key=key, rows=result(*rows), **options)


def happened(store: ResultStore, since: int) -> list[tuple[str, int]]:
    steps, is_whole = store.steps(since)
    assert is_whole
    return [(entry.effect.value, entry.row_id) for step in steps for entry in step.entries]


def test_rows_are_matched_by_their_key():
    store = make_store(("a", 1.0), ("b", 2.0))
    version = store.version
    assert store.load(result(("c", 5.0), ("a", 1.5))) == Applied(inserted=1, updated=1, deleted=1)
    assert happened(store, version) == [("inserted", 2), ("updated", 0), ("deleted", 1)]
    delta = store.delta(version)
    assert (delta.reset, delta.row_ids, delta.num_rows) == (True, (2, 0), 2)
    assert store.arrow().column("room").to_pylist() == ["c", "a"]


def test_the_same_result_is_no_change():
    store = make_store(("a", 1.0), ("b", math.nan))
    version = store.version
    assert store.load(result(("a", 1.0), ("b", math.nan))) == Applied()
    assert store.version == version
    assert not store.delta(version).reset


def test_empty_results_are_one():
    store = make_store(version=3)
    version = store.version
    assert (version, store.delta(3).reset) == (4, True)
    assert store.load(result()) == Applied()
    assert store.version == version


def test_rows_that_only_move_are_a_new_version():
    store = make_store(("a", 1.0), ("b", 2.0))
    version = store.version
    assert store.load(result(("b", 2.0), ("a", 1.0))) == Applied()
    assert store.version == version + 1
    assert store.delta(version).row_ids == (1, 0)


def test_without_a_key_equal_rows_are_counted():
    store = make_store(("a", 1.0), ("a", 1.0), key=())
    assert store.load(result(("a", 1.0), ("a", 1.0), ("a", 1.0))) == Applied(inserted=1)
    assert not store.is_ambiguous
    assert store.load(result(("a", 2.0))) == Applied(inserted=1, deleted=3)


def test_a_key_that_is_none_is_told():
    store = make_store(("a", 1.0), ("a", 2.0))
    assert store.is_ambiguous
    store.load(result(("a", 1.0)))
    assert not store.is_ambiguous


ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from([0.0, 1.0, math.nan])), max_size=6)


@given(st.lists(ROWS, max_size=6), st.sampled_from([(), ("room",), ("room", "x")]))
def test_any_results(results, key):
    store = make_store(key=key)
    held: dict[int, tuple] = {}
    for rows in results:
        version = store.version
        store.load(result(*rows))
        for kind, row_id in happened(store, version):
            assert (kind == "inserted") == (row_id not in held)
        delta = store.delta(version)
        assert store.arrow().equals(result(*rows)) or any(math.isnan(row[1]) for row in rows)
        if delta.reset:
            held = dict(zip(delta.row_ids, rows, strict=True))
        assert len(held) == len(rows) == store.num_rows


def test_zeros_of_both_signs_are_told_apart():
    store = ResultStore(COLUMNS, key=["room"], rows=result(("a", 0.0)))
    assert store.load(result(("a", -0.0))) == Applied(updated=1)
    assert math.copysign(1, store.arrow()["x"][0].as_py()) == -1


def test_dates_that_python_does_not_have():
    schema = pa.schema([("id", pa.int64()), ("day", pa.date32()), ("at", pa.timestamp("us", tz="UTC"))])

    def result_at(day):
        return pa.table([pa.array([1]), pa.array([day], pa.int32()).cast(pa.date32()), pa.array([None])], schema=schema)

    store = ResultStore((ID, Column("day", "Date"), Column("at", "Timestamp")), key=["id"], rows=result_at(5_000_000))
    assert store.load(result_at(5_000_000)) == Applied()
    assert store.load(result_at(5_000_001)) == Applied(updated=1)
    changes = change_table(store.steps(0)[0], store.schema)
    assert changes.column("_changed").to_pylist() == [["day"]]


# The engine.


class Server:
    """The result of the query, which changes."""

    def __init__(self) -> None:
        self.rows, self.doubt = [("a", 1.0)], ""
        self.runs = 0

    def read_result(self, sql):
        self.runs += 1
        return ResultReading(COLUMNS, result(*self.rows), self.doubt)


def make_engine(where: str = "", *, ttl_ms=None, key=None) -> RerunEngine:
    query = parse_rerun_query(f"SELECT room, sum(n) AS x FROM a.t {where} GROUP BY room")
    info = TableInfo((ID, ROOM, N, SEQ, DELETED), "shared" if ttl_ms is None else "stream", ttl_ms)
    return RerunEngine(query, [info], key=key)


def play(engine: RerunEngine, server: Server, question: Question = Question.DELTA):
    return engine.finish(engine.next_job(question, now=0.0).run(server), now=0.0, at=0.0)


RING = [Change("s", "insert", ({"id": "1"},), ())]


def test_each_round_runs_the_query():
    engine, server = make_engine(), Server()
    assert (engine.subscriptions, engine.rows, engine.is_diverged) == (("SELECT id FROM a.t",), None, True)
    verdict = play(engine, server)
    assert (verdict.is_true, verdict.is_final, verdict.again) == (True, True, None)
    # It follows a ring, and is its own proof.
    assert verdict.asked == Question.DELTA | Question.PROOF
    assert (engine.key, engine.is_diverged, server.runs) == (("room",), False, 1)
    server.rows = [("a", 2.0)]
    engine.take_in(RING, at=0.0)
    assert play(engine, server).applied == Applied(updated=1)
    assert server.runs == 2


def test_a_query_that_names_the_time_is_run_again_by_itself():
    engine, server = make_engine("WHERE at > now()"), Server()
    verdict = play(engine, server)
    assert (verdict.again, verdict.again_in) == (Question.PROOF, 2.0)


def test_one_over_tables_whose_rows_expire_is_run_again_by_itself():
    engine, server = make_engine(ttl_ms=60_000), Server()
    verdict = play(engine, server)
    assert (verdict.again, verdict.again_in) == (Question.PROOF, 2.0)


@pytest.mark.parametrize("key", [("nope",), ("ROOM",), ("room", "id")])
def test_a_key_that_the_result_does_not_have(key):
    engine, server = make_engine(key=key), Server()
    with pytest.raises(ConfigError, match=r"key names '(nope|ROOM|id)', .* It has: room, x\."):
        play(engine, server)


def test_a_result_that_may_be_cut_is_no_proof():
    engine, server = make_engine(), Server()
    server.doubt = "not certain: cut"
    verdict = play(engine, server)
    assert not verdict.is_true
    assert engine.notices == ("The result is not certain: cut.",)


def test_other_columns_begin_anew(monkeypatch):
    engine, server = make_engine(), Server()
    play(engine, server)
    version = engine.rows.version
    other = ResultReading((ROOM,), pa.table({"room": ["a"]}))
    monkeypatch.setattr(server, "read_result", lambda sql: other)
    engine.reread()
    play(engine, server)
    assert engine.rows.schema.names == ["room"]
    assert engine.rows.delta(version).reset
