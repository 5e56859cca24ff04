"""Queries on copies of tables, run by the server's own engine on this machine (``engine="local"``).

Each table that a query names is copied exactly in pages (truth R3) and kept; a later query reads only what changed
since (truth R4). In the end all tables of a query are brought to one moment (truth R10). The `datafusion` package runs
the SQL: the same functions, types and NULL order as on the server, but no cap, no window and no load for it. It does so
in a process of its own (``local_process``), since a fault of it would end the notebook.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from kalam_notebook.errors import QueryError, ResultError, ServerError
from kalam_notebook.http.failures import is_exhausted
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.lists import may_hold_lists, with_lists
from kalam_notebook.reading.local_bounds import refusal
from kalam_notebook.reading.local_process import EngineProcess
from kalam_notebook.reading.local_types import as_on_the_server
from kalam_notebook.reading.pager import Pager, plan_pager, read_at_one_state
from kalam_notebook.sql.shape import Shape, shape_of
from kalam_notebook.sql.statement import Statement, quote_name
from kalam_notebook.sql.tables import SYSTEM_NAMESPACES, table_names
from kalam_notebook.wire.row_version import OVERLAP_MS, row_version_of
from kalam_notebook.wire.types import Column

__all__ = ["LocalEngine"]

#: What the server adds to the engine (protocol/sql.md#json, #functions).
_SERVER_FUNCTION = re.compile(
    r"json_\w+|cosine_distance|vector_search|snowflake_id|ulid|uuid_v7|(kdb_)?current_user(_id)?"
)
_SERVER_WORDS = {"CURRENT_USER", "CURRENT_ROLE"}
_SERVER_OPERATORS = {"->", "->>", "?"}


@dataclass(slots=True)
class _Copy:
    """A table as it was when it was last read.

    Attributes:
        columns: Its columns; others mean another table of the same name.
        pager: What was read.
        returned: Rows that were seen deleted and that a flush has brought back.
        is_doubtful: Whether another table may stand under the name, whose versions are lower.
    """

    columns: tuple[Column, ...]
    pager: Pager
    returned: int = 0
    is_doubtful: bool = False

    @property
    def note(self) -> str:
        """In words what was read."""
        text = self.pager.reach
        if not self.pager.plan.in_transaction:
            text += " (a moment after the other tables: the server reads it outside of transactions only)"
        if self.returned:
            text += f", without {self.returned} deleted rows that the server has brought back at a flush"
        return text


class LocalEngine:
    """Copies of tables, and the engine over them."""

    def __init__(self) -> None:
        self._copies: dict[tuple[str | None, str], _Copy] = {}  # By the user whose rows they hold, and the table.
        self._lock = threading.Lock()
        self._process = EngineProcess()

    def doubt(self) -> None:
        """Take note that another server may answer, and its tables may be others."""
        for copy in list(self._copies.values()):
            copy.is_doubtful = not copy.pager.plan.version.has_time

    def close(self) -> None:
        """End the engine's process; may be called twice."""
        self._process.close()

    def query(
        self, endpoint: Endpoint, shape: Shape, params: Sequence[Any], user: str | None = None
    ) -> tuple[pa.Table, dict[str, tuple[Column, ...]], str]:
        """Run a SELECT on copies of its tables.

        Args:
            endpoint: Reads the tables.
            shape: A single SELECT.
            params: JSON values for ``$1 …``.
            user: As whom the endpoint runs it, where that is not the client's own user.

        Returns:
            The rows, the tables that were read with their columns, and in words up to which version.

        Raises:
            MissingDependencyError: The package `datafusion` is not installed.
            QueryError: The engine refuses the query, or its process died of it.
            KalamError: A table cannot be read.
        """
        named = dict.fromkeys((name.namespace or "default", name.table) for name in table_names(shape.text))
        for namespace, table in named:
            if namespace in SYSTEM_NAMESPACES:
                raise ResultError(f"engine='local' cannot read {namespace}.{table}; ask the server itself.")

        names = [f"{quote_name(namespace)}.{quote_name(table)}" for namespace, table in named]
        if refused := refusal(shape.text):
            raise QueryError("LOCAL_ENGINE", refused, 0, shape.text, "Split it, or leave engine='local' out.")

        self._process.start()  # Its start takes a second, and so does reading.
        tables, copies, read = self._fresh(endpoint, names, user)

        values = {str(number): value for number, value in enumerate(params, 1)}
        try:
            rows = self._process.query(shape.text, values, dict(zip(named, copies, strict=True)))
        except QueryError as exc:
            raise QueryError(exc.code, exc.message, 0, shape.text, exc.hint or _hint(shape.text)) from None
        return rows, tables, read

    def _fresh(
        self, endpoint: Endpoint, names: Sequence[str], user: str | None
    ) -> tuple[dict[str, tuple[Column, ...]], list[pa.Table], str]:
        """The tables' columns, their rows as they all were at one moment, and in words what was read."""
        with self._lock:
            copies = {name: self._copy(endpoint, name, user) for name in names}
            _bring_to_one_state(endpoint, list(copies.values()))
            rows = [as_on_the_server(copy.pager.result()) for copy in copies.values()]
            for copy in copies.values():
                copy.pager.compact()
            read = ", ".join(f"{name} {copy.note}" for name, copy in copies.items())
            return {name: copy.columns for name, copy in copies.items()}, rows, read

    def _copy(self, endpoint: Endpoint, name: str, user: str | None) -> _Copy:
        """A copy of a table as it was a moment ago."""
        copy = self._copies.get((user, name))
        columns = endpoint.execute(f"SELECT * FROM {name} LIMIT 0").columns()
        if (version := row_version_of(columns)) is None:
            raise ResultError(
                f"{name} is a view, and engine='local' copies tables by their row versions, which a view lacks. "
                "Write the SELECT of the view in its place, or ask the server: engine='server'."
            )

        shape = shape_of(f"SELECT * FROM {name}")
        assert shape is not None
        if may_hold_lists(version):
            columns = with_lists(endpoint, shape.text, columns)

        if copy is not None and (copy.columns != columns or not _is_still_there(endpoint, copy)):
            copy = None
        if copy is None:
            copy = self._copies[user, name] = _Copy(columns, Pager(plan_pager(endpoint, shape, columns, ())))

        copy.pager.after = max(0, copy.pager.after - copy.pager.plan.version.overlap)
        copy.pager.run(endpoint)
        return copy


