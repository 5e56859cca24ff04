"""Access and refresh tokens: JWT HS256 with the claims of KalamDB (protocol/http.md#tokens).

The secret is made when the server starts and never leaves this module.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kalam_sandbox.users import User, Users

# Tokens are accepted this long before `iat` and after `exp`.
_LEEWAY = 60.0
_HEADER = {"typ": "JWT", "alg": "HS256"}


class TokenError(PermissionError):
    """A token is refused; `code` is the one of the SQL envelope."""

    def __init__(self, code: str, reason: str = "Invalid credentials") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says; `kind` is ``access`` or ``refresh``."""

    user_id: str
    role: str
    kind: str
    expires: float


class Tokens:
    """Make and check the tokens of one server."""

    def __init__(self, users: Users, *, access_seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._users = users
        self._secret = secrets.token_bytes(32)
        self._clock = clock
        self.access_seconds = access_seconds
        self.refresh_seconds = 7 * access_seconds

    def make(self, user: User, kind: str) -> str:
        """Return a token of a kind for a user."""
        now = int(self._clock())
        life = self.access_seconds if kind == "access" else self.refresh_seconds
        claims = {
            "sub": user.user_id,
            "iss": "kalamdb",
            "exp": int(now + life),
            "iat": now,
            "email": user.email,
            "role": user.role,
            "token_type": kind,
        }
        body = f"{_encode(_HEADER)}.{_encode(claims)}"
        return f"{body}.{_base64(self._sign(body))}"

    def read(self, token: str) -> Claims:
        """Return the claims of a token of this server, whatever its kind.

        Raises:
            TokenError: INVALID_CREDENTIALS for a broken or foreign token, TOKEN_EXPIRED for an old one.
        """
        parts = token.split(".")
        if len(parts) != 3:
            raise TokenError("INVALID_CREDENTIALS", "Invalid JWT header: InvalidToken")
        try:
            header, claims = _decode(parts[0]), _decode(parts[1])
            signature = _unbase64(parts[2])
        except ValueError:
            raise TokenError("INVALID_CREDENTIALS", "Invalid JWT header: InvalidToken") from None
        signed = hmac.compare_digest(signature, self._sign(f"{parts[0]}.{parts[1]}"))
        if header.get("alg") != "HS256" or not signed or claims.get("iss") != "kalamdb":
            raise TokenError("INVALID_CREDENTIALS")
        # Signed by this server, so that its members are what `make` put in.
        who, role, kind = (str(claims[name]) for name in ("sub", "role", "token_type"))
        found = Claims(who, role, kind, float(str(claims["exp"])))
        if found.expires + _LEEWAY < self._clock():
            raise TokenError("TOKEN_EXPIRED")
        return found

    def user_of(self, token: str, kind: str = "access") -> User:
        """Return the living user of a token of the wanted kind.

        Raises:
            TokenError: The token is bad, of the other kind, or its user is gone or has another role.
        """
        claims = self.read(token)
        user = self._users.get(claims.user_id)
        if claims.kind != kind or user is None or user.role != claims.role:
            raise TokenError("INVALID_CREDENTIALS")
        return user

    def _sign(self, body: str) -> bytes:
        return hmac.new(self._secret, body.encode(), hashlib.sha256).digest()


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encode(value: Mapping[str, object]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _decode(text: str) -> dict[str, object]:
    value = json.loads(_unbase64(text))
    if not isinstance(value, dict):
        raise ValueError(text)
    return value
