"""The preview of a result in a browser: columns beside each other, contrast, light and dark, narrow and wide."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from looks import contrast_of, spilt
from playwright.sync_api import Browser, Page, expect

from kalam_notebook.results.render import render_html, render_message_html

pytestmark = pytest.mark.browser

#: As JupyterLab sets them.
THEMES = {
    "light": "--jp-content-font-color1:#212121;--jp-content-font-color2:rgba(0,0,0,.54);--jp-layout-color0:#fff",
    "dark": "--jp-content-font-color1:#fff;--jp-content-font-color2:rgba(255,255,255,.7);--jp-layout-color0:#111",
}
TEXTS = ["plain", "語" * 79, "W" * 79, "語" * 2_000, "W" * 5_000, ("A sentence of words. " * 30).strip(), None]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [400, 1200])
def test_no_column_runs_across_the_next(page: Page, theme: str, width: int, tmp_path: Path):
    page.set_viewport_size({"width": width, "height": 420})
    table = pa.table({"id": range(len(TEXTS)), "W" * 90: TEXTS, "note": ["next"] * len(TEXTS), "text": TEXTS})
    page.set_content(f"<!doctype html><style>body{{{THEMES[theme]}}}</style>{render_html(table, title='SELECT 1')}")
    folder = Path(os.environ.get("KALAM_TEST_SCREENSHOTS", tmp_path))
    page.screenshot(path=folder / f"preview-{theme}-{width}.png")
    assert spilt(page, ".kalam-table") == []
    # What is cut can be read. Which of the texts that is depends on the fonts of the machine, but for the longest.
    cells = page.locator("td").evaluate_all(
        "cells => cells.map((cell) => "
        "[cell.title, cell.scrollWidth > cell.clientWidth || cell.querySelector('small') !== null])"
    )
    long = [text[:1_000] + "…" * (len(text) > 1_000) for text in TEXTS if text and text != "plain" for _ in "12"]
    assert [title for title, _ in cells if title] == long
    assert {title for title in long if len(title) > 1_000} <= {title for title, is_cut in cells if is_cut} <= set(long)
    assert contrast_of(page.locator("td em").first, page.locator(".kalam-out")) >= 4.5


def test_a_copy_of_a_long_cell_is_whole_or_does_not_look_so(page: Page):
    page.set_content(render_html(pa.table({"t": ["word " * 100 + "end", "x" * 5_000, "short"]})))
    copies = page.locator("td").evaluate_all(
        "cells => cells.map((cell) => { getSelection().selectAllChildren(cell); return getSelection().toString() })"
    )
    assert [" ".join(copy.split()) for copy in copies] == [
        "word " * 100 + "end",
        "x" * 1_000 + "… 5,000 characters",
        "short",
    ]
    heights = page.locator("td").evaluate_all("cells => cells.map((cell) => cell.offsetHeight)")
    assert len(set(heights)) == 1  # On screen it is one line.


def test_a_help_text_stands_in_columns(page: Page):
    page.set_content("<!doctype html>" + render_message_html("--iiii  one\n--WWWW  two", aligned=True))
    foot = page.locator(".kalam-foot")
    expect(foot).to_have_text("--iiii  one\n--WWWW  two", use_inner_text=True)
    widths = foot.evaluate(
        """foot => [0, 12].map((start) => {
          const range = document.createRange();
          range.setStart(foot.firstChild, start);
          range.setEnd(foot.firstChild, start + 8);
          return range.getBoundingClientRect().width;
        })"""
    )
    assert widths[0] == pytest.approx(widths[1], abs=0.1)
