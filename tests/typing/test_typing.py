"""A user's file passes a strict type checker, and mistakes in it are found."""

import subprocess
import sys
from pathlib import Path

import pytest

CONSUMER = Path(__file__).with_name("consumer.py")
MISTAKES = ["kalam.query(5)", "kalam.query('SELECT 1', engine='remote')", "kalam.nope()", "kalam.connect(urll='x')"]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What mypy says of the user's file and of one for each mistake; one run, because it reads pandas each time."""
    folder = tmp_path_factory.mktemp("mistakes")
    for number, line in enumerate(MISTAKES):
        (folder / f"mistake{number}.py").write_text(f"import kalam_notebook as kalam\n\n{line}\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file", ""]
    ignore = ["--disable-error-code=import-untyped"]  # Libraries without types are not ours to check.
    files = [str(CONSUMER), *map(str, sorted(folder.iterdir()))]
    done = subprocess.run([*command, *ignore, *files], capture_output=True, text=True, timeout=280, cwd=folder)
    assert done.returncode == 1, done.stderr
    return done.stdout


def test_a_users_file_is_understood(found):
    assert CONSUMER.name not in found, found


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_mistakes_are_found(found, number):
    assert f"mistake{number}.py:3: error: " in found
