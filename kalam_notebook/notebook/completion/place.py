"""Where the cursor stands in a text of SQL, and which tables its query reads. Pure.

The text is not finished where somebody types, and need not be readable behind the cursor. It is taken apart into
queries by its parentheses, and only FROM, WITH and the lists behind SELECT are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kalam_notebook.sql.tokens import Kind, Token, UnreadableSQL, tokenize

__all__ = ["Place", "Query", "Source", "place_at", "selected", "sources_of"]

_SET_OPERATORS = {"UNION", "EXCEPT", "INTERSECT"}
_END_OF_FROM = {
    "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "OFFSET", "WINDOW", "SET", "VALUES", "SELECT", "RETURNING",
}  # fmt: skip
_END_OF_SOURCE = _END_OF_FROM | {
    "JOIN", "LEFT", "RIGHT", "FULL", "INNER", "CROSS", "NATURAL", "ON", "USING", "AS", "FROM", "OUTER", "LATERAL",
}  # fmt: skip
#: Words right behind which tables stand.
_BEFORE_TABLES = {"FROM", "JOIN", "INTO", "UPDATE", "TABLE", "DESCRIBE", "DESC"}


@dataclass(eq=False)
class Query:
    """What stands in one pair of parentheses, or outside of all.

    Attributes:
        items: Its tokens, and the parentheses in it.
        outer: What it stands in; None for the statement itself.
        start: Number of items before it in ``outer``.
    """

    outer: Query | None = None
    start: int = 0
    items: list[Token | Query] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Source:
    """What stands in a FROM.

    Attributes:
        name: The parts of a table's name; empty for a query in parentheses.
        alias: The name that columns are written with, or empty.
        query: The query in parentheses, or that a WITH gives the name to; None for a table.
    """

    name: tuple[str, ...]
    alias: str
    query: Query | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cursor stands.

    Attributes:
        fragment: What is typed of the word that the cursor stands behind.
        names: The names before it that end in a point, as ``("app", "orders")`` in ``app.orders.pri``.
        before: Words before the cursor in its query, the last one first: keywords in upper case, ``(…)`` for
            parentheses that are closed, ``(`` for those that the cursor stands in.
        first: First word of the statement, in upper case.
        sources: What the query reads, and behind it what the queries around it read.
        common: Names that a WITH gives to queries here.
        is_lower: Whether the text writes its keywords in lower case.
    """

    fragment: str
    names: tuple[str, ...]
    before: tuple[str, ...]
    first: str
    sources: tuple[Source, ...]
    common: tuple[str, ...]
    is_lower: bool


def place_at(text: str, cursor: int) -> Place | None:
    """Find out where the cursor stands; None in a string, a comment or a number.

    Args:
        text: SQL, of any number of statements.
        cursor: Number of characters before it.
    """
    fragment, before = _typed(text[:cursor])
    if fragment is None:
        return None
    closes = fragment.startswith('"') and text[cursor:].startswith('"')  # Editors put both quotes at once.
    behind = _readable(text[cursor + closes :])[0]
    starts = [index for index, token in enumerate(before, 1) if token.text == ";"]
    before = before[starts[-1] if starts else 0 :]
    end = next((index for index, token in enumerate(behind) if token.text == ";"), len(behind))
    names, before = _dotted(before, cursor - len(fragment))

    top = Query()
    query = _arrange(top, before)
    index = len(query.items)
    _arrange(query, behind[:end])
    first = next((token for token in before if token.kind is Kind.WORD), None)
    return Place(
        fragment,
        names,
        tuple(_words_before(query, index)),
        first.word if first else "",
        tuple(_sources_around(query, index)),
        tuple(_common_tables(query)),
        first.text.islower() if first else fragment.islower(),
    )


# The cursor --------------------------------------------------------------------------------------------------------


def _readable(text: str) -> tuple[list[Token], int | None]:
    """The tokens up to where a text cannot be read, and where that is."""
    tokens = []
    try:
        for token in tokenize(text):
            tokens.append(token)  # noqa: PERF402 - what was read before the error counts.
    except UnreadableSQL as exc:
        return tokens, exc.position
    return tokens, None


def _typed(text: str) -> tuple[str | None, list[Token]]:
    """What is typed of a word at the end of a text, None where no word can stand; and the tokens before it."""
    tokens, stop = _readable(text)
    if stop is not None:
        rest = text[stop:]
        return (rest if rest == "$" or rest.startswith('"') else None), tokens
    last = tokens[-1] if tokens else None
    if last is not None and last.end == len(text):
        if last.kind in {Kind.WORD, Kind.VARIABLE}:
            return last.text, tokens[:-1]
        return ("" if last.kind is Kind.SYMBOL else None), tokens
    line = text[last.end if last else 0 :].rpartition("\n")[2]
    return (None if "--" in line else ""), tokens


def _dotted(tokens: list[Token], at: int) -> tuple[tuple[str, ...], list[Token]]:
    """Names and points that end right before a place, and the tokens before them."""
    names: list[str] = []
    end = len(tokens)
    while end >= 2 and tokens[end - 1].text == "." and tokens[end - 1].end == at and tokens[end - 2].identifier:
        names.insert(0, tokens[end - 2].identifier)
        at = tokens[end - 2].start
        end -= 2
    return tuple(names), tokens[:end]


