"""The tools above the rows of a page, and the rows below them."""

from __future__ import annotations

import re

from page_module import cells
from playwright.sync_api import Locator, Page, expect


def tool(page: Page, name: str | re.Pattern[str]) -> Locator:
    return page.get_by_role("toolbar", name="Tools of the table").get_by_role("button", name=name)


def shown(page: Page, count: int) -> list[list[str]]:
    """The rows on screen, once there are so many."""
    expect(page.locator("tbody tr:not(.kl-space)")).to_have_count(count)
    return cells(page)
