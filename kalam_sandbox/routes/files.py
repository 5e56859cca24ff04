"""File downloads (protocol/http.md#downloads)."""

from __future__ import annotations

import time
from urllib.parse import unquote

from aiohttp import web

from kalam_sandbox.backend import Caller
from kalam_sandbox.engine import access
from kalam_sandbox.errors import DENIED, INVALID_INPUT
from kalam_sandbox.files import guess_type, is_safe_path
from kalam_sandbox.routes.answers import (
    SANDBOX,
    bearer_caller,
    close_without_answer,
    json_answer,
    sql_error,
    token_refused,
)
from kalam_sandbox.server import Sandbox
from kalam_sandbox.store.catalog import Table
from kalam_sandbox.tokens import TokenError


def add_file_route(app: web.Application) -> None:
    """Add `GET /v1/files/{namespace}/{table}/{sub}/{stored_name}`."""
    app.router.add_get("/v1/files/{namespace}/{table}/{sub}/{name}", _download, allow_head=False)


async def _download(request: web.Request) -> web.StreamResponse:
    started = time.perf_counter()
    try:
        caller = bearer_caller(request)
    except TokenError as refused:
        return token_refused(refused, (time.perf_counter() - started) * 1000)
    if request.query.get("user_id") == "":
        return close_without_answer(request)
    sandbox = request.app[SANDBOX]
    namespace, table_name, sub, name = (unquote(request.match_info[k]) for k in ("namespace", "table", "sub", "name"))
    namespace, table_name = namespace.lower(), table_name.lower()
    if namespace == "system":
        return sql_error(400, INVALID_INPUT, "File storage is not supported for stream or system tables")
    table = sandbox.server.catalog.tables.get((namespace, table_name))
    if table is None:
        return json_answer({"error": f"Table '{namespace}:{table_name}' not found"}, 404)
    asked = request.query.get("user_id")
    refusal = _refusal(sandbox, caller, table, asked)
    if refusal is not None:
        return refusal
    if not is_safe_path(sub, name):
        return sql_error(400, INVALID_INPUT, "Invalid file path")
    owner = table.owner_of(asked or caller.user_id)
    content = sandbox.server.files.load(f"{namespace}.{table_name}", owner, sub, name)
    if content is None:
        return json_answer({"code": "FILE_NOT_FOUND", "error": "File not found"}, 404)
    headers = {"Content-Type": guess_type(name), "Content-Disposition": f'inline; filename="{name}"'}
    return web.Response(body=content, headers=headers)


def _refusal(sandbox: Sandbox, caller: Caller, table: Table, asked: str | None) -> web.Response | None:
    """Return the answer for somebody who may not have the file, None when they may."""
    definition = table.definition
    if definition.kind == "stream":
        return sql_error(400, INVALID_INPUT, "File storage is not supported for stream or system tables")
    if definition.kind == "shared":
        if asked is not None:
            return sql_error(400, INVALID_INPUT, "user_id is only valid for user tables")
        if access.is_restricted(caller, definition):
            return sql_error(403, DENIED, "Files of shared tables can only be read by dba and system")
        if access.may_read(caller, definition):
            return None
        return sql_error(403, DENIED, f"Shared table access denied (access_level={definition.access_level})")
    target = sandbox.server.users.get(asked) if asked is not None else None
    role = target.role if target is not None else "user"
    if asked is None or access.may_act_as(caller, asked, role):
        return None
    return sql_error(403, DENIED, "Requested user is not allowed for the current role")
