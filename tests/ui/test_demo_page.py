"""The page that ``make demo`` writes, read without JavaScript: the live table is there, as it was in the end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]
QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"


def test_the_demo_leaves_a_page_with_the_last_rows(browser: Browser, tmp_path: Path):
    command = [Path(sys.executable).with_name("kalam-notebook"), "demo", QUICKSTART, "--out", tmp_path]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1000, "height": 900})
    page = context.new_page()
    page.goto((tmp_path / "quickstart.html").as_uri())
    frozen = page.locator("[data-kalam-twin]")
    expect(frozen.first).to_contain_text("live until")
    for copy in frozen.all():
        expect(copy).to_be_visible()
        text = copy.inner_text()
        rows = int(re.search(r"([\d,]+) rows?", text)[1].replace(",", ""))
        assert rows > 0
        assert int(re.search(r"([\d,]+) changes?", text)[1].replace(",", "")) > 0
        assert copy.locator("tbody tr").count() >= min(rows, 20)
    folder = Path(os.environ.get("KALAM_TEST_SCREENSHOTS", tmp_path))
    frozen.first.scroll_into_view_if_needed()
    page.screenshot(path=folder / "demo-page.png")
    context.close()
