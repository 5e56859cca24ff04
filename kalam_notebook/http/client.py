"""HTTP over one ``httpx.Client``: keep-alive, no cookies, no redirects followed, errors mapped in one place.

A request is sent with ``send`` (whole answer) or ``stream`` (answer as it arrives). Retrying is decided by a pure
function; only requests that change nothing when sent twice are repeated, and any request that the server refused
before it did anything (429, no connection).
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from kalam_notebook._version import __version__
from kalam_notebook.chance import chance
from kalam_notebook.errors import (
    AuthError,
    ConfigError,
    ConnectError,
    KalamError,
    ProtocolError,
    RateLimitError,
    RequestTimeoutError,
    TransportError,
)
from kalam_notebook.http.bounded import MAX_SMALL_BYTES, bound
from kalam_notebook.http.connections import Transport
from kalam_notebook.http.deadlines import allowed
from kalam_notebook.http.failures import causes, describe_failure
from kalam_notebook.http.library_logs import hide_cookies_in_logs
from kalam_notebook.http.pacing import Bucket
from kalam_notebook.http.proxies import open_transport, proxy_for, through
from kalam_notebook.http.sent import SentRequests
from kalam_notebook.settings import Secret, Timeouts
from kalam_notebook.wire.envelope import one_line, raise_for_answer

__all__ = ["HttpTransport", "Request"]

#: A longer ``Retry-After`` is told to the caller instead of being waited for: bans last 300 s.
LONGEST_WAIT_S = 10.0

#: What a login or a health answer may take in all: they have some hundred bytes.
_SMALL_TOTAL_S = 60.0

#: What stands in the place of a secret.
_HIDDEN = "…".encode()

#: What is answered in the place of a server that is away, or that hands its work to another one.
_AWAY = {502, 503, 504}

#: The route whose requests are paced.
_SQL_PATH = "/v1/api/sql"

#: What a header takes. httpx would show the whole header, and with it the token, when it refuses one.
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    Attributes:
        method: ``GET`` or ``POST``.
        path: Below the server's URL, percent-encoded.
        content: Body, or None.
        headers: Headers beside those of the client. The token is given when sending.
        files: Multipart parts for httpx, or None.
        params: Query parameters.
        repeatable: Whether sending it twice does the same as sending it once.
        sql: The statement, for error texts.
        timeout: Seconds of silence allowed while reading; None for the client's.
        max_bytes: Bytes of the answer that are read at most; None for all. Of an error no more than of small answers.
        secrets: What stands in the body and must not be seen in an error, whatever the server says.
    """

    method: str
    path: str
    content: bytes | None = field(default=None, repr=False)  # A login's holds a password.
    headers: Mapping[str, str] = field(default_factory=dict)
    files: Any = None
    params: Mapping[str, str] | None = None
    repeatable: bool = False
    sql: str | None = None
    timeout: float | None = None
    max_bytes: int | None = MAX_SMALL_BYTES
    secrets: tuple[Secret, ...] = ()


