"""The extension that colours SQL in JupyterLab: small, and of this version."""

import json
from pathlib import Path

import kalam_notebook

FOLDER = Path(__file__).parents[2] / "labextension"


def test_it_is_of_this_version_and_small():
    package = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == kalam_notebook.__version__
    built = package["jupyterlab"]["_build"]
    assert (FOLDER / built["load"]).stat().st_size < 6_000
    assert sorted(path.name for path in FOLDER.rglob("*") if path.is_file()) == ["package.json", "remoteEntry.js"]
