"""Live tables, charts and frames in a notebook of marimo, which hosts the page modules by rules of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

IMAGES = Path(__file__).parents[2] / "docs" / "images"
NOTEBOOK = """
import marimo

app = marimo.App()


@app.cell
def _():
    import threading, time
    import pandas as pd
    import kalam_notebook as kalam

    client = kalam.connect("sandbox")
    kalam.execute_query("CREATE NAMESPACE shop")
    kalam.execute_query("CREATE TABLE shop.orders (id INT PRIMARY KEY, total INT)")
    kalam.execute_query("INSERT INTO shop.orders (id, total) VALUES (1, 10), (2, 20)")

    def write():
        for total in range(100_000):
            client.execute_query("UPDATE shop.orders SET total = $1 WHERE id = 1", [total])
            time.sleep(0.1)

    threading.Thread(target=write, daemon=True).start()
    return kalam, pd


@app.cell
def _(kalam):
    live = kalam.live("SELECT * FROM shop.orders")
    live
    return (live,)


@app.cell
def _(live):
    live.chart(x="id", y="total", kind="bar")
    return


@app.cell
def _(kalam, pd):
    kalam.browse(pd.DataFrame({"n": range(5_000)}))
    return


if __name__ == "__main__":
    app.run()
"""


@pytest.fixture
def address(tmp_path: Path, page: Page) -> Iterator[str]:
    """The address of the notebook, which runs when a page opens it."""
    (tmp_path / "shop.py").write_text(NOTEBOOK, encoding="utf-8")
    command = [sys.executable, "-m", "marimo", "run", "shop.py", "--headless", "--no-token", "--host", "127.0.0.1"]
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=os.environ | {"HOME": str(tmp_path)}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield _address(process, log)
        page.goto("about:blank")  # marimo's own page would ask a server that is gone.
    finally:
        process.terminate()
        process.wait(20)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        said = re.search(r"http://[\w.]+:\d+", log.read_text(errors="replace"))
        try:
            if said:
                httpx.get(said[0], timeout=5, trust_env=False).raise_for_status()
                return said[0]
        except httpx.HTTPError:
            pass
        time.sleep(0.05)  # A process offers nothing else to wait for.
    raise AssertionError(f"marimo did not start:\n{log.read_text(errors='replace')[-3000:]}")


def test_a_live_table_a_chart_and_a_frame(page: Page, address: str, tmp_path: Path):
    page.set_viewport_size({"width": 1100, "height": 1200})
    page.goto(address)
    shown = page.locator(".kalam-live")
    expect(shown).to_have_count(3, timeout=60_000)
    table, chart, frame = shown.nth(0), shown.nth(1), shown.nth(2)
    expect(frame.locator(".kl-facts")).to_have_text("5,000 rows", timeout=30_000)
    expect(table.locator("td")).to_have_count(4, timeout=30_000)
    expect(chart.locator("canvas")).to_be_visible()
    for part in (table, chart):
        for _ in range(3):
            expect(part.locator(".kl-facts")).not_to_have_text(part.locator(".kl-facts").inner_text(), timeout=30_000)
    frame.get_by_role("searchbox", name="Search in all columns").fill("4321")
    expect(frame.locator(".kl-hits")).to_have_text("1 of 5,000 rows match")
    use_tools(frame)
    is_for_docs = os.environ.get("KALAM_TEST_WRITE_PICTURES") == "1"
    folder = IMAGES if is_for_docs else Path(os.environ.get("KALAM_TEST_SCREENSHOTS", tmp_path))
    page.screenshot(path=folder / "marimo.png")
    table.get_by_role("button", name="Stop").click()
    for part in (table, chart):
        expect(part.get_by_role("status")).to_have_text("stopped: closed", timeout=30_000)
    expect(table.locator("td")).to_have_count(4)


def use_tools(frame: Locator) -> None:
    """Filter, choose columns and copy, in the element that marimo keeps apart from its page."""
    page = frame.page
    frame.get_by_role("searchbox", name="Search in all columns").fill("")
    frame.get_by_role("button", name="Filter").click()
    frame.get_by_label("Column", exact=True).select_option("n")
    frame.locator(".kl-editor input[type=text]").first.fill("4990")
    frame.get_by_role("button", name="Apply").click()
    expect(frame.locator(".kl-hits")).to_have_text("10 of 5,000 rows match")
    frame.get_by_role("button", name="n", exact=True).click(click_count=1)
    frame.get_by_role("button", name="n", exact=True).click(click_count=1)
    expect(frame.locator("td").first).to_have_text("4999")

    # By the keyboard: to a cell, on to the next ones, and copied.
    page.evaluate(
        "() => { window.copied = null; const writeText = (text) => { window.copied = text; return Promise.resolve(); };"
        " Object.defineProperty(navigator, 'clipboard', {value: {writeText}}); }"
    )
    frame.locator(".kl-box").focus()
    for key in ("Enter", "Shift+ArrowDown", "Shift+ArrowDown", "Control+c"):
        page.keyboard.press(key)
    page.wait_for_function("window.copied !== null")
    assert page.evaluate("window.copied") == "n\r\n4999\r\n4998\r\n4997\r\n"
    frame.get_by_role("button", name="Columns").click()
    frame.locator("label", has_text="n").get_by_role("checkbox").uncheck()
    expect(frame.locator("th")).to_have_count(0)
    frame.locator("label", has_text="n").get_by_role("checkbox").check()
    expect(frame.locator("th")).to_have_count(1)
    page.keyboard.press("Escape")
    frame.get_by_role("button", name="Details").click()
    expect(frame.get_by_role("region", name="Details of the row")).to_contain_text("4997")
