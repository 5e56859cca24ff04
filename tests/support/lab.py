"""JupyterLab and Notebook 7 for the browser tests: a server of its own, and a page that runs cells of a notebook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import nbformat
from playwright.sync_api import Locator, Page

TOKEN = "test-token"
READY = """() => {
  const kernel = window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}"""


@dataclass(frozen=True)
class LabServer:
    url: str
    folder: Path


@contextmanager
def lab_server(folder: Path, state: Path, env: dict[str, str]) -> Iterator[LabServer]:
    """Start JupyterLab on a free port; all it writes besides notebooks goes to ``state``."""
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0", "--ServerApp.ip=127.0.0.1", "--allow-root",
        f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}", "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]  # fmt: skip
    log = state / "lab.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=os.environ | env | {name: str(state / place) for name, place in places.items()},
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        yield LabServer(_wait_until_ready(process, state / "runtime", log), folder)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    """The server's address once it answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            (info,) = runtime.glob("jpserver-*.json")
            url = json.loads(info.read_text())["url"]
            httpx.get(f"{url}api?token={TOKEN}", timeout=5, trust_env=False).raise_for_status()
        except (ValueError, OSError, httpx.HTTPError):
            time.sleep(0.05)  # A process offers nothing else to wait for.
            continue
        return url
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-3000:]}")


class Notebook:
    """A notebook open in JupyterLab, or with ``front_end="notebooks"`` in Notebook 7."""

    def __init__(self, server: LabServer, page: Page, name: str, *, front_end: str = "lab/tree") -> None:
        self._server = server
        self._front_end = front_end
        self.page = page
        self.path = server.folder / name
        self.open()

    def open(self) -> None:
        """Open it, with a kernel that is new if there was none."""
        self.page.goto(f"{self._server.url}{self._front_end}/{self.path.name}?token={TOKEN}&reset")
        self.page.wait_for_function(READY, timeout=60_000)
        news = self.page.get_by_role("button", name="No", exact=True)
        self.page.add_locator_handler(news, lambda: news.click())

    def run(self, index: int, *, wait: bool = True) -> None:
        """Run a cell, which must not raise; without ``wait`` only until it has begun."""
        self.start(index)
        prompt = self.cell(index).locator(".jp-InputPrompt")
        condition = r"/^\[\d+\]:$/" if wait else r"/^\[\*\]:$/"
        self.page.wait_for_function(
            f"prompt => {condition}.test(prompt.textContent)", arg=prompt.element_handle(), timeout=60_000
        )
        outputs = self.page.evaluate(
            "index => window.jupyterapp.shell.currentWidget.content.widgets[index].model.outputs.toJSON()", index
        )
        errors = ["\n".join(output["traceback"]) for output in outputs if output["output_type"] == "error"]
        assert not errors, errors[0][-2000:]

    def start(self, index: int) -> None:
        """Start a cell; it waits for those before it."""
        self.command("notebook:run-cell", index)

    def running(self, index: int) -> bool:
        """Whether a cell is still running."""
        return self.cell(index).locator(".jp-InputPrompt").inner_text() == "[*]:"

    def cell(self, index: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def command(self, name: str, index: int | None = None) -> None:
        """Start a command of JupyterLab, on a cell if one is named; does not wait for its end."""
        self.page.evaluate(
            """([name, index]) => {
              if (index !== null) window.jupyterapp.shell.currentWidget.content.activeCellIndex = index;
              window.jupyterapp.commands.execute(name);
            }""",
            [name, index],
        )

    def save(self) -> list[list[dict[str, Any]]]:
        """Save it; returns the saved outputs of each cell."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        saved = nbformat.read(self.path, as_version=4)
        return [cell.get("outputs", []) for cell in saved.cells]


def write_notebook(path: Path, cells: list[str]) -> None:
    """Write a notebook of code cells for the Python kernel."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata={"kernelspec": kernel}
    )
    nbformat.write(notebook, path)
