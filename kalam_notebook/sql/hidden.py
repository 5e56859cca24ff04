"""The hidden columns of a ``*``: which output columns of a query are shown.

The server adds the row version and ``_deleted`` to every table, and ``SELECT *`` brings them; users cannot make columns
of tables that begin with ``_``, but of views (protocol/sql.md#hidden-columns, #reserved).
Here a text is read as far as it tells whether such a column comes
from ``*`` alone, through sub-queries and common tables, or was named somewhere. Pure; called by the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kalam_notebook.sql.shape import SET_OPERATIONS
from kalam_notebook.sql.statement import Statement, quote_text
from kalam_notebook.sql.tokens import Kind, Token, UnreadableSQL
from kalam_notebook.wire.row_version import DELETED, ROW_ID, SEQ, VERSION, WRITTEN_AT

__all__ = ["HIDDEN_COLUMNS", "HIDDEN_LIST", "shown_places"]

#: What a ``*`` over a table brings, by the server: up to 0.7.0, and from 0.7.1 on, where STREAM tables have one more.
_OF_TABLES = (
    frozenset({SEQ.name, DELETED}),
    frozenset({VERSION.name, DELETED}),
    frozenset({VERSION.name, DELETED, WRITTEN_AT}),
)
#: Names of the server's own columns: of tables, and of messages made from rows (protocol/sql.md#hidden-columns).
HIDDEN_COLUMNS = frozenset({"_commit_seq", ROW_ID}).union(*_OF_TABLES)
#: The same, as they stand in the parentheses of an IN.
HIDDEN_LIST = ", ".join(map(quote_text, sorted(HIDDEN_COLUMNS)))

_QUERY = {"SELECT", "WITH", "VALUES"}
_BEFORE_JOIN = {"INNER", "LEFT", "RIGHT", "FULL", "OUTER", "CROSS", "SEMI", "ANTI", "NATURAL"}
_AFTER_FROM = {"WHERE", "GROUP", "HAVING", "WINDOW", "QUALIFY", "ORDER", "LIMIT", "OFFSET", "FETCH"}


@dataclass(frozen=True, slots=True)
class _Named:
    """An output column whose name begins with ``_``, and that somebody named."""

    name: str


@dataclass(frozen=True, slots=True)
class _OfTable:
    """The hidden columns that a table brings, whichever they are.

    Attributes:
        without: Names that are left out.
        shown: Names that somebody named.
        is_shown: Whether all of them are shown.
    """

    without: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()
    is_shown: bool = False


_Outputs = tuple[_Named | _OfTable, ...]


def shown_places(sql: str, names: Sequence[str]) -> list[int]:
    """The output columns that are shown.

    Args:
        sql: A query.
        names: The names of its output columns.

    Returns:
        Their positions: all but hidden columns that nobody named. Where that cannot be told, and where DISTINCT, a set
        operation or NATURAL JOIN compares rows by them, hidden columns are shown.
    """
    everything = list(range(len(names)))
    found = [place for place in everything if names[place].startswith("_")]
    outputs = Statement.of(sql).keep(_outputs_of) if found else None
    if outputs is None:
        return everything
    gone = _matched([(place, names[place]) for place in found], outputs)
    if gone is None:
        # A view may bring anything, and what it brings alone it has named.
        is_told = all(isinstance(output, _OfTable) and not output.is_shown for output in outputs)
        gone = _groups([(place, names[place]) for place in found]) if is_told else set()
    return [place for place in everything if place not in gone]


def _matched(found: Sequence[tuple[int, str]], outputs: _Outputs) -> set[int] | None:
    """The places that nobody named, where the columns that were found are those of the text; None where they are not.

    A table of the server's own brings nothing.
    """
    if not outputs:
        return None if found else set()
    first, rest = outputs[0], outputs[1:]
    if isinstance(first, _Named):
        return _matched(found[1:], rest) if found and found[0][1] == first.name else None
    for brought in _OF_TABLES:
        wanted = brought - first.without
        group, others = found[: len(wanted)], found[len(wanted) :]
        if _is_group(group, wanted) and (gone := _matched(others, rest)) is not None:
            return gone | {place for place, name in group if not first.is_shown and name not in first.shown}
    return None


def _groups(found: Sequence[tuple[int, str]]) -> set[int]:
    """The places of all columns that stand together as they do in a table."""
    gone: set[int] = set()
    index = 0
    while index < len(found):
        sizes = (len(wanted) for wanted in _OF_TABLES if _is_group(found[index : index + len(wanted)], wanted))
        size = max(sizes, default=0)
        gone |= {place for place, _ in found[index : index + size]}
        index += size or 1
    return gone


def _is_group(found: Sequence[tuple[int, str]], wanted: frozenset[str]) -> bool:
    """Whether these are the hidden columns of one table, side by side."""
    is_together = not found or found[-1][0] - found[0][0] == len(found) - 1
    return is_together and len(found) == len(wanted) and {name for _, name in found} == wanted


def _outputs_of(statement: Statement) -> _Outputs | None:
    try:
        return _query(statement.single, {})
    except (UnreadableSQL, LookupError):
        return None


def _query(tokens: Sequence[Token], common: Mapping[str, _Outputs]) -> _Outputs:
    """The hidden columns of a query.

    Raises:
        LookupError: It is none that is understood.
    """
    if _closes(tokens, 0) == len(tokens) - 1:
        return _query(tokens[1:-1], common)
    if tokens[0].word == "WITH":
        tokens, common = _common_tables(tokens, common)
    sides = _split(tokens, lambda index: _is_set_operation(tokens, index))
    if len(sides) == 1:
        if tokens[0].word not in {"SELECT", "VALUES"}:
            raise LookupError("no query")
        return _select(tokens, common) if tokens[0].word == "SELECT" else ()
    outputs = [_query(side[1:] if side[0].word in {"ALL", "DISTINCT"} else side, common) for side in sides]
    is_kept = [side[0].word for side in sides[1:]] != ["ALL"] * (len(sides) - 1)
    if is_kept or any(each != outputs[0] for each in outputs):
        return _named(outputs[0])
    return outputs[0]


def _common_tables(
    tokens: Sequence[Token], common: Mapping[str, _Outputs]
) -> tuple[Sequence[Token], Mapping[str, _Outputs]]:
    """Read ``WITH [RECURSIVE] name [(columns)] AS [[NOT] MATERIALIZED] (query), …``; what follows, and the tables."""
    known = dict(common)
    index = 2 if tokens[1].word == "RECURSIVE" else 1
    while True:
        name, columns = tokens[index].identifier, None
        index += 1
        if tokens[index].text == "(":
            columns = tokens[index + 1 : _closes(tokens, index)]
            index = _closes(tokens, index) + 1
        while tokens[index].word in {"AS", "NOT", "MATERIALIZED"}:
            index += 1

        end = _closes(tokens, index)
        known[name] = ()  # For a table that names itself.
        known[name] = _query(tokens[index + 1 : end], known) if columns is None else _renamed(columns)

        if tokens[end + 1].text != ",":
            return tokens[end + 1 :], known
        index = end + 2


def _select(tokens: Sequence[Token], common: Mapping[str, _Outputs]) -> _Outputs:
    begin = 1
    is_compared = tokens[1].word == "DISTINCT" and tokens[2].word != "ON"
    if tokens[1].word in {"DISTINCT", "ALL"}:
        begin = 2 if tokens[2].word != "ON" else _closes(tokens, 3) + 1
    columns, *rest = _split(tokens[begin:], lambda index: tokens[begin + index].word == "FROM")
    source = _split(rest[0], lambda index: rest[0][index].word in _AFTER_FROM)[0] if rest else []
    sources = _sources(source, common)
    outputs: list[_Named | _OfTable] = []
    for item in _split(columns, lambda index: columns[index].text == ","):
        outputs += _item(item, sources)
    if is_compared or any(token.word == "NATURAL" for token in source):
        return _named(outputs)
    return tuple(outputs)


def _item(item: Sequence[Token], sources: Sequence[tuple[str, _Outputs]]) -> _Outputs:
    """The hidden columns of one output column, or of a ``*``."""
    star = next((place for place in (0, 2, 4) if item[place : place + 1] and item[place].text == "*"), None)
    if star is None or any(token.text != "." for token in item[1:star:2]):
        # Behind an operator it is a part of an expression, whose column has no name of its own.
        is_part = len(item) > 1 and item[-2].kind is Kind.SYMBOL and item[-2].text not in {")", "]", "."}
        name = "" if is_part else item[-1].identifier
        return (_Named(name),) if name.startswith("_") else ()

    owner = item[star - 2].identifier if star else ""
    outputs = tuple(output for name, outputs in sources if not owner or name == owner for output in outputs)

    # EXCLUDE, EXCEPT and REPLACE name columns.
    words = {token.word for token in item}
    named = frozenset(token.identifier for token in item[star + 1 :])
    if words & {"EXCLUDE", "EXCEPT"}:
        return tuple(_without(outputs, named))
    return tuple(
        replace(output, shown=output.shown | named) if isinstance(output, _OfTable) else output for output in outputs
    )


def _without(outputs: _Outputs, names: frozenset[str]) -> Iterator[_Named | _OfTable]:
    for output in outputs:
        if isinstance(output, _OfTable):
            yield replace(output, without=output.without | names)
        elif output.name not in names:
            yield output


def _sources(tokens: Sequence[Token], common: Mapping[str, _Outputs]) -> list[tuple[str, _Outputs]]:
    """The name of each source behind FROM, and its hidden columns."""
    pieces = _split(tokens, lambda index: tokens[index].text == "," or tokens[index].word == "JOIN")
    sources: list[tuple[str, _Outputs]] = []
    for piece, before in zip(pieces, [[], *pieces], strict=False):
        if not piece or (before and before[-1].word in {"SEMI", "ANTI"}):
            continue
        sources += _source(piece, common)
    return sources


def _source(piece: Sequence[Token], common: Mapping[str, _Outputs]) -> list[tuple[str, _Outputs]]:
    """``name``, ``(query)``, ``function(…)`` or ``(source JOIN …)``, perhaps with another name and names of columns."""
    if piece[0].text == "(":
        end = _closes(piece, 0)
        inner, after = piece[1:end], list(piece[end + 1 :])
        if not inner or (inner[0].word not in _QUERY and inner[0].text != "("):
            return _sources(inner, common)
        outputs, name = _query(inner, common), ""
    else:
        end = next((i for i in range(1, len(piece), 2) if piece[i].text != "."), len(piece))
        names, after = [token.identifier for token in piece[:end:2]], list(piece[end:])
        name = names[-1]
        if after and after[0].text == "(":
            return [(name, ())]
        is_table = len(names) > 1 or name not in common
        outputs = (_OfTable(),) if is_table else common[name]

    if after and after[0].word == "AS":
        del after[0]
    if after and after[0].identifier and after[0].word not in {"ON", "USING", *_BEFORE_JOIN}:
        name = after[0].identifier
        if len(after) > 1 and after[1].text == "(":
            outputs = _renamed(after[2 : _closes(after, 1)])
    return [(name, outputs)]


def _renamed(columns: Sequence[Token]) -> _Outputs:
    """The hidden names among those that are given to columns."""
    return tuple(_Named(token.identifier) for token in columns if token.identifier.startswith("_"))


def _named(outputs: Sequence[_Named | _OfTable]) -> _Outputs:
    return tuple(replace(output, is_shown=True) if isinstance(output, _OfTable) else output for output in outputs)


def _is_set_operation(tokens: Sequence[Token], index: int) -> bool:
    """Whether rows are compared by all their columns here: the hidden ones have a part in which rows there are."""
    if tokens[index].word not in SET_OPERATIONS:
        return False
    # SELECT * EXCEPT (column)
    is_of_star = tokens[index].word == "EXCEPT" and index > 0 and tokens[index - 1].text == "*"
    return not is_of_star or tokens[index + 1].text != "(" or tokens[index + 2].word in _QUERY


def _closes(tokens: Sequence[Token], index: int) -> int:
    """Where the parenthesis closes that opens here; -1 when none does.

    Raises:
        LookupError: It is not closed.
    """
    if tokens[index].text != "(" or tokens[index].kind is not Kind.SYMBOL:
        return -1
    depth = 0
    for place in range(index, len(tokens)):
        if tokens[place].kind is Kind.SYMBOL:
            depth += {"(": 1, ")": -1}.get(tokens[place].text, 0)
        if depth == 0:
            return place
    raise LookupError("a parenthesis is not closed")


def _split(tokens: Sequence[Token], is_cut: Callable[[int], bool]) -> list[list[Token]]:
    """The tokens between those, outside of parentheses, at which it is cut."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for index, token in enumerate(tokens):
        if token.kind is Kind.SYMBOL:
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0)
        if depth == 0 and is_cut(index):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
