"""The first write of a frame that nobody made for this server: all that is wrong at once, each with what to type."""

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from vega_datasets import local_data

from kalam_notebook.errors import FrameError, QueryError

pytestmark = pytest.mark.contract
DATA_SETS = local_data.list_datasets()


def load(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of the package that has them.
        return getattr(local_data, name.replace("-", "_"))().head(300)


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_data_set_is_in_after_two_tries_at_most(client, namespace, name):
    """What the first error says to type is enough."""
    frame, table = load(name).reset_index(names="row_id"), f"{namespace}.frame"
    options = {"create": True, "key": "row_id"}
    try:
        client.write(frame, table, **options)
    except FrameError as exc:
        text = str(exc)
        typed = re.search(r"^ +(frame = frame\.rename\(columns=.*\))$", text, re.M)
        if typed:
            scope = {"frame": frame}
            exec(typed[1], scope)
            frame = scope["frame"]
        if "nan='null'" in text:
            options["nan"] = "null"
        client.write(frame, table, **options)
    assert len(client.query(f"SELECT row_id FROM {table}")) == len(frame)


def test_all_that_is_wrong_is_told_at_once(client, namespace):
    frame = pd.DataFrame({
        "id": [1, 1],
        "Price (EUR)": [1.5, float("nan")],
        "priceEUR": ["a", "b"],
        "order": [1, 2],
        "mixed": [{"a": 1}, "text"],
        "nothing": [None, None],
    })  # fmt: skip
    with pytest.raises(FrameError) as caught:
        client.write(frame, f"{namespace}.new", create=True, key="id")
    text = str(caught.value)
    assert text.startswith("5 things keep the frame from being written. Nothing was sent.\n")
    new = {"Price (EUR)": "price_eur", "priceEUR": "price_eur_2", "order": "order_"}
    for words in (
        f"frame = frame.rename(columns={new})",
        "Column 'mixed', row 1: 'text' is text beside lists or mappings",
        "Column 'nothing': has no values",
        "Column 'Price (EUR)', row 1: nan would break every later SELECT (1 row has it). Pass nan='null'",
        "Column 'id', row 1: 1 is the key of row 0 too",
    ):
        assert words in text
    assert "kalam.new" not in text
    assert client.query("SELECT table_name FROM information_schema.tables WHERE table_name = 'new'").empty


def test_all_that_does_not_fit_a_table_is_told_at_once(client, namespace):
    client.execute_query(f"CREATE TABLE {namespace}.t (id INT PRIMARY KEY, a INT, b DOUBLE) WITH (TYPE = 'SHARED')")
    frame = pd.DataFrame({"id": [1, 2], "a": ["x", "y"], "b": [1.0, float("inf")]})
    with pytest.raises(FrameError, match=r"^2 things keep") as caught:
        client.write(frame, f"{namespace}.t")
    assert [(error.column, error.row) for error in (caught.value, *caught.value.others)] == [("a", None), ("b", 1)]
    assert client.query(f"SELECT id FROM {namespace}.t").empty


@pytest.mark.parametrize(
    ("frame", "typed"),
    [
        (pl.DataFrame({"id": [1], "End": [2]}), "frame.rename({'End': 'end_'})"),
        (pa.table({"id": [1], "End": [2]}), "frame.rename_columns({'End': 'end_'})"),
    ],
)
def test_what_to_type_is_for_the_library_of_the_frame(client, namespace, frame, typed):
    with pytest.raises(FrameError, match=re.escape(typed)):
        client.write(frame, f"{namespace}.new", create=True, key="id")
    frame = eval(typed, {"frame": frame})
    assert client.write(frame, f"{namespace}.new", create=True, key="id").inserted == 1


def test_an_index_with_the_name_of_the_key_is_taken(client, namespace):
    table = f"{namespace}.indexed"
    frame = pd.DataFrame({"n": [10, 20]}, index=pd.Index([1, 2], name="id"))
    client.write(frame, table, create=True, key="id")
    client.write(pd.DataFrame({"n": [30]}, index=pd.Index([3], name="id")), table)
    assert client.query(f"SELECT id, n FROM {table} ORDER BY id").values.tolist() == [[1, 10], [2, 20], [3, 30]]
    # What was read, indexed and changed goes back as it is.
    read = client.query(f"SELECT id, n FROM {table} ORDER BY id").set_index("id") * 2
    assert client.write(read, table, mode="upsert").updated == 3


def test_an_index_of_several_parts(client, namespace):
    frame = pd.DataFrame(
        {"id": ["a", "b"], "n": [1, 2]}, index=pd.MultiIndex.from_tuples([(1, 2), (3, 4)], names=["day", "hour"])
    )
    report = client.write(frame, f"{namespace}.parts", create=True, key="id")
    assert "The index 'day', 'hour' was left out: frame.reset_index() makes it a column." in report.notices
    client.execute_query(f"ALTER TABLE {namespace}.parts ADD COLUMN day BIGINT")
    report = client.write(frame, f"{namespace}.parts", mode="upsert")
    assert report.notices == ("The index 'hour' was left out: frame.reset_index() makes it a column.",)
    assert client.query(f"SELECT day FROM {namespace}.parts ORDER BY id")["day"].tolist() == [1, 3]


def test_a_table_that_is_made_says_which_key_is_possible(client, namespace):
    frame = pd.DataFrame({"twice": [1, 1], "name": ["a", "b"]})
    with pytest.raises(FrameError, match="needs its primary key: for example key='name'"):
        client.write(frame, f"{namespace}.new", create=True)
    with pytest.raises(FrameError, match=r"frame = frame\.reset_index\(names='id'\)"):
        client.write(frame[["twice"]], f"{namespace}.new", create=True)
    with pytest.raises(FrameError, match=r"It has: twice, name\.\nTo number the rows: .*names='number'"):
        client.write(frame, f"{namespace}.new", create=True, key="number")
    client.write(frame.reset_index(names="number"), f"{namespace}.new", create=True, key="number")


def test_a_table_that_is_missing_offers_to_make_it(client, namespace):
    with pytest.raises(QueryError, match="create=True makes it"):
        client.write(pd.DataFrame({"id": [1]}), f"{namespace}.nowhere")


def test_the_next_rows_fit_into_a_table_that_was_made(client, namespace):
    table = f"{namespace}.wide"
    first = pd.DataFrame({"id": np.array([1], "int8"), "n": np.array([1], "uint8"), "price": [1]})
    client.write(first, table, create=True, key="id")
    client.write(pd.DataFrame({"id": [2**40], "n": [2**60], "price": [-(2**62)]}), table)
    assert client.query(f"SELECT n FROM {table} ORDER BY id")["n"].tolist() == [1, 2**60]


def test_types_of_a_table_that_was_read_stay(client, namespace):
    client.execute_query(f"CREATE TABLE {namespace}.t (id INT PRIMARY KEY, s SMALLINT) WITH (TYPE = 'SHARED')")
    client.execute_query(f"INSERT INTO {namespace}.t (id, s) VALUES (1, 2)")
    read = client.query_arrow(f"SELECT id, s FROM {namespace}.t")
    report = client.write(read, f"{namespace}.u", create=True, key="id")
    assert "id INT PRIMARY KEY" in report.created_sql
    assert "s SMALLINT" in report.created_sql


def test_errors_with_others_stay_whole_when_pickled():
    import pickle

    error = FrameError("a", column="x", others=(FrameError("b", column="y", row=1, value="2"),))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    many = FrameError("a", others=tuple(FrameError(str(number)) for number in range(30)))
    assert "and 19 more" in str(many)
