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


@pytest.mark.slow
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


START = """
import pathlib, threading, time, kalam_notebook as kalam
kalam.connect("sandbox")
_ = kalam.execute_query("CREATE NAMESPACE app")
_ = kalam.execute_query("CREATE TABLE app.rooms (id TEXT PRIMARY KEY, n INT) WITH (TYPE = 'SHARED')")
_ = kalam.execute_query("INSERT INTO app.rooms (id, n) VALUES ('b', 1), ('a', 2)")
def change_at(path, n):
    while not pathlib.Path(path).exists(): time.sleep(0.01)
    kalam.execute_query(f"UPDATE app.rooms SET n = {n} WHERE id = 'a'")

def change_later(path, n): threading.Thread(target=change_at, args=(path, n), daemon=True).start()

print("is " "there")
"""


def typed(terminal, text):
    """Send a cell as if it were pasted, and run it."""
    terminal.send(f"\x1b[200~{text.strip()}\x1b[201~\x1b\r")


@pytest.mark.slow
def test_a_live_table_is_followed_in_one_place_until_it_is_interrupted(terminal, tmp_path):
    signs = [tmp_path / name for name in ("one", "two")]
    typed(terminal, START)
    terminal.expect("is there")
    drawn(terminal)

    typed(terminal, f"change_later('{signs[0]}', 4711)\nlive = kalam.live('SELECT * FROM app.rooms'); live")
    terminal.expect(r"2 rows.*Ctrl-C ends this")
    before = terminal.before + terminal.after
    assert before.index("a   ") < before.rindex("b   ")  # By their key.
    signs[0].touch()
    terminal.expect(r"\x1b\[\d+F\x1b\[0J[^\x1b]*4711[^\x1b]*1 change ")
    terminal.send("\x03")
    terminal.expect(r"In \[")
    drawn(terminal)

    typed(terminal, "print(live.is_closed, len(kalam.subscriptions()))")
    terminal.expect("False 1")
    typed(terminal, f"change_later('{signs[1]}', 4712)\nlive.close()")
    drawn(terminal)
    terminal.send("\x1b[200~%%kalam --live\nSELECT * FROM app.rooms\x1b[201~\x1b\r")
    terminal.expect(r"2 rows.*Ctrl-C ends this")
    signs[1].touch()
    terminal.expect("4712")
    terminal.send("\x03")
    drawn(terminal)
    typed(terminal, "print('left', len(kalam.subscriptions()))")
    terminal.expect("left 0")
