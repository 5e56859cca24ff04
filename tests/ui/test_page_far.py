"""Tables of which the page holds a part: the kernel sorts, searches and gives the rows in sight, from all of them."""

from __future__ import annotations

import random
import re
from typing import Any

import pyarrow as pa
import pytest
from page_module import MountedTable, cells
from playwright.sync_api import Page, expect
from table_by_hand import TableByHand

from kalam_notebook.notebook.page import page_rows
from kalam_notebook.notebook.page.browse import _Frame
from kalam_notebook.wire.types import Column

pytestmark = pytest.mark.browser

COLUMNS = (Column("id", "BigInt", flags=("pk",)), Column("name", "Text"), Column("v", "Double"))
HELD = 500


def frame_of(count: int) -> _Frame:
    rng = random.Random(1)
    names = [f"name {rng.randrange(10**6):06}" for _ in range(count)]
    table = pa.table({"id": range(count), "name": names, "v": [rng.random() for _ in range(count)]})
    return _Frame(table, COLUMNS, form="direct", status="live")


@pytest.fixture
def far(page: Page, monkeypatch: pytest.MonkeyPatch):
    """Mounts a frame of so many rows, with a kernel that answers until it is told to be busy."""
    monkeypatch.setattr(page_rows, "MAX_ROWS", HELD)

    def mount(count: int, live: Any = None) -> tuple[MountedTable, _Frame]:
        frame = live or frame_of(count)
        table = MountedTable(page, COLUMNS, status={"text": "live"})
        table.answer_from(frame)
        page.evaluate(BUSY)
        table.follow(frame)
        expect(page.locator(".kalam-live")).to_have_attribute("data-tone", "live")
        return table, frame

    return mount


def shown(page: Page) -> list[str]:
    """The first cells of the rows on screen."""
    return [row[0] for row in cells(page)]


TOP_ROW = """() => {
  const box = document.querySelector('.kl-box');
  const edge = box.querySelector('thead').getBoundingClientRect().bottom;
  const rows = [...box.querySelectorAll('tbody tr:not(.kl-space)')];
  const first = rows.find((row) => row.getBoundingClientRect().bottom > edge + 1);
  return first ? Number(first.getAttribute('aria-rowindex')) - 2 : -1;
}"""
#: Keeps the first cells of the rows that are marked as new.
MARKED = """() => {
  window.marked = new Set();
  new MutationObserver((changes) => {
    for (const {target} of changes) {
      if (target.classList.contains('kl-new')) window.marked.add(target.cells[0].textContent);
    }
  }).observe(document.querySelector('.kl-box tbody'), {subtree: true, attributeFilter: ['class']});
}"""
BUSY = """() => {
  const answer = window.answer;
  window.isBusy = false;
  window.waiting = [];
  window.answer = async (asked) => {
    if (window.isBusy) await new Promise((free) => window.waiting.push(free));
    return answer(asked);
  };
  window.free = () => {
    window.isBusy = false;
    window.waiting.splice(0).forEach((free) => free());
  };
}"""


def top_row(page: Page) -> int:
    """The place of the first row in sight; -1 when none is here."""
    return page.evaluate(TOP_ROW)


def wait_for_top(page: Page, least: int, most: int) -> None:
    """Wait until the first row in sight is one of those between two places."""
    page.wait_for_function(
        f"([least, most]) => {{ const at = ({TOP_ROW})(); return least <= at && at <= most; }}", arg=[least, most]
    )


def scroll_to(page: Page, share: float) -> None:
    page.locator(".kl-box").evaluate("(box, share) => { box.scrollTop = share * box.scrollHeight; }", share)


def test_all_rows_are_sorted_and_scrolled(page: Page, far: Any):
    _, frame = far(20_000)
    expect(page.locator(".kl-facts")).to_contain_text("20,000 rows ·")
    expect(page.locator(".kl-foot")).to_be_empty()
    names = frame.table.column("name").to_pylist()
    order = sorted(range(20_000), key=lambda i: (names[i], i))
    page.get_by_role("button", name="name").click()
    expect(page.locator("tbody td").first).to_have_text(str(order[0]))
    assert shown(page)[:10] == [str(i) for i in order[:10]]
    expect(page.locator(".kl-part")).to_be_empty()
    expect(page.locator(".kl-box table")).to_have_attribute("aria-rowcount", "20001")

    scroll_to(page, 0.5)
    wait_for_top(page, 9_900, 10_100)
    first = int(page.locator("tbody tr:not(.kl-space)").first.get_attribute("aria-rowindex") or 0) - 2
    assert shown(page) == [str(i) for i in order[first : first + len(shown(page))]]

    scroll_to(page, 1)
    expect(page.locator("tbody tr:not(.kl-space)").last.locator("td").first).to_have_text(str(order[-1]))


