"""Live tables as they were: any history taken back, what is not remembered, and what `live.at` says."""

from __future__ import annotations

import datetime as dt
import math

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_live_store import delete, make_store, table, update
from test_recording import RERUN, RESULTS, SAME_NAME, Tape, read, replayed, result, state
from test_recording_replay import INF, make_file

from kalam_notebook.errors import ConfigError, LiveError
from kalam_notebook.live_queries.recording.player import play
from kalam_notebook.live_queries.rows import history as history_module
from kalam_notebook.live_queries.rows import slots as slots_module
from kalam_notebook.live_queries.rows import store as store_module
from kalam_notebook.live_queries.rows.held import Rows
from kalam_notebook.live_queries.rows.result_store import ResultStore
from kalam_notebook.live_queries.table import LiveTable
from kalam_notebook.wire.arguments import check_moment


def was(rows: Rows, at: float) -> tuple:
    """How rows were, in the form of ``state``."""
    delta = rows.at(at)
    assert delta.reset
    assert delta.num_rows == delta.rows.num_rows
    return state(_Then(delta))


class _Then:
    def __init__(self, delta) -> None:
        self.version, self._delta = delta.version, delta

    def delta(self, since):
        return self._delta


STEPS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["set", "gone"]), st.text(max_size=2)), max_size=4),
        st.booleans(),
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=25)
@given(STEPS)
@pytest.mark.slow
def test_any_history_is_taken_back(steps):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slots_module, "_MAX_DEAD_ROWS", 3)
        patch.setattr(store_module, "_MAX_CELLS", 12)
        store, seq = make_store(), 10
        store.load(table(("1", "a", 1, "1"), ("2", "b", 2, "2")), at=0.5)
        states = {0.5: state(store)}
        for at, (changes, is_reading) in enumerate(steps, 1):
            for key, kind, body in changes:
                seq += 1
                store.apply([delete(key, seq) if kind == "gone" else update(key, seq, body=body)], at=at)
            if is_reading:
                # A version has the same cells wherever it is read.
                cells = [
                    (str(row["id"]), row["body"], 7, str(seq + 1 + row["id"])) for row in store.arrow().to_pylist()
                ]
                store.load(table(*cells[1:]), at=at)
                seq += 5
            states[at] = state(store)
            for then, expected in states.items():
                if then >= store.known_since:
                    assert was(store, then)[1:] == expected[1:]
                    assert was(store, then)[0] <= expected[0]  # A reading that changes nothing is no step.
            assert was(store, at) == was(store, 1e12) == state(store)


@settings(deadline=None, max_examples=25)
@given(RESULTS)
def test_results_are_taken_back_in_their_order_and_so_are_their_replays(results):
    store, tape = ResultStore(SAME_NAME, key=(), rows=result([("a", 0.0)]), at=0.0), Tape(RERUN)
    tape.look(store)
    states = {0.0: state(store)}
    for at, (rows, _) in enumerate(results, 1):
        store.load(result(rows), at=float(at))
        tape.look(store, at=float(at))
        states[at] = state(store)
    again = replayed(read(tape.end()))
    for at, expected in states.items():
        assert was(store, at) == expected
        assert was(again, at)[1:] == expected[1:]


def test_only_what_is_remembered_is_known(monkeypatch):
    monkeypatch.setattr(store_module, "_MAX_CELLS", 5)
    monkeypatch.setattr(slots_module, "_MAX_DEAD_ROWS", 3)
    store = make_store()
    store.load(table(("1", "a", 1, "1")), at=10.0)
    assert store.known_since == 10.0
    for number in range(40):
        store.apply([update(number % 3, number + 2, body=f"b{number}")], at=20.0 + number)
    assert 30.0 < store.known_since < 59.0
    assert "b38" in store.at(58.9).rows.column("body").to_pylist()


