"""The table as it was: a slider over the changes that the kernel remembers."""

from __future__ import annotations

import datetime as dt

import pytest
from kept_live import KeptLive
from page_module import ORDERS, MountedTable, cells, order
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

NOON = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)
START = NOON.timestamp()


@pytest.fixture
def live() -> KeptLive:
    live = KeptLive(ORDERS, [order(1, "Ada"), order(2, "Grace")], at=START - 10)
    live.load([order(1, "Ada"), order(2, "Alan")], at=START - 5)
    live.load([order(1, "Ada"), order(3, "Hedy")], at=START - 4)
    return live


@pytest.fixture
def table(page: Page, live: KeptLive) -> MountedTable:
    page.clock.set_fixed_time(NOON)
    table = MountedTable(page, ORDERS)
    table.answer_from(live)
    table.follow(live)
    expect(page.locator("td").nth(1)).to_have_text("Ada")
    return table


@pytest.fixture
def slider(page: Page, table: MountedTable) -> Locator:
    page.get_by_role("toolbar").get_by_role("button", name="More").click()
    page.get_by_role("button", name="Time").click()
    return page.get_by_role("slider", name="The table as it was")


def names(page: Page) -> list[str]:
    return [row[1] for row in cells(page)]


def test_the_table_is_shown_as_it_was_and_as_it_is(page: Page, live: KeptLive, table: MountedTable, slider: Locator):
    slider.focus()
    page.keyboard.press("Home")
    told = page.locator(".kl-editor .kl-told")
    expect(told).to_have_text("11:59:50.000, 0 of 2 changes")
    assert names(page) == ["Ada", "Grace"]
    expect(page.locator(".kl-state")).to_have_text("as it was")
    expect(page.locator(".kl-facts")).to_contain_text("2 rows as of 11:59:50")
    expect(page.locator(".kalam-live")).to_have_attribute("data-tone", "paused")
    page.keyboard.press("ArrowRight")
    expect(told).to_have_text("11:59:55.000, 1 of 2 changes")
    assert names(page) == ["Ada", "Alan"]
    expect(slider).to_have_attribute("aria-valuetext", "11:59:55.000, 1 of 2 changes")
    # What happens meanwhile waits; sorting works on what is shown.
    live.load([order(1, "Ada"), order(3, "Hedy"), order(4, "Edsger")], at=START)
    table.follow(live)
    page.locator("th").nth(1).get_by_role("button").click()
    page.locator("th").nth(1).get_by_role("button").click()
    assert names(page) == ["Alan", "Ada"]
    page.get_by_role("button", name="Now").click()
    expect(told).to_have_text("now")
    expect(page.locator(".kl-state")).to_have_text("live")
    assert names(page) == ["Hedy", "Edsger", "Ada"]


def test_a_row_of_then_has_the_details_of_now(page: Page, slider: Locator):
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator(".kl-state")).to_have_text("as it was")
    page.locator("td", has_text="Grace").dblclick()
    details = page.get_by_role("region", name="Details of the row")
    expect(details.locator("strong").first).to_have_text("id = 2")
    expect(details).to_contain_text("The row is gone; these were its last values.")
    page.get_by_role("button", name="Resume").click()
    assert names(page) == ["Ada", "Hedy"]


def test_a_moment_that_is_forgotten_is_said_to_be(page: Page, live: KeptLive, slider: Locator):
    live._store._history.forget(live._store.version, at=START)
    live.delta_at = lambda moment: 1 / 0
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator(".kl-editor .kl-told")).to_have_text("ZeroDivisionError: division by zero")
    assert names(page) == ["Ada", "Hedy"]


def test_a_result_has_no_time(page: Page):
    MountedTable(page, ORDERS, status={"text": "result", "form": ""}).load([order(1)])
    page.get_by_role("toolbar").get_by_role("button", name="More").click()
    expect(page.get_by_role("button", name="Profiles")).to_be_visible()
    expect(page.get_by_role("button", name="Time")).to_have_count(0)