def test_hits_of_all_rows_are_exact(page: Page, far: Any):
    _, frame = far(5_000)
    names = frame.table.column("name").to_pylist()
    page.get_by_role("searchbox").fill("E 77")
    hits = [i for i, name in enumerate(names) if "e 77" in name]
    expect(page.locator(".kl-hits")).to_have_text(f"{len(hits)} of 5,000 rows match")
    assert shown(page) == [str(i) for i in hits[: len(shown(page))]]
    page.get_by_role("searchbox").fill("no such text")
    expect(page.locator(".kl-hits")).to_have_text("0 of 5,000 rows match")
    assert shown(page) == []
    page.get_by_role("searchbox").fill("")
    tools = page.get_by_role("toolbar", name="Tools of the table")
    tools.get_by_role("button", name="Filter").click()
    page.get_by_label("Column", exact=True).select_option("v")
    page.locator(".kl-editor input[type=text]").nth(0).fill("0.5")
    page.get_by_role("button", name="Apply").click()
    over = sum(value >= 0.5 for value in frame.table.column("v").to_pylist())
    expect(page.locator(".kl-hits")).to_have_text(f"{over:,} of 5,000 rows match")


def test_while_a_cell_runs_the_part_is_sorted_and_called_a_part(page: Page, far: Any):
    _, frame = far(5_000)
    page.evaluate("() => { window.isBusy = true; }")
    page.get_by_role("button", name="v", exact=True).click()
    told = page.locator(".kl-part")
    expect(told).to_have_text("Sorting the first 500 of 5,000 rows here; the kernel is busy.")
    expect(page.locator(".kalam-live")).to_have_attribute("data-tone", "part")
    values = frame.table.column("v").to_pylist()
    held = sorted(range(HELD), key=values.__getitem__)
    assert shown(page)[:5] == [str(i) for i in held[:5]]
    page.get_by_role("searchbox").fill("name 7")
    expect(told).to_have_text("Sorting and searching the first 500 of 5,000 rows here; the kernel is busy.")
    expect(page.locator(".kl-hits")).to_have_text(re.compile(r"^\d+ of the first 500 of 5,000 rows match$"))

    page.evaluate("() => window.free()")
    expect(told).to_be_empty()
    names = frame.table.column("name").to_pylist()
    found = sorted((i for i in range(5_000) if "name 7" in names[i]), key=values.__getitem__)
    expect(page.locator(".kl-hits")).to_have_text(f"{len(found)} of 5,000 rows match")
    assert shown(page)[:5] == [str(i) for i in found[:5]]


def test_rows_that_are_not_here_yet_are_said_to_come(page: Page, far: Any):
    far(5_000)
    page.evaluate("() => { window.isBusy = true; }")
    scroll_to(page, 0.7)
    expect(page.locator(".kl-part")).to_have_text(
        "Other rows, and what changes in these, will come: the kernel is busy."
    )
    assert shown(page) == []
    page.evaluate("() => window.free()")
    expect(page.locator(".kl-part")).to_be_empty()
    wait_for_top(page, 3_300, 3_600)


def test_a_table_taller_than_a_browser_scrolls(page: Page, far: Any):
    count = 3_000_000
    far(count)
    for share in (0.25, 0.75):
        scroll_to(page, share)
        wait_for_top(page, int(count * share) - 2_000, int(count * share) + 2_000)
        place = top_row(page)
        # What comes next comes next.
        page.locator(".kl-box").evaluate("box => { box.scrollTop += 260; }")
        wait_for_top(page, place + 10, place + 10)
        assert str(place + 10) in shown(page)
    scroll_to(page, 1)
    expect(page.locator("tbody tr:not(.kl-space)").last.locator("td").first).to_have_text(str(count - 1))
    scroll_to(page, 0)
    expect(page.locator("tbody td").first).to_have_text("0")
    page.locator(".kl-box").press("End")
    expect(page.locator("tbody tr:not(.kl-space)").last.locator("td").first).to_have_text(str(count - 1))
    page.locator(".kl-box").press("Home")
    expect(page.locator("tbody td").first).to_have_text("0")


