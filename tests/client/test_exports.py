"""Rows carried out of the server: into files of each format, and to another server."""

import csv
import datetime as dt
import decimal
import io
import json
import threading
import uuid

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from servers import wait_for_jobs

import kalam_notebook as kalam
from kalam_notebook.errors import ConfigError, FrameError, QueryError, ResultError
from kalam_notebook.results import formats, progress
from kalam_notebook.results.formats import COMPLETENESS, checked_target, writing
from kalam_notebook.results.results import Completeness, IncompleteResultWarning

ROWS = 300
COLUMNS = "id, d, s, f, at, day, t, ok, b, u, j, e"


@pytest.fixture(scope="module")
def table(server):
    """More rows than the server sends, of every type, with values that it changes."""
    space = f"t{uuid.uuid4().hex[:12]}"
    name = f"{space}.t"
    with kalam.Client(server.url, token=server.token) as client:
        client.execute_query(f"CREATE NAMESPACE {space}")
        fill(client, name)
        yield name
        client.execute_query(f"DROP NAMESPACE {space} CASCADE")


def fill(client, name):
    client.execute_query(
        f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, d DECIMAL(8, 2), s TEXT, f DOUBLE, at TIMESTAMP, day DATE, "
        "t TIME, ok BOOLEAN, b BYTES, u UUID, j JSON, e EMBEDDING(2)) WITH (TYPE = 'SHARED')"
    )
    numbers = range(ROWS)
    client.write(
        pa.table(
            {
                "id": pa.array([2**53 + 1 + i for i in numbers]),
                "d": pa.array([None if i % 7 == 0 else decimal.Decimal(f"-0.{i % 90 + 10}") for i in numbers]),
                "s": [["", None, 'a "quoted",\nline', "é🦜"][i % 4] for i in numbers],
                "f": [i / 3 for i in numbers],
                "at": pa.array([dt.datetime(2024, 1, 1, 0, 0, 0, i, dt.UTC) for i in numbers]),
                "day": [dt.date(2024, 1, 1 + i % 28) for i in numbers],
                "t": [dt.time(1, 2, 3, i) for i in numbers],
                "ok": [[True, False, None][i % 3] for i in numbers],
                "b": [bytes([64, 32 + i % 90]) for i in numbers],
                "u": pa.array([uuid.UUID(int=i).bytes for i in numbers], pa.uuid()),
                "j": [json.dumps({"n": i}) for i in numbers],
                "e": pa.array([None if i % 5 == 0 else [i, 0.5] for i in numbers], pa.list_(pa.float32(), 2)),
            }
        ),
        name,
    )


@pytest.mark.slow
def test_parquet_of_an_older_pyarrow_has_lists_without_a_size(client, table, tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "_HAS_SIZED_LISTS", False)
    client.export(f"SELECT id, e FROM {table}", tmp_path / "x.parquet", batch_rows=100)
    found, whole = pq.read_table(tmp_path / "x.parquet"), client.query_arrow(f"SELECT id, e FROM {table}")
    assert found.schema.field("e").type == pa.list_(pa.float32())
    assert found.sort_by("id").to_pylist() == whole.sort_by("id").to_pylist()


@pytest.mark.contract
@pytest.mark.slow
def test_parquet_and_arrow_hold_what_a_query_gives(client, table, tmp_path):
    whole = client.query_arrow(f"SELECT {COLUMNS} FROM {table}").sort_by("id")
    for name in ("x.parquet", "X.ARROW"):
        report = client.export(f"SELECT {COLUMNS} FROM {table}", tmp_path / name, batch_rows=100)
        assert (report.rows, report.path) == (ROWS, tmp_path / name)
        assert report.size == report.path.stat().st_size
        assert report.completeness.is_complete
        assert report.summary.startswith(f"{name}: 300 rows, ")
    found = pq.read_table(tmp_path / "x.parquet")
    assert [field.metadata for field in found.schema] == [field.metadata for field in whole.schema]
    if formats._HAS_SIZED_LISTS:
        assert found.schema.types == whole.schema.types
    assert found.cast(whole.schema).sort_by("id").equals(whole)
    told = orjson.loads(pq.read_metadata(tmp_path / "x.parquet").metadata[COMPLETENESS])
    assert (told["is_complete"], told["method"]) == (True, "pages")

    with pa.ipc.open_file(tmp_path / "X.ARROW") as file:
        assert file.read_all().sort_by("id").equals(whole)
        last, metadata = file.get_batch_with_custom_metadata(file.num_record_batches - 1)
    assert last.num_rows == 0
    assert orjson.loads(metadata[COMPLETENESS])["is_complete"] is True
    assert sorted(path.name for path in tmp_path.iterdir()) == ["X.ARROW", "x.parquet"]


