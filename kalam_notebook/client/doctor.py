"""What is installed, which server answers, how fast, and what to do where something is wrong.

Every question is small: none scans a table.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from kalam_notebook._version import __version__
from kalam_notebook.callers import fails_shortly
from kalam_notebook.client import default
from kalam_notebook.client.client import Client
from kalam_notebook.errors import KalamError
from kalam_notebook.texts import in_line

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Finding", "doctor", "examine"]

_PACKAGES = (
    "httpx", "websockets", "pyarrow", "pandas", "anywidget", "ipython", "ipykernel", "datafusion", "aiohttp", "polars",
)  # fmt: skip
_ROUNDS = 5
#: Milliseconds of a round trip, and seconds between two clocks, that are worth a word.
_SLOW_MS = 200.0
_MOST_SKEW_S = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: What it is.
        found: What was found.
        advice: What to do; empty where all is well.
    """

    subject: str
    found: str
    advice: str = ""


@fails_shortly
def doctor() -> pd.DataFrame:
    """Look at the installation and at the default connection; nothing is written.

    Returns:
        A row for each thing that was looked at: ``subject``, ``found``, and ``advice`` where something is wrong.

    Raises:
        ConfigError: No server is named anywhere.
    """
    import pandas as pd

    client = default.existing()
    if client is not None:
        return pd.DataFrame(map(asdict, examine(client)))
    with Client() as own:
        return pd.DataFrame(map(asdict, examine(own)))


def examine(client: Client) -> Iterator[Finding]:
    """Look at the installation and at a connection; each finding comes as soon as it is there.

    Args:
        client: The connection. What it needs is asked for; nothing is written.

    Yields:
        What was found. An error of the connection is a finding, and the last one.
    """
    yield Finding("kalam-notebook", f"{__version__}, Python {sys.version.split()[0]}, {sys.executable}")
    for name in _PACKAGES:
        yield Finding(name, _installed(name))
    yield Finding("server", client.url)
    try:
        client.check_login()
        yield Finding("login", in_line(client.user or "the owner of the token"))
        yield _version(client)
        yield _latency(client)
        yield _clock(client)
        yield _socket(client)
    except KalamError as exc:
        told, _, advice = str(exc).partition("\n")
        yield Finding("connection", told, advice or "Check the URL and the login.")


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _version(client: Client) -> Finding:
    version = client.health_check().version
    return Finding("KalamDB", in_line(version, 40) if version else "its version is told to its own machine only")


def _latency(client: Client) -> Finding:
    """The time of the smallest statement there is."""
    took = statistics.median(_seconds(lambda: client.execute_query("SELECT 1")) for _ in range(_ROUNDS)) * 1000
    slow = "Each question takes so long at least: ask fewer and larger ones." if took > _SLOW_MS else ""
    return Finding("round trip", f"{took:.1f} ms", slow)


def _seconds(call: Callable[[], object]) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started


def _clock(client: Client) -> Finding:
    """How far this machine's clock is from the server's."""
    before = dt.datetime.now(dt.UTC)
    told = client.query_result("SELECT NOW()::TIMESTAMP(6) AS now", progress=False).arrow()["now"][0].as_py()
    behind = dt.datetime.now(dt.UTC)
    server = told if told.tzinfo else told.replace(tzinfo=dt.UTC)
    skew = (server - (before + (behind - before) / 2)).total_seconds()
    far = "Logins end by the server's clock: set one of the two." if abs(skew) > _MOST_SKEW_S else ""
    return Finding("clocks", f"{skew:+.1f} s from this one to the server's", far)


def _socket(client: Client) -> Finding:
    """Whether live queries can be followed."""
    try:
        client.connect()
    except KalamError as exc:
        told, _, advice = str(exc).partition("\n")
        return Finding("WebSocket", told, advice or "A proxy in between has to let WebSockets through.")
    return Finding("WebSocket", "connected")
