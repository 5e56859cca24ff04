"""What went wrong with a WebSocket, in words, and whether another attempt can help.

The one place where errors of the ``websockets`` library and of the token source are told apart.
"""

from __future__ import annotations

import os
import re
import ssl
from collections import Counter
from urllib.parse import urlsplit

from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidProxy,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
)
from websockets.http11 import Response

from kalam_notebook.errors import (
    AuthError,
    ConfigError,
    ConnectError,
    KalamError,
    LiveError,
    ProtocolError,
    ServerError,
    SubscriptionError,
    TransportError,
)
from kalam_notebook.http.proxies import Proxy, through, unusable_proxy, without_socks
from kalam_notebook.live_queries.connection.states import Failure, Refused
from kalam_notebook.texts import cut, first_line, in_line

__all__ = ["describe_failure", "subscription_error"]

#: Close code of a refused token (protocol/live.md#close-codes).
_POLICY_VIOLATION = 1008

#: How asyncio tells the number of an error, together with the address.
_ERRNO = re.compile(r"\[Errno (\d+)\]")

#: A host that is shown as it stands.
_HOST = re.compile(r"[a-z0-9.:_-]{1,253}")


def describe_failure(exc: Exception, *, url: str, proxy: Proxy | None = None) -> Failure:
    """Say why a connection, or an attempt, ended.

    Args:
        exc: What ended it.
        url: Address of the socket, for messages.
        proxy: What it is reached through.
    """
    way = through(proxy)
    match exc:
        case ConnectionClosed():
            return _closed(exc, way)
        case InvalidProxyStatus() if proxy is not None:
            return _status(exc.response, f"the proxy {proxy.name}", url)
        case InvalidStatus():
            return _status(exc.response, f"the server{way}", url)
        case InvalidProxy() if proxy is not None:  # Its text has the password.
            return _final(unusable_proxy(proxy, exc.msg))
        case ImportError() if proxy is not None:
            return _final(without_socks(proxy))
        case InvalidURI():
            return _final(ConfigError(f"{url} is not the address of a WebSocket. Use http://host:port."))
        case AuthError():
            return _final(exc)
        case ServerError() if exc.status < 500 and exc.status != 429:
            return _final(exc)
        case ServerError() | TransportError() | ProtocolError():
            return Failure(first_line(exc))
        case KalamError():
            return _final(exc)
        case ssl.SSLCertVerificationError():
            return _final(ConnectError(f"{url}{way}: the certificate was not accepted ({exc.verify_message})."))
        case TimeoutError():
            return Failure(f"the server did not answer in time{way}")
        case OSError() if found := _ERRNO.search(str(exc)):  # One or several, for each address of the server's name.
            return Failure(f"{os.strerror(int(found[1]))}{way}")
        case OSError() | InvalidHandshake():
            return Failure(f"{first_line(exc)}{way}")
        case _:
            error = LiveError(f"The live connection broke in an unexpected way: {type(exc).__name__}: {exc}")
            error.__cause__ = exc
            return _final(error)


def subscription_error(refused: Refused) -> SubscriptionError:
    """Make the error for a live query that the server refused."""
    hint = _HINTS.get(refused.code, "")
    if refused.code == "SUBSCRIPTION_LIMIT_EXCEEDED" and refused.held:
        counted = Counter(refused.held).items()
        named = "; ".join(f"{count} x {cut(sql, 80)}" for sql, count in counted)
        hint = f"{hint} This client holds {named}."
    return SubscriptionError(refused.code, refused.message, refused.sql, hint)


_HINTS = {
    "SUBSCRIPTION_LIMIT_EXCEEDED": (
        "The limit is 10 live queries of one user by default, over all notebooks. Close some with live.close(), or "
        "raise rate_limit.max_subscriptions_per_user on the server."
    ),
    "UNAUTHORIZED": "Private SHARED tables need the role service, dba or system.",
    "NOT_FOUND": "Check namespace and table; kalam.tables() lists them.",
    "INVALID_SQL": "A live query has the form SELECT columns FROM namespace.table [WHERE …].",
    "UNSUPPORTED": "One connection takes 100 live queries. Close some with live.close().",
}


def _closed(exc: ConnectionClosed, way: str) -> Failure:
    if exc.rcvd is None:
        reason = "the connection was cut" if exc.sent is None else f"a frame was refused ({in_line(exc.sent.reason)})"
        return Failure(f"{reason}{way}")
    code, text = exc.rcvd.code, in_line(exc.rcvd.reason)
    reason = f"the server closed the connection ({code}{f' {text}' if text else ''})"
    return Failure(text or reason, is_refusal=True) if code == _POLICY_VIOLATION else Failure(reason)


def _status(response: Response, who: str, url: str) -> Failure:
    status = response.status_code
    reason = f"{who} answered HTTP {status} {in_line(response.reason_phrase)}".rstrip()
    if status == 401:
        return Failure(reason, is_refusal=True)
    if status >= 500 or status in {408, 429}:
        return Failure(reason)
    if 300 <= status < 400:
        return _final(
            ConnectError(
                f"{url}: {who} sent the connection on{_target(response)} (HTTP {status}).\n"
                "The token is not sent to another address. If that is the server, connect to it: kalam.connect(url)."
            )
        )
    return _final(ConnectError(f"{url}: {reason} instead of opening a WebSocket. Check the URL, and proxies between."))


def _target(response: Response) -> str:
    """Where a redirect leads, for a message; nothing where that cannot be shown."""
    try:
        (location,) = response.headers.get_all("Location")
        host = urlsplit(location).hostname or ""
    except ValueError:  # None, several, or none that is an address.
        return ""
    return f" to {host}" if _HOST.fullmatch(host) else ""


def _final(error: KalamError) -> Failure:
    return Failure(first_line(error), error=error)