def test_changes_are_followed_in_the_order_of_all(page: Page, far: Any):
    page.emulate_media(reduced_motion="no-preference")
    live = TableByHand(COLUMNS, {i: {"id": i, "name": f"name {i}", "v": i / 2} for i in range(2_000)})
    table = far(2_000, live)[0]
    head = page.get_by_role("button", name="v", exact=True)
    head.click()
    head.click()
    expect(page.locator("tbody td").first).to_have_text("1999")
    page.evaluate(MARKED)
    live.change(
        {7_000: {"id": 7_000, "name": "new", "v": 1e9}, 5: {"id": 5, "name": "five", "v": 1e8}}, frozenset({1_999})
    )
    table.follow(live)
    expect(page.locator("tbody td").first).to_have_text("7000")
    assert shown(page)[:3] == ["7000", "5", "1998"]
    assert page.evaluate("[...window.marked]") == ["7000"]  # Row 5 only came into sight.
    scroll_to(page, 1)
    wait_for_top(page, 1_900, 2_000)
    assert page.evaluate("[...window.marked]") == ["7000"]
    page.get_by_role("searchbox").fill("five")
    expect(page.locator(".kl-hits")).to_have_text("1 of 2,000 rows match")
    live.change({6: {"id": 6, "name": "five too", "v": 0.0}})
    table.follow(live)
    expect(page.locator(".kl-hits")).to_have_text("2 of 2,000 rows match")


def test_what_is_copied_is_all_of_it_or_nothing(page: Page, far: Any):
    far(5_000)
    page.evaluate(
        "() => { window.copied = null; const writeText = (text) => { window.copied = text; return Promise.resolve(); };"
        " Object.defineProperty(navigator, 'clipboard', {value: {writeText}}); }"
    )
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator(".kl-editor")).to_contain_text("Copy 5,000 rows × 3 columns as")
    page.get_by_role("button", name="CSV", exact=True).click()
    page.wait_for_function("window.copied !== null")
    assert len(page.evaluate("window.copied").splitlines()) == 5_001
    page.locator("tbody tr:not(.kl-space)").first.locator("td").first.click()
    page.locator("tbody tr:not(.kl-space)").nth(2).locator("td").nth(1).click(modifiers=["Shift"])
    expect(page.locator(".kl-hits")).to_have_text("3 rows × 2 columns chosen")


def test_pause_and_the_end_of_the_kernel_leave_what_the_page_holds(page: Page, far: Any):
    far(5_000)
    tools = page.get_by_role("toolbar", name="Tools of the table")
    tools.get_by_role("button", name="Pause").click()
    expect(page.locator(".kl-facts")).to_contain_text("first 500 of 5,000 rows")
    tools.get_by_role("button", name=re.compile("Resume")).click()
    expect(page.locator(".kl-facts")).to_contain_text("5,000 rows ·")
    page.evaluate("() => window.take([[{kind: 'end', text: 'stopped: the kernel has ended'}, []]])")
    expect(page.locator(".kl-facts")).to_contain_text("first 500 of 5,000 rows")
    page.get_by_role("button", name="v", exact=True).click()
    expect(page.locator(".kl-part")).to_contain_text(
        "Sorted by v among the first 500 of 5,000 rows; the others are not here."
    )


def test_values_to_choose_from_are_those_of_all_rows_or_said_not_to_be(page: Page, far: Any):
    names = ["few"] * 3 + ["many"] * 5_000
    table = pa.table({"id": range(5_003), "name": names, "v": [0.5] * 5_003})
    far(5_003, _Frame(table, COLUMNS, form="direct", status="live"))
    tools = page.get_by_role("toolbar", name="Tools of the table")
    editor = page.locator(".kl-editor")

    def choose() -> None:
        tools.get_by_role("button", name="Filter").click()
        page.get_by_label("Column", exact=True).select_option("name")
        page.get_by_label("Condition").select_option("is one of")

    choose()
    expect(editor).to_contain_text("many 5,000")
    page.get_by_label("few").check()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".kl-hits")).to_have_text("3 of 5,003 rows match")

    page.evaluate("() => { window.answer = async ({number}) => [{kind: 'answer', number, fault: 'no <kernel>'}, []]; }")
    choose()
    expect(editor).to_contain_text("of the first 500 of 5,003 rows (no <kernel>): many 497")
