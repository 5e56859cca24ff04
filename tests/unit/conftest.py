"""Fixtures of the unit tests: a live table without a server, changed by hand, and a file for what is recorded of it."""

import pytest
from test_recording_replay import Kept

from kalam_notebook.live_queries.table import LiveTable


@pytest.fixture
def kept():
    """Its rows."""
    kept = Kept()
    yield kept
    kept.close()


@pytest.fixture
def live(kept):
    """The table."""
    with LiveTable(kept, sql="SELECT * FROM a.b") as live:
        yield live


@pytest.fixture
def path(tmp_path):
    """The file."""
    return tmp_path / "x.arrows"
