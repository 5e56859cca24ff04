"""The streaming decoder: any cut of the body into chunks gives the same rows; damaged bodies give errors."""

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalam_notebook.errors import DecodeError, ProtocolError
from kalam_notebook.wire.body import BodyDecoder, ListsDecoder, parse_row

SCHEMA = [
    {"name": "id", "data_type": "BigInt", "index": 0, "flags": ["pk", "nn", "uq"]},
    {"name": "text", "data_type": "Text", "index": 1},
    {"name": "e", "data_type": "Text", "index": 2},
]
#: Text that looks like the borders the decoder cuts at.
HOSTILE = ["],[", ']],"row_count":5', '"rows":[', "\\", '"', "[[", "]]", '\\"],[\\"', "plain", "é日本", ""]


def result(rows, schema=SCHEMA, **more):
    return {"schema": schema, "rows": rows, "row_count": len(rows), "as_user": "root", **more}


def body(*results, error=None):
    return orjson.dumps({"status": "success", "results": list(results), "took": 1.5, "error": error})


def decode(data: bytes, chunk: int, group_bytes: int = 64):
    decoder = BodyDecoder(group_bytes=group_bytes)
    batches: dict[int, list[pa.RecordBatch]] = {}
    for start in range(0, len(data), chunk):
        for index, batch in decoder.feed(data[start : start + chunk]):
            batches.setdefault(index, []).append(batch)
    results, took = decoder.finish()
    return results, {i: pa.Table.from_batches(found).to_pylist() for i, found in batches.items()}, took


rows_strategy = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1).map(str),
        st.none() | st.sampled_from(HOSTILE) | st.text(max_size=20),
        st.none() | st.lists(st.lists(st.sampled_from(HOSTILE), max_size=2), max_size=3),
    ).map(list),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(rows_strategy, st.integers(1, 50), st.sampled_from([1, 16, 64, 1000]))
@pytest.mark.slow
def test_any_chunking_gives_the_same_rows(rows, chunk, group_bytes):
    results, tables, took = decode(body(result(rows)), chunk, group_bytes)
    expected = [
        {"id": int(row[0]), "text": row[1], "e": None if row[2] is None else orjson.dumps(row[2]).decode()}
        for row in rows
    ]
    assert tables.get(0, []) == expected
    assert results[0].row_count == len(rows)
    assert results[0].columns[0].flags == ("pk", "nn", "uq")
    assert took == 1.5


def test_several_results_keep_their_own_schema_and_order():
    other = [{"name": "n", "data_type": "Int", "index": 0}]
    data = body(
        {"row_count": 0, "message": "Transaction started (x)", "as_user": "root"},
        result([["1", "a", None]]),
        {"row_count": 0, "message": "m", "as_user": "root"},
        result([[7], [8]], other),
        result([], other),
        {"row_count": 3, "message": "Inserted 3 row(s)", "as_user": "root"},
    )
    for chunk in (1, 7, 10_000):
        results, tables, _ = decode(data, chunk)
        assert [found.has_rows for found in results] == [False, True, False, True, True, False]
        assert tables == {0: [{"id": 1, "text": "a", "e": None}], 1: [{"n": 7}, {"n": 8}]}
        assert results[5].message == "Inserted 3 row(s)"


def test_several_empty_results():
    for chunk in (1, 10_000):
        results, tables, _ = decode(body(result([]), result([]), result([["1", "a", None]]), result([])), chunk)
        assert [found.row_count for found in results] == [0, 0, 1, 0]
        assert list(tables) == [2]


def test_rows_of_a_result_without_a_schema_are_empty_rows():
    results, tables, _ = decode(body(result([["1", "a", None]]), {"rows": [[], []], "row_count": 2}), 5)
    assert results[1].row_count == 2
    assert results[1].columns == ()
    assert tables[0] == [{"id": 1, "text": "a", "e": None}]


