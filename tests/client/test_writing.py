"""``write`` end to end: what is done, and what is refused before anything is sent."""

import contextlib
import math
import re
import uuid
from decimal import Decimal

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from servers import sandbox
from written import Passing, counts, held, make_table, rows, ten_rows  # noqa: F401

import kalam_notebook as kalam
from kalam_notebook.errors import ConfigError, FrameError, KalamError, QueryError, WriteError
from kalam_notebook.http.endpoint import Answer
from kalam_notebook.sql.statement import Statement
from kalam_notebook.writing.writer import Writer

pytestmark = pytest.mark.contract


# The four modes ---------------------------------------------------------------------------------------------------


def test_insert(client, table):
    report = client.write(rows([10, 11]), table, count=True)
    assert counts(report) == {"inserted": 2}
    assert (report.count_before, report.count_after, report.notices) == (10, 12, ())
    assert held(client, table)[-2:] == [(10, 10, "10"), (11, 11, "11")]


def test_update_by_key_and_of_some_columns(client, table):
    frame = pa.table({"n": [70, 8, 0], "id": [7, 8, 99]})
    report = client.write(frame, table, mode="update")
    assert counts(report) == {"updated": 1, "unchanged": 1, "missing": 1}
    assert report.notices == (f"1 rows of the frame have no row in {table}; nothing was done for them.",)
    assert held(client, table)[7:] == [(7, 70, "7"), (8, 8, "8"), (9, 9, "9")]


def test_delete_by_key(client, table):
    report = client.write(pa.table({"id": [2, 3, 99]}), table, mode="delete")
    assert counts(report) == {"deleted": 2, "missing": 1}
    assert [key for key, *_ in held(client, table)] == [0, 1, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    ("frame", "wanted"),
    [
        (rows([10, 11]), {"inserted": 2}),
        (rows([1, 2], n=[-1, -2]), {"updated": 2}),
        (rows([1, 2]), {"unchanged": 2}),
        (rows([12, 1, 2, 10, 3], n=[12, 1, -2, 10, -3]), {"inserted": 2, "updated": 2, "unchanged": 1}),
        (rows([5], n=[5], t=["0"]), {"updated": 1}),
        (pa.table({"id": [5], "n": [5], "t": pa.array([None], pa.string())}), {"updated": 1}),
        (rows([]), {}),
    ],
    ids=["new", "changed", "same", "mixed", "one column", "to NULL", "none"],
)
def test_upsert_counts(client, table, frame, wanted):
    expected = {row[0]: row for row in held(client, table)} | {
        row["id"]: tuple(row.values()) for row in frame.to_pylist()
    }
    report = client.write(frame, table, mode="upsert")
    assert counts(report) == wanted
    assert report.notices == ()
    assert held(client, table) == [expected[key] for key in sorted(expected)]


def test_upsert_of_equal_rows_writes_nothing(client, make):
    table = make("id BIGINT PRIMARY KEY, d DOUBLE, e EMBEDDING(2), m DECIMAL(10, 2), u UUID, by BYTES, f FLOAT")
    frame = pa.table(
        {
            "id": [1, 2],
            "d": [0.1, None],
            "e": pa.array([[0.1, -0.0], [3e38, 1e-40]], pa.list_(pa.float32(), 2)),
            "m": [Decimal("-0.50"), None],
            "u": pa.array([uuid.UUID(int=7).bytes, None], pa.binary(16)),
            "by": ["grüße", None],
            "f": pa.array([0.1, None], pa.float32()),
        }
    )
    client.write(frame, table)
    report = client.write(frame, table, mode="upsert")
    assert (counts(report), report.requests) == ({"unchanged": 2}, 0)
    # 0.0 and -0.0 are equal, and yet two values.
    zeros = pa.array([[0.1, 0.0], [3e38, 1e-40]], pa.list_(pa.float32(), 2))
    assert client.write(frame.set_column(2, "e", zeros), table, mode="upsert").requests == 1


