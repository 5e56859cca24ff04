"""Bodies made to cost: what a cell holds, and how often, may not decide how long an answer takes to read."""

import time

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalam_notebook.errors import ProtocolError
from kalam_notebook.wire.body import BodyDecoder, ListsDecoder
from kalam_notebook.wire.brackets import Brackets

SCHEMA = [{"name": "id", "data_type": "BigInt"}, {"name": "text", "data_type": "Text"}]
#: How much longer hostile text may take than plain text of the same length; ``benchmarks/`` measures it exactly (D11).
#: Before, the cases here took 100 times as long and more.
TIMES = 25


def answer(*results):
    return orjson.dumps({"status": "success", "results": list(results), "took": 1.0})


def rows_of(*cells):
    rows = [[str(number), cell] for number, cell in enumerate(cells)]
    return answer({"schema": SCHEMA, "rows": rows, "row_count": len(rows)})


def lists_of(*cells):
    lists = [[str(number) for number in range(len(cells))], list(cells)]
    return answer({"schema": SCHEMA, "rows": [lists], "row_count": 1})


def read_rows(body):
    decoder = BodyDecoder()
    batches = [batch for chunk in chunks(body) for _, batch in decoder.feed(chunk)]
    decoder.finish()
    return pa.Table.from_batches(batches).column("text").to_pylist() if batches else []


def read_lists(body):
    decoder = ListsDecoder([[pa.int64(), pa.string()]])
    for chunk in chunks(body):
        decoder.feed(chunk)
    return decoder.finish()[0][1].to_pylist()


def chunks(body, size=1 << 16):
    return (body[start : start + size] for start in range(0, len(body), size))


def cpu_seconds(read, body):
    taken = []
    for _ in range(3):
        begin = time.process_time()
        read(body)
        taken.append(time.process_time() - begin)
    return min(taken)


NESTED_END = {"a": [], "row_count": 0}


@pytest.mark.parametrize(
    ("form", "cells"),
    [
        ("rows", [[NESTED_END] * 20_000]),
        ("rows", [NESTED_END] * 20_000),
        ("rows", [[[[NESTED_END]]] * 20_000]),
        ("rows", ["],[" * 500_000]),
        ("rows", ["}" + "x" * 3_000_000]),
        ("rows", ['"],["' * 100_000] * 5),
        ("lists", ["]," * 1_500_000]),
        ("lists", ['\\"],' * 500_000, "]"]),
        ("lists", ["],"] * 500_000),
    ],
)
@pytest.mark.slow
def test_what_stands_in_cells_costs_no_more_than_its_length(form, cells):
    make, read = (rows_of, read_rows) if form == "rows" else (lists_of, read_lists)
    body, plain = make(*cells), make(*["plain text of some words"] * 40_000)
    assert read(body) == [cell if isinstance(cell, str) else orjson.dumps(cell).decode() for cell in cells]
    hostile, usual = cpu_seconds(read, body) / len(body), cpu_seconds(read, plain) / len(plain)
    assert hostile <= TIMES * usual


def test_many_results_without_a_schema_cost_no_more_than_their_number():
    first = {"schema": SCHEMA, "rows": [], "row_count": 0}

    def seconds(count):
        return cpu_seconds(read_rows, answer(first, *[{"rows": [], "row_count": 0}] * count))

    assert seconds(8_000) <= 3 * 8 * seconds(1_000)


def test_a_long_answer_that_is_no_list_costs_no_more_than_its_length():
    def seconds(size):
        decoder = ListsDecoder([[pa.int64()]])
        begin = time.process_time()
        for _ in range(size):
            decoder.feed(b'"rows":[ ')
        return time.process_time() - begin

    assert seconds(64_000) <= 3 * 8 * seconds(8_000)


texts = st.lists(st.sampled_from(["[", "]", ",", '"', "\\", "x", "é", "],[", '\\"']), max_size=12).map("".join)
nested = st.recursive(texts | st.integers(0, 99) | st.none(), lambda inner: st.lists(inner, max_size=4), max_leaves=15)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(nested, max_size=3), max_size=6), st.integers(1, 40))
def test_brackets_are_read_as_the_parser_reads_them(rows, step):
    text = bytearray(orjson.dumps(rows))
    behind = b',"row_count":0}]}'
    brackets, grown = Brackets(), bytearray()
    for start in range(0, len(text + behind), step):
        grown += (text + behind)[start : start + step]
        brackets.read(grown)
    assert brackets.end == len(text)
    if len(rows) > 1:
        assert orjson.loads(text[: brackets.border] + b"]") == rows[:-1]
    else:
        assert brackets.border == 0


@pytest.mark.parametrize(
    "rows",
    [
        b'[["1",{"a":[],"row_count":0}]]}',
        b'[["1",{"a":[],"row_count":0}]],"n":1}',
        b'[["1",{"a":[],"row_count":0},}]],"row_count":1}',
        b'[["1","],["],["2",nul],["3",""]' + b" " * 200,
        b'[["1","a"],["2","b"}],["3","c"]' + b" " * 200,
    ],
)
def test_rows_that_are_no_json_are_an_error_at_once(rows):
    decoder = BodyDecoder(group_bytes=100)
    with pytest.raises(ProtocolError, match="rows that cannot be read"):
        list(decoder.feed(b'{"status":"success","results":[{"schema":[],"rows":' + rows + b"," * 50))


@pytest.mark.parametrize("cell", [b'"text"', b"5", b'{"a":1}', b"[1,]"])
def test_a_cell_that_is_no_list_is_an_error_at_once(cell):
    decoder = ListsDecoder([[pa.int64()]])
    with pytest.raises(ProtocolError, match="cannot be read"):
        decoder.feed(b'{"results":[{"rows":[[' + cell + b'],"row_count":1}')