@pytest.mark.contract
@pytest.mark.slow
def test_texts_hold_exact_values(client, table, tmp_path):
    rows = client.query_arrow(f"SELECT {COLUMNS} FROM {table}").sort_by("id").to_pylist()
    client.export(f"SELECT {COLUMNS} FROM {table}", tmp_path / "x.csv")
    client.export(f"SELECT {COLUMNS} FROM {table}", tmp_path / "x.jsonl")
    lines = (tmp_path / "x.jsonl").read_bytes().splitlines()
    found = sorted((orjson.loads(line) for line in lines), key=lambda row: row["id"])
    cells = sorted(csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text(encoding="utf-8"), newline="")), key=by_id)
    assert len(found) == len(cells) == ROWS
    for row, line, text in zip(rows, found, cells, strict=True):
        assert (line["id"], line["f"], line["ok"], line["s"]) == (row["id"], row["f"], row["ok"], row["s"])
        assert line["d"] == (None if row["d"] is None else str(row["d"]))
        assert dt.datetime.fromisoformat(line["at"]) == row["at"]
        assert (dt.date.fromisoformat(line["day"]), dt.time.fromisoformat(line["t"])) == (row["day"], row["t"])
        assert (uuid.UUID(line["u"]), line["e"], line["j"]) == (row["u"], row["e"], row["j"])
        assert (int(text["id"]), float(text["f"])) == (row["id"], row["f"])
        assert (text["d"], text["s"]) == (str(row["d"] or ""), row["s"] or "")
        assert (text["b"], text["u"]) == (line["b"], line["u"])
    # NULL and empty text are different cells.
    raw = (tmp_path / "x.csv").read_bytes()
    assert b',"",' in raw
    assert b",," in raw


def by_id(row):
    return int(row["id"])


def test_what_json_has_no_number_for_is_text(tmp_path):
    numbers = pa.RecordBatch.from_pydict(
        {"f": [0.1, float("nan"), float("-inf"), None], "l": [[float("inf")], [], None, [1.0]]}
    )
    with writing(tmp_path / "x.jsonl", numbers.schema) as sink:
        sink.write(numbers)
        sink.finish(Completeness(True, "complete"))
    found = [orjson.loads(line) for line in (tmp_path / "x.jsonl").read_bytes().splitlines()]
    assert [row["f"] for row in found] == [0.1, "NaN", "-Infinity", None]
    assert [row["l"] for row in found] == [["Infinity"], [], None, [1.0]]


@pytest.mark.contract
@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv", "jsonl"])
def test_no_rows_make_a_file_with_columns(client, table, tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    path.write_text("what was there before")
    assert client.export(f"SELECT id, s FROM {table} WHERE id < $1", path, [0]).rows == 0
    if ending == "parquet":
        assert pq.read_schema(path).names == ["id", "s"]
    elif ending == "arrow":
        with pa.ipc.open_file(path) as file:
            assert file.schema.names == ["id", "s"]
    else:
        assert path.read_text() == ('"id","s"\n' if ending == "csv" else "")


def test_a_failure_leaves_the_file_that_was_there(client, table, tmp_path, monkeypatch):
    path = tmp_path / "x.parquet"
    path.write_text("what was there before")
    with pytest.raises(QueryError, match="not found"):
        client.export("SELECT id FROM nope.nope", path)

    def full(sink, batch):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kalam_notebook.results.formats._Parquet.write", full)
    with pytest.raises(ResultError, match=r"No space left on device\. Nothing was kept"):
        client.export(f"SELECT id FROM {table}", path)
    assert [one.name for one in tmp_path.iterdir()] == ["x.parquet"]
    assert path.read_text() == "what was there before"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("x.xlsx", r"Use \.parquet, \.arrow, \.csv or \.jsonl"),
        ("parquet", "tells no format"),
        (3, "path is a path"),
        ("x\0.csv", "path is a path"),
    ],
)
def test_a_name_that_tells_no_format_is_refused(path, told):
    with pytest.raises(ConfigError, match=told):
        checked_target(path)


