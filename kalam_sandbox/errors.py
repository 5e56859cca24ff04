"""Failures of SQL requests: what went wrong, how an administrator reads it, what ordinary users see instead.

Engine and commands raise `Failure` (or `SqlFailed` of the contract); the SQL route turns it into an envelope.
HTTP status and redaction are decided here, nowhere else (protocol/http.md#error-codes).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kalam_sandbox.backend import SqlFailed

EXECUTION = "SQL_EXECUTION_ERROR"
INVALID_SQL = "INVALID_SQL"
INVALID_INPUT = "INVALID_INPUT"
DENIED = "PERMISSION_DENIED"

_STATUS = {
    "MISSING_AUTHORIZATION": 401,
    "TOKEN_EXPIRED": 401,
    "INVALID_CREDENTIALS": 401,
    DENIED: 403,
    "RATE_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
    "NOT_LEADER": 503,
}

_GENERIC = {
    "BATCH_PARSE_ERROR": "Failed to parse SQL batch",
    EXECUTION: "SQL statement failed",
    INVALID_SQL: "SQL statement is invalid or not allowed",
    "TABLE_NOT_FOUND": "Requested table is not available",
    "INTERNAL_ERROR": "SQL request failed",
}

# Kinds of failure that are told to everybody (protocol/sql.md#errors).
_SAFE_KINDS = (
    "Already exists: ",
    "Invalid operation: ",
    "Invalid SQL: ",
    "Constraint violation: ",
    "Conflict: ",
    "Permission denied: ",
    "Unauthorized: ",
    "Namespace not found: ",
    "Parameter ",
)
_SAFE_EXECUTION = re.compile(
    r"no field named|column '|primary key|constraint|duplicate|unique|already exists", re.IGNORECASE
)
_PREFIX = re.compile(r"^Statement \d+ failed: ")


@dataclass(frozen=True, slots=True)
class Answer:
    """How a failure looks on the wire."""

    status: int
    code: str
    message: str
    details: str | None


def execution(message: str) -> SqlFailed:
    """Return the failure of a statement that was being planned or run."""
    return SqlFailed(EXECUTION, message)


def denied(message: str) -> SqlFailed:
    """Return a refusal by role."""
    return SqlFailed(DENIED, message)


def invalid_sql(message: str) -> SqlFailed:
    """Return a refusal at classification, before anything has run."""
    return SqlFailed(INVALID_SQL, message)


def unsupported(what: str) -> SqlFailed:
    """Return the refusal of a statement the real server has and the sandbox has not."""
    return invalid_sql(f"{what} is not available in the sandbox server; use a KalamDB server")


def status_of(code: str) -> int:
    """Return the HTTP status of an error code of the SQL envelope."""
    return _STATUS.get(code, 400)


def is_safe_for_users(message: str) -> bool:
    """Say whether ordinary users may read this failure of a running statement."""
    text = _PREFIX.sub("", message)
    if text.startswith(_SAFE_KINDS):
        return True
    if text.startswith("Not found: "):
        return not text.startswith("Not found: Table ")
    return text.startswith("Execution error: ") and _SAFE_EXECUTION.search(text) is not None


def answer_for(failure: SqlFailed, *, is_admin: bool, statement: int | None, sql: str | None) -> Answer:
    """Return the envelope's error for a failure.

    Args:
        failure: What happened.
        is_admin: Whether the caller is dba or system; others see redacted texts and no details.
        statement: 1-based number of the failed statement, None when nothing had run.
        sql: Text of the failed statement, for `details`.
    """
    ran = statement is not None
    message = f"Statement {statement} failed: {failure.message}" if ran else failure.message
    if is_admin:
        return Answer(status_of(failure.code), failure.code, message, sql if ran else None)
    generic = _GENERIC.get(failure.code)
    safe = generic is None or (ran and is_safe_for_users(message))
    return Answer(status_of(failure.code), failure.code, message if safe or generic is None else generic, None)
