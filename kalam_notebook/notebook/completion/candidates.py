"""What fits at a place of a text: tables, columns, functions, variables, keywords. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kalam_notebook.notebook.completion.place import Place, Query, Source, place_at, selected, sources_of
from kalam_notebook.notebook.completion.schema import Schema
from kalam_notebook.notebook.completion.words import CLAUSES, COLUMN_TYPES, OPERATORS, STATEMENTS, TABLE_OPTIONS
from kalam_notebook.sql.statement import quote_name
from kalam_notebook.sql.tokens import Token

__all__ = ["Candidate", "Offer", "columns_of", "sql_offer"]

#: Words behind which a table stands.
_BEFORE_TABLE = {"FROM", "JOIN", "INTO", "UPDATE", "TABLE", "DESCRIBE", "DESC"}
#: Words and marks behind which an operand begins; behind all others one has ended.
_BEFORE_OPERAND = {
    "SELECT", "DISTINCT", "ALL", "WHERE", "AND", "OR", "NOT", "ON", "BY", "HAVING", "SET", "WHEN", "THEN", "ELSE",
    "CASE", "IN", "LIKE", "ILIKE", "BETWEEN", "LIMIT", "OFFSET", "VALUES", "USING", "EXPLAIN", "ANALYZE", "GROUP",
    "ORDER", "PARTITION", "RETURNING",
    "(", ",", "=", "<", ">", "<=", ">=", "<>", "!=", "+", "-", "*", "/", "%", "||", "::", "[",
}  # fmt: skip
#: A name that needs no quotes; all keywords are written in capitals here.
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_NAME = re.compile(r'[a-z_][a-z0-9_]*|"[^.]*"')
_KEYWORDS = {word.lower() for phrase in (*CLAUSES, *OPERATORS, *TABLE_OPTIONS) for word in phrase.split()}
_MOST_DEEP = 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to type.

    Attributes:
        text: What stands in the place of the fragment.
        kind: What it is, and for a column its type, for a function its arguments.
    """

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What fits, the likeliest first.

    Attributes:
        fragment: What is typed already, which the candidates replace.
        candidates: They all begin with the fragment, whatever its case.
    """

    fragment: str
    candidates: tuple[Candidate, ...] = ()


def sql_offer(text: str, cursor: int, schema: Schema, namespace: str | None, variables: Iterable[str]) -> Offer:
    """Find what fits at the cursor.

    Args:
        text: SQL, finished or not.
        cursor: Number of characters before it.
        schema: What the server has.
        namespace: Namespace of table names that have none; None for the server's own, ``default``.
        variables: Names that can stand behind ``$``.
    """
    place = place_at(text, cursor)
    if place is None:
        return Offer("")
    if place.fragment.startswith("$"):
        fitting: Iterator[Candidate] = (Candidate(f"${name}", "variable") for name in variables)
    elif place.names:
        fitting = _behind_point(place, _Names(schema, namespace or "default"))
    else:
        fitting = _words(place, _Names(schema, namespace or "default"))

    typed = place.fragment.lstrip('"').lower()
    found: dict[str, Candidate] = {}
    for candidate in fitting:
        if candidate.text.lstrip('"').lower().startswith(typed):
            found.setdefault(candidate.text, candidate)

    if not place.fragment.startswith('"'):
        return Offer(place.fragment, tuple(found.values()))
    end = "" if text[cursor:].startswith('"') else '"'
    names = (candidate for candidate in found.values() if _NAME.fullmatch(candidate.text))
    quoted = (Candidate('"' + candidate.text.strip('"') + end, candidate.kind) for candidate in names)
    return Offer(place.fragment, tuple(quoted))


def columns_of(text: str, schema: Schema, namespace: str | None) -> dict[str, str]:
    """The columns that a query gives, as far as its text tells, with their types.

    Args:
        text: The query, finished or not.
        schema: What the server has.
        namespace: As for ``sql_offer``.
    """
    query = text.strip().rstrip(";")
    place = place_at(f"SELECT  FROM (\n{query}\n) q", len("SELECT "))
    names = _Names(schema, namespace or "default")
    sources = place.sources[:1] if place is not None else ()
    return {name: kind for source in sources for name, kind in names.columns_of(source).items()}


def _written(name: str) -> str:
    """A name as SQL needs it."""
    return name if _PLAIN.fullmatch(name) and name not in _KEYWORDS else quote_name(name)


class _Names:
    """The names of a schema, as one text may use them."""

    def __init__(self, schema: Schema, namespace: str) -> None:
        self.schema = schema
        self.namespace = namespace

    def columns_of(self, source: Source, deep: int = 0) -> Mapping[str, str]:
        """Columns of what stands in a FROM, with their types; empty where that is not known."""
        if source.query is not None:
            return dict(self._selected(source.query, deep + 1)) if deep < _MOST_DEEP else {}
        *space, table = source.name
        return self.schema.tables.get((space[-1] if space else self.namespace, table), {})

    def _selected(self, query: Query, deep: int) -> Iterator[tuple[str, str]]:
        """The columns that a query gives."""
        sources = list(sources_of(query))
        for expression in selected(query):
            last = expression[-1] if expression else None
            if not isinstance(last, Token):
                continue
            if last.text == "*":
                wanted = _text(expression[0]) if len(expression) > 1 else None
                for source in sources:
                    if wanted is None or source.alias == wanted:
                        yield from self.columns_of(source, deep).items()
            elif last.identifier:
                known = (self.columns_of(source, deep).get(last.identifier) for source in sources)
                yield last.identifier, next((kind for kind in known if kind), "")


def _text(item: Token | Query) -> str:
    return item.identifier if isinstance(item, Token) else ""


def _behind_point(place: Place, names: _Names) -> Iterator[Candidate]:
    """What fits behind ``alias.``, ``namespace.`` or ``namespace.table.``."""
    first, *more = place.names
    if not more:
        for source in place.sources:
            if source.alias == first:
                yield from _columns(names.columns_of(source))
        for space, table in names.schema.tables:
            if space == first:
                yield Candidate(_written(table), "table")
    if len(place.names) <= 2:
        yield from _columns(names.columns_of(Source(place.names, "")))


def _columns(columns: Mapping[str, str]) -> Iterator[Candidate]:
    for name, kind in columns.items():
        yield Candidate(_written(name), f"column {kind}".rstrip())


def _words(place: Place, names: _Names) -> Iterator[Candidate]:
    before = place.before[0] if place.before else ""
    if not before:
        yield from _keywords(STATEMENTS, place)
    elif _wants_table(place):
        yield from _tables(place, names)
    elif place.first in {"CREATE", "ALTER"} and "SELECT" not in place.before:
        yield from _keywords((*TABLE_OPTIONS, *COLUMN_TYPES), place)
        yield from _functions(names.schema)
    elif before == "::" or (before == "AS" and {"CAST", "TRY_CAST"} & set(place.before)):
        yield from _keywords(COLUMN_TYPES, place)
    elif before in _BEFORE_OPERAND:
        yield from _operands(place, names)
    else:
        yield from _keywords(CLAUSES, place)


def _wants_table(place: Place) -> bool:
    """Whether a table stands here: behind FROM and the like, and behind a comma in a FROM."""
    for number, word in enumerate(place.before):
        if word in _BEFORE_TABLE and place.first not in {"CREATE"}:
            behind = place.before[:number]
            if word in {"FROM", "JOIN"}:
                return not behind or behind[0] == ","
            return not behind
        if word in _BEFORE_OPERAND - {",", "*"}:
            return False
    return False


def _tables(place: Place, names: _Names) -> Iterator[Candidate]:
    for name in place.common:
        yield Candidate(_written(name), "query")
    schema = names.schema
    system = {space for space, _ in schema.tables if space in {"system", "information_schema", "dba"}}
    for space, table in schema.tables:
        if space == names.namespace:
            yield Candidate(_written(table), "table")
    for space, table in schema.tables:
        if space not in system:
            yield Candidate(f"{_written(space)}.{_written(table)}", "table")
    for space in sorted(schema.namespaces - system) + sorted(system):
        yield Candidate(f"{_written(space)}.", "namespace")


def _operands(place: Place, names: _Names) -> Iterator[Candidate]:
    for source in place.sources:
        yield from _columns(names.columns_of(source))
    for source in place.sources:
        if source.alias:
            yield Candidate(f"{_written(source.alias)}.", "table")
    if place.before[0] == "(":
        yield from _keywords(("SELECT",), place)
    yield from _keywords(OPERATORS, place)
    if place.before[0] in {"EXPLAIN", "ANALYZE"}:
        yield from _keywords(STATEMENTS, place)
    yield from _functions(names.schema)


def _functions(schema: Schema) -> Iterator[Candidate]:
    for name, arguments in schema.functions.items():
        call = "()" if arguments == "()" else "("
        yield Candidate(f"{name}{call}", f"function {arguments}".rstrip())


def _keywords(words: Iterable[str], place: Place) -> Iterator[Candidate]:
    for word in words:
        yield Candidate(word.lower() if place.is_lower else word, "keyword")