def test_no_folder_and_no_file(client, table, tmp_path):
    with pytest.raises(ResultError, match=r"Cannot write .*nowhere"):
        client.export(f"SELECT id FROM {table}", tmp_path / "nowhere" / "x.csv")
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(ResultError, match="no ordinary file"):
        client.export(f"SELECT id FROM {table}", tmp_path / "x.csv")
    with pytest.raises(ResultError, match="two members named 'id'"):
        client.export(f"SELECT a.id, b.id FROM {table} a JOIN {table} b ON a.id = b.id", tmp_path / "x.jsonl")
    assert [one.name for one in tmp_path.iterdir()] == ["x.csv"]


@pytest.mark.servers("0.4.3", "0.5", "0.7")
def test_what_is_not_certain_is_told_in_the_file_and_refused_by_strict(client, namespace, tmp_path):
    """The server reads BYTES as a debug text after a flush."""
    client.execute_query(f"CREATE TABLE {namespace}.b (id INT PRIMARY KEY, b BYTES) WITH (TYPE = 'SHARED')")
    client.execute_query(f"INSERT INTO {namespace}.b (id, b) VALUES (1, 'x')")
    client.execute_query(f"STORAGE FLUSH TABLE {namespace}.b")
    wait_for_jobs(client)
    sql, path = f"SELECT id, b FROM {namespace}.b", tmp_path / "x.parquet"
    with pytest.raises(ResultError, match="may not be complete"):
        client.export(sql, path, strict=True)
    assert not path.exists()
    with pytest.warns(IncompleteResultWarning):
        client.export(sql, path)
    told = orjson.loads(pq.read_metadata(path).metadata[COMPLETENESS])
    assert not told["is_complete"]
    assert "flush" in told["text"]


@pytest.mark.slow
def test_memory_is_that_of_a_batch(client, table, tmp_path, monkeypatch):
    most, before = [], pa.total_allocated_bytes()

    def watched(sink, batch):
        most.append(pa.total_allocated_bytes() - before)

    monkeypatch.setattr("kalam_notebook.results.formats._JsonLines.write", watched)
    assert client.export(f"SELECT * FROM {table}", tmp_path / "x.jsonl", batch_rows=20).rows == ROWS
    assert len(most) >= ROWS / 20
    assert max(most) < client.query_arrow(f"SELECT * FROM {table}").nbytes / 2


# To another server.


@pytest.fixture
def other(client):
    with kalam.sandbox() as server, kalam.Client(server.url, user="root", password=server.root_password) as other:
        other.execute_query("CREATE NAMESPACE there")
        yield other


@pytest.mark.slow
def test_a_copy_holds_the_same_rows_under_the_same_types(client, table, other):
    report = client.copy(f"SELECT {COLUMNS} FROM {table}", other, "there.t", create=True, key="id", batch_rows=100)
    assert report.inserted == ROWS
    assert report.chunks[-1].rows[1] == ROWS
    assert "there.t" in report.created_sql
    whole = client.query_arrow(f"SELECT {COLUMNS} FROM {table}")
    assert other.query_arrow(f"SELECT {COLUMNS} FROM there.t").equals(whole)
    without = f"SELECT {COLUMNS.removesuffix(', e')} FROM {table}"
    client.copy(without, other, "there.u", create=True, key="id")
    again = client.copy(without, other, "there.u", mode="upsert")
    assert (again.inserted, again.unchanged) == (0, ROWS)


