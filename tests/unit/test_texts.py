"""Texts in terminals: nothing that a terminal obeys, nothing that hides or reorders, nothing without end."""

import json
import re
import warnings
from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.frames import Close
from websockets.http11 import Headers, Response

from kalam_notebook import callers, errors
from kalam_notebook.callers import warn_caller
from kalam_notebook.live_queries.connection.failures import describe_failure
from kalam_notebook.live_queries.connection.protocol import _CONNECTION_IDS, LiveProtocol
from kalam_notebook.live_queries.connection.states import Interrupted, Timing
from kalam_notebook.notebook.magics import Note
from kalam_notebook.results.results import QueryResult
from kalam_notebook.settings import Secret
from kalam_notebook.texts import MAX_CHARACTERS, first_line, in_line, shown, visible
from kalam_notebook.wire.live import AuthErrorMessage, ErrorMessage
from kalam_notebook.writing.report import WriteReport

#: Clears the screen, sets the title, goes back in the line, hides, reorders, ends a line, is half a letter.
EVIL = "\x1b[2J\x1b]0;evil\x07\r\b\x9b31m\u202egnp.exe\u2066\u200b\u2028\x85\x0c\ud800\x00"
LONG = EVIL + "x" * 10_000_000 + "the end"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def assert_harmless(text):
    assert not OBEYED.search(text), ascii(text[:300])
    assert len(text) < 2 * MAX_CHARACTERS
    text.encode()


def test_what_is_shown():
    assert shown("Größe 語 👩‍👧 \u0645") == "Größe 語 👩‍👧 \u0645"
    assert shown("a\tb\r\nc") == "a\tb\nc"
    assert shown("a\tb\nc", lines=False) == "a⇥b↵c"
    assert shown("\x1b[31m\u202e\ud800") == "␛[31m⟨U+202E⟩⟨U+D800⟩"
    assert visible("\u202e\x9b") == "⟨U+202E⟩⟨U+009B⟩"


def test_a_secret_is_in_no_message_as_long_as_it_exists():
    long, quoted, short = Secret("eyJhbGciOi.and-so-on.aGlkZGVu"), Secret('of"eight\\or more'), Secret("word")
    for text in (long.reveal(), long.reveal()[:20], quoted.reveal(), json.dumps(quoted.reveal())):
        assert in_line(f"a {text} b") in {"a … b", 'a "…" b'}
        error = errors.ServerError("C", f"a {text} b", 400)
        assert text not in f"{error}{error!r}"
    assert in_line(f"a {short.reveal()} b") == "a word b"

    text = long.reveal()
    del long
    assert in_line(text) == text


def test_what_is_too_long_keeps_its_end():
    text = shown("a" * 5_000 + "\nDo this.")
    assert text.startswith("a" * 1_500 + " … 5,009 characters … ")
    assert text.endswith("a\nDo this.")


@given(st.text(), st.booleans())
def test_any_text(text, lines):
    told = shown(text, lines=lines)
    assert_harmless(told)
    assert lines or "\n" not in told


ERRORS = [
    errors.KalamError(LONG),
    errors.AuthError(LONG),
    errors.RequestTimeoutError(LONG),
    errors.QueryError(LONG, LONG, 400, LONG, LONG),
    errors.DecodeError(LONG, LONG, 1, LONG, LONG),
    errors.ParameterError(LONG, LONG),
    errors.FrameError(LONG, column=LONG, row=1, value=LONG),
    errors.WriteError(LONG, (0, 1), None, LONG, LONG),
    errors.UnsafeStatementError(LONG, LONG, LONG),
    errors.SubscriptionError(LONG, LONG, LONG, LONG),
    errors.RecordingError(LONG, LONG),
    errors.MissingDependencyError(LONG),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.slow
def test_errors(error, monkeypatch):
    # A shell would colour its part.
    monkeypatch.setattr(callers, "running_shell", lambda: None)
    assert_harmless(str(error))
    assert_harmless("".join(error._render_traceback_()[-3:]))
    assert LONG in error.args
    assert len(first_line(error)) < 300
    assert_harmless(first_line(error))


def test_every_error_shows_its_text_this_way():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.KalamError)]
    assert len(kinds) > 20
    assert {kind.__str__ for kind in kinds} == {errors.KalamError.__str__}


@pytest.mark.slow
def test_what_a_socket_is_refused_with():
    closed = ConnectionClosedError(Close(1011, EVIL[:40].replace("\ud800", "")), None)
    for exc in (
        closed,
        ConnectionClosedError(Close(1008, "\x1b[2J\u202e"), None),
        InvalidStatus(Response(503, LONG, Headers())),
        InvalidStatus(Response(403, LONG, Headers())),
        ValueError(LONG),
        OSError(LONG),
    ):
        failure = describe_failure(exc, url="ws://h:1/v1/ws")
        assert_harmless(failure.reason)
        assert len(failure.reason) < 500
        assert failure.error is None or not OBEYED.search(str(failure.error))


@pytest.mark.parametrize("message", [AuthErrorMessage(LONG), ErrorMessage(next(iter(_CONNECTION_IDS)), LONG, LONG)])
def test_what_a_live_connection_is_lost_for(message):
    protocol = LiveProtocol(delays=lambda: repeat(1.0), timing=Timing())
    protocol.connect()
    protocol.opened(0.0)
    protocol.received(message, 0.0)
    assert_harmless(protocol.status.reason)
    assert len(protocol.status.reason) < 300
    assert_harmless(Interrupted(1, LONG, LONG).reason)


def test_results_reports_notes_and_warnings():
    assert_harmless(str(QueryResult((), 0, LONG)))
    assert_harmless(repr(QueryResult((), 0, EVIL)))
    assert len(QueryResult((), 0, "a\n" * 1_000_000)._repr_html_()) < 50_000
    assert_harmless(repr(WriteReport("app.t", "insert", notices=(LONG,))))
    assert not OBEYED.search(repr(Note(EVIL)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_caller(LONG, UserWarning)
    assert_harmless(str(caught[0].message))
