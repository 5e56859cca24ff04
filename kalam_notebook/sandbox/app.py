"""The aiohttp application of the sandbox server; whoever runs it chooses socket and loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from kalam_notebook.sandbox.guard import add_cors_headers, guard
from kalam_notebook.sandbox.live.routes import LIVE_REGISTRY, add_live_routes
from kalam_notebook.sandbox.options import Options
from kalam_notebook.sandbox.routes.answers import SANDBOX
from kalam_notebook.sandbox.routes.auth import add_auth_routes
from kalam_notebook.sandbox.routes.files import add_file_route
from kalam_notebook.sandbox.routes.health import add_health_routes
from kalam_notebook.sandbox.routes.sql import add_sql_route
from kalam_notebook.sandbox.routes.topics import add_topic_routes
from kalam_notebook.sandbox.server import Sandbox


async def _warmed_up(app: web.Application) -> AsyncIterator[None]:
    """Load what the first query would wait for, while the server answers already."""
    warming = asyncio.create_task(asyncio.to_thread(app[SANDBOX].warm_up))
    yield
    await warming


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
    add_live_routes(app, sandbox, options)
    app.cleanup_ctx.append(_warmed_up)
    sandbox.server.system.live_rows = app[LIVE_REGISTRY].rows
    return app
