"""The reader's decisions, on scripted answers: when a plain answer is final, and how an exact one is put together."""

import datetime as dt
from decimal import Decimal

import orjson
import pyarrow as pa
import pytest

from kalam_notebook.errors import ConnectError, NotLeaderError, QueryError, RateLimitError, ResultError
from kalam_notebook.http.endpoint import Answer
from kalam_notebook.http.failures import NoAnswerError
from kalam_notebook.reading.reader import Reader
from kalam_notebook.reading.server_limits import ServerLimits
from kalam_notebook.wire.body import BodyDecoder
from kalam_notebook.wire.decode import decode_array
from kalam_notebook.wire.types import arrow_schema

ID = {"name": "id", "data_type": "BigInt", "flags": ["pk", "nn", "uq"]}
TEXT = {"name": "t", "data_type": "Text"}


def answer(schema, rows, **more):
    body = {
        "status": "success",
        "results": [{"schema": schema, "rows": rows, "row_count": len(rows), **more}],
        "took": 1,
    }
    decoder = BodyDecoder()
    batches = [batch for _, batch in decoder.feed(orjson.dumps(body))]
    results, took = decoder.finish()
    return Answer(tuple(results), (pa.Table.from_batches(batches, arrow_schema(results[0].columns)),), took)


class Endpoint:
    """Answers in order and keeps what was asked."""

    def __init__(self, *steps):
        self.steps, self.asked = list(steps), []

    def execute(self, sql, params=()):
        self.asked.append(sql)
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    execute_row = execute

    def execute_lists(self, sql, params, types):
        lists = self.execute(sql, params)
        (kinds,) = types
        return [
            [None if cells is None else decode_array(cells, kind) for cells, kind in zip(lists, kinds, strict=True)]
        ]


def test_a_small_plain_answer_is_final():
    endpoint = Endpoint(answer([ID, TEXT], [["1", "a"]], as_user="root"))
    result = Reader(endpoint, limits=ServerLimits()).read("SELECT * FROM app.t")
    assert result.arrow().to_pylist() == [{"id": 1, "t": "a"}]
    assert (str(result.completeness), result.completeness.requests) == ("complete", 1)
    assert len(endpoint.asked) == 1


def exact_answer(types, *lists):
    order = [str(number) for number in range(1, len(lists[0]) + 1)]
    return [types, [order, *lists]]


def test_a_result_as_long_as_the_cap_is_read_again():
    rows = [[str(i), "x"] for i in range(50)]
    ids = [str(i) for i in reversed(range(60))]
    endpoint = Endpoint(answer([ID, TEXT], rows), *exact_answer(["Int64", "Utf8"], ids, ["x"] * 60))
    result = Reader(endpoint, limits=ServerLimits()).read("SELECT * FROM app.t -- all\n;")
    assert result.row_count == 60
    assert result.arrow().column("id").to_pylist() == list(range(60))  # By key, as the server sends small results.
    assert result.completeness.text.startswith("complete (read again exactly: the server cuts results at 50 rows")
    assert "(\nSELECT * FROM app.t -- all\n) AS q(c0, c1)" in endpoint.asked[-1]


@pytest.mark.parametrize("error", [NotLeaderError("NOT_LEADER", "m", 503), RateLimitError("RATE_LIMITED", "m", 429)])
def test_a_damaged_answer_is_no_substitute_for_one_that_would_come_later(error):
    endpoint = Endpoint(answer([ID], [[str(i)] for i in range(50)]), ["Int64"], error)
    with pytest.raises(type(error)):
        Reader(endpoint, limits=ServerLimits()).read("SELECT id FROM app.t")


def test_an_exact_answer_that_is_lost_is_asked_for_again():
    plain, rows = answer([ID], [[str(i)] for i in range(50)]), [str(i) for i in range(60)]
    (types, lists) = exact_answer(["Int64"], rows)
    endpoint = Endpoint(plain, types, NoAnswerError("cut"), lists)
    assert Reader(endpoint, limits=ServerLimits()).read("SELECT id FROM app.t").row_count == 60
    endpoint = Endpoint(plain, types, NoAnswerError("cut"), NoAnswerError("cut"))
    with pytest.raises(NoAnswerError):
        Reader(endpoint, limits=ServerLimits()).read("SELECT id FROM app.t")


def test_a_limit_that_was_reached_exactly_is_not_suspicious():
    endpoint = Endpoint(answer([ID], [["1"], ["2"]]))
    assert Reader(endpoint, limits=ServerLimits()).read("SELECT id FROM app.t LIMIT 2").completeness.requests == 1


def test_sort_with_limit_keeps_the_users_order():
    score = {"name": "score", "data_type": "Double"}
    plain = answer([ID, score], [["1", 2.0], ["2", 3.0]])
    endpoint = Endpoint(plain, ["Int64", "Float64"], [["2", "1"], ["1", "2"], ["2.0", "3.0"]])
    result = Reader(endpoint, limits=ServerLimits()).read("SELECT id, score FROM app.t ORDER BY score DESC LIMIT 2")
    assert result.arrow().to_pylist() == [{"id": 2, "score": 3.0}, {"id": 1, "score": 2.0}]
    assert "arrow_cast(c1, 'Utf8')" in endpoint.asked[-1]
    assert "LIMIT 9223372036854775807" not in endpoint.asked[-1]


