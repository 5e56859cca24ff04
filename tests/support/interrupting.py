"""Interrupts at chosen moments: where CPython can raise ``KeyboardInterrupt``, entering a function or behind a call."""

import contextvars
import gc
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pandas as pd

import kalam_notebook as kalam

#: Threads of this package begin so.
_OURS = "kalam-"


def _is_beyond_us(frame, called):
    """Whether Python's own code has just taken a lock, which an interrupt would leave locked in any program.

    From 3.14 on CPython raises between the taking by ``with`` and the block, and up to 3.12 ``logging`` takes the lock
    of all loggers before its ``try``. An interrupt would have to come within nanoseconds.
    """
    name = getattr(called, "__name__", None)
    return name == "__enter__" or (name == "acquire" and frame.f_globals.get("__name__") == "logging")


class _Places:
    """Counts the places that a call comes by, and interrupts it at one of them."""

    def __init__(self, place=None, where=lambda frame, event, called: True):
        self.count = 0
        self._place = place
        self._where = where

    def __call__(self, frame, event, called):
        if event in ("call", "c_return") and not _is_beyond_us(frame, called) and self._where(frame, event, called):
            self.count += 1
            if self.count == self._place:
                sys.setprofile(None)
                raise KeyboardInterrupt  # Comes out of the call that was entered, or has just returned.


def count_places(call, where=lambda frame, event, called: True):
    """At how many places a call can be interrupted."""
    places = _Places(None, where)
    sys.setprofile(places)
    try:
        call()
    finally:
        sys.setprofile(None)
    return places.count


def interrupt(call, place, where=lambda frame, event, called: True):
    """Call, and interrupt at the n-th place, on the main thread; tell whether the interrupt came through."""
    # What is raised in a destructor is shown and goes no further; pytest would be interrupted at showing it.
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    places = _Places(place, where)  # Kept: Python goes on with it after it has been taken away.
    try:
        try:
            sys.setprofile(places)
            call()
        finally:
            sys.setprofile(None)
    except KeyboardInterrupt:
        return True
    finally:
        signal.signal(signal.SIGINT, handler)
        sys.unraisablehook = hook
    return False


def at_ends_of_blocks(frame, event, called):
    """Places where a block of ``with`` begins to end, of which the rest is left out then."""
    return event == "call" and frame.f_code.co_name == "__exit__" and frame.f_globals.get("__name__") == "contextlib"


def at_locks_of(name):
    """Places just behind the taking of a lock, and just before giving it back, in the modules of a package."""

    def where(frame, event, called):
        if not str(frame.f_globals.get("__name__", "")).startswith(name):
            return False
        if event == "call":
            return frame.f_code.co_name == "__exit__"
        return getattr(called, "__name__", "") == "acquire"

    return where


def our_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(_OURS)]


def set_variables():
    """The context variables of the package that are set here."""
    return {var.name: value for var, value in contextvars.copy_context().items() if var.name.startswith("kalam_")}


def held():
    """How many threads of the package and descriptors this process has; other tests may have left some of both open."""
    return len(our_threads()), len(os.listdir("/proc/self/fd"))


def wait_until_left(base, *, timeout=10.0):
    """Wait until this process holds no more than before."""
    until = time.monotonic() + timeout
    while any(now > before for now, before in zip(held(), base, strict=True)):
        assert time.monotonic() < until, (our_threads(), held(), base)
        gc.collect()
        time.sleep(0.02)


ROWS = 300


