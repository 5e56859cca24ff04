"""SQL cells in JupyterLab where nothing colours them: the setting is off, or the extension is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab import Notebook, lab_server, write_notebook
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.browser

CELLS = [
    "%load_ext kalam_notebook\n%kalam connect sandbox",
    "%%kalam\nSELECT 'one' AS nr, 2 AS two",
    "select = 'SELECT 1'",
]


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (
            "settings/@jupyterlab/codemirror-extension/plugin.jupyterlab-settings",
            {"defaultConfig": {"kalamSql": False}},
        ),
        ("config/labconfig/page_config.json", {"disabledExtensions": {"kalam-notebook": True}}),
    ],
    ids=["setting", "extension"],
)
def test_cells_run_without_colours(browser: Browser, tmp_path: Path, place: str, told: dict[str, object]):
    (tmp_path / "state" / place).parent.mkdir(parents=True)
    (tmp_path / "state" / place).write_text(json.dumps(told))
    (tmp_path / "notebooks").mkdir()
    write_notebook(tmp_path / "notebooks" / "off.ipynb", CELLS)
    with lab_server(tmp_path / "notebooks", tmp_path / "state", {}) as server:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        notebook = Notebook(server, context.new_page(), "off.ipynb")
        notebook.run(0)
        notebook.run(1)
        expect(notebook.cell(1).locator(".jp-OutputArea")).to_contain_text("one")
        # Colours of Python tell that the editors have theirs.
        expect(notebook.cell(2).locator(".cm-content span").first).to_be_visible()
        expect(notebook.cell(1).locator(".cm-content span").first).to_be_visible()
        assert notebook.page.locator("[class*=kalam-sql]").count() == 0
        context.close()
