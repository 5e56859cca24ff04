"""What went wrong with a request: where errors of httpx are told apart, and those of the server by their texts."""

from __future__ import annotations

import httpx

from kalam_notebook.errors import ConnectError, RequestTimeoutError, ServerError, TransportError
from kalam_notebook.http.deadlines import Overdue
from kalam_notebook.http.proxies import Proxy, through
from kalam_notebook.texts import first_line

__all__ = ["NoAnswerError", "describe_failure", "is_confused_by_columns", "is_exhausted"]


class NoAnswerError(TransportError):
    """The server closed the connection without an answer to a statement. It does so when it cannot encode a value."""


def describe_failure(
    exc: httpx.TransportError,
    *,
    url: str,
    is_sql: bool,
    is_repeatable: bool,
    is_login: bool,
    seconds: float,
    proxy: Proxy | None = None,
) -> TransportError:
    """Make the error for a request that got no whole answer, most specific first.

    Args:
        exc: What httpx says.
        url: The server.
        is_sql: Whether the request was a statement.
        is_repeatable: Whether it may be sent again without a second thought.
        is_login: Whether it has the shorter timeout of logins.
        seconds: Silence that was allowed.
        proxy: What the server is reached through.
    """
    server = f"{url}{through(proxy)}"
    match exc:
        case httpx.ConnectError() if "WRONG_VERSION_NUMBER" in str(exc) or "record layer" in str(exc):
            return ConnectError(
                f"Something at {server} answers without encryption.\n"
                f"If that is the server, write http: kalam.connect({url.replace('https', 'http', 1)!r})."
            )
        case httpx.ConnectTimeout() | httpx.ConnectError() | httpx.ProxyError():
            advice = "Start the server or correct the URL. To try without a server: kalam.connect('sandbox')."
            return ConnectError(f"Cannot reach {server}: {_reason(exc)}.\n{advice if proxy is None else proxy.advice}")
        case httpx.TimeoutException():
            running = "The statement may still be running. " if is_sql else ""
            what = f"nothing came for {seconds:g} s" if isinstance(exc, httpx.ReadTimeout) else "the request got stuck"
            how = (
                "kalam.connect(url, timeouts=kalam.Timeouts(auth=30))"
                if is_login
                else "kalam.connect(url, timeout=120)"
            )
            if isinstance(exc.__cause__, Overdue):
                what = str(exc.__cause__)
                how = "kalam.connect(url, timeouts=kalam.Timeouts(total=600))" if exc.__cause__.is_total else how
            return RequestTimeoutError(f"{server} did not answer in time: {what}.\n{running}Allow more: {how}.")
        case httpx.RemoteProtocolError() if "without sending a response" in str(exc):
            what = f"{server} closed the connection without an answer.\n"
            if not is_sql:
                return TransportError(
                    f"{what}The server is stopping, or something else than KalamDB listens there. Check the URL."
                )
            return NoAnswerError(
                f"{what}The server does this when it cannot encode a value of the result (NaN, infinity, a struct), "
                "or when it stops.\nRead doubtful columns as text: arrow_cast(column, 'Utf8')."
            )
        case _:
            advice = "Send it again." if is_repeatable else "It may have taken effect: look before you send it again."
            where = " in the middle of the answer" if isinstance(exc, httpx.RemoteProtocolError) else ""
            return TransportError(
                f"The connection to {server} broke{where}: {_reason(exc)}.\nNothing of the answer was used. {advice}"
            )


def causes(error: BaseException) -> str:
    """An error, its cause, and the cause of that, in one line; the traceback that people see leaves them out."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    return " ← ".join(f"{type(one).__name__}: {first_line(one)}" for one in chain)


def is_exhausted(error: Exception) -> bool:
    """Whether a query needs more memory than the server gives it, which has no code of its own (truth R1)."""
    return isinstance(error, ServerError) and "Resources exhausted" in error.message


def is_confused_by_columns(error: ServerError) -> bool:
    """Whether the engine tripped over what it knows of the columns of a sub-query, and not over their values."""
    return "Physical input schema" in error.message


def _reason(exc: Exception) -> str:
    cause: BaseException = exc
    while cause.__cause__ is not None or cause.__context__ is not None:
        cause = cause.__cause__ or cause.__context__ or cause
    text = str(cause) or str(exc) or type(exc).__name__
    return text.rstrip(".").splitlines()[0]