@pytest.mark.slow
def test_a_copy_of_nothing_makes_the_table(client, table, other):
    report = client.copy(f"SELECT id, s FROM {table} WHERE id < 0", other, "there.t", create=True, key="id")
    assert report.inserted == 0
    assert other.query_arrow("SELECT * FROM there.t").schema.names == ["id", "s"]


@pytest.mark.slow
def test_a_copy_that_fails_tells_what_is_there(client, table, other):
    other.execute_query("CREATE TABLE there.t (id BIGINT PRIMARY KEY) WITH (TYPE = 'SHARED')")
    last = client.query_arrow(f"SELECT max(id) AS m FROM {table}")["m"][0].as_py()
    other.execute_query(f"INSERT INTO there.t (id) VALUES ({last})")
    with pytest.raises(kalam.errors.KalamError) as told:
        client.copy(f"SELECT id FROM {table}", other, "there.t", batch_rows=100)
    assert told.value.__notes__ == ["200 rows of earlier batches were written; mode='upsert' can be repeated."]


@pytest.mark.slow
def test_a_copy_needs_a_client_and_a_frame_that_can_be_written(client, table, other):
    with pytest.raises(ConfigError, match=r"to_client is kalam\.Client"):
        client.copy("SELECT 1 AS id", other.url, "there.t")
    with pytest.raises(FrameError, match="needs its primary key"):
        client.copy(f"SELECT id FROM {table}", other, "there.t", create=True)


@pytest.mark.slow
def test_a_copy_refuses_files(client, namespace, other):
    client.execute_query(f"CREATE TABLE {namespace}.f (id INT PRIMARY KEY, f FILE) WITH (TYPE = 'SHARED')")
    with pytest.raises(FrameError, match="holds references to files"):
        client.copy(f"SELECT id, f FROM {namespace}.f", other, "there.t", create=True, key="id")


# How far they are.


class Shown:
    """A surface that tells when a line was shown."""

    def __init__(self):
        self.lines, self.cleared = [], 0
        self.changed = threading.Condition()

    def show(self, line):
        with self.changed:
            self.lines.append(line)
            self.changed.notify_all()

    def clear(self):
        self.cleared += 1

    def waiting_for(self, words, write):
        """The same call, which is through when the words have been shown behind two others."""
        calls = []

        def wait(*args, **options):
            calls.append(args)
            with self.changed:
                assert len(calls) < 3 or self.changed.wait_for(lambda: words in "".join(self.lines), 10), self.lines
            return write(*args, **options)

        return wait


@pytest.fixture
def shown(monkeypatch):
    shown = Shown()
    monkeypatch.setattr(progress, "find_surface", lambda: shown)
    monkeypatch.setattr(progress, "DELAY_S", 0.0)
    monkeypatch.setattr(progress, "INTERVAL_S", 0.01)
    return shown


@pytest.mark.parametrize("shows", [True, False])
def test_an_export_shows_how_far_it_is(client, table, shown, tmp_path, monkeypatch, shows):
    if shows:
        monkeypatch.setattr(formats._Csv, "write", shown.waiting_for("reading · 200 ", formats._Csv.write))
    client.export(f"SELECT id FROM {table}", tmp_path / "x.csv", batch_rows=100, progress=shows)
    assert bool(shown.lines) == bool(shown.cleared) == shows


@pytest.mark.parametrize("shows", [True, False])
@pytest.mark.slow
def test_a_copy_shows_how_far_it_is(client, table, other, shown, monkeypatch, shows):
    if shows:
        monkeypatch.setattr(kalam.Client, "write", shown.waiting_for("reading · 200 ", kalam.Client.write))
    client.copy(f"SELECT id FROM {table}", other, "there.t", create=True, key="id", batch_rows=100, progress=shows)
    assert bool(shown.lines) == bool(shown.cleared) == shows