def test_a_sort_by_something_else_than_an_output_gets_a_limit_inside():
    endpoint = Endpoint(answer([ID], [["1"], ["2"]]), ["Int64"], [["1", "2"], ["2", "1"]])
    result = Reader(endpoint, limits=ServerLimits()).read("SELECT id FROM app.t ORDER BY score")
    assert result.arrow().column("id").to_pylist() == [2, 1]
    assert "ORDER BY score\nLIMIT 9223372036854775807" in endpoint.asked[-1]


def test_a_decimal_that_may_have_lost_its_sign_is_read_again():
    dec = {"name": "d", "data_type": {"Decimal": {"precision": 10, "scale": 2}}}
    endpoint = Endpoint(answer([dec], [["0.50"]]), ["Decimal128(10, 2)"], [["1"], ["-0.50"]])
    assert Reader(endpoint, limits=ServerLimits()).read("SELECT d FROM app.t").arrow().to_pylist() == [
        {"d": Decimal("-0.50")}
    ]


def test_a_computed_time_gets_its_true_unit():
    now = {"name": "n", "data_type": "Timestamp"}
    nanos = 1704067200123456789
    endpoint = Endpoint(answer([now], [[nanos]]), ['Timestamp(ns, "+00:00")'], [["1"], [str(nanos)]])
    result = Reader(endpoint, limits=ServerLimits()).read("SELECT now() AS n")
    assert result.arrow().schema.field("n").type == pa.timestamp("ns", "UTC")
    assert result.df()["n"][0].nanosecond == 789
    assert "announced as TIMESTAMP and is Timestamp(ns" in result.completeness.text


def test_a_computed_column_under_its_own_type_is_final():
    count = {"name": "count(*)", "data_type": "BigInt"}
    endpoint = Endpoint(answer([count], [["3"]]), ["Int64"], answer([count], [["4"]]))
    reader = Reader(endpoint, limits=ServerLimits())
    assert reader.read("SELECT count(*) FROM app.t").completeness.requests == 2
    reader.read("SELECT count(*) FROM app.t")  # The types are known by now.
    assert len(endpoint.asked) == 3


def test_stored_times_are_not_suspicious():
    column = {"name": "ts", "data_type": "Timestamp"}
    endpoint = Endpoint(answer([column], [[0]]))
    result = Reader(endpoint, limits=ServerLimits()).read("SELECT ts FROM app.t")
    assert result.arrow().to_pylist() == [{"ts": dt.datetime(1970, 1, 1, tzinfo=dt.UTC)}]


def test_a_value_the_server_cannot_send_is_read_as_text():
    double = {"name": "d", "data_type": "Double"}
    endpoint = Endpoint(NoAnswerError("closed"), answer([double], []), ["Float64"], [["1", "2"], ["NaN", "-inf"]])
    result = Reader(endpoint, limits=ServerLimits()).read("SELECT d FROM app.t")
    assert str(result.arrow().column("d").to_pylist()) == "[-inf, nan]"
    assert endpoint.asked[1] == "SELECT * FROM (\nSELECT d FROM app.t\n) AS q LIMIT 0"


def test_when_exact_reading_fails_the_result_says_that_it_is_not_certain():
    rows = [[str(i)] for i in range(50)]
    refused = QueryError("SQL_EXECUTION_ERROR", "This feature is not implemented", 400)
    result = Reader(Endpoint(answer([ID], rows), refused), limits=ServerLimits()).read("SELECT id FROM app.t")
    assert result.row_count == 50
    assert not result.completeness.is_complete
    assert "This feature is not implemented" in result.notices[0]


def test_a_lost_connection_while_reading_again_is_not_hidden():
    rows = [[str(i)] for i in range(50)]
    with pytest.raises(ConnectError):
        Reader(Endpoint(answer([ID], rows), ConnectError("gone")), limits=ServerLimits()).read("SELECT id FROM app.t")


def test_show_is_final_whatever_its_length():
    rows = [[str(i)] for i in range(50)]
    assert Reader(Endpoint(answer([ID], rows)), limits=ServerLimits()).read("SHOW TABLES").completeness.is_complete


def test_a_text_that_cannot_be_looked_at_is_not_certain_at_the_cap():
    rows = [[str(i)] for i in range(50)]
    result = Reader(Endpoint(answer([ID], rows)), limits=ServerLimits()).read("BEGIN; SELECT id FROM app.t; COMMIT")
    assert not result.completeness.is_complete


def test_statements_without_rows_say_so():
    raw = Answer(answer([ID], []).results[:0], (), 1.0)
    with pytest.raises(ResultError, match="Use execute_query"):
        Reader(Endpoint(raw), limits=ServerLimits()).read("INSERT INTO app.t (id) VALUES (1)")
