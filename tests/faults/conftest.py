"""Fixtures for tests of faults: a scene on the shared server, other servers, and short pauses."""

from contextlib import contextmanager

import pytest
from servers import sandbox

from kalam_notebook.live_queries.connection.backoff import backoff
from kalam_notebook.live_queries.following import follower, schedule

# Without this its assertions say nothing of what they compared.
pytest.register_assert_rewrite("scene")
from scene import Scene  # noqa: E402


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    """Attempts to connect or to read again come after a tenth of a second or three, not after half a minute.

    What costs a scan is not spread over seconds, and rests for as many tenths of a second.
    """
    monkeypatch.setitem(backoff.__kwdefaults__, "first", 0.1)
    monkeypatch.setitem(backoff.__kwdefaults__, "most", 0.3)
    monkeypatch.setattr(follower, "SPREAD", 0.3)
    monkeypatch.setattr(schedule, "_PROOF_REST", 10.0)


@pytest.fixture
def scene(server):
    """A scene on the server that contract tests use."""
    with Scene(server) as scene:
        yield scene


@pytest.fixture(scope="session")
def start_server():
    """Start a sandbox server of one's own: ``with start_server("--drop-events", "0.1") as server``."""

    @contextmanager
    def start(*options: str, port: int = 0):
        with sandbox(*options, port=port) as server:
            yield server

    return start
