"""Files of an upload: stored first, put into the statement as references, removed when it fails.

protocol/http.md#uploads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kalam_sandbox.backend import Caller, SqlFailed
from kalam_sandbox.engine.request import Planned, StatementFailedError
from kalam_sandbox.errors import INVALID_INPUT
from kalam_sandbox.files import FileRef, Upload
from kalam_sandbox.server import Sandbox
from kalam_sandbox.sql import statements as s
from kalam_sandbox.sql.classify import classify
from kalam_sandbox.sql.targets import written_table

_PLACEHOLDER = re.compile(r"(?:FILE|file|File)\((?:\"([^\"]+)\"|'([^']+)')\)")


def has_placeholder(sql: str) -> bool:
    """Say whether ``FILE("x")`` stands anywhere in a text, literals and comments included."""
    return _PLACEHOLDER.search(sql) is not None


@contextmanager
def stored_uploads(
    sandbox: Sandbox, caller: Caller, planned: Sequence[Planned], uploads: Sequence[Upload]
) -> Iterator[list[Planned]]:
    """Store the files of a request and give its statement with the references put in.

    Raises:
        SqlFailed: Several statements, no recognisable table, an unknown one, or one that takes no files.
    """
    if len(planned) != 1:
        raise SqlFailed(INVALID_INPUT, "File uploads require a single SQL statement")
    statement = planned[0].statement
    owner_id = statement.target if isinstance(statement, s.ExecuteAs) else caller.user_id
    name = _target(statement.inner if isinstance(statement, s.ExecuteAs) else statement)
    table = sandbox.server.catalog.tables.get(name)
    if name[0] == "system" or (table is not None and table.definition.kind == "stream"):
        raise SqlFailed(INVALID_INPUT, "File uploads are not supported for stream or system tables")
    if table is None:
        raise SqlFailed("TABLE_NOT_FOUND", f"Table '{':'.join(name)}' not found")
    owner, full_name = table.owner_of(owner_id), ".".join(name)
    files = sandbox.server.files
    stored = {upload.placeholder: files.store(full_name, owner, upload) for upload in _used(planned[0].sql, uploads)}
    text = _with_references(planned[0].sql, stored)
    try:
        yield [Planned(text, classify(text, caller, sandbox.options))]
    except StatementFailedError:
        for reference in stored.values():
            files.remove(full_name, owner, reference)
        raise


def _used(sql: str, uploads: Sequence[Upload]) -> list[Upload]:
    """Return the files that a placeholder names; without any placeholder all are stored and nobody refers to them."""
    named = {first or second for first, second in _PLACEHOLDER.findall(sql)}
    return [upload for upload in uploads if not named or upload.placeholder in named]


def _target(statement: s.Statement) -> tuple[str, str]:
    refusal = SqlFailed(
        INVALID_INPUT,
        "Could not determine target table from SQL. Use fully qualified table name (namespace.table).",
    )
    named = written_table(statement.sql) if isinstance(statement, s.Dml) else None
    if named is None:
        raise refusal
    # `namespace_id` does not reach uploads: unqualified names mean `default`.
    return named[0] or "default", named[1]


def _with_references(sql: str, stored: dict[str, FileRef]) -> str:
    def literal(found: re.Match[str]) -> str:
        reference = stored.get(found[1] or found[2])
        # A placeholder without its part stays, and planning fails on it.
        return "'" + reference.json.replace("'", "''") + "'" if reference is not None else found[0]

    return _PLACEHOLDER.sub(literal, sql)
