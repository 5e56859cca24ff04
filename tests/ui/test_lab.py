"""A live table in JupyterLab: it changes while a cell blocks the kernel, and is still there when the kernel is not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import LabServer, Notebook, lab_server, write_notebook
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

SETUP = """
import sys, threading, itertools, time
sys.path.insert(0, FAKE)
from fake_live import FakeLive
from kalam_notebook.notebook.live_view import display_live
FakeLive._ipython_display_ = lambda self: display_live(self) and None
live = FakeLive({1: "<b>Ada</b> $5 and $6", 2: "Grace", 3: "0"})
def write():
    for i in itertools.count(1):
        live.put(3, str(i)); time.sleep(0.1)
threading.Thread(target=write, daemon=True).start()
"""
SHOW = "live"
BLOCK = "deadline = time.monotonic() + 5\nwhile time.monotonic() < deadline: time.sleep(0.2)\n'computed'"


@pytest.fixture(scope="module")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    folder, state = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("lab")
    with lab_server(folder, state, {}) as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture
def notebook(server: LabServer, page: Page, request: pytest.FixtureRequest) -> Notebook:
    name = f"{request.node.name}.ipynb"
    fake = str(Path(__file__).parents[1] / "unit")
    write_notebook(server.folder / name, [SETUP.replace("FAKE", repr(fake)), SHOW, BLOCK])
    return Notebook(server, page, name)


def screenshot(page: Page, name: str) -> None:
    folder = os.environ.get("KALAM_TEST_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / name)


def wait_for_changes(page: Page, count: int) -> None:
    """Wait until the status line tells so many changes more than now."""
    page.evaluate("window.changes = () => Number(/([\\d,]+) change/.exec(document.body.innerText)[1].replace(',', ''))")
    page.wait_for_function("end => window.changes() >= end", arg=page.evaluate("window.changes()") + count)


def test_live_while_a_cell_runs_and_there_after_the_kernel(notebook: Notebook):
    page = notebook.page
    notebook.run(0)
    notebook.run(1)
    expect(page.locator(".kalam-live td").nth(1)).to_have_text("<b>Ada</b> $5 and $6")
    expect(page.get_by_role("status")).to_have_text("live")
    expect(page.locator("[data-kalam-twin]")).to_be_hidden()
    screenshot(page, "lab-live.png")
    notebook.run(2, wait=False)
    wait_for_changes(page, 15)
    assert notebook.running(2)
    expect(notebook.cell(2).locator(".jp-InputPrompt")).to_have_text(re.compile(r"\d"), timeout=20_000)
    notebook.command("kernelmenu:shutdown")
    copy = page.locator("[data-kalam-twin]")
    expect(copy).to_contain_text("live until", timeout=20_000)
    expect(copy).to_be_visible()
    expect(page.locator(".kalam-live")).to_have_count(0)
    last = copy.inner_text()
    screenshot(page, "lab-frozen.png")
    _, shown, blocked = notebook.save()
    assert len(blocked) == 1
    assert "live until" in shown[0]["data"]["text/plain"]
    assert "&lt;b&gt;Ada&lt;/b&gt;" in shown[0]["data"]["text/html"]
    assert "widget-view" not in str(shown)
    notebook.open()
    expect(copy).to_be_visible()
    assert copy.inner_text() == last
    expect(page.get_by_text("model not found")).to_have_count(0)
    screenshot(page, "lab-reopened.png")


def test_a_notebook_saved_while_live_shows_the_rows_of_then(notebook: Notebook):
    page = notebook.page
    notebook.run(0)
    notebook.run(1)
    expect(page.locator(".kalam-live td").first).to_have_text("1")
    notebook.command("kernelmenu:restart")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(page.get_by_role("status")).to_have_text("stopped: the kernel has gone", timeout=20_000)
    _, shown, _ = notebook.save()
    assert "live, as of" in shown[0]["data"]["text/plain"]
    notebook.open()
    copy = page.locator("[data-kalam-twin]")
    expect(copy).to_be_visible()
    expect(copy).to_contain_text("<b>Ada</b> $5 and $6")
    expect(page.get_by_text(re.compile("model not found|Loading widget"))).to_be_hidden()
    screenshot(page, "lab-reopened-live.png")
