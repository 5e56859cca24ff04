"""The built page module, as it is committed and shipped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import kalam_notebook
from kalam_notebook.notebook.page.questions import PARTS

ROOT = Path(__file__).parents[2]
STATIC = Path(kalam_notebook.__file__).parent / "notebook" / "page" / "static"
MODULE = STATIC / "live_table.js"


@pytest.mark.parametrize(("name", "most"), [("live_table", 70_000), ("live_tools", 25_000)])
def test_the_modules_are_small_and_the_same_on_every_machine(name, most):
    path = STATIC / f"{name}.js"
    source = path.read_text(encoding="utf-8")
    assert path.stat().st_size < most
    for trace in (str(ROOT), "node_modules", "sourceMappingURL", "file://"):
        assert trace not in source


def test_every_module_is_known():
    assert {path.stem for path in STATIC.glob("*.js")} == PARTS | {"live_table"}


def test_the_module_carries_the_licence_of_what_it_holds():
    source = MODULE.read_text(encoding="utf-8")
    pins = json.loads((ROOT / "js" / "package.json").read_text())["devDependencies"]
    assert f"Holds @uwdata/flechette {pins['@uwdata/flechette']}:" in source
    assert "Copyright (c) 2024, UW Interactive Data Lab" in source
    assert "THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS" in source


def test_versions_are_pinned_exactly():
    pins = json.loads((ROOT / "js" / "package.json").read_text())["devDependencies"]
    assert all(pin[0].isdigit() for pin in pins.values())


def test_no_markup_is_made_from_text():
    for path in (ROOT / "js" / "src").glob("*.ts"):
        source = path.read_text(encoding="utf-8")
        assert "innerHTML" not in source
        assert "insertAdjacentHTML" not in source
