"""The tool that draws columns of a table below it."""

from __future__ import annotations

import datetime as dt
import os
from decimal import Decimal
from pathlib import Path

import pytest
from page_module import MountedTable
from playwright.sync_api import Page, expect

from kalam_notebook.results.chart import COLOURS
from kalam_notebook.wire.types import Column

pytestmark = pytest.mark.browser

COLUMNS = (
    Column("id", "BigInt", flags=("pk",)),
    Column("room", "Text"),
    Column("at", "Timestamp"),
    Column("load", "Double"),
    Column("price", "Decimal", 12, 2),
)
BEGAN = dt.datetime(2026, 5, 20, 10, 0, tzinfo=dt.UTC)


def row(i: int, load: float) -> dict:
    at = BEGAN + dt.timedelta(minutes=i)
    return {"id": i, "room": f"room {i % 7}", "at": at, "load": load, "price": Decimal(f"{i % 37}.50")}


def mount(page: Page, rows: list[dict]) -> MountedTable:
    table = MountedTable(page, COLUMNS)
    table.load(rows)
    expect(page.locator("td").first).to_be_visible()
    page.get_by_role("toolbar", name="Tools of the table").get_by_role("button", name="Chart").click()
    return table


def test_columns_are_drawn_below_the_table_and_follow_it(page: Page, tmp_path: Path):
    table = mount(page, [row(i, (i * 37) % 100) for i in range(60)])
    expect(page.get_by_label("Along")).to_have_value("at")
    expect(page.get_by_label("Height")).to_have_value("load")
    page.get_by_role("button", name="Draw").click()
    chart = page.get_by_role("region", name="Chart of the table")
    expect(chart.locator(".kl-foot")).to_have_text("60 points · times in UTC")
    expect(chart.locator(".u-legend")).to_contain_text("load")
    shown = Path(os.environ.get("KALAM_TEST_SCREENSHOTS", tmp_path))
    page.locator(".kalam-live").first.screenshot(path=shown / "table-and-chart.png")
    page.set_viewport_size({"width": 480, "height": 700})
    page.emulate_media(color_scheme="dark")
    page.locator(".kalam-live").first.screenshot(path=shown / "table-and-chart-narrow.png")

    table.change({100: row(100, 5.0)}, removed=(1, 2))
    expect(chart.locator(".kl-foot")).to_have_text("59 points · times in UTC")
    chart.get_by_role("button", name="Pause").click()
    table.change({101: row(101, 6.0)})
    expect(chart.get_by_role("button", name="Resume")).to_have_text("Resume · 1 change waiting")
    expect(chart.locator(".kl-foot")).to_have_text("59 points · times in UTC")
    chart.get_by_role("button", name="Resume").click()
    expect(chart.locator(".kl-foot")).to_have_text("60 points · times in UTC")

    page.get_by_role("button", name="Close the chart").click()
    expect(chart).to_have_count(0)
    table.change({102: row(102, 6.0)})
    expect(page.locator(".kl-facts")).to_contain_text("61 rows")


def test_names_stand_below_bars_alone(page: Page):
    mount(page, [row(i, i) for i in range(5)])
    page.get_by_label("Along").select_option("room")
    page.get_by_role("button", name="Draw").click()
    expect(page.locator(".kl-told", has_text="room is neither a number nor a time")).to_be_visible()
    page.get_by_label("Kind").select_option("bar")
    page.get_by_role("button", name="Draw").click()
    chart = page.get_by_role("region", name="Chart of the table")
    expect(chart.locator(".kl-foot")).to_contain_text("5 rows")


def test_a_chart_of_columns_that_are_gone_goes(page: Page):
    table = mount(page, [row(i, i) for i in range(5)])
    page.get_by_role("button", name="Draw").click()
    expect(page.get_by_role("region", name="Chart of the table")).to_be_visible()
    table.alter(COLUMNS[:2], [{"id": 1, "room": "a"}])
    expect(page.get_by_role("region", name="Chart of the table")).to_have_count(0)
    page.get_by_role("toolbar", name="Tools of the table").get_by_role("button", name="Chart").click()
    expect(page.get_by_label("Height")).to_have_value("id")


def test_a_chart_and_profiles_follow_at_once(page: Page):
    table = mount(page, [row(i, i) for i in range(5)])
    page.get_by_role("button", name="Draw").click()
    chart = page.get_by_role("region", name="Chart of the table")
    expect(chart.locator(".kl-foot")).to_contain_text("5 points")
    page.get_by_role("toolbar", name="Tools of the table").get_by_role("button", name="More").click()
    page.get_by_role("button", name="Profiles").click()
    expect(page.locator(".kl-profile")).to_have_count(5)
    table.change({200: row(200, 1.0)})
    expect(chart.locator(".kl-foot")).to_contain_text("6 points")
    expect(page.locator(".kl-profile").first).to_contain_text("6 distinct")


def test_the_colour_is_that_of_the_pictures():
    source = Path(__file__).parents[2] / "js" / "src" / "charting.ts"
    assert f'"{COLOURS[0]}"' in source.read_text(encoding="utf-8")
