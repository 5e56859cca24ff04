"""SQLAlchemy's own tests of dialects; ``support/sqlalchemy_suite/rules.py`` says which do not run, and why.

They make and drop tables of the same names all the time, which a real server's clean-up does not bear.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import sqlalchemy as sa

import kalam_notebook as kalam

SUITE = Path(__file__).parents[1] / "support" / "sqlalchemy_suite"

#: Fewer would mean that a rule takes out more than it says.
AT_LEAST = 400


@pytest.mark.slow
@pytest.mark.timeout(900)  # Of some 40 s, on a machine with nothing else to do.
def test_the_suite_passes(tmp_path):
    with kalam.sandbox() as server:
        with kalam.Client(server.url, user="root", password=server.root_password) as client:
            for name in ("suite", "test_schema", "test_schema_2"):
                client.execute_query(f"CREATE NAMESPACE {name}")
        url = sa.make_url(server.url.replace("http", "kalamdb", 1))
        url = url.set(username="root", password=server.root_password, database="suite")
        found = tmp_path / "found.xml"
        command = [sys.executable, "-m", "pytest", "-c", SUITE / "setup.cfg", "--rootdir", SUITE, SUITE / "suite.py"]
        options = [f"--dburi={url.render_as_string(hide_password=False)}", f"--junitxml={found}"]
        ran = subprocess.run(
            [*map(str, command), *options],
            env={**os.environ, "PYTHONPATH": str(SUITE)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    assert ran.returncode == 0, ran.stdout[-50_000:]
    tests = list(ElementTree.parse(found).iter("testcase"))
    skipped = [each.get("message", "") for test in tests for each in test.iter("skipped")]
    assert [why for why in skipped if why.endswith("marked as skip")] == []
    assert len(tests) - len(skipped) >= AT_LEAST