@pytest.mark.slow
def test_upsert_of_many_rows_compares_them_part_by_part(client, make):
    table = make("id BIGINT PRIMARY KEY, n INT, t TEXT")
    client.write(rows(range(4500)), table)
    frame = rows(range(100, 4600), n=[-key if key % 500 == 0 else key for key in range(100, 4600)])
    report = client.write(frame, table, mode="upsert")
    assert counts(report) == {"inserted": 100, "updated": 8, "unchanged": 4392}
    assert report.requests == 3
    assert [chunk.rows for chunk in report.chunks] == [(0, 2000), (2000, 4000), (4000, 4500)]
    assert [chunk.unchanged for chunk in report.chunks] == [1996, 1996, 400]
    assert [n for _, n, _ in held(client, table)] == [*range(100), *frame.column("n").to_pylist()]


class Exhausted(Passing):
    """Has too little memory for values, and enough for keys."""

    def execute_lists(self, sql, params, types):
        if len(types[0]) > 1:
            raise QueryError("SQL_EXECUTION_ERROR", "Resources exhausted: …", 400, sql)
        return super().execute_lists(sql, params, types)


def takes_on_conflict(client, table):
    """Whether the server decides about rows that it has: then those are written whose values could not be told."""
    try:
        client.execute_query(f"INSERT INTO {table} (id) VALUES (1) ON CONFLICT (id) DO NOTHING")
    except QueryError:
        return False
    return True


def test_upsert_of_rows_that_cannot_be_compared(client, table):
    writer = Writer(Exhausted(client))
    report = writer.write(rows([1, 2, 20], n=[1, -2, 20]), table, mode="upsert")
    written = {"updated": 2} if takes_on_conflict(client, table) else {"updated": 1, "unchanged": 1}
    assert counts(report) == {"inserted": 1, **written}
    assert report.requests == 1


@pytest.mark.slow
def test_a_report_for_each_chunk(client, make):
    table = make("id BIGINT PRIMARY KEY, t TEXT")
    frame = pa.table({"id": range(30), "t": ["x" * 100_000] * 30})
    report = client.write(frame, table)
    assert len(report.chunks) == report.requests > 1
    assert [chunk.rows[0] for chunk in report.chunks] == [0, *(chunk.rows[1] for chunk in report.chunks[:-1])]
    assert report.chunks[-1].rows[1] == 30
    assert [chunk.inserted for chunk in report.chunks] == [chunk.rows[1] - chunk.rows[0] for chunk in report.chunks]
    changed = frame.set_column(1, "t", pa.array(["y" * 100_000 if n % 3 else "x" * 100_000 for n in range(30)]))
    report = client.write(changed, table, mode="upsert")
    assert counts(report) == {"updated": 20, "unchanged": 10}
    assert sum(chunk.updated for chunk in report.chunks) == 20
    assert sum(chunk.unchanged for chunk in report.chunks) == 10
    assert all(chunk.requests == 1 and chunk.seconds > 0 for chunk in report.chunks)
    assert held(client, table, "id, t") == [tuple(row.values()) for row in changed.to_pylist()]


def test_progress(client, make):
    table, seen = make("id BIGINT PRIMARY KEY, t TEXT"), []
    frame = pa.table({"id": range(30), "t": ["x" * 100_000] * 30})
    report = client.write(frame, table, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(chunk.rows[1], 30) for chunk in report.chunks]


def test_an_insert_has_the_server_scan_nothing_unasked(client, make):
    table = make("id BIGINT PRIMARY KEY, n INT, t TEXT")

    class Listening(Passing):
        def execute_row(self, sql, params=()):
            self.texts.append(sql)
            return super().execute_row(sql, params)

    endpoint = Listening(client)
    report = Writer(endpoint).write(rows(range(10)), table)
    assert (report.count_before, report.count_after) == (None, None)
    assert not any("count(" in sql for sql in endpoint.texts)

    report = Writer(endpoint).write(rows(range(10, 20)), table, count=True)
    assert (report.count_before, report.count_after) == (10, 20)
    assert sum("count(" in sql for sql in endpoint.texts) == 2
    assert report.summary.endswith("; 20 rows now")