def test_orders_of_results_are_remembered_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(history_module, "_MAX_ORDERED", 250)
    rows = [(str(row), 0.0) for row in range(100)]
    store = ResultStore(SAME_NAME, key=(), rows=result(rows), at=1.0)
    for at in range(2, 8):
        rows = [*rows[1:], rows[0]]
        store.load(result(rows), at=float(at))
    assert store.known_since == 5.0
    assert store.at(5.0).rows.column(0).to_pylist() == [str(row % 100) for row in range(4, 104)]


@pytest.fixture
def kept(kept):
    kept.reached, kept.store = 1_000_000_030.0, make_store()
    kept.store.load(table(("1", "a", 1, "1"), ("2", "b", 2, "2")), at=1_000_000_000.0)
    kept.store.apply([update(1, 3, body="é", n=5)], at=1_000_000_010.000_001)
    kept.store.apply([delete(2, 4)], at=1_000_000_020.0)
    return kept


def test_the_rows_of_a_moment(live):
    then = live.at(1_000_000_005)
    assert pa.table(then).to_pylist() == [{"id": 1, "body": "a", "n": 1}, {"id": 2, "body": "b", "n": 2}]
    assert then.df()["body"].tolist() == then.polars()["body"].to_list() == ["a", "b"]
    assert str(then).splitlines()[-1].startswith("2 rows · as of 2001-09-09 01:46:45.000000 UTC")
    assert "Not all is well." in then._repr_html_()
    assert live.at(1_000_000_030).arrow() == live.arrow()


def test_moments_of_changes_and_zones(live, monkeypatch):
    first, _ = live.changes()["_at"]
    assert live.at(first).df()["body"].tolist() == ["é", "b"]
    assert live.at(first - dt.timedelta(microseconds=1)).df()["body"].tolist() == ["a", "b"]
    local = dt.datetime.fromtimestamp(1_000_000_020)
    for moment in (local, pd.Timestamp(local), local.astimezone()):
        assert live.at(moment).arrow() == live.arrow()
        assert live.at(moment - dt.timedelta(seconds=1)).row_count == 2


def test_times_between_microseconds_are_those_that_are_told(kept, live):
    for quarter in range(8):
        kept.store.apply([update(1, 10 + quarter, n=quarter)], at=1_000_000_025 + quarter * 2.4e-7)
        assert live.at(live.changes()["_at"].iloc[-1]).arrow() == live.arrow()


def test_a_moment_that_is_given_back_is_the_same_to_the_microsecond():
    """``live.at(live.moments[-1])``: every step of a double between two microseconds, and ties above all."""
    for step in range(4096):
        moment = 1_795_907_728 + step * 2**-22
        assert history_module.microseconds(check_moment("moment", moment)) == history_module.microseconds(moment)


@pytest.mark.parametrize("moment", ["10:00", None, True, math.nan, 1e300, 10**400, pd.NaT, dt.date(2020, 1, 1)])
def test_what_is_no_moment_is_told(live, moment):
    with pytest.raises(ConfigError, match="moment is a datetime or a number of seconds since 1970, not this"):
        live.at(moment)


def test_what_is_not_known_is_told(live):
    with pytest.raises(LiveError, match=r"^The rows of .*01:46:39\.\d+ UTC are not known, only those since .*01:46:40"):
        live.at(999_999_999.5)
    with pytest.raises(LiveError, match=r"01:47:20\.\d+ UTC has not come yet: it is .*01:47:10\.0+ UTC\."):
        live.at(1_000_000_040)


def test_a_replay_goes_back_in_recorded_time(tmp_path):
    make_file(tmp_path / "x.arrows")
    player = play(tmp_path / "x.arrows", speed=INF)
    with LiveTable(player, sql="x") as live:
        with pytest.raises(LiveError, match="ended"):
            live.wait_for(lambda _: False, timeout=20)
        assert [live.at(at).row_count for at in (1000, 1001.9, 1002, 1009, 1010, 1020)] == [2, 2, 3, 3, 2, 2]
        with pytest.raises(LiveError, match=r"has not come yet: it is .* in the recording"):
            live.at(1021)
        with pytest.raises(LiveError, match="not known"):
            live.at(999)
