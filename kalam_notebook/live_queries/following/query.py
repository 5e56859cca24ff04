"""The shape of a live query, and the two statements that are made from it.

A live query is ``SELECT columns | * FROM namespace.table [WHERE …]`` (protocol/live.md#queries). Its events are asked
for with ``SELECT *``, because only these always hold the key, and its rows are read with the names of the columns.
Whether the server evaluates the filter rightly is judged in ``sql.live_filter``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from kalam_notebook.errors import SubscriptionError
from kalam_notebook.sql.statement import Statement, quote_name
from kalam_notebook.sql.tables import SYSTEM_NAMESPACES
from kalam_notebook.sql.tokens import Kind, Token, UnreadableSQL
from kalam_notebook.wire.types import Column

__all__ = ["LiveQuery", "parse_live_query"]

_SHAPE = "A live query has the form SELECT columns FROM namespace.table [WHERE …]."
_ONCE = "For a single answer use kalam.query(sql)."
_CLAUSES = frozenset(
    "GROUP ORDER LIMIT OFFSET FETCH HAVING UNION INTERSECT EXCEPT WINDOW QUALIFY JOIN FOR".split()  # noqa: SIM905
)
#: Words that stand for a value, not for a column, unless they are quoted.
_VALUES = frozenset(
    "TRUE FALSE NULL CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP LOCALTIME LOCALTIMESTAMP CURRENT_USER "  # noqa: SIM905
    "CURRENT_ROLE SESSION_USER".split()
)


@dataclass(frozen=True, slots=True)
class LiveQuery:
    """A live query that has the right shape.

    Attributes:
        sql: The text as given.
        namespace: Namespace of the table.
        table: Name of the table.
        projection: Names of the columns asked for, in order; None for ``*``.
        filter_sql: The text behind WHERE, or empty.
        filter_tokens: The same as tokens.
    """

    sql: str
    namespace: str
    table: str
    projection: tuple[str, ...] | None
    filter_sql: str
    filter_tokens: tuple[Token, ...]

    @property
    def table_name(self) -> str:
        """The table as ``namespace.table``."""
        return f"{self.namespace}.{self.table}"

    @property
    def source(self) -> str:
        """The table as it stands in SQL."""
        return f"{quote_name(self.namespace)}.{quote_name(self.table)}"

    def subscription_sql(self) -> str:
        """The statement for the socket.

        The projection is ``*`` whatever the query asks for: an insert or delete holds the key only if it is projected,
        and the delete of a STREAM row is empty with any projection (protocol/live.md#changes).
        """
        return self._select("*")

    def events_sql(self) -> str:
        """The statement for the socket with the projection as asked for, in the one spelling that events know.

        Names in capitals or behind their table get no values in events (protocol/live.md#queries).
        """
        return self._select("*" if self.projection is None else ", ".join(map(quote_name, self.projection)))

    def read_sql(self, columns: Sequence[Column]) -> str:
        """The statement that reads these columns of all rows over HTTP."""
        return self._select(", ".join(quote_name(column.name) for column in columns))

    def visible_names(self, columns: Sequence[Column]) -> tuple[str, ...]:
        """The columns that are shown, in order.

        Args:
            columns: All columns of the table, from the acknowledgement.

        Raises:
            SubscriptionError: A column does not exist.
        """
        names = [column.name for column in columns]
        if self.projection is None:
            return tuple(name for name in names if not name.startswith("_"))
        for name in self.projection:
            if name not in names:
                known = ", ".join(name for name in names if not name.startswith("_"))
                message = f"Table {self.table_name} has no column {name!r}."
                raise SubscriptionError("SUBSCRIPTION_FAILED", message, self.sql, f"Its columns are: {known}.")
        return self.projection

    def _select(self, columns: str) -> str:
        sql = f"SELECT {columns} FROM {self.source}"
        # Without the parentheses an OR escapes the server's own conditions (protocol/live.md#queries).
        return f"{sql} WHERE ({self.filter_sql})" if self.filter_sql else sql


def parse_live_query(sql: str) -> LiveQuery:
    """Take a live query apart.

    Raises:
        SubscriptionError: The text has not the shape of a live query; ``.code`` is ``INVALID_SQL`` where the server
            would refuse it too, and ``UNSUPPORTED`` where it would accept it and send no usable events.
    """
    statement = Statement.of(sql)
    try:
        tokens = statement.single
    except UnreadableSQL as exc:
        raise SubscriptionError("INVALID_SQL", str(exc), sql) from None
    if len(statement.statements) > 1:
        raise _refusal(sql, "There is more than one statement.")

    start = _find_from(sql, tokens)
    namespace, table, after = _read_table(sql, tokens, start + 1)
    where = _read_filter(sql, tokens, after)
    text = sql[where[0].start : where[-1].end] if where else ""
    projection = _read_projection(sql, tokens[1:start], (namespace, table))
    return LiveQuery(sql, namespace, table, projection, text, where)


def _refusal(sql: str, reason: str, *, code: str = "INVALID_SQL", hint: str = _SHAPE) -> SubscriptionError:
    return SubscriptionError(code, reason, sql, hint)


def _find_from(sql: str, tokens: Sequence[Token]) -> int:
    """Check the clauses and the parentheses; return the index of FROM."""
    if not tokens or tokens[0].word != "SELECT":
        raise _refusal(sql, "The text is not a SELECT.")
    start = depth = 0
    for index, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind is Kind.SYMBOL else 0
        if depth < 0:
            raise _refusal(sql, "A parenthesis is closed that was not opened.")
        if token.kind is Kind.PARAMETER:
            hint = "Pass the values: params=[…]."
            raise _refusal(sql, f"There is no value for {token.text}.", hint=hint)

        if depth == 0 and (token.word in _CLAUSES or (index == 1 and token.word == "DISTINCT")):
            raise _refusal(sql, f"A live query cannot have {token.word}.", hint=f"{_SHAPE} {_ONCE}")
        if depth == 0 and token.word == "FROM" and not start:
            start = index

    if depth:
        raise _refusal(sql, "A parenthesis is not closed.")
    if not start:
        raise _refusal(sql, "There is no FROM.")
    return start


def _read_table(sql: str, tokens: Sequence[Token], start: int) -> tuple[str, str, int]:
    parts, index = _read_name(tokens, start)
    if len(parts) != 2:
        raise _refusal(sql, "The table must be written as namespace.table.")
    namespace, table = parts
    if namespace in SYSTEM_NAMESPACES:
        reason = f"The server sends no events for the system table {namespace}.{table}."
        raise _refusal(sql, reason, code="UNSUPPORTED", hint=_ONCE)
    if index < len(tokens) and tokens[index].word != "WHERE":
        reason = f"{tokens[index].text!r} cannot stand behind the table."
        raise _refusal(sql, reason, hint=f"{_SHAPE} One table, and no other name for it.")
    return namespace, table, index


def _read_name(tokens: Sequence[Token], start: int) -> tuple[tuple[str, ...], int]:
    """The parts of a dotted name, and the index behind it."""
    parts, index = [], start
    while index < len(tokens) and tokens[index].identifier:
        parts.append(tokens[index].identifier)
        index += 1
        if index >= len(tokens) or tokens[index].text != ".":
            return tuple(parts), index
        index += 1
    return (), start


def _read_filter(sql: str, tokens: Sequence[Token], index: int) -> tuple[Token, ...]:
    where = tuple(tokens[index + 1 :])
    if index < len(tokens) and not where:
        raise _refusal(sql, "There is nothing behind WHERE.")
    return where


def _read_projection(sql: str, tokens: Sequence[Token], table: tuple[str, str]) -> tuple[str, ...] | None:
    if [token.text for token in tokens] == ["*"]:
        return None

    names: list[str] = []
    index = 0
    while True:
        is_value = tokens[index].word in _VALUES if index < len(tokens) else False
        parts, index = _read_name(tokens, index)
        is_end = index == len(tokens)
        if (
            not parts
            or is_value
            or (*table, parts[-1])[-len(parts) :] != parts
            or not (is_end or tokens[index].text == ",")
        ):
            reason = "Only names of columns can be selected, without expressions and AS."
            raise _refusal(sql, reason, code="UNSUPPORTED", hint="Select the columns and compute with live.df().")

        names.append(parts[-1])
        if is_end:
            break
        index += 1

    if len(set(names)) < len(names):
        twice = next(a for a, b in pairwise(sorted(names)) if a == b)
        raise _refusal(sql, f"Column {twice!r} is selected twice.", code="UNSUPPORTED", hint="Name each column once.")
    return tuple(names)