def test_a_count_that_does_not_fit_is_told(client, make):
    table = make("id BIGINT PRIMARY KEY, n INT, t TEXT")

    def meddle(done, total):
        client.execute_query(f"INSERT INTO {table} (id, n, t) VALUES (1000, 1, 'x')")

    report = client.write(rows(range(10)), table, count=True, on_progress=meddle)
    assert (report.inserted, report.count_after) == (10, 11)
    assert report.notices == (
        f"{table} has 11 rows where 10 were expected (0 before). Someone else may have written; if not, look at the "
        "table.",
    )
    assert "Warning: " in repr(report)


def test_the_report_in_words(client, namespace):
    report = client.write(rows([1]), f"{namespace}.t", create=True, key="id")
    assert re.match(rf"{namespace}\.t: 1 inserted in \d\.\d\d s \(1 request\)\nCREATE TABLE", repr(report))
    assert "1 inserted" in report._repr_html_()


# Kinds of frames ----------------------------------------------------------------------------------------------------


class Stream:
    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "convert",
    [pa.Table.to_pandas, pl.from_arrow, Stream, lambda table: table.to_batches()[0]],
    ids=["pandas", "polars", "stream", "batch"],
)
def test_every_kind_of_frame(client, table, convert):
    report = client.write(convert(rows([20, 21], t=["a", "b"]).select(["t", "n", "id"])), table)
    assert counts(report) == {"inserted": 2}
    assert held(client, table)[-2:] == [(20, 20, "a"), (21, 21, "b")]


def test_categories_of_polars(client, table):
    frame = pl.DataFrame({"id": [20, 21], "n": [1, 2], "t": pl.Series(["a", None], dtype=pl.Categorical)})
    client.write(frame, table)
    assert held(client, table)[-2:] == [(20, 1, "a"), (21, 2, None)]


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "options", "reason"),
    [
        (pa.table({"id": [20], "n": [1]}), {}, r"lacks column t of \S+; add them"),
        (pa.table({"id": [20]}), {}, "lacks columns n, t"),
        (rows([20]).append_column("x", pa.array([1])), {}, "has no column x; drop or rename"),
        (rows([20]).rename_columns(["ID", "n", "t"]), {}, "names are in lower case"),
        (
            rows([20]).rename_columns(["idd", "n", "t"]),
            {},
            r"has no column idd; drop or rename them\. Did you mean id\?\n",
        ),
        (pa.table({"id": [20], "t": ["a"], "x": [1]}), {}, "rename them\\.\\n"),
        (pa.table({"id": [20], "N": [1]}), {"mode": "update"}, "has no column N"),
        (pa.table({"n": [20]}), {"mode": "delete"}, "lacks column id"),
        (pa.table({"id": [3]}), {"mode": "update"}, "nothing to update"),
        (rows([20, 21, 20]), {}, "is the key of row 0 too"),
        (rows([20, 20]), {"mode": "upsert"}, "is the key of row 0 too"),
        (rows([20], t=["a\0"]), {}, "NUL"),
        (pa.table({"id": [None], "n": [1], "t": ["x"]}, schema=rows([1]).schema), {}, "is NULL"),
        (rows([20], n=[2**40]), {}, "does not fit into INT"),
        (rows([20], t=["x" * 1_100_000]), {}, "too long"),
        (rows([20]), {"key": "n"}, "The key of .* is id, not n"),
    ],
    ids=str,
)
def test_frames_that_cannot_be_written(client, table, frame, options, reason):
    with pytest.raises(FrameError, match=reason):
        client.write(frame, table, **options)
    assert len(held(client, table)) == 10


@pytest.mark.parametrize(
    "options", [{"mode": "replace"}, {"kind": "LOCAL"}, {"nan": "drop"}, {"chunk_rows": 0}], ids=str
)
def test_options_that_are_not_possible(client, table, options):
    with pytest.raises(ConfigError):
        client.write(rows([20]), table, **options)


