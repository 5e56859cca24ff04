"""Start the sandbox server as a child process, wait until it is ready, and end it again.

Standard library only: this runs in the caller's process, often a notebook's kernel. The server's side of
the bargain (one JSON line on stdout, ending when stdin closes) is in `__main__`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import IO

# Seconds that each step of ending the process may take before the next, harsher one.
_PATIENCE = 3.0
# What is shown of the server's stderr when it does not start.
_TAIL_BYTES = 2000


class SandboxError(RuntimeError):
    """The sandbox server did not start; the text ends with the last lines it wrote."""


class SandboxServer:
    """A running sandbox server; a context manager that stops it.

    It is stopped at the latest when the interpreter exits, and ends by itself when the process that started
    it is killed.

    Attributes:
        url: Base URL, for example ``http://127.0.0.1:40123``.
        root_password: Password of the user ``root``.
    """

    def __init__(self, process: subprocess.Popen[bytes], *, url: str, root_password: str) -> None:
        self.url = url
        self.root_password = root_password
        self._process = process
        # A forked child inherits this object and its exit hook, but must not stop the parent's server.
        self._owner = os.getpid()
        atexit.register(self.stop)

    def __repr__(self) -> str:
        state = "running" if self._process.poll() is None else "stopped"
        return f"<SandboxServer {self.url} pid={self.pid} {state}>"

    def __enter__(self) -> SandboxServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    def stop(self) -> None:
        """End the server and wait for it; further calls do nothing."""
        atexit.unregister(self.stop)
        if self._owner == os.getpid():
            _end(self._process)


def start(*, port: int = 0, server: str = "0.4.3", options: Sequence[str] = (), timeout: float = 30.0) -> SandboxServer:
    """Start a sandbox server and wait until it answers.

    Args:
        port: TCP port to listen on; 0 lets the system choose a free one.
        server: KalamDB whose habits are played: ``0.4.3``, ``0.5``, ``0.7`` or ``0.8``.
        options: Further command-line flags, for example ``("--default-query-limit", "10")``;
            ``python -m kalam_sandbox --help`` lists them.
        timeout: Seconds to wait until the server is ready.

    Returns:
        The running server, with its URL and the password of ``root``.

    Raises:
        SandboxError: The server ended or said nothing in time, for example because the packages of
            ``kalam-notebook[sandbox]`` are missing or the port is taken.
    """
    command = [sys.executable, "-m", "kalam_sandbox"]
    command += ["--port", str(port), "--server", server, "--until-stdin-closes", *options]
    # Logins of other servers are nothing that it needs.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KALAM")}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            # Interrupting a cell signals the kernel's whole process group; the server must survive that.
            start_new_session=True,
        )
        try:
            ready = _read_ready_line(process, timeout)
        except BaseException as error:
            _end(process)
            if isinstance(error, (queue.Empty, ValueError)):
                raise SandboxError(_explain(error, timeout=timeout, log=log)) from None
            raise
    return SandboxServer(process, url=ready["url"], root_password=ready["root_password"])


def _read_ready_line(process: subprocess.Popen[bytes], timeout: float) -> dict[str, str]:
    """Wait for the line that tells URL and password; queue.Empty when late, ValueError when there is none."""
    assert process.stdout is not None
    lines: queue.Queue[bytes] = queue.Queue()
    # Pipes have no read with a deadline on every system, so a thread reads and the queue waits.
    threading.Thread(target=_forward_line, args=(process.stdout, lines), daemon=True).start()
    ready: dict[str, str] = json.loads(lines.get(timeout=timeout))
    return ready


def _forward_line(stream: IO[bytes], lines: queue.Queue[bytes]) -> None:
    # The stream is closed under the reader when starting is given up.
    with contextlib.suppress(ValueError, OSError):
        lines.put(stream.readline())


def _explain(error: Exception, *, timeout: float, log: IO[bytes]) -> str:
    late = isinstance(error, queue.Empty)
    what = f"was not ready after {timeout:g} s" if late else "ended before it was ready"
    log.seek(0, os.SEEK_END)
    log.seek(max(0, log.tell() - _TAIL_BYTES))
    tail = log.read().decode(errors="replace").strip()
    return f"The sandbox server {what}. It wrote:\n{tail or '(nothing)'}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, then insist."""
    for step in (process.terminate, process.kill):
        if process.poll() is not None:
            break
        step()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
