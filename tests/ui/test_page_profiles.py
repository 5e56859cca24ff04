"""Profiles of columns below their headers: exact, kept up to date, and gone again."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest
from looks import contrast_of
from page_module import NAMES, ORDERS, MountedTable, order
from playwright.sync_api import Locator, Page, expect

from kalam_notebook.notebook.page import page_rows

pytestmark = pytest.mark.browser


def switch(page: Page) -> None:
    page.get_by_role("toolbar").get_by_role("button", name="More").click()
    page.get_by_role("button", name="Profiles").click()


def profile(page: Page, column: int) -> Locator:
    return page.locator("th").nth(column).locator(".kl-profile")


def test_profiles_tell_what_columns_hold_and_follow_it(page: Page):
    table = MountedTable(page, ORDERS)
    rows = [order(i, NAMES[i % 3] if i % 5 else None, f"{i}.50") for i in range(1, 31)]
    table.load(rows)
    switch(page)
    customer = profile(page, 1)
    expect(customer.locator(".kl-often")).to_have_text(["Grace Hopper8", "Alan Turing8", "Ada Lovelace8"])
    expect(customer.locator("small")).to_have_text("6 NULL · 3 distinct")
    expect(profile(page, 2)).to_contain_text("1.50 … 30.50")
    expect(profile(page, 2).locator("i")).to_have_count(12)
    expect(profile(page, 3)).to_contain_text("2026-05-20T10:00:01.000001Z … 2026-05-20T10:00:30.000030Z")
    table.change({5: order(5, "Grace Hopper"), 31: order(31, "Hedy", "99.00")}, removed=(1, 2))
    expect(customer.locator("small")).to_have_text("5 NULL · 4 distinct")
    expect(profile(page, 2)).to_contain_text("1.50 … 99.00")
    page.get_by_role("button", name="Profiles").click()
    expect(page.locator(".kl-profile")).to_have_count(0)


def test_profiles_outlast_other_columns_and_a_pause(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1, "Ada"), order(2, "Ada")])
    switch(page)
    expect(profile(page, 1).locator("small")).to_have_text("1 distinct")
    page.get_by_role("button", name="Pause").click()
    table.change({3: order(3, "Grace")})
    expect(page.get_by_role("button", name="1 change waiting")).to_be_visible()
    expect(profile(page, 1).locator("small")).to_have_text("1 distinct")
    page.get_by_role("button", name="Resume").click()
    expect(profile(page, 1).locator("small")).to_have_text("2 distinct")
    table.alter((ORDERS[0], ORDERS[2]), [{"id": 1, "total": Decimal("7.00")}])
    expect(profile(page, 1)).to_have_text("7.0011 distinct")


def test_a_profile_says_which_rows_it_is_of(page: Page, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(page_rows, "MAX_ROWS", 3)
    table = MountedTable(page, ORDERS)
    table.load([order(i, "x" * 2_000) for i in range(1, 6)])
    switch(page)
    expect(profile(page, 1).locator("small")).to_have_text("at least 1 distinct in the first 3 rows")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_profiles_look_right(page: Page, scheme: str, tmp_path: Path):
    page.emulate_media(color_scheme=scheme)
    page.add_style_tag(content="@media (prefers-color-scheme: dark) { html { background: #0d1117 } }")
    table = MountedTable(page, ORDERS, sql="SELECT * FROM shop.orders")
    rows = [order(i, NAMES[i * i % 6] if i % 5 else None, f"{i * i * 37 % 900}.{i % 10}0") for i in range(1, 61)]
    table.load(rows)
    switch(page)
    expect(profile(page, 1).locator(".kl-often").first).to_be_visible()
    for part in page.locator(".kl-profile :is(span, b, small, div:not(.kl-bars))").all():
        assert contrast_of(part, page.locator(".kalam-live")) >= 4.5
    page.screenshot(path=Path(os.environ.get("KALAM_TEST_SCREENSHOTS", tmp_path)) / f"profiles-{scheme}.png")
