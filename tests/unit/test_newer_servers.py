"""What newer servers send otherwise, on scripted answers: what is asked for it, once, and what comes of it."""

import math

import orjson
import pytest
from test_reading import ID, TEXT, Endpoint, answer

from kalam_notebook.errors import DecodeError, QueryError
from kalam_notebook.http.endpoint import Answer
from kalam_notebook.reading.reader import Reader
from kalam_notebook.reading.server_limits import ServerLimits
from kalam_notebook.wire.body import BodyDecoder
from kalam_notebook.wire.decode import decode_columns
from kalam_notebook.wire.types import Column

DOUBLE = {"name": "x", "data_type": "Double"}
REFUSED = QueryError("SQL_EXECUTION_ERROR", "STREAM tables are not supported in explicit transactions", 400)


def both(first, second):
    """One answer with the results of two."""
    return Answer((*first.results, *second.results), (*first.tables, *second.tables), 1.0)


ONE = answer([ID], [["1"]])
SENDS_ANYTHING = both(ONE, answer([{"name": "t", "data_type": "Text"}], [["a"]]))
CANNOT = QueryError("INTERNAL_ERROR", "Unsupported type", 500)


def reader(endpoint):
    return Reader(endpoint, limits=ServerLimits())


def test_null_in_the_place_of_nan_is_read_again():
    endpoint = Endpoint(
        answer([ID, DOUBLE], [["1", 1], ["2", None], ["3", None]]),
        SENDS_ANYTHING,
        ["Int64", "Float64"],
        [["1", "2", "3"], ["1", "2", "3"], ["1.0", "NaN", None]],
    )
    result = reader(endpoint).read("SELECT id, x FROM app.t")
    one, nan, null = result.arrow().column("x").to_pylist()
    assert (one, math.isnan(nan), null) == (1.0, True, None)
    assert result.completeness.reason == "the server sends NaN and infinity as NULL"


def test_where_nan_is_never_null_a_null_is_believed_and_that_is_asked_once():
    plain = answer([ID, DOUBLE], [["1", None]])
    endpoint = Endpoint(plain, CANNOT, plain)
    told = reader(endpoint)
    for _ in range(2):
        result = told.read("SELECT id, x FROM app.t")
        assert (result.completeness.method, result.arrow().to_pylist()) == ("plain", [{"id": 1, "x": None}])
    assert len(endpoint.asked) == 3


def test_an_answer_that_nothing_speaks_against_asks_nothing():
    endpoint = Endpoint(answer([ID, DOUBLE, TEXT], [["1", 2.5, "b"]]))
    assert reader(endpoint).read("SELECT * FROM app.t").completeness.requests == 1


def test_whole_numbers_without_a_point_are_floats():
    column = Column("x", "Double")
    cells = orjson.loads(f"[1, -0.5, {10**300}, {2**60 + 1}, null, 2]")
    assert decode_columns([column], [cells]).column(0).to_pylist() == [1.0, -0.5, 1e300, float(2**60 + 1), None, 2.0]


def test_a_list_under_the_type_of_its_elements_is_a_list():
    numbers = {"name": "tags", "data_type": "Int"}
    with pytest.raises(DecodeError) as told:
        answer([numbers], [[[1, 2]], [None]])
    endpoint = Endpoint(told.value, answer([numbers], []), ["List(Int32)"], [["1", "2"], [[1, 2], None]])
    result = reader(endpoint).read("SELECT tags FROM app.t")
    assert result.arrow().column("tags").to_pylist() == [[1, 2], None]
    assert result.completeness.reason == "a column holds something else than its type"


def test_a_list_of_texts_is_no_text():
    endpoint = Endpoint(
        answer([TEXT], [[["a", "b"]], [None]]), SENDS_ANYTHING, ["List(Utf8)"], [["1", "2"], [["a", "b"], None]]
    )
    result = reader(endpoint).read("SELECT t FROM app.t")
    assert result.arrow().column("t").to_pylist() == [["a", "b"], None]


def test_a_text_that_looks_like_a_list_stays_one():
    plain = answer([TEXT], [["[1, 2]"]])
    endpoint = Endpoint(plain, SENDS_ANYTHING, ["Utf8"], plain)
    told = reader(endpoint)
    for _ in range(2):
        result = told.read("SELECT t FROM app.t")
        assert (result.completeness.method, result.arrow().to_pylist()) == ("plain", [{"t": "[1, 2]"}])


# Transactions -------------------------------------------------------------------------------------------------------

JOIN = "SELECT a.id FROM app.a a JOIN app.s s ON a.id = s.id WHERE a.id = 1"


def test_what_is_refused_in_a_transaction_is_read_without_one_and_said():
    endpoint = Endpoint(REFUSED, ONE, ONE)
    told = reader(endpoint)
    for _ in range(2):
        result = told.read(JOIN)
        assert result.arrow().to_pylist() == [{"id": 1}]
        assert not result.completeness.is_complete
        assert "parts of the result may be of different moments" in result.notices[0]
    assert [sql.startswith("BEGIN") for sql in endpoint.asked] == [True, False, False]


def test_what_is_refused_in_any_case_has_the_reason_of_the_first():
    wrong = QueryError("SQL_EXECUTION_ERROR", "Statement 2 failed: no field named x", 400)
    with pytest.raises(QueryError, match="Statement 1 failed: no field named x"):
        reader(Endpoint(wrong, QueryError("SQL_EXECUTION_ERROR", "no field named x", 400))).read(JOIN)


def test_what_needs_too_much_memory_is_not_asked_for_twice():
    endpoint = Endpoint(QueryError("SQL_EXECUTION_ERROR", "Resources exhausted: …", 400))
    with pytest.raises(QueryError, match="Resources exhausted"):
        reader(endpoint).read(JOIN)
    assert len(endpoint.asked) == 1


# Cells --------------------------------------------------------------------------------------------------------------


def test_zeros_keep_their_sign_without_a_point():
    text = ["a,-0,b", "[-0]", "-0"]
    decoder = BodyDecoder()
    rows = ",".join(f'[{zero},"{cell}"]' for zero, cell in zip(["-0", "0", "-0.0"], text, strict=True))
    schema = orjson.dumps([DOUBLE, TEXT]).decode()
    sent = f'{{"status":"success","results":[{{"schema":{schema},"rows":[{rows}],"row_count":3}}],"took":1}}'
    (batch,) = [batch for _, batch in decoder.feed(sent.encode())]
    assert [str(zero) for zero in batch.column(0).to_pylist()] == ["-0.0", "0.0", "-0.0"]
    assert batch.column(1).to_pylist() == text
