"""Which scans statements made: a route of the sandbox alone, for tests and measurements.

No KalamDB has it; `docs/sandbox.md` says what it tells.
"""

from __future__ import annotations

import time

from aiohttp import web

from kalam_sandbox.routes.answers import SANDBOX, bearer_caller, json_answer, token_refused
from kalam_sandbox.sql.classify import ADMINS
from kalam_sandbox.tokens import TokenError


def add_scan_routes(app: web.Application) -> None:
    """Add `GET` and `DELETE /sandbox/scans`."""
    app.router.add_get("/sandbox/scans", _scans, allow_head=False)
    app.router.add_delete("/sandbox/scans", _scans)


async def _scans(request: web.Request) -> web.Response:
    """Tell the scans since the last reset, which DELETE is; statements hold values, so administrators only."""
    started = time.perf_counter()
    try:
        caller = bearer_caller(request)
    except TokenError as refused:
        return token_refused(refused, (time.perf_counter() - started) * 1000)
    if caller.role not in ADMINS:
        return json_answer({"error": "Scans are shown to dba and system roles only", "code": "FORBIDDEN"}, 403)
    log = request.app[SANDBOX].server.scans
    return json_answer(log.reset() if request.method == "DELETE" else log.report())
