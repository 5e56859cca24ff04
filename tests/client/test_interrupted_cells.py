"""Ctrl-C in a cell that waits for a server: the prompt is back at once, with a line that says what was done."""

import os
import signal
import sys
import threading
import time
from contextlib import redirect_stdout
from io import StringIO

import pytest
from IPython.core.interactiveshell import InteractiveShell
from servers import sandbox

pytestmark = pytest.mark.timeout(300)

SETUP = """
import time, kalam_notebook as kalam, pandas as pd
%load_ext kalam_notebook
client = kalam.connect(url, user="root", password=password, max_retries=0)
client.execute_query("CREATE NAMESPACE app")
client.execute_query("CREATE TABLE app.t (id INT PRIMARY KEY, name TEXT) WITH (TYPE = 'SHARED')")
client.execute_query("CREATE TABLE app.f (id INT PRIMARY KEY, f FILE) WITH (TYPE = 'SHARED')")
client.execute_query("CREATE TOPIC app.events")
client.execute_query("ALTER TOPIC app.events ADD SOURCE app.t ON INSERT")
frame = pd.DataFrame({"id": range(300), "name": "x"})
client.write(frame, "app.t")
client.execute_with_files('INSERT INTO app.f (id, f) VALUES (1, FILE("a"))', {"a": b"x" * 1000})
files = client.query("SELECT f FROM app.f")["f"]
live = client.live("SELECT * FROM app.t")
events = client.live_events("SELECT * FROM app.t", batch_size=None)
events.next()
consumer = kalam.consumer("app.events", group_id="g", start="latest")
consumer.poll(0)
"""

#: Cells, and what their last line says.
CELLS = {
    "query": ("client.query('SELECT * FROM app.t')", "No row had been read. The server may go on with the query."),
    "execute": ("client.execute_query('SELECT 1')", "The server may carry out the statement all the same."),
    "batches": (
        "for batch in client.query_batches('SELECT * FROM app.t'): pass",
        "No row had been read. The server may go on with the query.",
    ),
    "local": (
        "client.query('SELECT * FROM app.t', engine='local')",
        "No row had been read. The server may go on with the query.",
    ),
    "export": (
        "client.export('SELECT * FROM app.t', folder + '/t.parquet')",
        "No row had been read. The server may go on with the query.",
    ),
    "write": (
        "client.write(frame, 'app.t', mode='upsert')",
        "No row had been written. What was on its way may be written, too.",
    ),
    "upload": (
        "client.execute_with_files('INSERT INTO app.f (id, f) VALUES (2, FILE(\"a\"))', {'a': b'x' * 1000})",
        "The server may carry out the statement all the same.",
    ),
    "uploads": ("kalam.upload(folder, 'app.f')", "No file had been sent."),
    "download": ("client.download(files[0], to=folder + '/file')", "Nothing of the file was kept."),
    "downloads": (
        "kalam.download(files, to=folder + '/all/')",
        "No file had been downloaded. The same call goes on with the others.",
    ),
    "open": ("client.live('SELECT * FROM app.t WHERE id > 5')", "No live table was opened."),
    "verify": ("live.verify(timeout=100)", "The table goes on: 300 rows, live."),
    "wait": ("live.wait_for(lambda table: False, timeout=100)", "The table goes on: 300 rows, live."),
    "event": ("events.next()", "No event is lost: what has come is returned by the next call."),
    "poll": ("consumer.poll(timeout=100)", "No message is lost: what has come is returned by the next call."),
    "messages": ("for message in consumer: pass", "No message is lost: what has come is returned by the next call."),
    "line": ("%kalam SELECT * FROM app.t", "No row had been read. The server may go on with the query."),
    "cell": ("%%kalam\nSELECT * FROM app.t", "No row had been read. The server may go on with the query."),
}


class Interrupted:
    """Runs a cell, interrupts it where it stands, and measures what comes after that.

    Attributes:
        calls: Functions that were called after the interrupt, on the main thread.
        seconds: From the interrupt to the end of the cell.
        lines: What the cell showed.
    """

    def __init__(self, shell, source, *, within="<module>"):
        self.calls, self._came, shown = 0, None, StringIO()
        self._within, self._over = within, threading.Event()
        handler = signal.signal(signal.SIGINT, self._interrupted)
        sender = threading.Thread(target=self._send)
        try:
            sender.start()
            with redirect_stdout(shown):
                shell.run_cell(source, store_history=True)
            self.seconds = time.monotonic() - self._came
        finally:
            sys.setprofile(None)
            self._over.set()
            sender.join()
            signal.signal(signal.SIGINT, handler)
        self.lines = [line for line in shown.getvalue().splitlines() if line.strip()]

    def _interrupted(self, number, frame):
        self._came = time.monotonic()
        sys.setprofile(self._count)
        raise KeyboardInterrupt

    def _count(self, frame, event, called):
        self.calls += event in ("call", "c_call")

    def _send(self):
        """Interrupt when the main thread has stood in one place of a function for a while."""
        seen, since = None, time.monotonic()
        while not self._over.wait(0.02):
            frame = sys._current_frames()[threading.main_thread().ident]
            place, now = (id(frame), frame.f_lasti), time.monotonic()
            if place != seen or self._within not in _names(frame):
                seen, since = place, now
            elif now - since > 0.3:
                os.kill(os.getpid(), signal.SIGINT)
                return


def _names(frame):
    """The functions that run."""
    while frame is not None:
        yield frame.f_code.co_name
        frame = frame.f_back


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    with sandbox() as server:
        InteractiveShell.clear_instance()
        shell = InteractiveShell.instance()
        folder = tmp_path_factory.mktemp("files")
        (folder / "a.txt").write_text("a")
        shell.push({"url": server.url, "password": server.root_password, "folder": str(folder), "server": server})
        assert shell.run_cell(SETUP).success
        yield shell
        shell.run_cell("kalam.close()")
        shell.history_manager.end_session()
        InteractiveShell.clear_instance()


@pytest.fixture(scope="module")
def usual(shell):
    """A cell that waits for nothing of ours."""
    return Interrupted(shell, "time.sleep(100)")


@pytest.mark.parametrize("name", CELLS)
def test_the_prompt_is_back_sooner_than_after_an_interrupted_sleep(shell, usual, name):
    source, line = CELLS[name]
    server = shell.user_ns["server"]
    os.kill(server.pid, signal.SIGSTOP)
    try:
        cell = Interrupted(shell, source)
    finally:
        os.kill(server.pid, signal.SIGCONT)

    assert cell.lines[-2:] == ["KeyboardInterrupt", line]
    assert len(cell.lines) <= 4
    assert cell.calls < usual.calls / 20
    assert cell.seconds < usual.seconds + 0.2


def test_a_table_that_is_followed_for_a_while_is_closed(shell, usual):
    cell = Interrupted(shell, "%%kalam --live --for 100\nSELECT * FROM app.t", within="wait_for")
    assert cell.lines[-2:] == ["KeyboardInterrupt", "The table is closed; its last rows stay in the notebook."]
    assert cell.calls < usual.calls / 20
    assert cell.seconds < usual.seconds + 0.2
