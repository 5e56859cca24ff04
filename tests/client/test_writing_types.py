"""Values of every type, written by insert and by update and read back: what comes out is what went in."""

import datetime as dt
import random
import uuid
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalam_notebook.errors import FrameError

pytestmark = pytest.mark.contract

UTC = pa.timestamp("us", "UTC")
TEXTS = [
    "",
    "O'Neil",
    '"',
    "\\",
    "\\'",
    "a\nb\r\tc",
    "--",
    "/* */",
    ";",
    "$1",
    "é ü 漢字 🦜",
    "\u2028",
    "\x01",
    "NULL",
    None,
]
#: For each type of the server its values in Arrow, NULL among them.
VALUES = {
    "BOOLEAN": pa.array([True, False, None]),
    "SMALLINT": pa.array([-(2**15), 2**15 - 1, 0, None], pa.int16()),
    "INT": pa.array([-(2**31), 2**31 - 1, 0, None], pa.int32()),
    "BIGINT": pa.array([-(2**63), 2**63 - 1, 2**53 + 1, None]),
    "FLOAT": pa.array([0.1, -3.4028235e38, 1e-45, 16777216.0, None], pa.float32()),
    "DOUBLE": pa.array([0.1, 1e300, -5e-324, 1 / 3, 123456789012345680.0, None]),
    "DECIMAL(10, 2)": pa.array([Decimal("-0.50"), Decimal("99999999.99"), Decimal("0.00"), None], pa.decimal128(10, 2)),
    "DECIMAL(38, 10)": pa.array([Decimal("-1234567890123456789012345678.0123456789"), None], pa.decimal128(38, 10)),
    "TEXT": pa.array(TEXTS),
    "JSON": pa.array(['{"a":[1,null,"\'"]}', "[]", None]),
    "BYTES": pa.array([b"", "grüße".encode(), b"\x01", None]),
    "UUID": pa.array([uuid.UUID(int=0).bytes, uuid.UUID(int=2**128 - 1).bytes, None], pa.binary(16)),
    "TIMESTAMP": pa.array([-62_135_596_800_000_000, -1, 0, 1_704_067_200_123_456, None], UTC),
    "DATETIME": pa.array([0, 1_704_067_200_000_001, 253_402_300_799_999_999, None], UTC),
    "DATE": pa.array([dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(9999, 12, 31), None]),
    "TIME": pa.array([0, 1, 86_399_999_999, None], pa.time64("us")),
    "EMBEDDING(2)": pa.array([[0.1, -0.0], [3.4028235e38, 1e-45], [1.0, 2.5]], pa.list_(pa.float32(), 2)),
}


@pytest.fixture
def make(client, namespace):
    def run(columns, name="t"):
        client.execute_query(f"CREATE TABLE {namespace}.{name} ({columns}) WITH (TYPE = 'SHARED')")
        return f"{namespace}.{name}"

    return run


def shuffled(table):
    order = list(range(table.num_rows))
    random.Random(7).shuffle(order)
    return table.take(order)


def plain(array):
    return [value.bytes if isinstance(value, uuid.UUID) else value for value in array.to_pylist()]


@pytest.mark.parametrize("kind", VALUES)
def test_every_type_survives_insert_and_update(client, make, kind):
    values = VALUES[kind]
    table = make(f"id INT PRIMARY KEY, c {kind}")
    frame = pa.table({"id": pa.array(range(len(values)), pa.int32()), "c": values})
    assert client.write(shuffled(frame), table).inserted == len(values)
    assert plain(client.query_arrow(f"SELECT id, c FROM {table}").column("c")) == values.to_pylist()
    # Each row takes the value of the one before it.
    turned = frame.set_column(1, "c", pa.concat_arrays([values[-1:], values[:-1]]))
    report = client.write(shuffled(turned), table, mode="upsert")
    assert report.inserted == report.missing == 0
    assert plain(client.query_arrow(f"SELECT id, c FROM {table}").column("c")) == turned.column("c").to_pylist()
    report = client.write(turned, table, mode="upsert")
    assert (report.unchanged, report.requests) == (len(values), 0)


def test_all_types_in_one_row(client, make):
    table = make("id INT PRIMARY KEY, " + ", ".join(f"c{i} {kind}" for i, kind in enumerate(VALUES)))
    count = min(len(values) for values in VALUES.values())
    columns = {f"c{i}": values[:count] for i, values in enumerate(VALUES.values())}
    frame = pa.table({"id": pa.array(range(count), pa.int32()), **columns})
    order = [*reversed(frame.column_names)]
    client.write(shuffled(frame.select(order)), table)
    found = client.query_arrow(f"SELECT {', '.join(frame.column_names)} FROM {table}")
    assert [plain(column) for column in found.columns] == [column.to_pylist() for column in frame.columns]


