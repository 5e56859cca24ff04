"""The built page module, as it is committed and shipped."""

from __future__ import annotations

import json
from pathlib import Path

import kalam_notebook

ROOT = Path(__file__).parents[2]
MODULE = Path(kalam_notebook.__file__).parent / "notebook" / "page" / "static" / "live_table.js"


def test_the_module_is_small_and_the_same_on_every_machine():
    source = MODULE.read_text(encoding="utf-8")
    assert MODULE.stat().st_size < 70_000
    for trace in (str(ROOT), "node_modules", "sourceMappingURL", "file://"):
        assert trace not in source


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
