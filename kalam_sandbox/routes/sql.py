"""`POST /v1/api/sql`: checks in the server's order, then the request in a worker thread.

protocol/http.md#request, #answer, #uploads.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from aiohttp import web

from kalam_sandbox.backend import Caller, SqlFailed, Unencodable
from kalam_sandbox.engine.fast_writer import unmarked
from kalam_sandbox.engine.parameters import Value, read_parameters
from kalam_sandbox.engine.request import Planned, Request, StatementFailedError
from kalam_sandbox.engine.results import Message, Result, Rows, in_batch_order
from kalam_sandbox.errors import INVALID_INPUT, answer_for
from kalam_sandbox.limits import RateLimiter
from kalam_sandbox.options import Options
from kalam_sandbox.routes.answers import (
    JSON,
    SANDBOX,
    bearer_caller,
    close_without_answer,
    encoded,
    sql_error,
    token_refused,
)
from kalam_sandbox.routes.sql_body import SqlBody, read_body
from kalam_sandbox.routes.uploads import has_placeholder, stored_uploads
from kalam_sandbox.server import Sandbox
from kalam_sandbox.sql import statements as s
from kalam_sandbox.sql.classify import ADMINS, classify
from kalam_sandbox.sql.split import split_statements
from kalam_sandbox.tokens import TokenError

_LOG = logging.getLogger("kalam_sandbox")
# Results of so many rows and fewer are small.
_BUFFERED_ROWS = 32
_NOT_NULL = "NOT NULL constraint violation"
_UNSENDABLE = "Failed to serialize SQL result: Failed to convert batch to JSON: "


def add_sql_route(app: web.Application) -> None:
    """Add `POST /v1/api/sql`."""
    limiter = RateLimiter(app[SANDBOX].options.queries_per_second)

    async def handle(request: web.Request) -> web.StreamResponse:
        started = time.perf_counter()
        try:
            caller = bearer_caller(request)
        except TokenError as refused:
            return token_refused(refused, (time.perf_counter() - started) * 1000)
        if not limiter.allow(caller.user_id):
            return sql_error(429, "RATE_LIMIT_EXCEEDED", "Too many queries per second. Please slow down.")
        return await _answer(request, caller, started)

    app.router.add_post("/v1/api/sql", handle)


async def _answer(request: web.Request, caller: Caller, started: float) -> web.StreamResponse:
    sandbox = request.app[SANDBOX]
    is_admin = caller.role in ADMINS
    try:
        body = await read_body(request)
        if body.namespace == "":
            # An empty identifier kills the request (protocol/http.md#routes).
            return close_without_answer(request)
        content, is_streamed = await asyncio.to_thread(
            _content, sandbox, caller, body, started, is_abandoned=_disconnected(request)
        )
        if is_streamed and sandbox.chance.random() < sandbox.options.cut_bodies:
            return await _chunked(request, content[: len(content) // 2], is_cut=True)
    except StatementFailedError as failed:
        failure = _coded(failed.failure, sandbox.options)
        told = answer_for(failure, is_admin=is_admin, statement=failed.number, sql=failed.sql)
        return sql_error(told.status, told.code, told.message, took=_took(started), details=told.details)
    except SqlFailed as failure:
        told = answer_for(failure, is_admin=is_admin, statement=None, sql=None)
        return sql_error(told.status, told.code, told.message, took=_took(started))
    except _UnencodableBatchError as broken:
        message = f"{_UNSENDABLE}{broken}"
        told = answer_for(SqlFailed("INTERNAL_ERROR", message), is_admin=is_admin, statement=None, sql=None)
        return sql_error(told.status, told.code, told.message, took=_took(started))
    except Unencodable as broken:
        # What is sent in one piece is not on its way yet.
        is_small = sandbox.options.buffer_small_results and broken.row_count <= _BUFFERED_ROWS
        if is_small or not sandbox.options.hang_up_on_unencodable:
            return sql_error(500, "INTERNAL_ERROR", f"{_UNSENDABLE}{broken.message}", took=_took(started))
        return close_without_answer(request)
    except Exception as fault:
        # A fault of the sandbox itself; the trace goes to its log, not to the client.
        _LOG.exception("SQL request failed")
        message = f"The sandbox server failed on this request ({type(fault).__name__}); its log says where"
        return sql_error(500, "INTERNAL_ERROR", message, took=_took(started))
    return await _chunked(request, content) if is_streamed else web.Response(body=content, content_type=JSON)


def _disconnected(request: web.Request) -> Callable[[], bool]:
    """Return what says whether the rest of a request is for nobody; on 0.4.3 it is carried out all the same."""
    if not request.app[SANDBOX].options.cancel_abandoned:
        return lambda: False
    return lambda: request.transport is None or request.transport.is_closing()


def _content(
    sandbox: Sandbox, caller: Caller, body: SqlBody, started: float, *, is_abandoned: Callable[[], bool]
) -> tuple[bytes, bool]:
    """Return the bytes of a successful answer, and whether the server would stream them; blocking."""
    results, is_single_select = run_body(sandbox, caller, body, is_abandoned)
    envelope: dict[str, object] = {
        "status": "success",
        "results": [_result(one, is_streamed=is_single_select) for one in results],
    }
    envelope["took"] = _took(started)
    # Only the answer that the server streams has the member.
    content = unmarked(encoded({**envelope, "error": None} if is_single_select else envelope))
    return content, is_single_select and not _is_buffered(sandbox, results)


def _coded(failure: SqlFailed, options: Options) -> SqlFailed:
    """Return a failure under the code of its kind, which later servers have for NULL where none may be."""
    if not options.code_constraints or _NOT_NULL not in failure.message:
        return failure
    is_missing = "is missing in row" in failure.message
    return SqlFailed("MISSING_COLUMN" if is_missing else "NOT_NULL_VIOLATION", failure.message)


def _is_buffered(sandbox: Sandbox, results: list[Result]) -> bool:
    """Say whether a single row result goes out in one piece, as from KalamDB 0.5 on (protocol/http.md#hanging-up)."""
    rows = results[0].rows if isinstance(results[0], Rows) else []
    return sandbox.options.buffer_small_results and len(rows) <= _BUFFERED_ROWS


class _UnencodableBatchError(Exception):
    """A result of a batch cannot be sent; a single SELECT would close the connection instead."""


def run_body(
    sandbox: Sandbox, caller: Caller, body: SqlBody, is_abandoned: Callable[[], bool]
) -> tuple[list[Result], bool]:
    """Check and run one request; blocking.

    Returns:
        The results in the order of the answer, and whether it is a single SELECT.

    Raises:
        SqlFailed: Refused before anything ran.
        StatementFailedError: A statement failed.
        Unencodable: The single SELECT holds a value that cannot be sent.
    """
    size = len(body.sql.encode())
    most = sandbox.options.sql_limit_bytes
    if size > most:
        raise SqlFailed("INVALID_SQL", f"SQL query too long: {size} bytes (maximum {most} bytes)")
    planned = [Planned(text, classify(text, caller, sandbox.options)) for text in split_statements(body.sql)]
    if sandbox.chance.random() < sandbox.options.not_leader:
        raise SqlFailed("NOT_LEADER", "Not leader for shard. Leader unknown")
    params = read_parameters(body.params)
    if not body.is_multipart and has_placeholder(body.sql):
        raise SqlFailed(INVALID_INPUT, "FILE placeholders require multipart/form-data")
    if body.params and len(planned) > 1:
        raise SqlFailed("PARAMS_WITH_BATCH", "Parameters not supported with multi-statement batches")
    if body.uploads:
        with stored_uploads(sandbox, caller, planned, body.uploads) as rewritten:
            return _run(sandbox, caller, rewritten, params, body.namespace, is_abandoned)
    return _run(sandbox, caller, planned, params, body.namespace, is_abandoned)


def _run(
    sandbox: Sandbox,
    caller: Caller,
    planned: Sequence[Planned],
    params: list[Value],
    namespace: str | None,
    is_abandoned: Callable[[], bool],
) -> tuple[list[Result], bool]:
    is_single = len(planned) == 1
    named = (namespace or "default").lower()
    with sandbox.sessions.lend(caller.user_id) as session:
        request = Request(sandbox.server, session, caller, namespace=named, params=params, is_abandoned=is_abandoned)
        try:
            results = request.run(planned)
        except Unencodable as broken:
            if is_single:
                raise
            raise _UnencodableBatchError(broken.message) from None
    if not is_single and sandbox.options.add_up_writes:
        return in_batch_order(results, caller.user_id), False
    return results, is_single and isinstance(
        _innermost(planned[0].statement), s.Query | s.Show | s.DescribeTable | s.EngineMeta
    )


def _innermost(statement: s.Statement) -> s.Statement:
    return _innermost(statement.inner) if isinstance(statement, s.ExecuteAs) else statement


def _took(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)


def _result(result: Result, *, is_streamed: bool) -> dict[str, object]:
    if isinstance(result, Message):
        return {"row_count": result.row_count, "message": result.text, "as_user": result.as_user}
    return _rows(result, keep_schema=is_streamed)


def _rows(result: Rows, *, keep_schema: bool) -> dict[str, object]:
    """Return a row set; without columns, as behind SET, only the streamed form has a schema."""
    schema = []
    for index, column in enumerate(result.columns):
        told: dict[str, object] = {"name": column.name, "data_type": column.data_type, "index": index}
        if column.flags:
            told["flags"] = list(column.flags)
        schema.append(told)
    body: dict[str, object] = {"schema": schema} if schema or keep_schema else {}
    return body | {"rows": result.rows, "row_count": len(result.rows), "as_user": result.as_user}


async def _chunked(request: web.Request, content: bytes, *, is_cut: bool = False) -> web.StreamResponse:
    """Send a row result the way the server does, in chunks; one that is cut has no end."""
    answer = web.StreamResponse(headers={"Content-Type": JSON})
    answer.enable_chunked_encoding()
    await answer.prepare(request)
    await answer.write(content)
    if is_cut:
        close_without_answer(request)
        return answer
    await answer.write_eof()
    return answer