def _is_still_there(endpoint: Endpoint, copy: _Copy) -> bool:
    """Whether a table is still the one that was copied; the server is asked where that is in doubt."""
    if not copy.is_doubtful:
        return True
    copy.is_doubtful = False
    return copy.pager.is_still_there(endpoint)


def _bring_to_one_state(endpoint: Endpoint, copies: Sequence[_Copy]) -> None:
    """Read on until all copies are those of one moment, and have as many rows as their tables."""
    if not copies:
        return
    counts = _read_on(endpoint, copies)
    outdated = [
        copy
        for copy, counted in zip(copies, counts, strict=True)
        if counted != copy.pager.result().num_rows + copy.returned
    ]
    if not outdated:
        return

    # A flush has removed tombstones (truth R4): read those tables anew, once.
    known = [copy.pager.keys for copy in outdated]
    for copy in outdated:
        copy.pager = Pager(copy.pager.plan)
        copy.pager.run(endpoint)

    _read_on(endpoint, copies)
    for copy, keys in zip(outdated, known, strict=True):
        found = copy.pager.result().num_rows
        # Versions known to be outdated are left out: a flush brings deleted rows back (truth L27).
        copy.pager.keys += keys
        copy.returned = found - copy.pager.result().num_rows


def _read_on(endpoint: Endpoint, copies: Sequence[_Copy]) -> list[int]:
    """Read what changed meanwhile, up to one moment; how many rows each table has then."""
    pagers = [copy.pager for copy in copies]
    overlap_ms = OVERLAP_MS if any(pager.plan.version.has_time for pager in pagers) else 0
    while True:
        try:
            counts = read_at_one_state(endpoint, pagers, overlap_ms)
        except ServerError as exc:
            if not is_exhausted(exc) or not overlap_ms:
                raise
            overlap_ms //= 2  # So much was written in these seconds that the server's query memory does not hold it.
            continue
        if counts is not None:
            return counts
        for pager in pagers:
            pager.run(endpoint)


def _hint(sql: str) -> str:
    """What to do about the first thing in a query that only the server has; empty when there is none."""
    tokens = Statement.of(sql).tokens
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        is_call = after is not None and after.text == "(" and _SERVER_FUNCTION.fullmatch(token.identifier)
        if is_call or token.word in _SERVER_WORDS or token.text in _SERVER_OPERATORS:
            return f"{token.text} exists on the server only. Leave engine='local' out."
    return ""
