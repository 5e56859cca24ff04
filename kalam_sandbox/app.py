"""The aiohttp application of the sandbox server; whoever runs it chooses socket and loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TypeVar

from aiohttp import web

from kalam_sandbox.guard import add_cors_headers, guard
from kalam_sandbox.live.routes import LIVE_REGISTRY, add_live_routes
from kalam_sandbox.options import Options
from kalam_sandbox.routes.answers import SANDBOX
from kalam_sandbox.routes.auth import add_auth_routes
from kalam_sandbox.routes.files import add_file_route
from kalam_sandbox.routes.health import add_health_routes
from kalam_sandbox.routes.scans import add_scan_routes
from kalam_sandbox.routes.sql import add_sql_route
from kalam_sandbox.routes.topics import add_topic_routes
from kalam_sandbox.server import Sandbox
from kalam_sandbox.threads import DeepThreads

_Answer = TypeVar("_Answer")


async def _running(app: web.Application) -> AsyncIterator[None]:
    """Join the live part to the SQL part, and load what the first query would wait for."""
    loop = asyncio.get_running_loop()
    # Where all blocking work goes; SQL among it.
    loop.set_default_executor(DeepThreads(thread_name_prefix="sql"))
    system = app[SANDBOX].server.system
    registry = app[LIVE_REGISTRY]
    # SQL runs in worker threads, the registry belongs to the loop.
    system.live_rows = partial(_on_loop, loop, registry.rows)
    system.kill_live = lambda live_id: _on_loop(loop, partial(registry.kill, live_id))
    # A daemon, so that stopping the server never waits for it.
    threading.Thread(target=app[SANDBOX].warm_up, name="warm-up", daemon=True).start()
    yield


def _on_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], _Answer]) -> _Answer:
    """Call a function on the loop from another thread and return what it returns."""

    async def called() -> _Answer:
        return call()

    return asyncio.run_coroutine_threadsafe(called(), loop).result()


def create_app(options: Options) -> web.Application:
    """Return an application with a fresh, empty server behind it."""
    # Parts decide about sizes themselves; the guard has looked at Content-Length.
    app = web.Application(middlewares=[guard(options)], client_max_size=1 << 40)
    sandbox = Sandbox(options)
    app[SANDBOX] = sandbox
    app.on_response_prepare.append(add_cors_headers)
    add_health_routes(app)
    add_auth_routes(app)
    add_sql_route(app)
    add_file_route(app)
    add_topic_routes(app)
    add_scan_routes(app)
    add_live_routes(app, sandbox, options)
    app.cleanup_ctx.append(_running)
    return app