def test_a_created_table_holds_the_frame(client, namespace):
    frame = pd.DataFrame(
        {
            "id": [3, 1, 2],
            "b": [True, False, None],
            "i": pd.array([1, None, 2**53 + 1], dtype="Int64"),
            "f": [0.5, 1.5, 2.5],
            "d": [Decimal("-0.25"), None, Decimal("10.00")],
            "t": ["x", None, "🦜"],
            "ts": pd.to_datetime(["2024-01-01 00:00:00.000001", None, "1969-12-31"], format="ISO8601").as_unit("us"),
            "u": [uuid.UUID(int=5), None, uuid.UUID(int=6)],
            "e": [[0.5, 1.0], [1.5, 2.0], [2.5, 3.0]],
            "j": [{"a": 1}, None, {"b": [2]}],
        }
    )
    report = client.write(frame, f"{namespace}.t", create=True, key="id")
    assert "e EMBEDDING(2)" in report.created_sql
    names = [name for name in frame.columns if name != "e"]
    found = client.query(f"SELECT {', '.join(names)}, e FROM {namespace}.t")
    sent = frame.sort_values("id").assign(ts=lambda frame: frame["ts"].dt.tz_localize("UTC"))
    assert found["id"].tolist() == [1, 2, 3]
    for name in ("b", "i", "f", "d", "t", "u", "ts"):
        assert [None if pd.isna(v) else v for v in found[name]] == [None if pd.isna(v) else v for v in sent[name]]
    assert [list(vector) for vector in found["e"]] == sent["e"].tolist()
    assert found["j"].tolist()[2] == '{"a":1}'


@pytest.mark.slow
def test_a_cell_of_a_megabyte(client, make):
    table = make("id INT PRIMARY KEY, t TEXT")
    texts = ["x" * 1_000_000, "é" * 500_000, "'" * 400_000, "\n" * 600_000]
    frame = pa.table({"id": pa.array(range(4), pa.int32()), "t": texts})
    report = client.write(frame, table)
    assert (report.inserted, report.requests) == (4, 4)
    assert client.query_arrow(f"SELECT id, t FROM {table}").column("t").to_pylist() == texts
    longer = frame.set_column(1, "t", pa.array([f"{text[:-1]}!" for text in texts]))
    assert client.write(longer, table, mode="upsert").updated == 4
    found = client.query_arrow(f"SELECT id, t FROM {table}").column("t")
    assert found.to_pylist() == longer.column("t").to_pylist()
    for text in ("x" * 1_060_000, "'" * 700_000, "\x01" * 400_000):
        with pytest.raises(FrameError, match="too long"):
            client.write(pa.table({"id": pa.array([9], pa.int32()), "t": [text]}), table)


UPLOADS = ['FILE("x")', 'see file( "a") and File("b")', 'file("', "file(", 'profile("x")', "FILE('x')", "plain"]


@pytest.mark.parametrize("mode", ["insert", "upsert"])
def test_text_that_looks_like_the_place_of_an_upload(client, make, mode):
    table = make("id INT PRIMARY KEY, t TEXT")
    ids = pa.array(range(len(UPLOADS)), pa.int32())
    if mode == "upsert":
        client.write(pa.table({"id": ids[:4], "t": ["old"] * 4}), table)
    client.write(pa.table({"id": ids, "t": UPLOADS}), table, mode=mode)
    assert client.query_arrow(f"SELECT id, t FROM {table}").column("t").to_pylist() == UPLOADS


def test_such_text_beside_a_uuid_is_refused(client, make):
    table = make("id INT PRIMARY KEY, t TEXT, u UUID")
    frame = pa.table({"id": pa.array([1, 2], pa.int32()), "t": ["a", 'FILE("x")'], "u": [str(uuid.UUID(int=1))] * 2})
    with pytest.raises(FrameError, match="place of an upload") as caught:
        client.write(frame, table)
    assert (caught.value.column, caught.value.row) == ("t", 1)


@pytest.mark.parametrize("key", ["'", 'FILE("k")', "a\\", "é\n", "NULL"])
def test_rows_are_found_by_keys_of_any_text(client, make, key):
    table = make("id TEXT PRIMARY KEY, n INT")
    client.write(pa.table({"id": [key, "other"], "n": pa.array([1, 2], pa.int32())}), table)
    report = client.write(pa.table({"id": [key], "n": pa.array([5], pa.int32())}), table, mode="upsert")
    assert (report.updated, report.inserted) == (1, 0)
    assert client.write(pa.table({"id": [key]}), table, mode="delete").deleted == 1
    assert client.query_arrow(f"SELECT id FROM {table}").column("id").to_pylist() == ["other"]


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(words, st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**63 - 1))))
@pytest.mark.slow
def test_any_text_and_number(client, namespace, cells):
    table = f"{namespace}.any"
    texts, doubles, numbers = ([cell[i] for cell in cells] for i in range(3))
    frame = pa.table(
        {
            "id": pa.array(range(len(cells)), pa.int64()),
            "t": pa.array(texts, pa.string()),
            "d": pa.array(doubles, pa.float64()),
            "n": pa.array(numbers, pa.int64()),
        }
    )
    client.execute_query(f"CREATE TABLE IF NOT EXISTS {table} (id BIGINT PRIMARY KEY, t TEXT, d DOUBLE, n BIGINT)")
    client.execute_query(f"DELETE FROM {table} WHERE id >= 0")
    client.write(frame, table)
    found = client.query_arrow(f"SELECT id, t, d, n FROM {table}")
    assert [column.to_pylist() for column in found.columns] == [column.to_pylist() for column in frame.columns]