@pytest.mark.parametrize("name", ["t", "a.b.c", "", "app.t WHERE true"])
def test_names_that_name_no_table(client, name):
    with pytest.raises(ConfigError, match=r"Write namespace\.table"):
        client.write(rows([1]), name)


def test_a_table_that_does_not_exist(client, namespace):
    with pytest.raises(KalamError, match="nope"):
        client.write(rows([1]), f"{namespace}.nope")
    with pytest.raises(FrameError, match="needs its primary key"):
        client.write(rows([1]), f"{namespace}.nope", create=True)


def test_a_refused_frame_creates_no_table(client, namespace):
    frame = pa.table({"id": [1], "t": pa.array([86_400], pa.time32("s"))})
    with pytest.raises(FrameError, match="no time of a day"):
        client.write(frame, f"{namespace}.t", create=True, key="id")
    with pytest.raises(QueryError):
        client.query(f"SELECT * FROM {namespace}.t")


def test_a_new_table_has_room_for_the_next_rows(client, namespace):
    table = f"{namespace}.prices"
    frame = pd.DataFrame({"id": [1], "price": [Decimal("5.00")]})
    assert "price DECIMAL(38, 10)" in client.write(frame, table, create=True, key="id").created_sql
    more = [Decimal("12.55"), Decimal("0.3333333333"), Decimal("-1234567890123456789012345678.12")]
    client.write(pd.DataFrame({"id": [2, 3, 4], "price": more}), table)
    found = client.query_arrow(f"SELECT price FROM {table} ORDER BY id").column(0).to_pylist()
    assert found == [Decimal("5.00"), *more]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pd.Series([Decimal("5"), Decimal("7")]), "DECIMAL(38, 0)"),
        (pd.Series([Decimal("0.123456789012345")]), "DECIMAL(38, 15)"),
        (pd.Series([Decimal("12345678901234567890123456789012345.5")]), "DECIMAL(38, 3)"),
        (pd.Series([Decimal("5.00")], dtype=pd.ArrowDtype(pa.decimal128(12, 2))), "DECIMAL(38, 2)"),
    ],
    ids=str,
)
def test_the_scale_of_a_new_table(client, namespace, values, kind):
    frame = pd.DataFrame({"id": range(len(values)), "price": values})
    report = client.write(frame, f"{namespace}.prices", create=True, key="id")
    assert f"price {kind}" in report.created_sql
    found = client.query_arrow(f"SELECT price FROM {namespace}.prices ORDER BY id").column(0).to_pylist()
    assert found == values.tolist()


def test_nan_is_refused_or_stored_as_null(client, make):
    table = make("id INT PRIMARY KEY, d DOUBLE")
    frame = pd.DataFrame({"id": [1, 2], "d": [1.5, math.nan]})
    with pytest.raises(FrameError, match="nan='null'"):
        client.write(frame, table)
    client.write(frame, table, nan="null")
    assert held(client, table, "id, d") == [(1, 1.5), (2, None)]


# All or nothing -----------------------------------------------------------------------------------------------------


def test_atomic_in_one_request(client, table):
    report = client.write(rows([3, 4, 20, 21, 5], n=[3, -4, 20, 21, -5]), table, mode="upsert", atomic=True)
    assert counts(report) == {"inserted": 2, "updated": 2, "unchanged": 1}
    assert (report.requests, len(report.chunks)) == (1, 1)


def test_atomic_writes_nothing_when_a_row_is_refused(client, table):
    with pytest.raises(WriteError, match="Primary key violation") as caught:
        client.write(rows([20, 21, 5, 22, *range(100, 300)]), table, atomic=True)
    assert caught.value.kept is False
    assert len(held(client, table)) == 10


@pytest.mark.parametrize("mode", ["insert", "upsert"])
def test_atomic_is_refused_where_the_rows_do_not_fit(client, table, mode):
    frame = rows(range(100, 130), t=["x" * 100_000] * 30)
    with pytest.raises(FrameError, match=r"atomic=True is not possible.* 30 rows .*1 MiB of SQL"):
        client.write(frame, table, mode=mode, atomic=True)
    assert len(held(client, table)) == 10


