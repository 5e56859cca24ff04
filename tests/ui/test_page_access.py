"""axe-core finds nothing in the page that would keep a reader out: in each state of a table, light and dark."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import axe_playwright_python
import pyarrow as pa
import pytest
from kept_live import KeptLive
from page_module import NAMES, ORDERS, MountedTable, order
from playwright.sync_api import Page, expect

from kalam_notebook.results.chart import COLOURS, render_chart_html
from kalam_notebook.results.render import render_html
from kalam_notebook.wire.fileref import FileRef
from kalam_notebook.wire.types import Column, arrow_schema

pytestmark = pytest.mark.browser

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
ROWS = [order(i, NAMES[i % 6] if i % 5 else None, f"{i * 37 % 900}.50") for i in range(1, 31)]


def table(page: Page, **status) -> MountedTable:
    live = KeptLive(ORDERS, ROWS)
    mounted = MountedTable(page, ORDERS, status=status)
    mounted.answer_from(live)
    mounted.follow(live)
    expect(page.locator("td").first).to_be_visible()
    return mounted


def click(page: Page, name: str) -> None:
    page.get_by_role("toolbar").get_by_role("button", name=re.compile(f"^{name}")).click()


def paused(page: Page) -> None:
    mounted = table(page)
    click(page, "Pause")
    mounted.change({1: order(1, "Ada")})
    expect(page.get_by_role("button", name="1 change waiting")).to_be_visible()


def filtered(page: Page) -> None:
    table(page)
    click(page, "Filter")
    page.get_by_label("Column", exact=True).select_option("customer")
    page.get_by_label("Condition").select_option("is one of")
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Apply").click()
    click(page, "as SQL")
    expect(page.get_by_label("The filters as SQL")).to_be_visible()


def asking(page: Page) -> None:
    table(page)
    click(page, "Filter")
    page.get_by_label("Column", exact=True).select_option("total")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("alert")).not_to_be_empty()


def sorted_and_chosen(page: Page) -> None:
    table(page)
    page.locator("th button").nth(2).click()
    page.locator("td").nth(5).click()
    click(page, "Copy")


def choosing_columns(page: Page) -> None:
    table(page)
    click(page, "Columns")
    expect(page.get_by_role("checkbox").first).to_be_visible()


def profiled(page: Page) -> None:
    table(page)
    click(page, "More")
    page.get_by_role("button", name="Profiles").click()
    expect(page.locator(".kl-profile")).to_have_count(4)
    page.get_by_role("button", name="Time").click()
    expect(page.get_by_role("slider")).to_be_visible()
    page.get_by_role("button", name="Group").click()
    expect(page.get_by_label("Count by")).to_be_visible()


def detailed(page: Page) -> None:
    table(page)
    page.locator("td").nth(5).dblclick()
    expect(page.get_by_role("region", name="Details of the row").locator("tr")).to_have_count(4)


def as_it_was(page: Page) -> None:
    live = KeptLive(ORDERS, ROWS, at=1.0)
    live.load(ROWS[:-1], at=2.0)
    mounted = MountedTable(page, ORDERS)
    mounted.answer_from(live)
    mounted.follow(live)
    click(page, "More")
    page.get_by_role("button", name="Time").click()
    page.get_by_role("slider").press("Home")
    expect(page.locator(".kl-state")).to_have_text("as it was")


def counted(page: Page) -> None:
    table(page)
    click(page, "More")
    page.get_by_role("button", name="Group").click()
    page.get_by_label("Count by").select_option("customer")
    page.get_by_role("button", name="Count here").click()
    expect(page.get_by_role("region", name="Rows counted by a column")).to_be_visible()


def drawn_below(page: Page) -> None:
    table(page)
    click(page, "Chart")
    page.get_by_role("button", name="Draw").click()
    expect(page.get_by_role("region", name="Chart of the table")).to_be_visible()


def opened(page: Page) -> None:
    """JSON with a line for each value, and the button for an image that did not come."""
    columns = (ORDERS[0], Column("told", "Json"), Column("photo", "File"))
    photo = FileRef("70", "f0001", "a.png", 12_345, "image/png", "ab" * 32).to_json()
    live = KeptLive(columns, [{"id": 1, "told": '{"a": [1, {"b": null}], "c": "text"}', "photo": photo}])
    mounted = MountedTable(page, columns)
    mounted.answer_from(live)
    mounted.follow(live)
    page.locator("td").nth(1).dblclick()
    page.locator("summary").first.click()
    page.get_by_role("button", name="Show the image").click()
    expect(page.get_by_text("is not there any more")).to_be_visible()


def wide(page: Page) -> None:
    columns = (Column("id", "Int", flags=("pk",)), *(Column(f"c{i}", "Text") for i in range(60)))
    MountedTable(page, columns).load([{column.name: 1 if column.name == "id" else "x" for column in columns}])
    page.locator(".kl-box").evaluate("box => { box.scrollLeft = 1500 }")
    expect(page.locator("th", has_text="c15")).to_be_visible()


def frozen(page: Page) -> None:
    rows = pa.Table.from_pylist(ROWS, schema=arrow_schema(ORDERS))
    looks = {"columns": ORDERS, "title": "SELECT * FROM app.orders", "footer": ["live until …"], "notices": ["Late."]}
    page.set_content(f"<!doctype html><html lang=en><body>{render_html(rows, **looks)}")


def charted(page: Page) -> None:
    drawn = (ORDERS[3], ORDERS[2])
    rows = [{"placed_at": row["placed_at"], "total": row["total"]} for row in ROWS]
    traits = {"kind": "line", "colours": list(COLOURS)}
    MountedTable(page, drawn, module="live_chart", traits=traits).load(rows)
    expect(page.locator(".kl-plot canvas")).to_be_visible()
    page.locator(".u-over").hover()


def charted_and_frozen(page: Page) -> None:
    rows = pa.table({"placed_at": [row["placed_at"] for row in ROWS], "total": [row["total"] for row in ROWS]})
    looks = {"columns": (ORDERS[3], ORDERS[2]), "title": "SELECT …", "footer": ["live until …"], "notices": ["Late."]}
    picture = render_chart_html(rows, "line", **looks)
    page.set_content(f"<!doctype html><html lang=en><body>{picture}")


STATES: dict[str, Callable[[Page], object]] = {
    "live": table,
    "browsed": lambda page: table(page, text="result", form=""),
    "lost": lambda page: table(page, text="reconnecting in 3 s", notice="Rows may be missing."),
    "failed": lambda page: table(page, text="stopped: the server refused", failed=True),
    "paused": paused,
    "filtered": filtered,
    "asking": asking,
    "chosen": sorted_and_chosen,
    "columns": choosing_columns,
    "details": detailed,
    "profiles": profiled,
    "as it was": as_it_was,
    "counted": counted,
    "drawn below": drawn_below,
    "opened": opened,
    "wide": wide,
    "frozen": frozen,
    "chart": charted,
    "chart frozen": charted_and_frozen,
}


def violations(page: Page, selector: str) -> list[tuple[str, str, list[str]]]:
    # The page around is the test's own, with neither landmarks nor headings.
    rules = {name: {"enabled": False} for name in ("region", "landmark-one-main", "page-has-heading-one")}
    found = page.evaluate("([selector, rules]) => axe.run(selector, {rules})", [selector, rules])
    assert found["passes"]
    return [(rule["id"], rule["help"], [node["html"][:200] for node in rule["nodes"]]) for rule in found["violations"]]


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(page: Page, state: str):
    STATES[state](page)
    page.add_script_tag(path=AXE)
    page.add_style_tag(content="@media (prefers-color-scheme: dark) { html { background: #0d1117 } }")
    selector = "body" if state.endswith("frozen") else ".kalam-live"
    assert violations(page, selector) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page, selector) == []


def test_axe_would_find_something(page: Page):
    table(page)
    page.add_script_tag(path=AXE)
    page.locator(".kl-search").evaluate("field => { field.ariaLabel = null; field.placeholder = '' }")
    page.locator("td").nth(1).evaluate("cell => { cell.style.color = '#eee' }")
    assert [rule for rule, _, _ in violations(page, ".kalam-live")] == ["color-contrast", "label"]
