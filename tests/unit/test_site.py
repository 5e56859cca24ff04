"""The documentation as a site: it is built strictly, so a link or an anchor that leads nowhere fails.

What the generator does not look at, pictures and the navigation, is looked at here.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
PAGES = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}


def build(folder):
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"], cwd=folder, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def small_site(folder, text):
    """A site of two pages with the settings of ours."""
    (folder / "mkdocs.yml").write_text(CONFIG.split("nav:")[0], encoding="utf-8")
    (folder / "docs").mkdir()
    (folder / "docs" / "index.md").write_text(f"# Start\n\n{text}\n", encoding="utf-8")
    (folder / "docs" / "other.md").write_text("# Other\n\n## Here\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as users see it, built from a copy of the pages."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(ROOT / "docs", folder / "docs")
    code, said = build(folder)
    assert code == 0, said
    return folder / "build" / "docs"


def test_every_page_is_in_the_navigation_and_built(site):
    named = re.findall(r": (\S+\.md)$", CONFIG, re.M)
    assert sorted(named) == sorted(PAGES)
    for page in PAGES:
        name = page.removesuffix(".md").removesuffix("index")
        assert (site / name / "index.html").is_file(), page


def test_a_good_link_is_built(tmp_path):
    code, said = build(small_site(tmp_path, "[good](other.md#here), [own](#start)"))
    assert code == 0, said


@pytest.mark.parametrize("link", ["[x](nope.md)", "[x](other.md#nope)", "[x](#nope)"])
def test_a_link_that_leads_nowhere_fails(tmp_path, link):
    code, said = build(small_site(tmp_path, link))
    assert code != 0
    assert "does not exist" in said


def test_pictures_are_there():
    """A missing one is no error to the generator."""
    for page in PAGES:
        path = ROOT / "docs" / page
        for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / picture).is_file(), (page, picture)
