"""Bodies and headers that several route families share (protocol/http.md#routes, #errors)."""

from __future__ import annotations

import json

from aiohttp import web

from kalam_sandbox.backend import Caller
from kalam_sandbox.server import Sandbox
from kalam_sandbox.tokens import TokenError

JSON = "application/json"
SANDBOX = web.AppKey("sandbox", Sandbox)

# Exactly these names are this machine to the server.
_LOCAL = ("127.0.0.1", "::1", "localhost")
_AUTH_MESSAGES = {"MISSING_AUTHORIZATION": "Authentication required"}


def encoded(body: object) -> bytes:
    """Return a value as compact JSON."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def json_answer(body: object, status: int = 200) -> web.Response:
    """Return a JSON answer with exactly the content type of the server."""
    return web.Response(body=encoded(body), status=status, content_type=JSON)


def plain_answer(text: str, status: int = 400) -> web.Response:
    """Return a plain-text answer, as the server's framework gives for broken bodies."""
    return web.Response(text=text, status=status, content_type="text/plain", charset="utf-8")


def sql_error(status: int, code: str, message: str, *, took: float = 0.0, details: str | None = None) -> web.Response:
    """Return the error form of the SQL envelope."""
    error: dict[str, object] = {"code": code, "message": message}
    if details is not None:
        error["details"] = details
    return json_answer({"status": "error", "results": [], "took": took, "error": error}, status)


def bearer_caller(request: web.Request) -> Caller:
    """Return who sends a request on the bearer routes.

    Raises:
        TokenError: No header, a bad one, or a token that is not valid.
    """
    header = request.headers.get("Authorization")
    if header is None:
        raise TokenError("MISSING_AUTHORIZATION")
    scheme, _, token = header.partition(" ")
    # On these routes the scheme is compared with its letter case (protocol/http.md#tokens).
    if scheme != "Bearer":
        raise TokenError("INVALID_CREDENTIALS")
    user = request.app[SANDBOX].tokens.user_of(token.strip())
    return Caller(user.user_id, user.role)


def token_refused(refused: TokenError, took_ms: float) -> web.Response:
    """Return the failure body of the bearer routes."""
    error = {"code": refused.code, "message": _AUTH_MESSAGES.get(refused.code, "Invalid credentials")}
    return json_answer({"error": error, "results": [], "status": "error", "took": took_ms}, 401)


def client_address(request: web.Request) -> str:
    """Return who asks: the peer, or whom a peer on this machine names (protocol/http.md#routes)."""
    peer = request.remote or ""
    if peer not in _LOCAL:
        return peer
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")[0].strip()
    forwarded = forwarded or request.headers.get("X-Real-IP", "").strip()
    # A local name inside the header is ignored, so that it cannot be claimed.
    return forwarded if forwarded not in ("", *_LOCAL) else peer


def is_local(request: web.Request) -> bool:
    """Say whether the caller is on this machine."""
    return client_address(request) in _LOCAL


def close_without_answer(request: web.Request) -> web.StreamResponse:
    """Close the connection with no answer at all, as the server does when it cannot encode a value."""
    if request.transport is not None:
        request.transport.close()
    return web.Response(status=500)
