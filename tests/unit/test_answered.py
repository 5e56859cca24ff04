"""What is taken out of an answer has the shape that was asked for, or is an error that says what came."""

import pyarrow as pa
import pytest

from kalam_notebook import AsyncClient, Client
from kalam_notebook.errors import ConfigError, ProtocolError
from kalam_notebook.wire import answered
from kalam_notebook.wire.auth import parse_login, parse_user
from kalam_notebook.wire.types import parse_schema

SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.string())])


@pytest.mark.parametrize(("value", "number"), [(5, 5), ("5", 5), ("-12", -12), (2**70, 2**70), ("0" * 20 + "7", 7)])
def test_whole_numbers(value, number):
    assert answered.whole_number(value) == number


@pytest.mark.parametrize("value", [None, True, 1.0, "", "-", "--5", "5.0", "٣", "1e3", "1" * 5000, [5], {"n": 5}])
def test_what_is_no_whole_number(value):
    with pytest.raises(ProtocolError, match="where a whole number was expected") as caught:
        answered.whole_number(value)
    assert len(str(caught.value)) < 200


def test_a_row_of_one_number():
    assert (answered.one_number(["7"]), answered.one_number([None])) == (7, None)
    for row in ([], [1, 2], ["x"]):
        with pytest.raises(ProtocolError):
            answered.one_number(row)


def test_lists_of_texts():
    assert answered.texts_in([["a"], ["b"]], 2) == [["a"], ["b"]]
    assert answered.texts_in([None, None], 2) == [[], []]
    for row in ([["a"]], [["a"], ["b", "c"]], [["a"], [1]], ["ab", "cd"], [None, ["a"]]):
        with pytest.raises(ProtocolError):
            answered.texts_in(row, 2)


def test_lists_of_one_length_are_a_table():
    assert answered.table_of([pa.array([1]), pa.array(["x"])], SCHEMA).to_pylist() == [{"a": 1, "b": "x"}]
    assert answered.table_of([None, None], SCHEMA) == SCHEMA.empty_table()
    for lists in ([pa.array([1]), None], [pa.array([1, 2]), pa.array(["x"])]):
        with pytest.raises(ProtocolError, match="different lengths"):
            answered.table_of(lists, SCHEMA)


def test_a_list_of_one_number():
    for told, number in [(pa.array([3]), 3), (pa.array([None], pa.int64()), 0), (None, 0)]:
        assert answered.number_in(told) == number
    with pytest.raises(ProtocolError, match="list of 2"):
        answered.number_in(pa.array([3, 4]))


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"<html>", b'"text"', b"\xff"])
def test_what_is_no_object(content):
    with pytest.raises(ProtocolError, match="no JSON object"):
        answered.json_object(content)


@pytest.mark.parametrize(
    "content", [b"{}", b"[1]", b'{"user":"root"}', b'{"user":{},"access_token":5,"refresh_token":"x"}']
)
def test_what_is_no_login(content):
    with pytest.raises(ProtocolError, match="KalamDB login"):
        parse_login(content)


@pytest.mark.parametrize("raw", [None, [], "root", 5])
def test_what_is_no_user(raw):
    with pytest.raises(ProtocolError, match="no user"):
        parse_user(raw)


@pytest.mark.parametrize(
    "raw",
    [
        {"name": "a"},
        "ab",
        [5],
        [{"name": "a", "data_type": {"Decimal": {"precision": 99, "scale": 0}}}],
        [{"name": "a", "data_type": {"Embedding": -1}}],
        [{"name": "a", "data_type": {"Embedding": 10**9}}],
        [{"name": "a", "data_type": {"Decimal": [1]}}],
        [{"name": "a", "data_type": {}}],
    ],
)
def test_columns_that_cannot_be(raw):
    with pytest.raises(ProtocolError, match="The server announced"):
        parse_schema(raw)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_that_could_not_be_made_has_a_repr(kind):
    client = kind.__new__(kind)
    with pytest.raises(ConfigError):
        client.__init__("no url")
    assert repr(client) == "<KalamDB, not made>"
