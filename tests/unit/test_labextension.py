"""The extension of JupyterLab: small, and of this version."""

import json
from pathlib import Path

import kalam_notebook
from kalam_notebook.results.progress import PROGRESS_MIME

FOLDER = Path(__file__).parents[2] / "labextension"


def test_it_is_of_this_version_and_small():
    package = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == kalam_notebook.__version__
    built = package["jupyterlab"]["_build"]
    assert (FOLDER / built["load"]).stat().st_size < 8_000
    assert sorted(path.name for path in FOLDER.rglob("*") if path.is_file()) == ["package.json", "remoteEntry.js"]


def test_it_shows_what_the_kernel_sends():
    script = (FOLDER / "static" / "remoteEntry.js").read_text(encoding="utf-8")
    assert f'"{PROGRESS_MIME}"' in script
