"""Tokens: what the client needs to read of them, and the answers of the login routes.

A token's signature is the server's affair; the client reads only when it expires.
Source: protocol/http.md#tokens, #login.
"""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import orjson

from kalam_notebook.errors import ProtocolError
from kalam_notebook.wire.answered import text_in

__all__ = ["Login", "UserInfo", "parse_login", "parse_user", "token_expiry", "token_role"]


@dataclass(frozen=True, slots=True)
class UserInfo:
    """Who is logged in.

    Attributes:
        id: User id.
        role: ``user``, ``service``, ``dba`` or ``system``.
        email: Mail address, or None.
    """

    id: str
    role: str
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """The answer of login and refresh. Its repr shows no token.

    Attributes:
        user: Who is logged in.
        access_token: For requests.
        refresh_token: For ``refresh_access_token``.
        expires_at: End of the access token, as seconds since 1970.
        refresh_expires_at: End of the refresh token, as seconds since 1970.
        admin_ui_access: Whether the role is dba or system.
    """

    user: UserInfo
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float
    refresh_expires_at: float
    admin_ui_access: bool = False


def parse_user(raw: object) -> UserInfo:
    """Read the ``user`` object; servers before 0.4 call its id ``username``.

    Raises:
        ProtocolError: It is none.
    """
    if not isinstance(raw, dict):
        raise ProtocolError("The answer tells no user. Check that the URL is the server's.")
    email = raw.get("email")
    name = raw.get("id", raw.get("username", ""))
    return UserInfo(str(name), str(raw.get("role", "")), None if email is None else str(email))


def parse_login(body: bytes) -> Login:
    """Read the answer of login or refresh.

    Raises:
        ProtocolError: It is not one.
    """
    try:
        raw = orjson.loads(body)
        return Login(
            user=parse_user(raw["user"]),
            access_token=text_in(raw, "access_token"),
            refresh_token=text_in(raw, "refresh_token"),
            expires_at=_timestamp(raw["expires_at"]),
            refresh_expires_at=_timestamp(raw["refresh_expires_at"]),
            admin_ui_access=bool(raw.get("admin_ui_access", False)),
        )
    except (ProtocolError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        # Without the answer's text and out of this frame, whose locals a verbose traceback shows: it can hold a token.
        body, raw = b"", None
        raise ProtocolError(
            "The login was answered with something else than a KalamDB login. Check that the URL is the server's."
        ) from None


def _timestamp(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


def token_expiry(token: str) -> float | None:
    """When a token ends, as seconds since 1970; None when it does not say."""
    try:
        return float(_claims(token)["exp"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def token_role(token: str) -> str:
    """The role of a token's user in lower case; empty when it does not say."""
    return str(_claims(token).get("role", "")).lower()


def _claims(token: str) -> dict[str, Any]:
    """What a token says of itself; nothing when it cannot be read."""
    try:
        payload = token.split(".")[1]
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
