"""What is installed, which server answers, how fast, and what to do where something is wrong.

Every question is small, but those of the scan windows, which scan tables: they end after some seconds.
"""

from __future__ import annotations

import datetime as dt
import functools
import importlib.metadata
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from kalam_notebook._version import __version__
from kalam_notebook.callers import fails_shortly, running_shell
from kalam_notebook.client import default
from kalam_notebook.client.client import Client
from kalam_notebook.errors import KalamError, PermissionDeniedError, ServerError
from kalam_notebook.sql.statement import quote_name, quote_text
from kalam_notebook.texts import in_line

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Finding", "doctor", "examine"]

_PACKAGES = (
    "httpx", "websockets", "pyarrow", "pandas", "anywidget", "ipython", "ipykernel", "datafusion", "aiohttp", "polars",
)  # fmt: skip
#: Kernels that leave a request unread now and then (https://github.com/ipython/ipykernel/issues/1554).
_DEAF_KERNELS = re.compile(r"7\.[0-3]\.")
_DEAF = "It leaves a cell waiting for ever now and then: pip install --upgrade ipykernel, 7.4 or later."
_ROUNDS = 5
_AT_ONCE = 4
#: Milliseconds of a round trip, and seconds between two clocks, that are worth a word.
_SLOW_MS = 200.0
_MOST_SKEW_S = 2.0
#: Seconds after which no further table is looked at, and tables that are named.
_LOOKING_S = 5.0
_MOST_NAMED = 5

#: Settings of the server that end or refuse something, as a reader says them.
_LIMITS = {
    "rate_limit.max_queries_per_sec": "statements a second of a user",
    "rate_limit.max_requests_per_ip_per_sec": "requests a second from one address",
    "rate_limit.max_auth_requests_per_ip_per_sec": "logins a second from one address",
    "rate_limit.max_subscriptions_per_user": "live queries of a user",
    "rate_limit.request_body_limit_bytes": "bytes of a request",
    "security.max_ws_message_size": "bytes of a message to the WebSocket",
    "execution.handler_timeout_seconds": "seconds of a statement",
}

_SERVERS_OWN = {"information_schema", "system", "dba"}


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
        version = _installed(name)
        yield Finding(name, version, _DEAF if name == "ipykernel" and _DEAF_KERNELS.match(version) else "")
    yield Finding("server", client.url)
    try:
        client.check_login()
        yield _login(client)
        yield _version(client)
        yield _latency(client)
        yield _clock(client)
        yield _socket(client)
        yield _caps(client)
        yield _limits(client)
        yield _values(client)
        yield from _page()
        yield _windows(client)
    except KalamError as exc:
        told, _, advice = str(exc).partition("\n")
        yield Finding("connection", told, advice or "Check the URL and the login.")


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _login(client: Client) -> Finding:
    """As whom, and for how long."""
    who = in_line(client.user or "the owner of the token")
    _, expires_at, _ = client._session.tokens()
    if expires_at is None:
        return Finding("login", who)
    told = f"{who}, for {(expires_at - time.time()) / 60:,.0f} more minutes"
    if client._session.can_renew():
        return Finding("login", f"{told}, then it is renewed")
    return Finding("login", told, "To have it renewed, connect with user and password, or with token_provider=.")


def _version(client: Client) -> Finding:
    version = client.health_check().version
    return Finding("KalamDB", in_line(version, 40) if version else "its version is told to its own machine only")


def _latency(client: Client) -> Finding:
    """The time of the smallest statement there is."""
    ask = functools.partial(_seconds, functools.partial(client.execute_query, "SELECT 1"))
    took = statistics.median(ask() for _ in range(_ROUNDS)) * 1000
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        busy = statistics.median(pool.map(lambda _: ask(), range(_AT_ONCE * _ROUNDS))) * 1000
    slow = "Each question takes so long at least: ask fewer and larger ones." if took > _SLOW_MS else ""
    return Finding("round trip", f"{took:.1f} ms; with {_AT_ONCE} at once {busy:.1f} ms", slow)


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


def _caps(client: Client) -> Finding:
    """Where the server cuts results."""
    limits = client._reader.limits.ask(client._endpoint)
    if limits.cuts_nothing:
        return Finding("caps", "results are not cut")
    told = f"results are cut at {limits.default_cap:,} rows, with LIMIT at {limits.limit_cap:,}"
    return Finding("caps", f"{told}; query reads all the same, execute_query does not")


def _limits(client: Client) -> Finding:
    """What the server allows at most, where it tells this user."""
    asked = f"SELECT name, value FROM system.settings WHERE name IN ({', '.join(map(quote_text, _LIMITS))})"
    try:
        told = client.query_result(asked, progress=False).arrow().to_pydict()
    except PermissionDeniedError:
        return Finding("limits", "the server tells them to the roles dba and system only")
    except ServerError as exc:
        return Finding("limits", f"the server does not tell them: {exc.code}")
    values = dict(zip(told["name"], told["value"], strict=True))
    limits = [f"{int(values[name]):,} {what}" for name, what in _LIMITS.items() if str(values.get(name)).isdecimal()]
    return Finding("limits", f"at most {', '.join(limits)}" if limits else "the server tells none")


def _values(client: Client) -> Finding:
    """What the server cannot send, which is read otherwise."""
    lost = []
    if client._reader.limits.ask(client._endpoint).drops_sign:
        lost.append("the sign of decimals between -1 and 0")
    if not client._reader.limits.sends_anything(client._endpoint):
        lost.append("NaN, infinities and lists")
    told = f"the server loses {' and '.join(lost)}; query reads them all the same" if lost else "sent as they are"
    return Finding("values", told)


def _page() -> Iterator[Finding]:
    """Whether this kernel hears the page while a cell runs; nothing where this is no kernel."""
    kernel = getattr(running_shell(), "kernel", None)
    if kernel is None:
        return
    if not getattr(kernel, "_supports_kernel_subshells", False):
        yield Finding(
            "page",
            "is answered between cells only: this kernel has no subshells",
            "What the page asks of a long table waits for the cell: pip install --upgrade ipykernel, 7 or later.",
        )
    elif kernel.shell_channel_thread.manager.list_subshell():
        yield Finding("page", "is answered while a cell runs")
    else:
        yield Finding("page", "is answered between cells; the front end has opened no subshell of this kernel")


def _windows(client: Client) -> Finding:
    """Tables that one scan of the server does not read to their end."""
    until = time.monotonic() + _LOOKING_S
    tables = sorted(table for table in client._known_tables() if table[0] not in _SERVERS_OWN)
    beyond, looked = [], 0
    for namespace, name in tables:
        if time.monotonic() > until:
            break
        looked += 1
        table = f"{quote_name(namespace)}.{quote_name(name)}"
        if client._window.is_beyond(client._endpoint, table):
            beyond.append(table)

    of_all = f"{looked:,} of {len(tables):,} tables" if looked < len(tables) else f"all {looked:,} tables"
    if not beyond:
        return Finding("scan windows", f"{of_all} are read to their end by one scan")
    named = ", ".join(beyond[:_MOST_NAMED]) + (", …" if len(beyond) > _MOST_NAMED else "")
    return Finding(
        "scan windows",
        f"of {of_all} {len(beyond):,} are longer than one scan reads: {in_line(named, 300)}",
        f"They are read in pieces, slowly. To make it fast: STORAGE FLUSH TABLE {in_line(beyond[0])}",
    )
