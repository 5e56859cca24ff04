"""Login, refresh, me, logout, status and set-up (protocol/http.md#login)."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http.cookies import SimpleCookie

from aiohttp import web

from kalam_sandbox.limits import RateLimiter
from kalam_sandbox.routes.answers import SANDBOX, client_address, is_local, json_answer
from kalam_sandbox.routes.bodies import BodyError, Field, read_json_object
from kalam_sandbox.tokens import TokenError
from kalam_sandbox.users import LockedError, User, WrongPasswordError, weakness

_ACCESS_COOKIE = "kalamdb_auth"
_REFRESH_COOKIE = "kalamdb_refresh"
_LONG_GONE = "Thu, 01 Jan 1970 00:00:00 GMT"
_LOGIN = (
    Field("user", alias="username", longest=128),
    Field("password", longest=256),
)
_SETUP = (
    Field("user", alias="username", longest=128),
    Field("password", longest=256),
    Field("root_password", longest=256),
    Field("email", required=False),
)
_USER_ID = re.compile(r"[^\s/\\\0]+$")


def add_auth_routes(app: web.Application) -> None:
    """Add the routes below `/v1/api/auth`."""
    limiter = RateLimiter(app[SANDBOX].options.auth_per_second)

    def limited(
        handler: Callable[[web.Request], Awaitable[web.Response]], what: str
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            if not limiter.allow(client_address(request)):
                return _error(429, "rate_limited", f"Too many {what} attempts. Please retry shortly.")
            try:
                return await handler(request)
            except BodyError as broken:
                return broken.answer

        return handle

    app.router.add_post("/v1/api/auth/login", limited(_login, "authentication"))
    app.router.add_post("/v1/api/auth/refresh", limited(_refresh, "authentication"))
    app.router.add_post("/v1/api/auth/setup", limited(_setup, "setup"))
    app.router.add_post("/v1/api/auth/logout", _logout)
    if app[SANDBOX].options.login_options:
        app.router.add_get("/v1/api/auth/login-options", _login_options, allow_head=False)
    app.router.add_get("/v1/api/auth/me", _me, allow_head=False)
    app.router.add_get("/v1/api/auth/status", _status, allow_head=False)


def _error(status: int, code: str, message: str) -> web.Response:
    return json_answer({"error": code, "message": message}, status)


async def _login(request: web.Request) -> web.Response:
    body = await read_json_object(request, _LOGIN)
    sandbox = request.app[SANDBOX]
    users = sandbox.server.users
    user_id, password = str(body["user"]), str(body["password"])
    if sandbox.options.refuse_passwords:
        text = "Local username/password login is disabled. Use the configured OIDC login method."
        return _error(403, "local_auth_disabled", text)
    if user_id == "root" and not password and users.needs_setup:
        return _error(428, "setup_required", "Server requires initial setup. Root password is not configured.")
    try:
        return _session(request, users.login(user_id, password))
    except LockedError as locked:
        return _error(401, "account_locked", f"{locked.minutes} minute(s)")
    except WrongPasswordError:
        return _error(401, "unauthorized", "Invalid credentials")


async def _login_options(request: web.Request) -> web.Response:
    """Tell how one can log in, to anybody; the sandbox has no issuer of tokens beside itself."""
    return json_answer({"local": {"enabled": not request.app[SANDBOX].options.refuse_passwords}})


async def _refresh(request: web.Request) -> web.Response:
    token = request.cookies.get(_REFRESH_COOKIE)
    if token is None:
        if "Authorization" not in request.headers:
            return _error(401, "unauthorized", "No refresh token found")
        try:
            token = _header_token(request)
        except TokenError as refused:
            return _error(401, "unauthorized", refused.reason)
    sandbox = request.app[SANDBOX]
    try:
        claims = sandbox.tokens.read(token)
    except TokenError as refused:
        return _error(401, "unauthorized", refused.reason)
    if claims.kind != "refresh":
        return _error(401, "unauthorized", "Refresh endpoint requires a refresh token")
    user = sandbox.server.users.get(claims.user_id)
    if user is None:
        return _error(401, "unauthorized", "User no longer valid")
    if user.role != claims.role:
        return _error(401, "unauthorized", "Token role does not match user role")
    return _session(request, user)


async def _me(request: web.Request) -> web.Response:
    token = request.cookies.get(_ACCESS_COOKIE)
    sandbox = request.app[SANDBOX]
    try:
        if "Authorization" in request.headers:
            token = _header_token(request)
        if token is None:
            return _error(401, "unauthorized", "No auth token found")
        user = sandbox.tokens.user_of(token)
    except TokenError as refused:
        garbage = refused.reason.startswith("Invalid JWT")
        return _error(401, "unauthorized", f"JWT validation failed: {refused.reason}" if garbage else refused.reason)
    return json_answer({"user": _user(request, user), "admin_ui_access": _is_admin(user)})


async def _logout(request: web.Request) -> web.Response:
    answer = json_answer({"message": "Logged out successfully"})
    for name in (_ACCESS_COOKIE, _REFRESH_COOKIE):
        _set_cookie(answer, name, "", _LONG_GONE)
    return answer


async def _status(request: web.Request) -> web.Response:
    if not is_local(request):
        return _error(403, "forbidden", "Setup status can only be checked from localhost")
    if request.app[SANDBOX].server.users.needs_setup:
        text = (
            "Server requires initial setup. Call POST /v1/api/auth/setup with user, password, root_password, and "
            "optional email."
        )
        return json_answer({"needs_setup": True, "message": text})
    return json_answer({"needs_setup": False, "message": "Server is configured and ready."})


async def _setup(request: web.Request) -> web.Response:
    body = await read_json_object(request, _SETUP)
    users = request.app[SANDBOX].server.users
    name, password, root_password = (str(body[key]) for key in ("user", "password", "root_password"))
    if not is_local(request):
        return _error(403, "forbidden", "Server setup can only be performed from localhost")
    if not users.needs_setup:
        return _error(409, "already_configured", "Server has already been configured. Root password is set.")
    for who, secret in (("DBA user password", password), ("Root password", root_password)):
        if reason := weakness(secret):
            return _error(400, "weak_password", f"{who}: {reason}")
    if not _USER_ID.match(name) or ".." in name:
        return _error(400, "invalid_user", "Invalid user value")
    if name.lower() == "root":
        return _error(400, "invalid_user", "Cannot create a DBA user with user 'root'. Choose a different user.")
    if users.is_taken(name):
        return _error(409, "user_exists", f"User '{name}' already exists")
    root = users.get("root")
    assert root is not None  # It exists from the start and cannot be dropped before set-up.
    users.set_password(root, root_password)
    email = body.get("email")
    user = users.add(name, "dba", password=password, email=str(email) if email is not None else None)
    text = f"Server setup complete. Root password configured and DBA user '{name}' created. Please login to continue."
    return json_answer({"user": _user(request, user), "message": text})


def _header_token(request: web.Request) -> str:
    scheme, _, token = request.headers["Authorization"].partition(" ")
    # Here the scheme may be spelled in any case (protocol/http.md#tokens).
    if scheme.lower() != "bearer":
        raise TokenError("INVALID_CREDENTIALS", "Authorization header must use Bearer token")
    if not token.strip():
        raise TokenError("INVALID_CREDENTIALS", "Bearer token missing")
    return token.strip()


def _session(request: web.Request, user: User) -> web.Response:
    """Return the answer of login and refresh, with both cookies."""
    tokens = request.app[SANDBOX].tokens
    access, refresh = tokens.make(user, "access"), tokens.make(user, "refresh")
    now = time.time()
    ends = now + tokens.access_seconds, now + tokens.refresh_seconds
    answer = json_answer(
        {
            "user": _user(request, user),
            "admin_ui_access": _is_admin(user),
            "expires_at": _nanoseconds(ends[0]),
            "access_token": access,
            "refresh_token": refresh,
            "refresh_expires_at": _nanoseconds(ends[1]),
        }
    )
    _set_cookie(answer, _ACCESS_COOKIE, access, _cookie_date(ends[0]))
    _set_cookie(answer, _REFRESH_COOKIE, refresh, _cookie_date(ends[1]))
    return answer


def _set_cookie(answer: web.Response, name: str, value: str, expires: str) -> None:
    cookie: SimpleCookie = SimpleCookie()
    cookie[name] = value
    for key, setting in (("path", "/"), ("expires", expires), ("httponly", "true"), ("samesite", "Strict")):
        cookie[name][key] = setting
    answer.headers.add("Set-Cookie", cookie[name].OutputString())


def _user(request: web.Request, user: User) -> dict[str, object]:
    name = {"name": None} if request.app[SANDBOX].options.name_users else {}
    return {
        "id": user.user_id,
        "role": user.role,
        **name,
        "email": user.email,
        "created_at": _milliseconds(user.created_ms),
        "updated_at": _milliseconds(user.updated_ms),
    }


def _is_admin(user: User) -> bool:
    return user.role in ("dba", "system")


def _milliseconds(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _nanoseconds(unix: float) -> str:
    """Return a time with nine fraction digits, which Python itself neither writes nor, before 3.11, reads."""
    at = datetime.fromtimestamp(unix, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}{time.time_ns() % 1000:03d}+00:00"


def _cookie_date(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