def test_a_body_cut_off_after_200_is_an_error_with_the_reason():
    data = body(result([[str(i), "x" * 30, None] for i in range(20)]))
    for end in (data.index(b'"rows"') + 40, len(data) // 2, data.index(b'"row_count"') - 2):
        decoder = BodyDecoder(group_bytes=100)
        list(decoder.feed(data[:end]))
        with pytest.raises(ProtocolError, match="cut off in the middle"):
            decoder.finish()


def test_a_body_cut_off_in_its_tail_is_an_error():
    data = body(result([["1", "a", None]]))
    decoder = BodyDecoder()
    list(decoder.feed(data[:-5]))
    with pytest.raises(ProtocolError, match="not a KalamDB answer"):
        decoder.finish()


@pytest.mark.parametrize("data", [b"", b"<html>proxy</html>", b"[]", b"null", b'{"status":"success"}'])
def test_something_else_than_an_answer(data):
    decoder = BodyDecoder()
    assert list(decoder.feed(data)) == []
    with pytest.raises(ProtocolError, match="Check that the URL"):
        decoder.finish()


def test_a_wrong_row_count_is_an_error():
    data = body({**result([["1", "a", None]]), "row_count": 2})
    with pytest.raises(ProtocolError, match="announced 2 rows and sent 1"):
        decode(data, 1000)


def test_a_row_of_another_length_is_an_error():
    with pytest.raises(ProtocolError, match="another length"):
        decode(body(result([["1", "a"]])), 1000)


@pytest.mark.parametrize("row", ["7x", {"7": 1, "x": 2}, None, 7])
@pytest.mark.parametrize("types", [("Text", "Text"), ("BigInt", "Text"), ("Text", "Int"), ("Boolean", "Text")])
@pytest.mark.parametrize("place", [0, 1])
def test_a_row_that_is_no_list_is_an_error_whatever_it_can_be_taken_apart_to(row, types, place):
    cells = {"Text": "a", "BigInt": "1", "Int": 5, "Boolean": True}
    rows = [[cells[name] for name in types] for _ in range(2)]
    rows[place] = row
    schema = [{"name": f"c{number}", "data_type": name} for number, name in enumerate(types)]
    with pytest.raises((ProtocolError, DecodeError)):
        decode(body(result(rows, schema)), 1000)


def test_the_row_number_of_a_bad_cell_counts_through_all_groups():
    rows = [[str(i), "text", None] for i in range(50)]
    rows[41][0] = "x"
    with pytest.raises(DecodeError) as caught:
        decode(body(result(rows)), 30, group_bytes=100)
    assert caught.value.row == 41


def test_one_row():
    assert parse_row(body(result([[["1"], None, ["a"]]]))) == [["1"], None, ["a"]]
    for bad in (body(result([])), body(), b"{", b"null"):
        with pytest.raises(ProtocolError):
            parse_row(bad)


def list_body(*lists):
    return body(result([list(lists)], [{"name": f"c{i}", "data_type": "Text"} for i in range(len(lists))]))


lists_strategy = st.lists(
    st.tuples(
        st.integers(0, 9).map(str),
        st.none() | st.sampled_from(HOSTILE),
        st.none() | st.lists(st.floats(-2, 2), max_size=3),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=200, deadline=None)
@given(lists_strategy, st.integers(1, 60))
@pytest.mark.slow
def test_lists_of_one_row_are_decoded_as_they_come(rows, chunk):
    columns = [list(column) for column in zip(*rows, strict=True)]
    decoder = ListsDecoder([[pa.int64(), pa.string(), pa.list_(pa.float64())]])
    data = list_body(*columns)
    for start in range(0, len(data), chunk):
        decoder.feed(data[start : start + chunk])
    (arrays,) = decoder.finish()
    assert [array.to_pylist() for array in arrays] == [[int(value) for value in columns[0]], *columns[1:]]


def test_lists_of_no_rows_are_null():
    decoder = ListsDecoder([[pa.int64(), pa.string()]])
    decoder.feed(list_body(None, None))
    assert decoder.finish() == [[None, None]]


@pytest.mark.parametrize("cut", [30, 60, 90, 105])
def test_lists_that_do_not_end(cut):
    decoder = ListsDecoder([[pa.int64(), pa.string()]])
    decoder.feed(list_body(["1", "2"], ["a", "b"])[:cut])
    with pytest.raises(ProtocolError):
        decoder.finish()


def test_lists_of_several_results():
    message = {"row_count": 0, "message": "Transaction started (x)", "as_user": "root"}
    schema = [{"name": "a", "data_type": "Text"}]
    data = body(message, result([[["1", "2"]]], schema), result([[None]], schema), message)
    for chunk in (1, 13, 1000):
        decoder = ListsDecoder([[pa.int64()], [pa.string()]])
        for start in range(0, len(data), chunk):
            decoder.feed(data[start : start + chunk])
        first, second = decoder.finish()
        assert first[0].to_pylist() == [1, 2]
        assert second == [None]
    short = ListsDecoder([[pa.int64()]])
    with pytest.raises(ProtocolError, match="more results"):
        short.feed(data)
    wide = ListsDecoder([[pa.int64(), pa.int64()], [pa.string()]])
    with pytest.raises(ProtocolError, match="fewer columns"):
        wide.feed(data)
