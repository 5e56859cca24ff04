"""What the kernel answers when a page asks for the details of a row, or for a part of the page's code."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from table_by_hand import TableByHand
from test_recording_replay import make_file

from kalam_notebook.live_queries.batches import LiveChanges
from kalam_notebook.live_queries.replay import replay
from kalam_notebook.live_queries.rows.changes import change_table
from kalam_notebook.live_queries.rows.delta import LiveDelta
from kalam_notebook.notebook.page import questions
from kalam_notebook.notebook.page.browse import _Frame
from kalam_notebook.notebook.page.questions import answer
from kalam_notebook.notebook.page.ranges import Ranges
from kalam_notebook.wire.types import Column


def tables(found):
    return [pa.ipc.open_stream(buffer).read_all().drop_columns("id").to_pylist() for buffer in found.buffers]


@pytest.fixture
def replayed(tmp_path):
    """A recording whose end has been reached."""
    make_file(tmp_path / "x.arrows")
    with replay(tmp_path / "x.arrows", speed=float("inf")) as live:
        live.wait_for(lambda table: table.status.startswith("stopped"), timeout=10)
        yield live


def twice(changes):
    """The same changes two times over."""
    return LiveChanges(changes.version, pa.concat_tables([changes.table, changes.table]), changes.is_whole)


def row_of(live, change: str) -> int:
    """The number of a row to which something happened."""
    numbers = {row_id for row_id in range(100) if change in live.row_changes(row_id).table["_change"].to_pylist()}
    return min(numbers)


def test_a_row_is_told_whole_with_what_happened_to_it(replayed):
    row_id = row_of(replayed, "updated")
    found = answer(replayed, {"about": "row", "row": row_id, "number": 7})
    assert (found.content["kind"], found.content["number"], found.content["held"]) == ("answer", 7, True)
    present, after, before = tables(found)
    assert present == after[-1:]
    changes = replayed.row_changes(row_id).table
    assert found.content["effects"] == changes["_change"].to_pylist()
    assert found.content["at"] == [moment.timestamp() * 1000 // 1 for moment in changes["_at"].to_pylist()]
    assert before[-1] != after[-1]
    assert [list(row.values()) for row in before][-1] == list(changes["_old"][-1].as_py().values())


def test_a_row_that_is_gone_is_told_with_its_last_cells(replayed):
    found = answer(replayed, {"about": "row", "row": row_of(replayed, "deleted"), "number": 1})
    present, after, _ = tables(found)
    assert (found.content["held"], present, len(after)) == (False, [], len(found.content["effects"]))
    assert found.content["effects"][-1] == "deleted"


def test_a_frame_has_its_rows_whole_and_no_changes():
    text = "x" * 1_000_000
    frame = _Frame(pa.table({"text": ["", text], "price": [Decimal("0.10"), None], "list": [[1.0] * 9, None]}))
    found = answer(frame, {"about": "row", "row": 2, "number": 1})
    assert tables(found) == [[{"0": text, "1": None, "2": None}], [], []]
    assert found.content["effects"] == []
    assert len(tables(answer(frame, {"about": "row", "row": 1, "number": 2}))[0][0]["2"]) == 9


def test_the_table_is_given_as_it_was(replayed):
    moments = answer(replayed, {"about": "moments", "number": 1}).content["moments"]
    assert moments == [1_000_000_000, 1_002_000_000, 1_003_000_000, 1_010_000_000]
    found = answer(replayed, {"about": "past", "moment": moments[1], "number": 2})
    (message,) = found.content["messages"]
    assert (message["base"], message["status"]) == (-1, {"rows": 3})
    (rows,) = [pa.ipc.open_stream(buffer).read_all() for buffer in found.buffers[:1]]
    assert rows.drop_columns("id").to_pylist() == [
        {str(place): value for place, value in enumerate(row.values())}
        for row in replayed.at(1002.0).arrow().to_pylist()
    ]
    assert "LiveError" in answer(replayed, {"about": "past", "moment": 1, "number": 3}).content["fault"]


def test_changes_of_large_cells_are_told_as_far_as_they_fit(replayed, monkeypatch):
    row_id = row_of(replayed, "updated")
    again = replayed.row_changes
    monkeypatch.setattr(type(replayed), "row_changes", lambda _, row_id, last: twice(again(row_id, last=last)))
    assert not answer(replayed, {"about": "row", "row": row_id}).content["cut"]
    monkeypatch.setattr(questions, "_MAX_BYTES", 1)
    found = answer(replayed, {"about": "row", "row": row_id})
    assert len(found.content["effects"]) == 1
    assert found.content["cut"]


@pytest.mark.parametrize("name", sorted(questions.PARTS))
def test_parts_of_the_page_are_given_by_name(name):
    assert "export" in answer(None, {"about": "part", "name": name}).content["text"]


@pytest.mark.parametrize(
    "question",
    [
        {"about": "part", "name": "../../../../pyproject"},
        {"about": "part", "name": "live_table"},
        {"about": "row", "row": "one"},
        {"about": "nothing"},
        {},
    ],
)
def test_what_cannot_be_answered_is_told(question, replayed):
    found = answer(replayed, question | {"number": 3})
    assert found.content["number"] == 3
    assert found.content["fault"]
    assert found.buffers == ()


COUNTED = {
    "name": ["a", "b", "a", None],
    "n": [2**62, 1, 2**62, None],
    "price": [Decimal("1.10"), Decimal("2.20"), None, None],
    "score": [1.5, 2.0, 0.5, 1.0],
    "list": [[1.0]] * 4,
}


def groups(by: str, of: str | None = None) -> dict:
    frame, names = _Frame(pa.table(COUNTED)), list(COUNTED)
    question = {"about": "groups", "number": 1, "by": names.index(by), "of": None if of is None else names.index(of)}
    return answer(frame, question).content


def test_rows_are_counted_by_a_column_with_exact_sums():
    found = groups("name", "n")  # The sum is beyond 64 bits.
    assert found["texts"] == [
        ["a", "b", None],
        ["2", "1", "1"],
        [str(2**63), "1", None],
        ["4.611686018427388e+18", "1.0", None],
    ]
    assert (found["names"], found["groups"], found["rows"]) == (["name", "rows", "sum", "mean"], 3, 4)
    assert groups("name", "price")["texts"][2:] == [["1.10", "2.20", None], ["1.1", "2.2", None]]
    assert groups("name", "score")["texts"][2:] == [["2.0", "2.0", "1.0"], ["1.0", "2.0", "1.0"]]
    assert groups("score")["texts"] == [["1.5", "2.0", "0.5", "1.0"], ["1"] * 4]


def test_the_largest_groups_are_told(monkeypatch):
    monkeypatch.setattr(questions, "_MAX_GROUPS", 1)
    found = groups("name")
    assert (found["texts"], found["groups"]) == ([["a"], ["2"]], 3)


def test_what_cannot_be_counted_is_told():
    assert groups("list")["fault"].startswith("ConfigError: Rows cannot be counted by list, of type list")
    assert groups("n", "name")["fault"] == "ConfigError: name holds no numbers to be summed up."


class Counting(TableByHand):
    """Counts how often all rows are taken."""

    wholes = 0

    def delta(self, since: int) -> LiveDelta:
        self.wholes += since < 0
        return super().delta(since)

    def row_changes(self, row_id: int, *, last: int | None = None) -> LiveChanges:
        return LiveChanges(self.version, change_table([], self.table([]).schema), is_whole=True)

    def arrow(self) -> pa.Table:
        return self.table(sorted(self.rows))


NAMED = (Column("id", "BigInt", flags=("pk",)), Column("name", "Text"), Column("paid", "Boolean"))


def named(*names: str | None) -> Counting:
    rows = {i: {"id": i, "name": name, "paid": i % 3 == 0} for i, name in enumerate(names, 1)}
    return Counting(NAMED, rows)


def test_details_of_more_rows_do_not_take_all_rows_again():
    live = named("a", "b", "c")
    ranges = Ranges(live)

    def name_of(row_id: int) -> list[str]:
        found = answer(live, {"about": "row", "row": row_id}, ranges)
        assert "fault" not in found.content
        return [row["1"] for row in tables(found)[0]]

    assert name_of(2) == ["b"]
    live.change({2: {"id": 2, "name": "new", "paid": None}, 9: {"id": 9, "name": "d", "paid": None}}, frozenset({1}))
    assert [name_of(row_id) for row_id in (2, 9, 1, 7)] == [["new"], ["d"], [], []]
    assert live.wholes == 1


def test_the_most_frequent_values_of_all_rows_are_told():
    live = named("b", None, "a", "b", "x" * 2_000, "b", "a")
    question = {"about": "frequent", "column": 1, "name": "name", "most": 3}
    found = answer(live, question).content
    assert (found["values"], found["counts"]) == (["b", "a", "x" * 1_000], [3, 2, 1])
    flags = answer(live, question | {"column": 2, "name": "paid", "most": 20}).content
    assert (flags["values"], flags["counts"]) == ([False, True], [5, 2])
    assert "others by now" in answer(live, question | {"name": "total"}).content["fault"]
