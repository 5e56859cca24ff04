"""Login and tokens of one connection: one token at a time, renewed before it ends and once when the server says so.

User and password are exchanged for a token at the login route; they are never sent with a request. Safe to use from
several threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import orjson

from kalam_notebook.errors import AuthError
from kalam_notebook.http.client import HttpTransport, Request
from kalam_notebook.settings import Credentials, Secret
from kalam_notebook.wire.arguments import check_text
from kalam_notebook.wire.auth import Login, parse_login, token_expiry, token_role

__all__ = ["Session", "login", "refresh"]

#: A token is renewed this long before it ends. The server's leeway is 60 s (protocol/http.md#tokens).
RENEW_BEFORE_S = 60.0


def login(http: HttpTransport, user: str, password: Secret, *, timeout: float | None = None) -> Login:
    """Exchange user and password for tokens.

    Raises:
        AuthError: The server refuses.
    """
    request = Request(
        "POST",
        "/v1/api/auth/login",
        orjson.dumps({"user": check_text("user", user), "password": check_text("password", password.reveal())}),
        {"Content-Type": "application/json"},
        repeatable=True,
        timeout=timeout,
        secrets=(password,),
    )
    return parse_login(http.send(request).content)


def refresh(http: HttpTransport, refresh_token: Secret, *, timeout: float | None = None) -> Login:
    """Exchange a refresh token for new tokens.

    Raises:
        AuthError: The token is not a valid refresh token.
    """
    request = Request("POST", "/v1/api/auth/refresh", repeatable=True, timeout=timeout)
    return parse_login(http.send(request, token=refresh_token).content)


class Session:
    """The tokens of a connection.

    Args:
        http: Sends the login.
        credentials: Who asks.
        auth_timeout: Seconds for a login.
        now: The clock, seconds since 1970; for tests.
    """

    def __init__(
        self,
        http: HttpTransport,
        credentials: Credentials,
        *,
        auth_timeout: float = 5.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._credentials = credentials
        self._timeout = auth_timeout
        self._now = now
        self._lock = threading.Lock()
        self._token = credentials.token
        self._refresh_token = credentials.refresh_token
        self._expires_at = token_expiry(credentials.token.reveal()) if credentials.token else None

    @property
    def user(self) -> str | None:
        """The user id, when it is known."""
        return self._credentials.user

    @property
    def role(self) -> str:
        """The role of the user in lower case; empty when it is not known."""
        token = self._token
        return "" if token is None else token_role(token.reveal())

    def token(self) -> Secret:
        """A token that is valid now, as far as the client can know.

        Raises:
            AuthError: The server refuses the login.
        """
        with self._lock:
            ending = self._expires_at is not None and self._expires_at - self._now() < RENEW_BEFORE_S
            if self._token is None or (ending and self.can_renew()):
                self._renew()
            assert self._token is not None
            return self._token

    def renew(self, expired: Secret, *, sql: str = "") -> Secret:
        """A token other than ``expired``, which the server has refused as expired.

        Args:
            expired: The token.
            sql: The statement that was refused with it, for the error.

        Raises:
            AuthError: There is no way to renew it, or the server refuses.
        """
        with self._lock:
            if self._token is None or self._token.reveal() == expired.reveal():
                if not self.can_renew():
                    raise AuthError(
                        "TOKEN_EXPIRED: the token has expired and cannot be renewed.\n"
                        "Connect again with a fresh token, or with a user and password.",
                        "TOKEN_EXPIRED",
                        401,
                        sql,
                    )
                self._renew()
            assert self._token is not None
            return self._token

    def tokens(self) -> tuple[Secret, float | None, Secret | None]:
        """A token that is valid now, when it ends in seconds since 1970, and the one that renews it.

        Raises:
            AuthError: The server refuses the login.
        """
        return self.token(), self._expires_at, self._refresh_token

    def may_be_outdated(self, error: AuthError) -> bool:
        """Whether a refused token may only be one of another time: a server that began anew knows none of before.

        Args:
            error: The refusal.
        """
        return error.code == "INVALID_CREDENTIALS" and self._credentials.password is not None

    def can_renew(self) -> bool:
        """Whether a token that has ended can be followed by another one."""
        credentials = self._credentials
        return bool(credentials.token_provider or credentials.password or self._refresh_token)

    def _renew(self) -> None:
        """Get a new token: from the provider, by the refresh token, or by a login."""
        credentials = self._credentials
        if credentials.token_provider is not None:
            self._token = _provided(credentials.token_provider)
            self._expires_at = token_expiry(self._token.reveal())
            return
        if self._refresh_token is not None:
            try:
                self._adopt(refresh(self._http, self._refresh_token, timeout=self._timeout))
            except AuthError as exc:
                self._refresh_token = None
                if credentials.password is None:
                    raise AuthError(
                        "The saved login has expired, and the server does not renew it.\n"
                        "Log in again with: kalam login, or pass user=... and password=....",
                        exc.code,
                        exc.status,
                    ) from None
            else:
                return
        if credentials.password is None or credentials.user is None:
            raise AuthError(
                "There is no token and no password. Connect again: kalam.connect(url, user=..., password=...)."
            )
        self._adopt(login(self._http, credentials.user, credentials.password, timeout=self._timeout))

    def _adopt(self, answer: Login) -> None:
        self._token = Secret(answer.access_token)
        self._refresh_token = Secret(answer.refresh_token)
        # By the server's clock. Where it differs from ours, TOKEN_EXPIRED renews the token too.
        self._expires_at = answer.expires_at


def _provided(provider: Callable[[], str]) -> Secret:
    given: object = provider()
    if isinstance(given, str):
        return Secret(given)
    kind, given = type(given).__name__, None  # What is not text can still hold a token, and a traceback shows locals.
    raise AuthError(f"token_provider returned {kind}; it has to return a token as text.")


def is_expired(error: AuthError) -> bool:
    """Whether the error is the server's one signal to renew the token (protocol/http.md#tokens)."""
    return error.code == "TOKEN_EXPIRED"
