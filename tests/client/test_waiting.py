"""What is shown while a call takes long: one line that says what is being done, and goes."""

import re
import threading
import uuid

import pandas as pd
import pytest
from IPython.utils.capture import capture_output

import kalam_notebook as kalam
from kalam_notebook.results import progress


class Board:
    """Keeps every line, and those that were not taken away."""

    def __init__(self):
        self.lines, self.standing = [], set()

    def open(self):
        board = self

        class Surface:
            def show(self, line):
                board.lines.append(line)
                board.standing.add(id(self))

            def clear(self):
                board.standing.discard(id(self))

        return Surface()


@pytest.fixture
def board(monkeypatch):
    board = Board()
    monkeypatch.setattr(progress, "find_surface", board.open)
    monkeypatch.setattr(progress, "DELAY_S", 0.05)
    monkeypatch.setattr(progress, "INTERVAL_S", 0.02)
    return board


@pytest.fixture(scope="module")
def slow():
    """A server that takes its time for rows."""
    options = ("--scan-row-ns", "2000000", "--insert-value-ns", "2000000")
    with (
        kalam.sandbox(options=options) as server,
        kalam.Client(server.url, user="root", password=server.root_password) as client,
    ):
        client.execute_query("CREATE NAMESPACE app")
        client.execute_query("CREATE TABLE app.f (id INT PRIMARY KEY, f FILE) WITH (TYPE = 'SHARED')")
        yield client


@pytest.fixture
def table(slow):
    """A table of its own for each test, without rows."""
    name = f"app.t{uuid.uuid4().hex[:12]}"
    slow.execute_query(f"CREATE TABLE {name} (id INT PRIMARY KEY, name TEXT) WITH (TYPE = 'SHARED')")
    return name


def shown(board, words):
    """Whether a line told it, and nothing is left."""
    found = [line for line in board.lines if words in line]
    board.lines.clear()
    return bool(found) and not board.standing


def test_every_call_that_takes_long_says_what_it_does(slow, table, board):
    slow.write(pd.DataFrame({"id": range(100), "name": "x"}), table, chunk_rows=25)
    assert any(re.search(r"writing · (.* rows · )?\d+\.\d kB", line) for line in board.lines)
    assert shown(board, "writing · ")
    slow.execute_query(f"INSERT INTO {table} (id, name) VALUES " + ", ".join(f"({n}, 'x')" for n in range(100, 200)))
    assert shown(board, "running · ")
    assert slow.query(f"SELECT id FROM {table}")["id"].nunique() == 200
    assert shown(board, "reading · ")
    assert sum(batch.num_rows for batch in slow.query_batches(f"SELECT id FROM {table}", batch_rows=50)) == 200
    assert shown(board, "reading · ")


@pytest.mark.slow
def test_who_shows_progress_himself_sees_no_second_line(slow, table, board):
    seen = []
    frame = pd.DataFrame({"id": range(100), "name": "x"})
    slow.write(frame, table, chunk_rows=50, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (100, 100)
    assert board.lines == []


def test_a_file_is_told_by_its_bytes(slow, board, tmp_path, monkeypatch):
    slow.execute_with_files('INSERT INTO app.f (id, f) VALUES (1, FILE("a"))', {"a": b"x" * 100_000})
    ref = slow.query("SELECT f FROM app.f")["f"][0]
    board.lines.clear()
    told = threading.Event()
    received = progress.Meter.received

    def wait(meter, nbytes, rows):
        received(meter, nbytes, rows)
        for _ in range(100):
            if any("downloading · " in line and "kB" in line for line in board.lines):
                told.set()
                return
            told.wait(0.05)

    monkeypatch.setattr(progress.Meter, "received", wait)
    assert slow.download(ref, to=tmp_path / "a").stat().st_size == 100_000
    assert told.is_set()
    assert shown(board, "downloading · ")


def test_many_files_are_told_by_their_number_and_bytes(slow, board, tmp_path):
    name = f"app.b{uuid.uuid4().hex[:12]}"
    slow.execute_query(f"CREATE TABLE {name} (name TEXT PRIMARY KEY, f FILE) WITH (TYPE = 'SHARED')")
    for number in range(20):
        (tmp_path / f"{number}.bin").write_bytes(bytes(1_000) + bytes([number]))
    report = slow.upload(tmp_path, name, parallel=2)
    assert set(report["result"]) == {"uploaded"}
    assert any(re.search(r"uploading · \d+ (of 20 )?files?", line) for line in board.lines), board.lines
    assert shown(board, "uploading · ")
    refs = slow.query(f"SELECT f FROM {name}")["f"]
    board.lines.clear()
    slow.download(refs, to=tmp_path / "back", parallel=1)
    assert any(re.search(r"downloading · \d+ (of 20 )?files?", line) for line in board.lines), board.lines
    assert shown(board, "downloading · ")


def test_no_progress_where_a_cell_wants_none(slow, table, board, magic_shell):
    slow.write(pd.DataFrame({"id": range(200), "name": "x"}), table)
    board.lines.clear()
    sql = f"SELECT id FROM {table}; UPDATE {table} SET name = 'y' WHERE id < 100"
    kalam.connect(slow.url, token=slow._session.token().reveal())
    with capture_output():
        for options in ("--no-progress", ""):
            magic_shell.run_cell(f"%%kalam {options}\n{sql}")
            assert bool(board.lines) == (not options)
    kalam.close()
