"""``binder/`` makes an environment in which every notebook runs on the sandbox."""

import ast
import importlib.metadata as metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def cells_of(notebook):
    import nbformat  # Seconds, which all processes of a run would spend on collecting tests.

    return nbformat.read(notebook, as_version=4).cells


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_with(extras):
    """Names of all distributions that come with extras of this package."""
    found, todo = set(), [("kalam-notebook", frozenset(extras))]
    while todo:
        name, wanted = todo.pop()
        if (name, wanted) in found:
            continue
        found.add((name, wanted))
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            markers = [{"extra": extra} for extra in (*wanted, "")]
            if requirement.marker is None or any(requirement.marker.evaluate(marker) for marker in markers):
                todo.append((plain(requirement.name), frozenset(requirement.extras)))
    return {name for name, _ in found}


def imported(notebook):
    for cell in cells_of(notebook):
        if cell.cell_type != "code" or cell.source.startswith("%%"):
            continue
        code = "\n".join(line for line in cell.source.splitlines() if not line.startswith("%"))
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module.split(".")[0]


def test_the_files_name_what_there_is():
    python = (ROOT / "binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert python in SpecifierSet(PROJECT["requires-python"])
    (line,) = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8").split()
    extras = re.fullmatch(r"\.\[([a-z,]+)\]", line)[1].split(",")
    assert set(extras) <= set(PROJECT["optional-dependencies"])
    assert "sandbox" in extras


@pytest.mark.slow
def test_every_notebook_finds_what_it_imports():
    (line,) = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8").split()
    there = installed_with(line[2:-1].split(","))
    homes = {**metadata.packages_distributions(), "kalam_notebook": ["kalam-notebook"]}  # The checkout itself.
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert len(notebooks) >= 6
    for notebook in notebooks:
        for module in set(imported(notebook)) - set(sys.stdlib_module_names):
            assert there & {plain(name) for name in homes[module]}, (notebook.name, module)


def test_every_notebook_runs_on_the_sandbox():
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        cells = cells_of(notebook)
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        assert "connect sandbox" in code or 'connect("sandbox")' in code, notebook.name
