"""Thousands apart and the height of rows, on demand: another look of the same values."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from page_module import ORDERS, MountedTable, cells, order
from playwright.sync_api import Locator, Page, expect

from kalam_notebook.wire.types import Column

pytestmark = pytest.mark.browser

FIRST_IN_SIGHT = """box => {
  const top = box.getBoundingClientRect().top + box.querySelector('thead').offsetHeight;
  const rows = [...box.querySelectorAll('tbody tr:not(.kl-space)')];
  return rows.find((row) => row.getBoundingClientRect().bottom > top + 1)?.cells[0].textContent;
}"""
HEIGHTS = """box => [...new Set([...box.querySelectorAll('tbody tr:not(.kl-space)')].map((row) =>
  row.getBoundingClientRect().height))]"""
#: What a browser copies of a cell's letters.
COPIED = """cell => {
  const all = getSelection();
  all.selectAllChildren(cell);
  const text = all.toString();
  all.removeAllRanges();
  return text;
}"""
#: Pixels of what is in a cell.
WIDTH = """cell => {
  const all = new Range();
  all.selectNodeContents(cell);
  return all.getBoundingClientRect().width;
}"""
REFRESHED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def more(page: Page) -> None:
    page.get_by_role("toolbar").get_by_role("button", name="More").press("Enter")


def thousands(page: Page) -> Locator:
    return page.get_by_role("button", name="Thousands apart")


def cell(page: Page, text: str) -> Locator:
    return page.locator("td", has_text=re.compile(f"^{re.escape(text)}$"))


def test_thousands_are_apart_in_what_is_seen_alone(page: Page):
    columns = (ORDERS[0], ORDERS[2], Column("score", "Double"), Column("note", "Text"))
    table = MountedTable(page, columns)
    first = {"id": 2**53 + 1, "total": Decimal("-1234567.50"), "score": 12345.125, "note": "1234567"}
    table.load([first, {"id": 12, "total": Decimal("999.00"), "score": None, "note": "other"}])
    whole = cell(page, "9007199254740993")
    narrow = whole.evaluate(WIDTH)
    before = cells(page)
    more(page)
    thousands(page).press("Space")
    expect(thousands(page)).to_have_attribute("aria-pressed", "true")

    expect(whole.locator("span")).to_have_text(["007", "199", "254", "740", "993"])
    wide = whole.evaluate(WIDTH)
    assert wide > narrow + 5
    expect(cell(page, "-1234567.50").locator("span")).to_have_text(["234", "567.50"])
    expect(cell(page, "12345.125").locator("span")).to_have_text(["345.125"])
    expect(cell(page, "1234567").locator("span")).to_have_count(0)
    assert cells(page) == before
    assert whole.evaluate(COPIED) == "9007199254740993"
    page.get_by_role("searchbox").fill("234567.5")
    expect(page.locator(".kl-hits")).to_have_text("1 of 2 rows match")

    table.change({1: first | {"total": Decimal("7654321.00")}})
    page.get_by_role("searchbox").fill("")
    expect(cell(page, "7654321.00").locator("span")).to_have_text(["654", "321.00"])
    thousands(page).click()
    expect(page.locator("td span")).to_have_count(0)
    assert whole.evaluate("cell => cell.childNodes.length") == 1


@pytest.mark.parametrize(("words", "height"), [("Dense rows", 21), ("Roomy rows", 34)])
def test_rows_get_another_height_and_those_in_sight_stay(page: Page, words: str, height: int):
    table = MountedTable(page, ORDERS)
    table.load([order(i, "語 Wg" if i % 2 else None) for i in range(1, 1_001)])
    box = page.locator(".kl-box")
    expect(cell(page, "1")).to_be_visible()
    box.evaluate("box => { box.scrollTop = 500 * 26 }")
    expect(cell(page, "501")).to_be_visible()
    assert box.evaluate(HEIGHTS) == [26]
    more(page)
    page.get_by_label("Row height").select_option(words)
    page.evaluate(REFRESHED)
    assert box.evaluate(HEIGHTS) == [height]
    assert box.evaluate(FIRST_IN_SIGHT) == "501"
    assert box.evaluate("box => box.scrollHeight - box.querySelector('thead').offsetHeight") == 1_000 * height
    box.evaluate("box => { box.scrollTop = box.scrollHeight }")
    expect(cell(page, "1000")).to_be_in_viewport()
    page.evaluate(REFRESHED)

    page.get_by_label("Row height").select_option("Usual rows")
    page.evaluate(REFRESHED)
    expect(cell(page, "1000")).to_be_in_viewport()  # Who stands at the end stays there.
    assert box.evaluate(HEIGHTS) == [26]


def test_the_shape_outlasts_other_columns(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1, total="1234.00")])
    more(page)
    thousands(page).click()
    page.get_by_label("Row height").select_option("Dense rows")
    table.alter((ORDERS[0], ORDERS[2]), [{"id": 5_000, "total": Decimal("9876.00")}])
    expect(cell(page, "5000").locator("span")).to_have_text(["000"])
    assert page.locator(".kl-box").evaluate(HEIGHTS) == [21]
    more(page)
    expect(thousands(page)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Row height")).to_have_value("Dense rows")
