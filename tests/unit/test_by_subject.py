"""The table of ``make contract``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from by_subject import SUBJECTS, subject_of

pytest_plugins = ["pytester"]

HEAD = ["passed", "failed", "skipped", "time"]
ROOT = Path(__file__).parents[2]

READING = """
import pytest

@pytest.fixture
def broken():
    yield
    raise ValueError

def test_one(): pass
def test_two(): assert False
def test_three(broken): pass
def test_four(): pytest.skip("not here")
"""


def test_the_table_counts_each_test_once(pytester):
    for name, text in {
        "any_select": READING,
        "sorts": "def test_five(): pass",
        "new_one": "def test_six(): pass",
    }.items():
        path = pytester.mkpydir(f"of_{name}") / "client" / f"test_{name}.py"
        path.parent.mkdir()
        path.write_text(text)
    # Modules of the same names may be loaded already, those of this project.
    options = ["--import-mode=importlib", "-p", "no:randomly"]
    result = pytester.runpytest_inprocess("-p", "by_subject", "--by-subject", *options)
    lines = [line.split() for line in result.outlines]
    table = lines[lines.index(HEAD) :]
    assert table[:4] == [
        HEAD,
        ["New", "one", "1", "0", "0", "0", "s"],
        ["Reading", "2", "2", "1", "0", "s"],
        ["All", "3", "2", "1", "0", "s"],
    ]


def test_no_table_unless_it_is_asked_for(pytester):
    pytester.makepyfile("def test_one(): pass")
    result = pytester.runpytest_inprocess("-p", "by_subject", "-p", "no:randomly")
    assert HEAD not in [line.split() for line in result.outlines]


@pytest.mark.parametrize("pattern", SUBJECTS)
def test_every_pattern_names_a_module(pattern):
    assert any(subject_of(str(path)) == SUBJECTS[pattern] for path in (ROOT / "tests").glob(f"{pattern}.py"))


def test_make_contract_says_what_to_set():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KALAM_")}
    command = ["make", "--silent", "--old-file=.venv/.synced", f"PYTHON={sys.executable}", "contract"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    first, *_ = done.stderr.splitlines()
    assert "KALAM_TEST_URL" in first
    assert "KALAM_TEST_ROOT_PASSWORD" in first