@pytest.mark.servers("0.4.3")  # By ON CONFLICT there is no transaction.
def test_atomic_is_refused_where_the_types_do_not_allow_it(client, make):
    """One INSERT in a transaction takes the path on which these types are damaged."""
    table = make("id INT PRIMARY KEY, u UUID")
    client.write(pa.table({"id": [1], "u": [str(uuid.UUID(int=1))]}), table)
    frame = pa.table({"id": [1, 2], "u": [str(uuid.UUID(int=5)), str(uuid.UUID(int=6))]})
    with pytest.raises(FrameError, match="Leave atomic out"):
        client.write(frame, table, mode="upsert", atomic=True)
    assert held(client, table, "id, u") == [(1, uuid.UUID(int=1))]
    assert counts(client.write(frame, table, mode="upsert")) == {"inserted": 1, "updated": 1}
    both = pa.table({"id": [1, 3, 4], "u": [str(uuid.UUID(int=n)) for n in (7, 8, 9)]})
    report = client.write(both, table, mode="upsert", atomic=True)
    assert (counts(report), report.requests) == ({"inserted": 2, "updated": 1}, 1)
    assert held(client, table, "id, u") == [(n, uuid.UUID(int=u)) for n, u in ((1, 7), (2, 6), (3, 8), (4, 9))]


# Kinds of tables ----------------------------------------------------------------------------------------------------


def test_stream_tables(client, namespace):
    name = f"{namespace}.s"
    report = client.write(
        rows(range(250)), name, create=True, key="id", kind="STREAM", ttl_seconds=3600, chunk_rows=100
    )
    assert (report.inserted, report.requests, report.notices) == (250, 1, ())
    assert len(held(client, name)) == 250
    for mode in ("update", "upsert"):
        with pytest.raises(FrameError, match=f"STREAM table, which has no {mode}"):
            client.write(rows([1]), name, mode=mode)
    with pytest.raises(FrameError, match=r"atomic=True is not possible.*50 rows of a statement of a STREAM table"):
        client.write(rows(range(300, 450)), name, atomic=True)
    assert counts(client.write(pa.table({"id": [1, 2, 999]}), name, mode="delete")) == {"deleted": 2, "missing": 1}
    assert len(held(client, name)) == 248


def test_a_key_that_the_server_makes_replaces_nothing_in_silence(client, make):
    table = make("id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), t TEXT")
    report = client.write(pa.table({"t": ["a", "b"]}), table)
    assert report.notices == ("The server filled id with their defaults.",)
    (first, _), (second, _) = held(client, table, "id, t")
    with pytest.raises(FrameError, match="has 1 of the keys already"):
        client.write(pa.table({"id": [first, 5], "t": ["c", "d"]}), table)
    assert counts(client.write(pa.table({"id": [first], "t": ["c"]}), table, mode="upsert")) == {"updated": 1}
    assert sorted(held(client, table, "id, t")) == sorted([(first, "c"), (second, "b")])


