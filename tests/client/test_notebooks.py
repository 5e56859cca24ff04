"""The notebooks and the examples of README and docs run as they stand."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: Of all that runs in processes of its own, what is part of every run: that which a newcomer meets first.
FIRST = {"README.md", "quickstart.ipynb"}
PYTHON = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
SESSION = re.compile(r"^```pycon\n(.*?)^```", re.M | re.S)


def marks_of(path):
    return [] if path.name in FIRST else [pytest.mark.slow]


EXAMPLES = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}", marks=marks_of(page))
    for page in PAGES
    for number, block in enumerate(PYTHON.findall(page.read_text(encoding="utf-8")), 1)
]
#: Pages whose examples are one session at the prompt, with what it shows.
SESSIONS = [
    pytest.param(blocks, id=str(page.relative_to(ROOT)), marks=marks_of(page))
    for page in PAGES
    if (blocks := SESSION.findall(page.read_text(encoding="utf-8")))
]


def execute(notebook, folder):
    client = NotebookClient(notebook, timeout=280, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute()
    return notebook


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name, marks=marks_of(path)) for path in NOTEBOOKS])
def test_a_notebook_runs(path, tmp_path):
    execute(nbformat.read(path, as_version=4), tmp_path)


@pytest.mark.slow
def test_live_tables_of_a_notebook_are_frozen_in_the_end(tmp_path):
    notebook = execute(nbformat.read(ROOT / "notebooks" / "live.ipynb", as_version=4), tmp_path)
    shown = [output["data"].get("text/html", "") for cell in notebook.cells for output in cell.get("outputs", [])
             if "data" in output]  # fmt: skip
    frozen = [html for html in shown if "<table" in html]
    assert any("paid" not in html and ">28<" in html for html in frozen), shown
    assert any(">Rome<" in html for html in frozen)
    # Nothing in it needs a kernel.
    assert not [output for cell in notebook.cells for output in cell.get("outputs", [])
                if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]  # fmt: skip


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_committed_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]


@pytest.mark.slow
def test_a_notebook_that_nobody_looks_at_shows_no_progress(sandbox_server, tmp_path):
    cells = [
        "import kalam_notebook as kalam\nfrom kalam_notebook.results import progress\n"
        "progress.DELAY_S = 0\n%load_ext kalam_notebook\n"
        f"client = kalam.connect({sandbox_server.url!r}, user='root', password={sandbox_server.root_password!r})",
        "frame = client.query('SELECT 1 AS one')",
        "%kalam frame << --file one.sql",
    ]
    (tmp_path / "one.sql").write_text("SELECT 1 AS one")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    connected, plain, magic = execute(notebook, tmp_path).cells
    assert connected.outputs == plain.outputs == []
    assert [output.output_type for output in magic.outputs] == ["execute_result"]


@pytest.mark.slow
def test_changing_the_sql_of_the_quickstart_changes_the_result(tmp_path):
    notebook = nbformat.read(ROOT / "notebooks" / "quickstart.ipynb", as_version=4)
    (cell,) = [cell for cell in notebook.cells if cell.source.startswith("%%kalam weather <<")]
    cell.source += " WHERE id < 7"
    execute(notebook, tmp_path)
    (report,) = [cell for cell in notebook.cells if "report" in cell.metadata.get("tags", [])]
    assert "7 read as a DataFrame" in report.outputs[0]["text"]


@pytest.mark.slow
def test_a_failing_cell_of_the_quickstart_fails_the_run(tmp_path):
    notebook = nbformat.read(ROOT / "notebooks" / "quickstart.ipynb", as_version=4)
    (cell,) = [cell for cell in notebook.cells if cell.source.startswith("%%kalam weather <<")]
    cell.source += " WHERE nope = 1"
    with pytest.raises(CellExecutionError, match="No field named nope"):
        execute(notebook, tmp_path)


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_runs(code, tmp_path):
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("blocks", SESSIONS)
def test_a_session_shows_what_the_page_says(blocks, tmp_path):
    page = tmp_path / "session.txt"
    page.write_text("\n".join(blocks), encoding="utf-8")
    options = ["-o", "ELLIPSIS", "-o", "IGNORE_EXCEPTION_DETAIL"]
    done = subprocess.run(
        [sys.executable, "-m", "doctest", *options, str(page)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