def _words_before(query: Query, index: int) -> Iterator[str]:
    for item in reversed(query.items[:index]):
        yield "(…)" if isinstance(item, Query) else item.word or item.text
    if query.outer is not None:
        yield "("
        yield from _words_before(query.outer, query.start)


# Queries in each other ---------------------------------------------------------------------------------------------


def _arrange(query: Query, tokens: Sequence[Token]) -> Query:
    """Put tokens into a query, and queries into it for parentheses; returns the one that is open in the end."""
    for token in tokens:
        if token.text == "(" and token.kind is Kind.SYMBOL:
            inner = Query(query, len(query.items))
            query.items.append(inner)
            query = inner
        elif token.text == ")" and token.kind is Kind.SYMBOL:
            query = query.outer or query
        else:
            query.items.append(token)
    return query


def _word(item: Token | Query) -> str:
    return "" if isinstance(item, Query) else item.word


def _part(query: Query, index: int) -> list[Token | Query]:
    """The part between set operators that a place is in."""
    cuts = [at for at, item in enumerate(query.items) if _word(item) in _SET_OPERATORS]
    start = max((cut + 1 for cut in cuts if cut < index), default=0)
    end = min((cut for cut in cuts if cut >= index), default=len(query.items))
    return query.items[start:end]


def _sources_around(query: Query, index: int) -> Iterator[Source]:
    """What the query reads at a place, then what those around it read."""
    yield from sources_of(query, index)
    if query.outer is not None:
        yield from _sources_around(query.outer, query.start)


def sources_of(query: Query, index: int = 0) -> Iterator[Source]:
    """What a query reads, in the part between set operators that a place is in."""
    items = _part(query, index)
    common = _common_tables(query)
    at, expects, in_from = 0, False, False

    while at < len(items):
        item, word = items[at], _word(items[at])
        if word in _BEFORE_TABLES:
            expects, in_from = True, word in {"FROM", "JOIN"}
            at += 1
        elif word in _END_OF_FROM:
            expects, in_from = False, False
            at += 1
        elif isinstance(item, Token) and item.text == "," and in_from:
            expects = True
            at += 1
        elif expects and word not in {"LATERAL", "ONLY", "IF", "NOT", "EXISTS"}:
            source, at = _source(items, at, common)
            if source is not None:
                yield source
            expects = False
        else:
            at += 1


def selected(query: Query) -> Iterator[list[Token | Query]]:
    """The expressions behind SELECT, each with its alias; none for anything but a SELECT."""
    at = next((at for at, item in enumerate(query.items) if _word(item) == "SELECT"), len(query.items))
    expression: list[Token | Query] = []
    for item in query.items[at + 1 :]:
        if _word(item) in _END_OF_FROM | _SET_OPERATORS | {"FROM"}:
            break
        if _text(item) == ",":
            yield expression
            expression = []
        elif expression or _word(item) not in {"DISTINCT", "ALL"}:
            expression.append(item)
    if expression:
        yield expression


def _source(items: Sequence[Token | Query], at: int, common: dict[str, Query]) -> tuple[Source | None, int]:
    """What stands at a place of a FROM, and where that ends."""
    first = items[at]
    if isinstance(first, Query):
        alias, at = _alias(items, at + 1)
        return Source((), alias, first), at
    if not first.identifier:
        return None, at + 1

    name = [first.identifier]
    at += 1
    while at + 1 < len(items) and _text(items[at]) == ".":
        following = items[at + 1]
        if isinstance(following, Query) or not following.identifier:
            break
        name.append(following.identifier)
        at += 2

    alias, at = _alias(items, at)
    query = common.get(name[0]) if len(name) == 1 else None
    return Source(tuple(name), alias or name[-1], query), at


def _text(item: Token | Query) -> str:
    return "" if isinstance(item, Query) else item.text


def _alias(items: Sequence[Token | Query], at: int) -> tuple[str, int]:
    """The other name that stands at a place, or empty; and where it ends."""
    if at < len(items) and _word(items[at]) == "AS":
        at += 1
    if at < len(items):
        item = items[at]
        if isinstance(item, Token) and item.identifier and item.word not in _END_OF_SOURCE | _SET_OPERATORS:
            return item.identifier, at + 1
    return "", at


def _common_tables(query: Query) -> dict[str, Query]:
    """The queries that WITH gives a name to, here and around; the nearest of a name counts."""
    found: dict[str, Query] = _common_tables(query.outer) if query.outer is not None else {}
    items = query.items
    if not items or _word(items[0]) != "WITH":
        return found
    for at, item in enumerate(items):
        if _word(item) == "AS" and at >= 2:
            body = next((other for other in items[at + 1 : at + 4] if isinstance(other, Query)), None)
            name = items[at - 2] if isinstance(items[at - 1], Query) else items[at - 1]
            if body is not None and isinstance(name, Token) and name.identifier:
                found[name.identifier] = body
        elif _word(item) in {"SELECT", "INSERT", "UPDATE", "DELETE"}:
            break
    return found
