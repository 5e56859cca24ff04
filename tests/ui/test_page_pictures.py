"""The pictures of the docs, each looked at for what would be wrong in it.

`KALAM_TEST_WRITE_PICTURES=1` writes them to `docs/images`.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from kept_live import KeptLive
from page_module import NAMES, PLACED, MountedTable
from playwright.sync_api import Page, expect

from kalam_notebook.results.render import render_html
from kalam_notebook.wire.types import Column, arrow_schema

pytestmark = pytest.mark.browser

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WRITE = os.environ.get("KALAM_TEST_WRITE_PICTURES") == "1"
COLUMNS = (
    Column("id", "BigInt", flags=("pk", "nn", "uq")),
    Column("customer", "Text"),
    Column("state", "Text"),
    Column("total", "Decimal", 12, 2),
    Column("placed_at", "Timestamp"),
)
WIDE = (COLUMNS[0], *(Column(f"sensor_{i:02}", "Double") for i in range(1, 60)))
SQL = "SELECT * FROM shop.orders"
NOON = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)


def sold(i: int, state: str | None = None) -> dict:
    kinds = ("open", "paid", "sent")
    total = Decimal(i * 3_713 % 90_000) / 100
    placed = PLACED + dt.timedelta(seconds=97 * i)
    return {"id": i, "customer": NAMES[i % 6], "state": state or kinds[i % 3], "total": total, "placed_at": placed}


def show(page: Page, columns: tuple[Column, ...] = COLUMNS) -> MountedTable:
    page.clock.set_fixed_time(NOON)
    is_wide = columns is WIDE
    measured = ({"id": i} | {column.name: i * nr / 7 for nr, column in enumerate(WIDE) if nr} for i in range(1, 13))
    live = KeptLive(columns, list(measured) if is_wide else [sold(i) for i in range(1, 13)])
    verified = {"verified_at": NOON.timestamp() * 1000 - 4_000}
    table = MountedTable(page, columns, sql="SELECT * FROM shop.sensors" if is_wide else SQL, status=verified)
    table.answer_from(live)
    table.follow(live)
    expect(page.locator("td").first).to_be_visible()
    if not is_wide:
        for second, state in ((9, "paid"), (5, "sent")):
            rows = [sold(i, state if i in (3, 7) else None) for i in range(1, 13)]
            live.load(rows, at=NOON.timestamp() - second)
            table.follow(live)
        table.tell(changes=4, changed_at=NOON.timestamp() * 1000 - 5_000)
        expect(page.locator(".kl-facts")).to_contain_text("4 changes")
    return table


def tool(page: Page, name: str) -> None:
    page.get_by_role("toolbar").get_by_role("button", name=re.compile(f"^{name}")).click()


def paused(page: Page) -> None:
    table = show(page)
    tool(page, "Pause")
    table.change({i: sold(i, "sent") for i in (1, 2, 4)})
    expect(page.get_by_role("button", name="3 changes waiting")).to_be_visible()


def filtered(page: Page) -> None:
    show(page)
    tool(page, "Filter")
    page.get_by_label("Column", exact=True).select_option("total")
    page.get_by_role("textbox", name="From").fill("100")
    page.get_by_role("textbox", name="To").fill("400")
    page.get_by_role("button", name="Apply").click()
    tool(page, "as SQL")
    page.get_by_role("button", name="customer").click()


def detailed(page: Page) -> None:
    show(page)
    page.locator("tbody tr").nth(3).locator("td").nth(2).dblclick()
    expect(page.get_by_role("region", name="Details of the row").locator("ol > li")).to_have_count(2)


def wide(page: Page) -> None:
    show(page, WIDE)
    page.locator(".kl-box").evaluate("box => { box.scrollLeft = 2400 }")
    expect(page.locator("th", has_text="sensor_20")).to_be_visible()


def frozen(page: Page) -> None:
    rows = pa.Table.from_pylist([sold(i) for i in range(1, 13)], schema=arrow_schema(COLUMNS))
    footer = ["live until 2026-05-20 12:00:00 UTC", "4 changes", "direct", "verified 11:59:56 UTC"]
    page.set_content(f"<!doctype html><body>{render_html(rows, columns=COLUMNS, title=SQL, footer=footer)}")


PICTURES = {
    "light": (show, "light", 860),
    "dark": (show, "dark", 860),
    "narrow": (show, "light", 380),
    "paused": (paused, "light", 860),
    "filtered": (filtered, "light", 860),
    "details": (detailed, "light", 860),
    "wide": (wide, "light", 860),
    "frozen": (frozen, "light", 860),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_of_the_docs(page: Page, name: str, tmp_path: Path):
    state, scheme, width = PICTURES[name]
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.add_style_tag(content="@media (prefers-color-scheme: dark) { html { background: #0d1117 } }")
    state(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("body" if name == "frozen" else ".kalam-live")
    picture = box.screenshot(path=(IMAGES if WRITE else tmp_path) / f"table-{name}.png")
    assert len(picture) < 120_000
