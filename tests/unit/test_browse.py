"""Frames in a cell: what is taken, and what stands where there is no page."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import kalam_notebook as kalam
from kalam_notebook.errors import ConfigError, ResultError
from kalam_notebook.notebook.page.browse import _Frame
from kalam_notebook.notebook.page.page_rows import PageRows
from kalam_notebook.wire.types import Column

ROWS = {"id": [1, 2], "name": ["Ada", None]}


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_frames_of_all_libraries_are_shown(make, capsys):
    kalam.browse(make(ROWS))
    shown = capsys.readouterr().out
    assert "Ada" in shown
    assert "2 rows" in shown


def test_a_result_is_shown_with_its_types_and_notices(capsys):
    columns = (Column("id", "BigInt", flags=("pk",)), Column("name", "Text"))
    result = kalam.QueryResult(columns, 2, notices=("Rows may be missing.",), _table=pa.table(ROWS))
    result.browse()
    assert "BIGINT PK" in capsys.readouterr().out


def test_what_has_no_rows_is_not_shown():
    with pytest.raises(ConfigError, match=r"browse shows a result, or a frame .*, not list\."):
        kalam.browse([1, 2])
    with pytest.raises(ResultError, match="returns no rows"):
        kalam.QueryResult((), 1, message="1 row inserted").browse()


def test_the_page_gets_all_rows_once():
    table = pa.table({"c": pa.array(["a", "b"]).dictionary_encode(), "s": [{"x": 1}, {"x": 2}], "n": [1, 2]})
    frame, rows = _Frame(table), PageRows()
    messages = rows.messages(frame.delta(-1), frame.columns, {})
    sent = pa.ipc.open_stream(messages[0].buffers[0]).read_all()
    assert (sent["0"].to_pylist(), sent["2"].to_pylist()) == (["a", "b"], [1, 2])
    assert frame.delta(rows.version).rows.num_rows == 0
