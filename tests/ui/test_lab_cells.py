"""SQL cells in JupyterLab: what Tab offers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from lab import LabServer, Notebook, lab_server, write_notebook
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

pytestmark = pytest.mark.browser

SETUP = """
%load_ext kalam_notebook
import kalam_notebook as kalam

client = kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE shop")
kalam.execute_query("CREATE TABLE shop.orders (id BIGINT PRIMARY KEY, customer TEXT, paid BOOLEAN)")
%kalam connect sandbox
"""


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


def test_tab_offers_the_tables_and_columns_of_the_server(server: LabServer, page: Page):
    write_notebook(server.folder / "typing.ipynb", [SETUP.strip(), ""])
    notebook = Notebook(server, page, "typing.ipynb")
    notebook.run(0)
    notebook.cell(1).locator(".cm-content").click()
    page.keyboard.type("%%kalam\nSELECT * FROM shop.orders o WHERE o.")
    offered = page.locator(".jp-Completer .jp-Completer-item")
    for _ in range(20):  # JupyterLab gives up on a busy kernel after a second; whoever types presses Tab again.
        page.keyboard.press("Tab")
        with suppress(PlaywrightTimeout):
            offered.first.wait_for(timeout=3_000)
            break
    expect(offered).to_have_count(3)
    labels = [text.strip() for text in page.locator(".jp-Completer .jp-Completer-match").all_text_contents()]
    assert labels == ["id", "customer", "paid"]
    page.keyboard.type("cu")
    expect(offered).to_have_count(1)
    page.keyboard.press("Enter")
    expect(notebook.cell(1).locator(".cm-content")).to_contain_text("WHERE o.customer")