# Beyond the scan window ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_window():
    """A client of a sandbox that scans 200 row versions of a table; the real server's 100,000 would take minutes."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(sandbox("--scan-window", "200"))
        client = stack.enter_context(kalam.Client(server.url, user="root", password=server.root_password))
        client.execute_query("CREATE NAMESPACE w")
        yield client


@pytest.fixture
def beyond(small_window):
    """A table whose newest 400 row versions are out of sight: rows 100 to 299, and all values of ``n`` but 0."""
    name = f"w.t{uuid.uuid4().hex[:8]}"
    small_window.write(rows(range(300), n=[0] * 300), name, create=True, key="id")
    small_window.execute_query(f"UPDATE {name} SET n = 1 WHERE id >= 0")
    return name


@pytest.mark.slow
def test_upsert_beyond_the_window(small_window, beyond):
    frame = rows([50, 250, 251, 500], n=[0, 1, 2, 3])
    report = small_window.write(frame, beyond, mode="upsert")
    # A scan shows n = 0 for row 50, and no row 250.
    written = {"updated": 3} if takes_on_conflict(small_window, beyond) else {"updated": 2, "unchanged": 1}
    assert counts(report) == {"inserted": 1, **written}
    found = {key: n for key, n, _ in held(small_window, beyond)}
    assert len(found) == 301
    assert [found[key] for key in (50, 250, 251, 500)] == [0, 1, 2, 3]


def test_update_and_delete_beyond_the_window(small_window, beyond):
    report = small_window.write(pa.table({"id": [50, 299, 700], "n": [1, 5, 5]}), beyond, mode="update")
    assert counts(report) == {"updated": 1, "unchanged": 1, "missing": 1}
    report = small_window.write(pa.table({"id": [50, 299, 700]}), beyond, mode="delete", count=True)
    assert counts(report) == {"deleted": 2, "missing": 1}
    assert report.count_after == 298


# ON CONFLICT, which KalamDB has from 0.5.4 on ----------------------------------------------------------------------


class Newer(Passing):
    """Carries out ``INSERT … ON CONFLICT (id) DO UPDATE`` by a delete and an insert of the same rows."""

    clauses = 0

    def execute(self, sql, params=()):
        if "ON CONFLICT" not in sql:
            return super().execute(sql, params)
        self.clauses += 1
        statements = []
        for statement in Statement.of(sql).statements:
            insert, clause = statement.rsplit(" ON CONFLICT ", 1) if "ON CONFLICT" in statement else (statement, "")
            if clause:
                assert clause == "(id) DO UPDATE SET n = EXCLUDED.n, t = EXCLUDED.t"
                keys = re.findall(r"^(?:INSERT .* VALUES )?\((\d+),", insert, re.MULTILINE)
                table = insert.split()[2]
                super().execute(f"DELETE FROM {table} WHERE id IN ({', '.join(keys)})")
                statements.append(insert)
        answers = [super(Newer, self).execute(statement) for statement in statements]
        return Answer(tuple(r for a in answers for r in a.results), tuple(t for a in answers for t in a.tables), 0.0)


def test_upsert_by_on_conflict(client, table):
    endpoint = Newer(client)
    writer = Writer(endpoint)
    report = writer.write(rows([12, 1, 2, 10, 3], n=[12, 1, -2, 10, -3]), table, mode="upsert")
    assert counts(report) == {"inserted": 2, "updated": 2, "unchanged": 1}
    assert (endpoint.clauses, report.requests, report.notices) == (1, 1, ())
    found = {key: n for key, n, _ in held(client, table)}
    assert [found[key] for key in (12, 1, 2, 10, 3)] == [12, 1, -2, 10, -3]
    assert counts(writer.write(rows([1]), table, mode="upsert")) == {"unchanged": 1}
    assert endpoint.clauses == 1
    assert not any("UPDATE " in text and "ON CONFLICT" not in text for text in endpoint.texts)


def test_a_refusal_by_on_conflict_is_told(client, table):
    endpoint = Newer(client)
    writer = Writer(endpoint)
    writer.write(rows([20]), table, mode="upsert")
    endpoint.inner = Refusing(client)
    with pytest.raises(WriteError, match="no such luck") as caught:
        writer.write(rows([21]), table, mode="upsert")
    assert caught.value.kept is False


class Refusing(Passing):
    def execute(self, sql, params=()):
        if "INSERT INTO" in sql or "DELETE FROM" in sql:
            raise QueryError("SQL_EXECUTION_ERROR", "no such luck", 400, sql)
        return super().execute(sql, params)


@pytest.mark.servers("0.4.3")
def test_without_on_conflict_it_is_tried_once(client, table):
    endpoint = Passing(client)
    writer = Writer(endpoint)
    assert counts(writer.write(rows([1, 20], n=[-1, 20]), table, mode="upsert")) == {"inserted": 1, "updated": 1}
    assert counts(writer.write(rows([2, 21], n=[-2, 21]), table, mode="upsert")) == {"inserted": 1, "updated": 1}
    assert sum("ON CONFLICT" in text for text in endpoint.texts) <= 1
