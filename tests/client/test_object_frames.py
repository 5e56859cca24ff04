"""Frames of Python objects, written and read back; and frames of ``query`` written back as they are."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from kalam_notebook.errors import FrameError

pytestmark = pytest.mark.contract


@pytest.fixture
def make(client, namespace):
    def run(columns):
        client.execute_query(f"CREATE TABLE {namespace}.t ({columns}) WITH (TYPE = 'SHARED')")
        return f"{namespace}.t"

    return run


DOCUMENTS = [[{"a": 1}, {"b": 2}], [], [{"a": 1, "c": None}], [{"b": [1, 2.5]}], None]
TEXTS = ['[{"a":1},{"b":2}]', "[]", '[{"a":1,"c":null}]', '[{"b":[1,2.5]}]', None]


@pytest.mark.parametrize("create", [False, True], ids=["existing", "create"])
def test_documents_are_stored_as_they_are(client, namespace, make, create):
    table = f"{namespace}.t" if create else make("id BIGINT PRIMARY KEY, j JSON")
    frame = pd.DataFrame({"id": range(5), "j": pd.Series(DOCUMENTS, dtype=object)})
    report = client.write(frame, table, create=create, key="id")
    assert not create or "j JSON" in report.created_sql
    assert client.query_arrow(f"SELECT id, j FROM {table}").column("j").to_pylist() == TEXTS
    report = client.write(frame, table, mode="upsert")
    assert (report.unchanged, report.requests) == (5, 0)


def test_integers_beside_fractions_stay_integers(client, make):
    table = make("id BIGINT PRIMARY KEY, j JSON, e EMBEDDING(2)")
    cells = pd.Series([[1, 2.5], [3.0, 4]], dtype=object)
    client.write(pd.DataFrame({"id": range(2), "j": cells, "e": cells}), table)
    found = client.query_arrow(f"SELECT id, j, e FROM {table}").to_pydict()
    assert (found["j"], found["e"]) == (["[1,2.5]", "[3.0,4]"], [[1.0, 2.5], [3.0, 4.0]])


@pytest.mark.parametrize("mode", ["upsert", "update"])
def test_embeddings_that_were_read_are_written_back(client, make, mode):
    table = make("id INT PRIMARY KEY, e EMBEDDING(3)")
    client.execute_query(f"INSERT INTO {table} (id, e) VALUES (1, '[0.1,2,3]'), (2, '[4,5,6]')")
    frame = client.query(f"SELECT id, e FROM {table} WHERE id = 1")
    assert client.write(frame, table, mode=mode).unchanged == 1
    frame["e"] = [frame["e"][0] * 2]
    assert client.write(frame, table, mode=mode).updated == 1
    found = client.query_arrow(f"SELECT id, e FROM {table}").column("e").to_pylist()
    assert np.array(found, "f4").tolist() == np.array([[0.2, 4, 6], [4, 5, 6]], "f4").tolist()


@pytest.mark.parametrize("kind", ["f4", "f8", "i8"])
def test_arrays_of_numpy_are_written_in_every_mode(client, namespace, kind):
    table = f"{namespace}.t"
    frame = pd.DataFrame({"id": [1, 2], "e": [np.array([1, 2], kind), np.array([3, 4], kind)]})
    report = client.write(frame, table, create=True, key="id")
    assert ("e EMBEDDING(2)" if kind != "i8" else "e JSON") in report.created_sql
    assert client.write(frame, table, mode="upsert").unchanged == 2
    assert client.write(frame, table, mode="update").unchanged == 2
    assert client.write(frame, table, mode="delete").deleted == 2
    assert client.write(frame, table).inserted == 2


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("TIMESTAMP", [dt.date(2024, 1, 1), dt.datetime(2024, 1, 1, 12)], "datetime among dates"),
        ("TIMESTAMP", [None, pd.Timestamp("2024-01-01 00:00:00.000000001")], "nanoseconds"),
        ("TIME", [None, dt.time(12, tzinfo=dt.timezone(dt.timedelta(hours=2)))], "has a zone"),
        ("DECIMAL(5, 2)", [None, Decimal("NaN")], "is no number"),
        ("JSON", [{"b": 2}, '{"a":1}'], "is text beside lists or mappings"),
    ],
)
@pytest.mark.parametrize("create", [False, True], ids=["existing", "create"])
def test_what_would_be_changed_is_not_sent(client, namespace, make, kind, values, words, create):
    table = f"{namespace}.t" if create else make(f"id BIGINT PRIMARY KEY, c {kind}")
    frame = pd.DataFrame({"id": [1, 2], "c": pd.Series(values, dtype=object)})
    with pytest.raises(FrameError, match=words) as caught:
        client.write(frame, table, create=create, key="id")
    assert (caught.value.column, caught.value.row) == ("c", 1)
    if not create:
        assert client.query(f"SELECT id FROM {table}").empty


def test_a_decimal_nan_becomes_null_on_request(client, make):
    table = make("id BIGINT PRIMARY KEY, c DECIMAL(5, 2)")
    frame = pd.DataFrame({"id": [1, 2], "c": [Decimal("-0.50"), Decimal("NaN")]})
    client.write(frame, table, nan="null")
    assert client.query_arrow(f"SELECT id, c FROM {table}").column("c").to_pylist() == [Decimal("-0.50"), None]


def test_periods_are_not_written_as_numbers(client, make):
    table = make("id BIGINT PRIMARY KEY, n INT")
    frame = pd.DataFrame({"id": [1, 2], "n": pd.period_range("2024-01", periods=2, freq="M")})
    with pytest.raises(FrameError, match=r"is INT in the table and extension<pandas\.period"):
        client.write(frame, table)


def test_a_series_is_no_frame(client, make):
    table = make("id BIGINT PRIMARY KEY")
    with pytest.raises(FrameError, match=r"to_frame\(\)"):
        client.write(pd.Series([1], name="id"), table)
