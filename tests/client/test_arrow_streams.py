"""What other libraries make of live tables, results and batches that are handed to them as they are."""

import altair
import datafusion
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from kalam_notebook.errors import QueryError, ResultError
from kalam_notebook.results.results import IncompleteResultWarning

pytestmark = pytest.mark.contract

ROWS = 60


@pytest.fixture
def table(client, namespace):
    name = f"{namespace}.t"
    columns = "(id INT PRIMARY KEY, d DECIMAL(6, 2), t TEXT, at TIMESTAMP, e EMBEDDING(2))"
    client.execute_query(f"CREATE TABLE {name} {columns} WITH (TYPE = 'SHARED')")
    rows = (f"({i}, {i}.25, {'NULL' if i % 3 else repr('x' * i)}, '2026-01-01T00:00:00Z')" for i in range(ROWS))
    client.execute_query(f"INSERT INTO {name} (id, d, t, at) VALUES {', '.join(rows)}")
    return name


@pytest.fixture
def live(client, table):
    with client.live(f"SELECT id, d, t, at, e FROM {table}") as live:
        yield live


def of_duckdb(source):
    return duckdb.sql("FROM source").to_arrow_table().to_pylist()


def of_pandas(source):
    frame = pd.DataFrame.from_arrow(source)
    return pa.Table.from_pandas(frame, schema=pa.schema(source), preserve_index=False).to_pylist()


@pytest.mark.parametrize(
    "rows_of",
    [
        lambda source: pa.table(source).to_pylist(),
        lambda source: pl.DataFrame(source).to_dicts(),
        lambda source: pa.RecordBatchReader.from_stream(source).read_all().to_pylist(),
        lambda source: datafusion.SessionContext().from_arrow(source).to_arrow_table().to_pylist(),
        pytest.param(
            of_pandas,
            marks=pytest.mark.skipif(not hasattr(pd.DataFrame, "from_arrow"), reason="pandas has it from 3.0 on"),
        ),
        of_duckdb,
    ],
    ids=["table", "polars", "reader", "datafusion", "pandas", "duckdb"],
)
@pytest.mark.slow
def test_whoever_takes_streams_gets_all_rows(rows_of, live, client, table):
    sql = f"SELECT id, d, t, at, e FROM {table}"
    whole = client.query_arrow(sql).sort_by("id").to_pylist()
    for source in (live, client.query_result(sql), client.query_batches(sql, batch_rows=25)):
        assert sorted(rows_of(source), key=lambda row: row["id"]) == whole


@pytest.mark.slow
def test_streams_are_written_into_tables(live, client, table):
    sql = f"SELECT id, d, t, at, e FROM {table}"
    whole = client.query_arrow(sql)
    sources = [live, client.query_result(sql), client.query_batches(sql, batch_rows=25), *client.query_batches(sql)]
    for number, source in enumerate(sources):
        copy = f"{table}_{number}"
        columns = "(id INT PRIMARY KEY, d DECIMAL(6, 2), t TEXT, at TIMESTAMP, e EMBEDDING(2))"
        client.execute_query(f"CREATE TABLE {copy} {columns} WITH (TYPE = 'SHARED')")
        assert client.write(source, copy).inserted == ROWS
        assert pa.table(client.query_result(f"SELECT * FROM {copy}")).equals(whole)


def test_changes_are_a_stream(client, table):
    with client.live(f"SELECT id, d, e FROM {table}") as live:
        batches = live.batches()
        client.execute_query(f"UPDATE {table} SET d = -0.5 WHERE id = 3; DELETE FROM {table} WHERE id = 4")
        changes = next(batches)
        if changes.table.num_rows == 1:
            changes = next(batches)
        assert pa.schema(changes) == changes.table.schema
        for rows in (pa.table(changes), duckdb.sql("FROM changes").to_arrow_table(), pl.DataFrame(changes).to_arrow()):
            assert rows["id"].to_pylist() == changes.table["id"].to_pylist()
            assert rows.column_names == changes.table.column_names


def test_a_stream_of_a_live_table_is_one_point_in_time(live, client, table):
    stream = pa.RecordBatchReader.from_stream(live)
    client.execute_query(f"DELETE FROM {table} WHERE id < 10")
    live.wait_for(lambda live: live.num_rows == ROWS - 10)
    assert len(stream.read_all()) == ROWS
    assert len(pa.table(live)) == ROWS - 10
    assert pa.schema(live) == live.schema


def test_what_does_not_take_streams_is_told_what_to_type(live):
    told = r"Type live\.df\(\), live\.polars\(\) or live\.arrow\(\) for its rows"
    with pytest.raises(TypeError, match=told):
        pd.DataFrame(live)
    chart = altair.Chart(live).mark_bar().encode(x="id:O", y="d:Q")
    with pytest.warns(UserWarning, match="LiveTable"), pytest.raises(TypeError, match=told):
        chart.to_dict()
    shown = altair.Chart(live.df()).mark_bar().encode(x="id", y="d").to_dict()
    assert len(next(iter(shown["datasets"].values()))) == ROWS


def test_batches_stream_one_after_the_other(client, table):
    batches = client.query_batches(f"SELECT id FROM {table}", batch_rows=20)
    assert next(batches).num_rows == 20
    stream = pa.RecordBatchReader.from_stream(batches)
    assert batches.row_count == 20
    assert [batch.num_rows for batch in stream] == [20, 20]
    assert batches.completeness.is_complete


def test_a_stream_without_rows_has_its_columns(client, table):
    nothing = f"SELECT id, d FROM {table} WHERE id < 0"
    for source in (client.query_batches(nothing), client.query_result(nothing)):
        found = pa.table(source)
        assert (found.num_rows, found.schema.types) == (0, [pa.int32(), pa.decimal128(6, 2)])


def test_errors_on_the_way(client, table):
    with pytest.raises(QueryError, match="not found"):
        pa.table(client.query_batches(f"SELECT * FROM {table}_nope"))
    with pytest.raises(ResultError, match="returns no rows"):
        pa.table(client.execute_query(f"DELETE FROM {table} WHERE id = 0")[0])
    with pytest.raises(pa.ArrowInvalid, match="cut at max_rows"):
        pa.table(client.query_batches(f"SELECT id FROM {table}", max_rows=30, strict=True))
    with pytest.warns(IncompleteResultWarning, match="cut at max_rows"):
        assert len(pa.table(client.query_batches(f"SELECT id FROM {table}", max_rows=30))) == 30
