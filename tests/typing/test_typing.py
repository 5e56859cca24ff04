"""A user's file passes a strict type checker, and mistakes in it are found."""

import subprocess
import sys
from pathlib import Path

import pytest

CONSUMER = Path(__file__).with_name("consumer.py")


def check(path):
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file", "", str(path)]
    ignore = ["--disable-error-code=import-untyped"]  # Libraries without types are not ours to check.
    return subprocess.run([*command, *ignore], capture_output=True, text=True, timeout=110, cwd=path.parent)


def test_a_users_file_is_understood():
    done = check(CONSUMER)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "line",
    ["kalam.query(5)", "kalam.query('SELECT 1', engine='remote')", "kalam.nope()", "kalam.connect(urll='x')"],
)
def test_mistakes_are_found(tmp_path, line):
    path = tmp_path / "mistake.py"
    path.write_text(f"import kalam_notebook as kalam\n\n{line}\n")
    assert "error" in check(path).stdout