class Work:
    """What a client is interrupted at."""

    def __init__(self, server, folder):
        self.server, self.folder, self.numbers = server, folder, count()
        self.client = self.connect()
        self.namespace = f"t{uuid.uuid4().hex[:12]}"
        self.table = f"{self.namespace}.t"
        self.frame = pd.DataFrame({"id": range(ROWS), "v": ["x" * 50] * ROWS})
        docs = f"{self.namespace}.docs"
        self.client.execute_query(f"CREATE NAMESPACE {self.namespace}")
        self.client.execute_query(f"CREATE TABLE {self.table} (id INT PRIMARY KEY, v TEXT)")
        self.client.execute_query(f"CREATE TABLE {docs} (id INT PRIMARY KEY, body FILE)")
        self.client.execute_query(f"CREATE TABLE {self.table}2 (id INT PRIMARY KEY, v TEXT)")
        self.client.write(self.frame, self.table)
        self.client.execute_with_files(f'INSERT INTO {docs} VALUES (1, FILE("f"))', {"f": b"y" * 100_000})
        self.file = self.client.query(f"SELECT * FROM {docs}").loc[0, "body"]

    def connect(self):
        return kalam.Client(self.server.url, user="root", password=self.server.root_password, timeout=20)

    def query(self):
        self.client.execute_query("SELECT 1")

    def first(self):
        with self.connect() as client:
            client.execute_query("SELECT 1")

    def exact(self):
        assert len(self.client.query(f"SELECT * FROM {self.table}")) == ROWS

    def write(self):
        self.client.write(self.frame.head(20), self.table, mode="upsert")

    def insert(self):
        self.client.write(self.frame.head(20).assign(id=self.frame["id"] + ROWS * next(self.numbers)), f"{self.table}2")

    def download(self):
        self.client.download(self.file, to=self.folder / "file")

    def opened(self):
        return self.client.live(f"SELECT * FROM {self.table}")

    def live(self):
        with self.opened() as live:
            live.verify()

    def events(self):
        with self.client.live_events(f"SELECT * FROM {self.table}") as events:
            next(events)

    def socket(self):
        self.client.connect()

    def close(self):
        client = self.connect()
        try:
            live = client.live(f"SELECT * FROM {self.table}")
        except KeyboardInterrupt:
            client.close()
            raise
        try:
            client.close()
        finally:
            client.close()
        assert live.is_closed

    def wait_until_followed_by_nobody(self, *, timeout=10.0):
        """Wait until no thread follows a live table, and the server has nobody to tell of changes."""
        sql = f"SELECT live_id FROM system.live WHERE namespace_id = '{self.namespace}'"
        until = time.monotonic() + timeout
        while "kalam-live-table" in our_threads() or self.client.query_arrow(sql).num_rows:
            assert time.monotonic() < until, our_threads()
            gc.collect()

    def check(self):
        """See that the client works, and has only what it had."""
        started = time.monotonic()
        assert self.client.execute_query("SELECT 1").results[0].row_count == 1
        self.client.disconnect()
        assert time.monotonic() - started < 15


def attack(work, name, times, *, where=lambda frame, event, called: True, seed=0):
    """Interrupt an operation so many times, spread over all of its places; return how often it came through."""
    operation = getattr(work, name)
    operation()
    work.client.close()
    gc.collect()
    base, variables = held(), set_variables()
    work.client = work.connect()
    operation()
    work.check()
    total = count_places(operation, where)
    work.check()
    chance = random.Random(seed)
    step = total / times
    came = 0
    for number in range(times):
        came += interrupt(operation, 1 + int((number + chance.random()) * step), where)
        assert set_variables() == variables
        work.check()
    started = time.monotonic()
    work.client.close()
    took, work.client = time.monotonic() - started, work.connect()
    assert took < 1
    wait_until_left(base)
    assert [path.name for path in work.folder.iterdir() if path.name != "file"] == []
    return came


@contextmanager
def working(server, folder):
    """A ``Work`` on a server, which has nothing of it afterwards."""
    work = Work(server, folder)
    try:
        yield work
    finally:
        work.client.close()
        with work.connect() as client:
            client.execute_query(f"DROP NAMESPACE {work.namespace} CASCADE")


def interrupted_process(server, place, times):
    """Run ``interrupted.py``, which interrupts itself so many times; return how many of them came through."""
    program = Path(__file__).parent / "interrupted.py"
    command = [sys.executable, str(program), server.url, server.token, place, str(times)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout.split()[-1])
