"""Snapshot pages: the SQL the server makes of a live query, and what it makes of the answer.

The page query goes through the engine's ordinary SELECT, which sorts by key on top of the order by version and
stops at 1000 rows. So pages lose rows here for the same reason as there (protocol/live.md#snapshots).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kalam_sandbox.backend import SelectRows
from kalam_sandbox.live.messages import SubscribeOptions
from kalam_sandbox.live.query import LiveQuery
from kalam_sandbox.sql.tokens import tokenize

# Rows of a page when the client names no batch size.
DEFAULT_BATCH_SIZE = 1000


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which rows of a snapshot are wanted.

    Attributes:
        limit: Rows of the page, at most.
        after: Only rows with a greater version.
        until: Only rows up to this version; None while the boundary is being looked for.
        newest: Take the newest rows and no further page.
    """

    limit: int
    after: int | None = None
    until: int | None = None
    newest: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page as JSON objects, whether the server found one row more, and what numbers their versions."""

    rows: list[dict[str, object]]
    has_more: bool
    version: str = "_seq"

    @property
    def last_seq_id(self) -> int | None:
        """Version of the last row in the page's order, which need not be the greatest one."""
        return int(str(self.rows[-1][self.version])) if self.rows else None


def first_page(options: SubscribeOptions) -> PageRequest:
    """Return what the first page holds; ``from`` beats ``last_rows`` beats plain paging."""
    if options.from_seq is not None:
        return PageRequest(batch_size(options), after=options.from_seq)
    if options.last_rows is not None:
        return PageRequest(options.last_rows, newest=True)
    return PageRequest(batch_size(options))


def batch_size(options: SubscribeOptions | None) -> int:
    """Return the rows of one page."""
    if options is None or options.batch_size is None:
        return DEFAULT_BATCH_SIZE
    return options.batch_size


def boundary_sql(query: LiveQuery, request: PageRequest) -> str:
    """Return the SELECT of the greatest version that belongs to the snapshot."""
    return f"SELECT MAX({query.version}) AS max_seq FROM {query.namespace}.{query.table}{_where(query, request)}"


def page_sql(query: LiveQuery, request: PageRequest, columns: Sequence[str] | None = None) -> str:
    """Return the SELECT of one page; it asks for one row more, to know whether there is another page.

    Args:
        query: The live query.
        request: Which rows.
        columns: Columns instead of those of the query.
    """
    columns = query.columns if columns is None else columns
    selected = "*" if columns is None else ", ".join([*columns, query.version])
    order = "DESC" if request.newest else "ASC"
    table = f"{query.namespace}.{query.table}"
    where = _where(query, request)
    return f"SELECT {selected} FROM {table}{where} ORDER BY {query.version} {order} LIMIT {request.limit + 1}"


def has_bare_or(query: LiveQuery) -> bool:
    """Say whether an OR stands outside all brackets of the WHERE, and so escapes the server's own conditions."""
    depth = 0
    for token in tokenize(query.where or ""):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.upper == "OR":
            return True
    return False


def deleted_rows_sql(query: LiveQuery, request: PageRequest, columns: Sequence[str] | None = None) -> str:
    """Return the SELECT of the deleted rows that a bare OR lets through (protocol/live.md#queries)."""
    whole = page_sql(query, request, columns)
    head, condition = whole.split(" WHERE ", 1)
    condition, order = condition.rsplit(" ORDER BY ", 1)
    return f"{head} WHERE _deleted = true AND (\n{condition}\n) ORDER BY {order}"


def with_deleted(
    answer: SelectRows, deleted: SelectRows, request: PageRequest, key: Sequence[str], version: str
) -> SelectRows:
    """Put deleted rows among the others, as if one query had found both."""
    names = [column.name for column in answer.columns]
    seq = names.index(version)
    rows = sorted([*answer.rows, *deleted.rows], key=lambda row: int(str(row[seq])), reverse=request.newest)
    rows = rows[: request.limit + 1]
    if key and key[0] in names:
        place = names.index(key[0])
        is_text = answer.columns[place].data_type == "Text"
        rows.sort(key=lambda row: str(row[place]) if is_text else int(str(row[place])))
    return SelectRows(answer.columns, rows)


def page_of(answer: SelectRows, request: PageRequest, version: str = "_seq", *, in_version_order: bool = False) -> Page:
    """Cut an answer to a page; the newest rows are turned round, whatever the engine sorted them by.

    Args:
        answer: What the SELECT of the page answered.
        request: Which rows are wanted.
        version: Name of the column that numbers row versions.
        in_version_order: Whether rows are sorted by version before the cut, so that no page loses a row.
    """
    names = [column.name for column in answer.columns]
    found = answer.rows
    if in_version_order:
        place = names.index(version)
        found = sorted(found, key=lambda row: int(str(row[place])), reverse=request.newest)
    rows = [dict(zip(names, row, strict=True)) for row in found[: request.limit]]
    if request.newest:
        rows.reverse()
    return Page(rows, not request.newest and len(answer.rows) > request.limit, version)


def _where(query: LiveQuery, request: PageRequest) -> str:
    """Join the conditions; the query's own is pasted without brackets, so an OR escapes the others."""
    conditions = []
    if request.after is not None:
        conditions.append(f"{query.version} > {request.after}")
    if request.until is not None:
        conditions.append(f"{query.version} <= {request.until}")
    if query.namespace != "system":
        # Its tables have neither hidden column; the server's complaint names the version.
        conditions.append("_deleted = false")
    if query.where is not None:
        conditions.append(query.where)
    return " WHERE " + " AND ".join(conditions) if conditions else ""
