"""The process that runs queries for ``engine="local"``: started on first use, started anew after a crash.

What happens in it is ``local_worker``. A query that overflows its stack or its memory ends that process, and is an
error here; an interrupt ends it as well, since the engine would not hear of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO, Any

import pyarrow as pa

from kalam_notebook.errors import MissingDependencyError, QueryError, ResultError

__all__ = ["EngineProcess"]

#: The engine's own threads get this stack, in which it evaluates deep expressions.
_THREAD_STACK_BYTES = 64 * 1024 * 1024
#: What of the last words of a process that died is read, and how much of a line is shown.
_TAIL_BYTES = 4096
_SHOWN_CHARACTERS = 300


class EngineProcess:
    """Runs one query at a time; threads wait for each other."""

    def __init__(self) -> None:
        self._running: _Running | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Its process id; None where none was started."""
        running = self._running
        return None if running is None else running.process.pid

    def start(self) -> None:
        """Start the process where none runs, without waiting for it.

        Raises:
            MissingDependencyError: The package `datafusion` is not installed.
        """
        # Whoever holds the lock has a process.
        if self._lock.acquire(blocking=False):
            try:
                self._started()
            finally:
                self._lock.release()

    def query(self, sql: str, values: Mapping[str, Any], tables: Mapping[tuple[str, str], pa.Table]) -> pa.Table:
        """Run a SELECT over tables.

        Args:
            sql: The text.
            values: JSON values by name, ``1`` for ``$1``.
            tables: Rows by namespace and table.

        Returns:
            The rows, in the client's types.

        Raises:
            MissingDependencyError: The package `datafusion` is not installed.
            QueryError: The engine refuses the query, or died of it.
            ResultError: The client has no form for a column.
        """
        with self._lock:
            running = self._started()
            try:
                told, rows = _ask(running, sql, values, tables)
            except (OSError, EOFError):
                if self._running is not running:
                    raise QueryError("LOCAL_ENGINE", "The client was closed under this query.", 0, sql) from None
                raise QueryError("LOCAL_ENGINE", running.obituary(), 0, sql, _CRASHED) from None
            except BaseException:
                # Whoever is interrupted leaves half a message behind.
                running.end()
                raise
        if rows is not None:
            return rows
        if told["error"] == "result":
            raise ResultError(told["message"])
        raise QueryError("LOCAL_ENGINE", told["message"], 0, sql)

    def close(self) -> None:
        """End the process, also under a query that runs; the next query starts another one."""
        # Without the lock, which a query holds.
        running, self._running = self._running, None
        if running is not None:
            running.end()

    def _started(self) -> _Running:
        running = self._running
        if running is None or not running.is_usable:
            running = self._running = _start()
            weakref.finalize(self, running.end)
        return running


#: What a user can do about a crash.
_CRASHED = (
    "The notebook is unharmed and the engine starts anew with the next query. "
    "Make the query smaller, or leave engine='local' out."
)


@dataclass(frozen=True, slots=True)
class _Running:
    """A process that was started, and what it writes to stderr."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    owner: int

    @property
    def is_usable(self) -> bool:
        """Whether it lives, and is not that of the process that this one was forked from."""
        return self.owner == os.getpid() and not self.log.closed and self.process.poll() is None

    def end(self) -> None:
        """End it at once: it holds nothing that is not here as well."""
        if self.owner == os.getpid():
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.log):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()

    def obituary(self) -> str:
        """End it, and tell how it died and what it said last."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)  # Its pipes close a moment before it is gone.
        status = self.process.poll()
        words = b""
        with contextlib.suppress(ValueError):  # Somebody has closed the client meanwhile.
            self.log.seek(max(0, self.log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            words = self.log.read()
        self.end()
        text = f"The local engine died of this query ({_manner(status)})"
        lines = words.decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        return f"{text}: {last[:_SHOWN_CHARACTERS]}" if last else f"{text}."


def _manner(status: int | None) -> str:
    if status is None or status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _start() -> _Running:
    if find_spec("datafusion") is None:
        raise MissingDependencyError(
            "engine='local' needs datafusion, which is not installed. Install it with: "
            "pip install 'kalam-notebook[local]'"
        )
    # Logins are nothing that the engine needs.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KALAM")}
    environment["RUST_MIN_STACK"] = str(_THREAD_STACK_BYTES)
    # It finds the packages where this process has found them, and none beside the notebook (-P).
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    log = tempfile.TemporaryFile()  # noqa: SIM115  # It lives as long as the process.
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "kalam_notebook.reading.local_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=environment,
        # Interrupting a cell signals the kernel's whole process group; what becomes of the process is decided here.
        start_new_session=True,
    )
    return _Running(process, log, os.getpid())


def _ask(
    running: _Running, sql: str, values: Mapping[str, Any], tables: Mapping[tuple[str, str], pa.Table]
) -> tuple[dict[str, str], pa.Table | None]:
    """Send a question and read its answer.

    Raises:
        OSError: The process is gone.
        EOFError: It went before it had answered.
    """
    questions, answers = running.process.stdin, running.process.stdout
    assert questions is not None
    assert answers is not None
    try:
        question = {"sql": sql, "values": dict(values), "tables": list(tables)}
        questions.write(json.dumps(question).encode() + b"\n")
        for rows in tables.values():
            with pa.ipc.new_stream(questions, rows.schema) as stream:
                stream.write_table(rows)
        questions.flush()

        line = answers.readline()
        if not line:
            raise EOFError
        told: dict[str, str] = json.loads(line)

        if told:
            return told, None
        with pa.ipc.open_stream(answers) as stream:
            return told, stream.read_all()
    except (pa.ArrowInvalid, ValueError):
        # The answer ends in its middle, or `close` has taken the pipes away.
        raise EOFError from None
