"""Fixtures of the unit tests: a live table without a server, whose rows are changed by hand."""

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
