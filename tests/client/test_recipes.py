"""The recipes of the documentation run as they stand, and the page shows them as they are."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
RECIPES = sorted((DOCS / "recipes").glob("*.py"))
#: What takes long for its size alone; the way is the same.
SMALLER = {"200_000": "2_000"}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_runs(recipe, tmp_path):
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
