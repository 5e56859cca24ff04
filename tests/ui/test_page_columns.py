"""Columns in the page: moved by keys and mouse, and so many that only those in sight are drawn."""

from __future__ import annotations

import re
import time

import pytest
from page_module import ORDERS, MountedTable, cells, order
from playwright.sync_api import Locator, Page, expect

from kalam_notebook.wire.types import Column

pytestmark = pytest.mark.browser


def head(page: Page, name: str) -> Locator:
    return page.locator("th", has=page.get_by_role("button", name=name, exact=True)).get_by_role("button")


def names(page: Page) -> list[str]:
    return page.locator("th .kl-name").all_inner_texts()


def many(count: int) -> tuple[Column, ...]:
    others = (Column(f"c{i}", "Int" if i % 2 else "Text") for i in range(1, count))
    return (Column("id", "BigInt", flags=("pk",)), *others)


def row(columns: tuple[Column, ...], i: int) -> dict:
    return {
        column.name: i * 10_000 + nr if column.type_name != "Text" else f"{column.name}.{i}"
        for nr, column in enumerate(columns)
    }


def test_columns_are_moved_by_keys(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1, "Ada"), order(2, "Grace")])
    expect(page.locator("tbody td").first).to_have_text("1")
    head(page, "total").focus()
    page.keyboard.press("Alt+ArrowLeft")
    assert names(page) == ["id", "total", "customer", "placed_at"]
    expect(head(page, "total")).to_be_focused()
    assert [line[:3] for line in cells(page)] == [["1", "1.50", "Ada"], ["2", "1.50", "Grace"]]
    page.keyboard.press("Alt+ArrowLeft")
    page.keyboard.press("Alt+ArrowLeft")  # It is the first already.
    assert names(page) == ["total", "id", "customer", "placed_at"]
    table.change({2: order(2, "Alan", "7.00")})
    expect(page.locator("td", has_text="Alan")).to_be_visible()
    assert cells(page)[1][:3] == ["7.00", "2", "Alan"]
    page.keyboard.press("Enter")  # It sorts as before.
    expect(page.locator("th").first).to_have_attribute("aria-sort", "ascending")


def test_columns_are_moved_by_the_mouse_without_sorting(page: Page):
    MountedTable(page, ORDERS).load([order(1), order(2)])
    head(page, "placed_at").hover()
    page.mouse.down()
    head(page, "customer").hover()
    page.mouse.up()
    assert names(page) == ["id", "placed_at", "customer", "total"]
    assert page.locator("th[aria-sort]").count() == 0
    head(page, "customer").click()
    expect(page.locator("th[aria-sort]")).to_have_count(1)


def test_what_is_chosen_and_copied_follows_the_order_on_screen(page: Page):
    MountedTable(page, ORDERS).load([order(1, "Ada"), order(2, "Grace")])
    head(page, "total").focus()
    page.keyboard.press("Alt+ArrowLeft")
    page.locator("td", has_text="Grace").click()
    page.keyboard.press("Shift+ArrowLeft")
    assert page.locator("td.kl-chosen").all_inner_texts() == ["1.50", "Grace"]
    page.evaluate(
        "() => Object.defineProperty(navigator, 'clipboard', "
        "{value: {writeText: (text) => { window.copied = text; return Promise.resolve() }}})"
    )
    page.keyboard.press("Control+c")
    page.wait_for_function("window.copied !== undefined")
    assert page.evaluate("window.copied") == "total,customer\r\n1.50,Grace\r\n"


def test_of_many_columns_those_in_sight_are_drawn(page: Page):
    columns = many(200)
    table = MountedTable(page, columns)
    table.load([row(columns, i) for i in range(1, 31)])
    expect(page.locator("tbody td").first).to_have_text("10000")
    assert page.locator("th").count() < 40
    expect(page.locator("table")).to_have_attribute("aria-colcount", "200")
    page.locator(".kl-box").evaluate("box => { box.scrollLeft = box.scrollWidth }")
    last = page.locator("th", has_text=re.compile("^c199"))
    expect(last).to_be_in_viewport()
    expect(last).to_have_attribute("aria-colindex", "200")
    assert page.locator("th").count() < 40
    expect(page.locator("th").first).to_contain_text("id")  # The key does not scroll away.
    expect(page.locator("th").first).to_be_in_viewport()
    # Head and cells stand below each other.
    cell = page.locator("td", has_text=re.compile("^10199$"))
    assert cell.bounding_box()["x"] == pytest.approx(last.bounding_box()["x"], abs=1)
    table.change({1: row(columns, 1) | {"c199": 7}})
    expect(page.locator("tbody tr:not(.kl-space)").first.locator("[aria-colindex='200']")).to_have_text("7")
    # By keys from there back to the start.
    page.locator("tbody tr:not(.kl-space)").first.locator("[aria-colindex='200']").click()
    for _ in range(40):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("td.kl-chosen")).to_have_attribute("aria-colindex", "160")
    expect(page.locator("td.kl-chosen")).to_be_in_viewport(ratio=0.9)


def test_widths_of_many_columns_are_the_readers(page: Page):
    columns = many(60)
    MountedTable(page, columns).load([row(columns, 1)])
    before = page.locator("th").nth(1).bounding_box()["width"]
    head(page, "c1").focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(head(page, "c1")).to_be_focused()
    assert page.locator("th").nth(1).bounding_box()["width"] == before + 16
    page.keyboard.press("Alt+ArrowRight")
    assert names(page)[:3] == ["id", "c2", "c1"]


def test_what_has_no_room_in_a_column_is_in_its_tooltip(page: Page):
    columns = (*many(50), Column("score", "Double"), Column("other", "Double"))
    table = MountedTable(page, columns)
    scores = (1.123456789012345e-300, 2.0)
    rows = [row(columns[:50], i) | {"score": score, "other": 1.5} for i, score in enumerate(scores)]
    table.load(rows)
    page.locator(".kl-box").evaluate("box => { box.scrollLeft = box.scrollWidth }")
    whole = page.locator("td", has_text=re.compile(r"^2\.0$"))
    expect(whole).to_be_visible()  # No room is taken for the digits of others.
    assert whole.evaluate("cell => cell.scrollWidth <= cell.clientWidth")
    cut = page.locator("td", has_text="e-300")
    cut.hover()
    expect(cut).to_have_attribute("title", "1.123456789012345e-300")
    table.change({1: rows[0] | {"score": 1.0}})
    expect(page.locator("td", has_text=re.compile(r"^1\.0$"))).not_to_have_attribute("title", re.compile("."))


def test_ten_thousand_columns_are_no_trouble(page: Page):
    columns = many(10_000)
    table = MountedTable(page, columns)
    table.load([row(columns, i) for i in range(1, 4)])
    expect(page.locator("tbody td").first).to_have_text("10000")
    began = time.monotonic()
    page.locator(".kl-box").evaluate("box => { box.scrollLeft = box.scrollWidth / 2 }")
    expect(page.locator("th", has_text=re.compile(r"^c5\d\d\d")).first).to_be_in_viewport()
    page.get_by_role("button", name="Columns").click()
    expect(page.get_by_text("and 9,900 more")).to_be_visible()
    page.get_by_label("Find columns").fill("c5000")
    page.get_by_role("checkbox").uncheck()
    expect(page.locator("table")).to_have_attribute("aria-colcount", "9999")
    page.get_by_role("searchbox").fill("c9998.3")
    expect(page.locator(".kl-hits")).to_have_text("1 of 3 rows match")
    assert time.monotonic() - began < 5
    assert page.locator(".kalam-live *").count() < 2_000
