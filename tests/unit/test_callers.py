"""Errors show the lines of who called, not those of the package."""

import sys
import traceback

import pytest
from IPython.core.interactiveshell import InteractiveShell

from kalam_notebook import callers
from kalam_notebook.callers import TRACEBACK_VARIABLE, fails_shortly
from kalam_notebook.client.client import Client
from kalam_notebook.dbapi.cursor import Cursor
from kalam_notebook.errors import KalamError
from kalam_sandbox.launcher import SandboxError


def frames(error):
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


@pytest.fixture
def client(closed_port):
    """A client of no server, that asks the reader's own function for a token."""

    def token():
        raise KalamError("no token")

    with Client(f"http://127.0.0.1:{closed_port}", token_provider=token) as client:
        yield client


def test_the_frames_of_the_package_are_left_out(client, monkeypatch):
    monkeypatch.delenv(TRACEBACK_VARIABLE)
    with pytest.raises(KalamError) as caught:
        client.execute_query("SELECT 1")
    assert frames(caught.value) == ["test_the_frames_of_the_package_are_left_out", "token"]


def test_they_are_there_for_whom_asks(client):
    with pytest.raises(KalamError) as caught:
        client.execute_query("SELECT 1")
    assert len(frames(caught.value)) > 5


def test_a_mistake_shows_where_it_was_made(client, monkeypatch):
    monkeypatch.delenv(TRACEBACK_VARIABLE)
    with pytest.raises(TypeError) as caught:
        client.execute_query()
    assert "call" in frames(caught.value)


def test_an_interrupt_shows_nothing_that_was_handled(monkeypatch):
    monkeypatch.delenv(TRACEBACK_VARIABLE)

    @fails_shortly
    def wait():
        try:
            raise ValueError
        except ValueError:
            raise KeyboardInterrupt  # noqa: B904

    with pytest.raises(KeyboardInterrupt) as caught:
        wait()
    assert isinstance(caught.value.__context__, ValueError)
    assert caught.value.__suppress_context__


def test_an_interrupt_of_an_import_shows_who_imports(monkeypatch):
    monkeypatch.delenv(TRACEBACK_VARIABLE)

    class Finder:
        @staticmethod
        def find_spec(*args):
            raise KeyboardInterrupt

    @fails_shortly
    def load():
        import no_module_of_this_name  # noqa: F401

    monkeypatch.setattr(sys, "meta_path", [Finder])
    with pytest.raises(KeyboardInterrupt) as caught:
        load()
    assert frames(caught.value) == ["test_an_interrupt_of_an_import_shows_who_imports", "load", "find_spec"]


def test_an_error_of_the_sandbox_is_as_short_in_a_cell(monkeypatch):
    @fails_shortly
    def start():
        raise SandboxError("The sandbox server ended.")

    monkeypatch.setattr(callers, "running_shell", InteractiveShell)
    with pytest.raises(SandboxError) as caught:
        start()
    assert caught.value._render_traceback_.__func__ is callers.short_traceback
    assert "test_an_error_of_the_sandbox_is_as_short_in_a_cell" in frames(caught.value)


def test_what_is_called_for_each_row_is_called_directly():
    def once(self): ...
    def often(self): ...

    kind = callers.short_failures(type("Rows", (), {"once": once, "often": callers.for_each_row(often)}))
    assert kind.often is often
    assert kind.once is not once
    assert not hasattr(Cursor.fetchone, "__wrapped__")
    assert not hasattr(Cursor.__next__, "__wrapped__")
