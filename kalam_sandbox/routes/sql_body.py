"""Reading the body of `POST /v1/api/sql`, JSON or multipart (protocol/http.md#request, #uploads)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from aiohttp import web

from kalam_sandbox.backend import SqlFailed
from kalam_sandbox.errors import INVALID_INPUT
from kalam_sandbox.files import Upload
from kalam_sandbox.routes.answers import SANDBOX
from kalam_sandbox.routes.bodies import TooLargeError, is_json_type, read_bounded
from kalam_sandbox.routes.multipart import read_multipart


@dataclass(frozen=True, slots=True)
class SqlBody:
    """What a request asks: the text, its parameters, its namespace, its files."""

    sql: str
    params: list[object] = field(default_factory=list)
    namespace: str | None = None
    uploads: tuple[Upload, ...] = ()
    is_multipart: bool = False


async def read_body(request: web.Request) -> SqlBody:
    """Read the body of a SQL request, JSON or multipart.

    Raises:
        SqlFailed: INVALID_INPUT and the multipart codes.
    """
    if request.headers.get("Content-Type", "").lower().startswith("multipart/form-data"):
        return await _read_multipart(request)
    if not is_json_type(request):
        raise SqlFailed(INVALID_INPUT, "Invalid JSON payload: Content type error")
    try:
        raw = await read_bounded(request)
    except TooLargeError as refused:
        raise SqlFailed(INVALID_INPUT, f"Invalid JSON payload: {refused}") from None
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError) as wrong:
        raise SqlFailed(INVALID_INPUT, f"Invalid JSON payload: {_complaint(raw, wrong)}") from None
    return _body(told, len(raw))


def _complaint(raw: bytes, wrong: ValueError | RecursionError) -> str:
    """Return what the server's JSON reader says about a broken text, as far as it can be told."""
    if isinstance(wrong, RecursionError):
        return "Json deserialize error: recursion limit exceeded"
    place = getattr(wrong, "pos", 0)
    line = raw[:place].count(b"\n") + 1
    column = place - (raw[:place].rfind(b"\n") + 1) + 1
    if isinstance(wrong, json.JSONDecodeError) and wrong.msg.startswith("Expecting property name"):
        return f"Json deserialize error: key must be a string at line {line} column {column}"
    if place >= len(raw.rstrip()):
        return f"Json deserialize error: EOF while parsing a value at line {line} column {column - 1}"
    return f"Json deserialize error: expected value at line {line} column {column}"


def _body(told: object, end: int) -> SqlBody:
    where = f"at line 1 column {end}"
    if not isinstance(told, dict) or not isinstance(told.get("sql"), str):
        missing = isinstance(told, dict) and "sql" not in told
        what = "missing field `sql`" if missing else "invalid type"
        raise SqlFailed(INVALID_INPUT, f"Invalid JSON payload: Json deserialize error: {what} {where}")
    params, namespace = told.get("params"), told.get("namespace_id")
    if not isinstance(params, list | None) or not isinstance(namespace, str | None):
        raise SqlFailed(INVALID_INPUT, f"Invalid JSON payload: Json deserialize error: invalid type {where}")
    return SqlBody(told["sql"], params or [], namespace)


async def _read_multipart(request: web.Request) -> SqlBody:
    options = request.app[SANDBOX].options
    parts = await read_multipart(
        request,
        max_text_bytes=options.json_body_limit_bytes,
        max_file_bytes=options.file_size_limit_bytes,
        max_files=options.files_per_request,
    )
    sql = parts.texts.get("sql", "").strip()
    if not sql:
        raise SqlFailed("EMPTY_SQL", "SQL statement is required")
    params: object = []
    if "params" in parts.texts:
        try:
            params = json.loads(parts.texts["params"])
        except (ValueError, RecursionError) as wrong:
            raise SqlFailed("INVALID_PARAMETER", f"Invalid params JSON: {wrong}") from None
        if not isinstance(params, list):
            raise SqlFailed("INVALID_PARAMETER", "Params must be a JSON array")
    assert isinstance(params, list)
    return SqlBody(sql, params, parts.texts.get("namespace_id"), parts.uploads, is_multipart=True)
