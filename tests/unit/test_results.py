"""What a preview says of completeness, once, in few words."""

import pyarrow as pa
import pytest
from IPython.lib.pretty import pretty

from kalam_notebook.results.results import Completeness, QueryResponse, QueryResult

COMPLETE = "complete"
AGAIN = "complete (read again exactly: the server cuts results at 50 rows)"
CUT = "cut at max_rows: there are more than 3 rows; pass max_rows=None for all"
DOUBT = "not certain: app.t holds more unflushed row versions than the server scans"


def result(text, requests=1):
    is_complete = text.startswith("complete")
    return QueryResult(
        (),
        2,
        completeness=Completeness(is_complete, text, requests),
        notices=() if is_complete else (text,),
        _table=pa.table({"n": [1, 2]}),
    )


@pytest.mark.parametrize(
    ("text", "requests", "footer"),
    [
        (COMPLETE, 1, ("complete", "1 request")),
        (AGAIN, 3, (AGAIN, "3 requests")),
        (CUT, 2, ("cut at max_rows", "2 requests")),
        (DOUBT, 4, ("not certain", "4 requests")),
    ],
)
def test_the_footer_says_what_is_known(text, requests, footer):
    shown = result(text, requests)
    assert shown.footer == footer
    html, plain = shown._repr_html_(), str(shown)
    for page in (html, plain):
        assert f"2 rows · {' · '.join(footer)}" in page
        assert page.count(text.partition(": ")[2] or text) == 1  # What a notice says is not said again below.
    assert ("Warning:" in html) is ("Warning:" in plain) is (not text.startswith("complete"))


def test_an_answer_as_sent_says_so():
    assert QueryResult((), 0, _table=pa.table({})).footer == ("as the server sent it",)


def test_completeness_names_the_road_and_the_reason():
    plain = Completeness(True, COMPLETE)
    assert (plain.method, plain.reason, plain.requests, str(plain)) == ("plain", None, 1, "complete")


def test_ipython_shows_rows_for_a_result_that_stands_alone():
    shown = result(COMPLETE)
    assert pretty(shown) == str(shown)
    assert "    1\n    2\n2 rows · complete · 1 request" in pretty(shown)
    assert pretty([shown]) == "[<QueryResult 2 rows × 0 columns>]"
    assert repr(shown) == "<QueryResult 2 rows × 0 columns>"
    assert pretty(QueryResponse((shown, shown), 1.0)) == f"{shown}\n\n{shown}"
    assert pretty(QueryResult((), 3, "Deleted 3 row(s)")) == "Deleted 3 row(s)"


@pytest.mark.parametrize(("is_terminal", "columns"), [(True, 3), (False, 17)])
def test_the_rows_keep_to_the_width_of_the_reader(is_terminal, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal, raising=False)
    table = pa.table({f"n{i:02}": [i] for i in range(30)})
    shown = pretty(QueryResult((), 1, _table=table))
    assert len(shown.splitlines()[0].split()) == columns
    assert f"{columns} of 30 columns shown" in shown


def test_a_preview_that_leaves_rows_out_says_what_shows_them():
    def shown(rows):
        return QueryResult((), rows, _table=pa.table({"n": range(rows)}))

    assert "browse() shows all" not in shown(20)._repr_html_()
    assert "20 of 21 rows shown · as the server sent it · browse() shows all<" in shown(21)._repr_html_()
    assert "browse" not in str(shown(21))  # In a terminal it would show no more.
