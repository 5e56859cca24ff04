"""The built page module, as it is committed and shipped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import kalam_notebook
from kalam_notebook.notebook.page.questions import PARTS

ROOT = Path(__file__).parents[2]
STATIC = Path(kalam_notebook.__file__).parent / "notebook" / "page" / "static"
#: The modules, each with the bytes that it may have, and the libraries that it holds.
MODULES = {
    "live_table": (70_000, {"@uwdata/flechette": "Copyright (c) 2024, UW Interactive Data Lab"}),
    "live_chart": (
        110_000,
        {
            "@uwdata/flechette": "Copyright (c) 2024, UW Interactive Data Lab",
            "uplot": "Copyright (c) 2022 Leon Sorokin",
        },
    ),
    "live_tools": (36_000, {}),
    "live_arrow": (24_000, {"@uwdata/flechette": "Copyright (c) 2024, UW Interactive Data Lab"}),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_small_and_the_same_on_every_machine(name):
    path = STATIC / f"{name}.js"
    source = path.read_text(encoding="utf-8")
    assert path.stat().st_size < MODULES[name][0]
    for trace in (f"{ROOT}/", "node_modules", "sourceMappingURL", "file://", "https://cdn", "unpkg.com"):
        assert trace not in source


def test_every_module_is_known():
    assert {path.stem for path in STATIC.glob("*.js")} == PARTS | {"live_table", "live_chart"} == set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_carries_the_licences_of_what_it_holds(name):
    source = (STATIC / f"{name}.js").read_text(encoding="utf-8")
    pins = json.loads((ROOT / "js" / "package.json").read_text())["devDependencies"]
    for library, copyright_line in MODULES[name][1].items():
        assert f"Holds {library} {pins[library]}:" in source
        assert copyright_line in source


def test_versions_are_pinned_exactly():
    pins = json.loads((ROOT / "js" / "package.json").read_text())["devDependencies"]
    assert all(pin[0].isdigit() for pin in pins.values())


def test_no_markup_is_made_from_text():
    for path in (ROOT / "js" / "src").glob("*.ts"):
        source = path.read_text(encoding="utf-8")
        assert "innerHTML" not in source
        assert "insertAdjacentHTML" not in source
