"""What stands before all routes: who may ask, body size, CORS, and empty answers for unknown paths.

protocol/http.md#routes. One thing is stricter than on the server: pages of other sites are refused, since a stand-in
on the reader's own machine is reached by every page that the reader opens.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from kalam_sandbox.limits import Bans, RateLimiter
from kalam_sandbox.options import Options
from kalam_sandbox.routes.answers import JSON, client_address, encoded, is_local, json_answer

_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "OPTIONS, GET, POST, PATCH, PUT, DELETE",
    "Access-Control-Allow-Headers": "authorization, content-type, accept, origin, x-requested-with",
    "Access-Control-Max-Age": "3600",
}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guard(options: Options) -> Middleware:
    """Return the middleware that every request passes first."""
    limiter = RateLimiter(options.requests_per_second)
    bans = Bans(options.ban_after_refusals, options.ban_seconds)

    @web.middleware
    async def handle(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if options.check_origin and (foreign := _foreign(request, options)):
            return _forbidden(foreign)
        length = request.content_length or 0
        if length > options.request_body_limit_bytes:
            return _too_large(length, options.request_body_limit_bytes)
        # Callers on this machine are exempt from the rate, not from the size.
        address = client_address(request)
        if not is_local(request):
            if bans.holds(address):
                return _too_many("IP_BANNED", "Your IP has been temporarily banned due to excessive requests", 300)
            if not limiter.allow(address):
                bans.refuse(address)
                return _too_many("RATE_LIMIT_EXCEEDED", "Too many requests from your IP address", 1)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return web.Response(headers=_PREFLIGHT)
        try:
            return await handler(request)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            return _empty_404()

    return handle


def _foreign(request: web.Request, options: Options) -> str:
    """Return what a request says of a site that is not this machine; empty for all others.

    A name that leads here may be anybody's (DNS rebinding), an address is what it says. An origin comes from a browser:
    it must be a page of this machine, or of the host that was asked.
    """
    host = _host_name(f"//{request.headers.get('Host', '')}")
    if host not in ("", "localhost", options.host.lower()) and not _is_address(host):
        return f"Host {host}"
    origin = request.headers.get("Origin")
    if origin is None:
        return ""
    name = _host_name(origin)
    if name and (name in ("localhost", host) or (_is_address(name) and ipaddress.ip_address(name).is_loopback)):
        return ""
    return f"Origin {origin}"


def _host_name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return "?"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def add_cors_headers(request: web.Request, answer: web.StreamResponse) -> None:
    """Echo the origin and say what the answer varies by; a signal, so that streamed answers get it, too."""
    answer.headers["Vary"] = _VARY
    answer.headers.pop("Server", None)
    if (origin := request.headers.get("Origin")) is not None and not isinstance(answer, _Refusal):
        answer.headers["Access-Control-Allow-Origin"] = origin


def _empty_404() -> web.Response:
    answer = web.Response(status=404)
    answer.headers.popall("Content-Type", None)
    return answer


class _Refusal(web.Response):
    """What another site gets, whose page may not even read it."""


def _forbidden(foreign: str) -> web.Response:
    message = (
        f"The sandbox server answers callers of this machine only, and was asked with {foreign[:200]!a}. "
        "Start it with --no-check-origin to answer all, as KalamDB does."
    )
    return _Refusal(body=encoded({"error": "forbidden", "message": message}), status=403, content_type=JSON)


def _too_large(size: int, limit: int) -> web.Response:
    return json_answer(
        {
            "error": "BODY_TOO_LARGE",
            "message": "Request body exceeds maximum allowed size",
            "size_bytes": size,
            "max_bytes": limit,
        },
        413,
    )


def _too_many(code: str, message: str, seconds: int) -> web.Response:
    """Refuse a caller; the server tells 300 seconds of every ban, however long it lasts."""
    answer = json_answer({"error": code, "message": message, "retry_after_seconds": seconds}, 429)
    answer.headers.update({"Retry-After": f"{seconds}", "X-RateLimit-Reset": f"{seconds}"})
    return answer
