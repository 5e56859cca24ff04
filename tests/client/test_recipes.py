"""The recipes of the documentation run as they stand, and the page shows them as they are."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

DOCS = Path(__file__).parents[2] / "docs"
RECIPES = sorted((DOCS / "recipes").glob("*.py"))
#: What is too large to be installed for one recipe; with Ray 2.60 it was run.
OPTIONAL = {"ray_partitions": "ray"}
#: What takes long for its size alone; the way is the same.
SMALLER = {"200_000": "2_000"}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_runs(recipe, tmp_path):
    if library := OPTIONAL.get(recipe.stem):
        pytest.importorskip(library)
    code = recipe.read_text(encoding="utf-8")
    for size, small in SMALLER.items():
        code = code.replace(size, small)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not re.search(r"(IncompleteResult|Topic|Files)Warning", done.stderr)


def test_the_page_shows_every_recipe_as_it_is():
    page = (DOCS / "recipes.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```py\n(.*?)^```", page, re.M | re.S)
    assert sorted(shown) == sorted(recipe.read_text(encoding="utf-8") for recipe in RECIPES)


@pytest.mark.slow
def test_a_chart_of_matplotlib_stands_once_in_the_saved_notebook(tmp_path):
    code = (DOCS / "recipes" / "live_matplotlib.py").read_text(encoding="utf-8")
    cells = [nbformat.v4.new_code_cell(source) for source in (code, "print(sorted(line.get_ydata()))")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(tmp_path)}}).execute()
    drawn, told = notebook.cells
    pictures = [output for output in drawn.outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 1
    assert len(pictures[0]["data"]["image/png"]) > 5_000
    assert "3 points" in "".join(output.get("text", "") for output in drawn.outputs)
    assert "9.0" in told.outputs[0]["text"]
