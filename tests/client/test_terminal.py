"""IPython in a real terminal: the colours of SQL."""

import re
import sys

import pytest

pexpect = pytest.importorskip("pexpect", reason="terminals as of Unix")

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def terminal(tmp_path, monkeypatch):
    """IPython in a terminal, with the extension."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("TERM", "xterm-256color")
    command = ["-m", "IPython", "--no-banner", "--colors=linux", "--no-confirm-exit", "--ext=kalam_notebook"]
    child = pexpect.spawn(sys.executable, command, dimensions=(40, 100), encoding="utf-8", timeout=100)
    child.send("print('rea' 'dy')\r")
    child.expect("ready")
    drawn(child)
    yield child
    child.close(force=True)


def drawn(child):
    """What the terminal was sent until it was silent for a while."""
    text = ""
    while True:
        try:
            text += child.read_nonblocking(100_000, timeout=1.5)
        except pexpect.TIMEOUT:
            return text


def colour(text, word):
    """The colours of a word where it was drawn last."""
    return re.findall(r"\x1b\[([\d;]*)m", text[: text.rindex(word)])[-1]


def test_sql_has_its_colours_and_python_keeps_its_own(terminal):
    terminal.send("\x1b[200~%%kalam --live\nSELECT orders, 'open', $room FROM t -- all\x1b[201~")
    text = drawn(terminal)
    told = {word: colour(text, word) for word in ("SELECT", "orders", "'open'", "-- all")}
    assert len(set(told.values())) == 4, told
    assert colour(text, "FROM") == told["SELECT"]
    terminal.send("\x03")
    drawn(terminal)
    terminal.send("\x1b[200~SELECT = orders\x1b[201~")  # Python.
    text = drawn(terminal)
    assert colour(text, "SELECT") == colour(text, "orders")
    terminal.send("\x03")
    drawn(terminal)