class HttpTransport:
    """Requests to one server.

    Args:
        url: The server, without a slash at the end.
        timeouts: Phases, in seconds.
        max_retries: Repeats after a failed try; 0 for none.
        transport: An httpx transport to use instead of sockets; for tests.
        wait: Sleeps the given seconds; for tests.

    Attributes:
        url: The server.
        proxy: What it is reached through; None for nothing.
        sent: What was sent lately.
    """

    def __init__(
        self,
        url: str,
        *,
        timeouts: Timeouts,
        max_retries: int = 3,
        transport: httpx.BaseTransport | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url
        self.proxy = proxy_for(url) if transport is None else None
        self._max_retries = max_retries
        self._wait = wait
        self._bucket = Bucket()
        self.sent = SentRequests()
        self._timeouts = timeouts
        self._process = os.getpid()
        self._is_closed = False
        hide_cookies_in_logs()
        self._epoch = object()
        # Made once: putting them together costs as much as the rest of building a request.
        self._sql_url, self._usual_timeout = httpx.URL(url + _SQL_PATH), self._timeout(None).as_dict()
        self._transport = transport or open_transport(self.proxy)
        if isinstance(self._transport, Transport):
            self._transport.connections.on_end = self.cut
        # No request follows a redirect: a token must not travel to another host.
        self._client = httpx.Client(follow_redirects=False, transport=self._transport)
        self._headers = {
            "User-Agent": f"kalam-notebook/{__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "keep-alive",
        }
        # The login route sets cookies, and a cookie would win over the token of a request (protocol/http.md#login).
        # Having each answer looked through by a policy that takes none costs a tenth of a small query.
        self._client.cookies.extract_cookies = _take_no_cookies  # type: ignore[method-assign]

    def close(self) -> None:
        """Close the connections, also under a request that another thread waits for; may be called twice."""
        if os.getpid() != self._process:  # A fork shares the sockets with the process that it came from.
            return
        self._is_closed = True
        # Not the client's own method, which does nothing more the second time, also if it was interrupted before.
        self._transport.close()

    def cut(self) -> None:
        """Take note that the server was away: from now on another one may answer."""
        self._epoch = object()

    def epoch(self, *, looks: bool = True) -> object:
        """What stands for the time in which one server has answered, as far as is known: after a cut another object.

        Args:
            looks: Whether the connections that wait are looked at; else what was noticed before is told.
        """
        if looks and isinstance(self._transport, Transport):
            self._transport.connections.look()
        return self._epoch

    def check_usable(self) -> None:
        """See that this is the process that opened the connection, and that it is open.

        Raises:
            ConfigError: It is not.
        """
        if self._is_closed:
            raise ConfigError("This connection is closed. Open a new one: kalam.connect(...).")
        if os.getpid() != self._process:
            raise ConfigError("This client was made before the process forked. Make a new one: kalam.connect(...).")

    def send(self, request: Request, *, token: Secret | None = None) -> httpx.Response:
        """Send a request and read the whole answer.

        Raises:
            KalamError: No answer, or an answer that is an error.
        """
        until = self._until(request)
        return self._with_retries(request, until, lambda: self._send_once(request, token, until))

    @contextmanager
    def stream(self, request: Request, *, token: Secret | None = None) -> Iterator[Iterable[bytes]]:
        """Send a request and give the body of the answer as it comes. Errors are raised before it is given.

        Raises:
            KalamError: No answer, an error answer, or a connection that broke while reading.
        """
        until = self._until(request)
        response = self._with_retries(request, until, lambda: self._open_once(request, token, until))
        try:
            assert isinstance(response.stream, httpx.SyncByteStream)
            with self._mapped_errors(request):
                yield response.stream  # There is nothing to unpack in it (``bound``).
        finally:
            response.close()

    def _send_once(self, request: Request, token: Secret | None, until: float | None) -> httpx.Response:
        response = self._open_once(request, token, until)
        try:
            with self._mapped_errors(request):
                response.read()
        finally:
            response.close()
        return response

    def _open_once(self, request: Request, token: Secret | None, until: float | None) -> httpx.Response:
        began, answer, why = time.monotonic(), "interrupted", ""
        try:
            with self._mapped_errors(request):
                response = self._client.send(self._build(request, token, until), stream=True)
            answer = str(response.status_code)
            if response.status_code in _AWAY:
                self.cut()
        except KalamError as exc:
            answer, why = type(exc).__name__, causes(exc)
            raise
        finally:
            seconds = time.monotonic() - began
            self.sent.note(f"{request.method} {request.path}", request.sql or "", answer, seconds, why)

        try:
            is_error = response.status_code >= 300
            limit = MAX_SMALL_BYTES if is_error else request.max_bytes
            bound(response, limit, is_result=request.sql is not None and not is_error)
            if is_error:
                with self._mapped_errors(request):
                    response.read()
                self._check(response, request, token)
        except KalamError:
            response.close()
            raise

        return response

    def _until(self, request: Request) -> float | None:
        """By when a request has to be over, on the monotonic clock."""
        is_small = request.max_bytes == MAX_SMALL_BYTES
        limits = [self._timeouts.total, max(_SMALL_TOTAL_S, request.timeout or 0.0) if is_small else 0.0]
        total = min(filter(None, limits), default=None)
        until = None if total is None else time.monotonic() + total
        together = allowed()
        return until if together is None else together.until

    def _build(self, request: Request, token: Secret | None, until: float | None) -> httpx.Request:
        if token is not None and not _TOKEN.fullmatch(token.reveal()):
            raise AuthError(
                "The token is empty, or holds a blank, a line break or another character that no token has.\n"
                "Pass it as it was issued; token.strip() takes blanks off its ends."
            )
        is_usual = request.timeout is None and allowed() is None
        timeout = self._usual_timeout if is_usual else self._timeout(request.timeout).as_dict()
        extensions: dict[str, Any] = {"timeout": timeout}
        if until is not None:
            extensions["until"] = until

        # Not by the client's own method, which puts together what is known here: that takes as long again.
        built = httpx.Request(
            request.method,
            self._sql_url if request.path == _SQL_PATH else self.url + request.path,
            content=request.content,
            files=request.files,
            params=request.params,
            headers={**self._headers, **request.headers},
            extensions=extensions,
        )
        if token is not None:  # Revealed here and in no local variable: a verbose traceback shows those.
            built.headers["Authorization"] = f"Bearer {token.reveal()}"
        return built

    def _timeout(self, receive: float | None) -> httpx.Timeout:
        phases, together = self._timeouts, allowed()
        connect, read = phases.connect, phases.receive if receive is None else receive
        if together is not None:
            connect, read = min(connect or together.seconds, together.seconds), together.seconds
        # 0 means "for ever"; httpx says None.
        return httpx.Timeout(connect=connect or None, read=read or None, write=phases.send or None, pool=None)

    def _check(self, response: httpx.Response, request: Request, token: Secret | None) -> None:
        if 300 <= response.status_code < 400:
            target = self._target(response.headers.get("location", ""))
            raise ProtocolError(
                f"The server{through(self.proxy)} sent the request on to {target}.\n"
                "The token is not sent to another address. If that is the server, connect to it: kalam.connect(url)."
            )
        raise_for_answer(
            response.status_code,
            _without_secrets(response.content, [*request.secrets, *filter(None, [token])]),
            response.headers,
            sql=request.sql,
            path=request.path,
            proxy_hint="" if self.proxy is None else self.proxy.hint,
        )

    def _target(self, location: str) -> str:
        """Where a redirect leads, without what may be secret in it."""
        try:
            target = httpx.URL(self.url).join(location).copy_with(query=None, fragment=None, userinfo=b"")
        except (httpx.InvalidURL, ValueError):
            return "something that is no address"
        return one_line(str(target))

    @contextmanager
    def _mapped_errors(self, request: Request) -> Iterator[None]:
        """Turn httpx's errors into the package's, which tell all of them; they stay as the ``__context__``."""
        self.check_usable()
        try:
            yield
        except Exception as exc:
            if self._is_closed:
                raise ConfigError(
                    "The connection was closed while it waited for an answer; nothing of the answer was used.\n"
                    "Open a new one: kalam.connect(...)."
                ) from None
            if not isinstance(exc, httpx.TransportError):
                raise
            # A connection that ends without a word may do so over a value; one that breaks, or is refused, does not.
            if isinstance(exc, httpx.NetworkError | httpx.ConnectTimeout | httpx.ProxyError):
                self.cut()
            raise describe_failure(
                exc,
                url=self.url,
                proxy=self.proxy,
                is_sql=request.sql is not None,
                is_repeatable=request.repeatable,
                seconds=self._timeout(request.timeout).read or 0.0,
                is_login=request.timeout is not None,
            ) from None

    def _with_retries(
        self, request: Request, until: float | None, attempt: Callable[[], httpx.Response]
    ) -> httpx.Response:
        for tries in range(self._max_retries + 1):
            if request.path == _SQL_PATH and (pause := self._bucket.take(time.monotonic())):
                self._wait(pause)
            try:
                return attempt()
            except KalamError as exc:
                back_off = retry_pause(exc, request.repeatable, tries, chance())
                if back_off is None or tries == self._max_retries:
                    raise
                if until is not None and time.monotonic() + back_off >= until:
                    raise
                self._wait(back_off)
        raise AssertionError("unreachable")


def _without_secrets(content: bytes, secrets: Iterable[Secret]) -> bytes:
    """What a server says, without the secrets that it was sent: it may repeat them."""
    for secret in filter(Secret.reveal, secrets):
        # As it is, and as JSON writes it.
        content = content.replace(secret.reveal().encode(), _HIDDEN)
        content = content.replace(json.dumps(secret.reveal())[1:-1].encode(), _HIDDEN)
    return content


def _take_no_cookies(response: httpx.Response) -> None:
    """In the place of ``httpx.Cookies.extract_cookies``."""


def retry_pause(error: KalamError, repeatable: bool, tries: int, jitter: float) -> float | None:
    """How long to wait before sending again.

    Args:
        error: What the last try ended with.
        repeatable: Whether the request may be sent twice.
        tries: Tries so far that are over, from 0.
        jitter: A number in [0, 1).

    Returns:
        Seconds, or None when the error is final.
    """
    back_off = 0.1 * 2.0**tries * (0.5 + jitter)
    if isinstance(error, RateLimitError):  # Refused before anything was executed.
        wanted = 1.0 if error.retry_after is None else error.retry_after
        return None if wanted > LONGEST_WAIT_S else wanted * (1.0 + 0.25 * jitter) + back_off
    if isinstance(error, ConnectError):  # Nothing was sent.
        return back_off
    if isinstance(error, RequestTimeoutError) or type(error) is TransportError:
        return back_off if repeatable else None
    return None
