"""The hidden columns of a ``*``: which output columns of a query are shown.

The server adds ``_seq`` and ``_deleted`` to every table, and ``SELECT *`` brings them; users cannot make names that
begin with ``_`` (protocol/sql.md#hidden-columns, #reserved).
Here a text is read as far as it tells whether such a column comes
from ``*`` alone, through sub-queries and common tables, or was named somewhere. Pure; called by the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kalam_notebook.sql.shape import SET_OPERATIONS
from kalam_notebook.sql.statement import Statement
from kalam_notebook.sql.tokens import Kind, Token, UnreadableSQL

__all__ = ["HIDDEN_COLUMNS", "shown_places"]

#: Names of the server's own columns: of tables, and of messages made from rows (protocol/sql.md#hidden-columns).
HIDDEN_COLUMNS = frozenset({"_seq", "_deleted", "_commit_seq"})

_QUERY = {"SELECT", "WITH", "VALUES"}
_BEFORE_JOIN = {"INNER", "LEFT", "RIGHT", "FULL", "OUTER", "CROSS", "SEMI", "ANTI", "NATURAL"}
_AFTER_FROM = {"WHERE", "GROUP", "HAVING", "WINDOW", "QUALIFY", "ORDER", "LIMIT", "OFFSET", "FETCH"}


@dataclass(frozen=True, slots=True)
class _Hidden:
    """An output column with the name of a hidden one, and whether nobody named it."""

    name: str
    is_of_star: bool


#: What every table brings. Tables of the server's own bring nothing, and later servers something else.
_OF_TABLE = (_Hidden("_seq", True), _Hidden("_deleted", True))

_Outputs = tuple[_Hidden, ...]


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
    gone = set()
    if [names[place] for place in found] == [output.name for output in outputs]:
        gone = {place for place, output in zip(found, outputs, strict=True) if output.is_of_star}
    elif all(output.is_of_star for output in outputs) and names.count("_seq") == names.count("_deleted"):
        # A view that has one of them without the other has named it.
        gone = set(found)
    return [place for place in everything if place not in gone]


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
    outputs: list[_Hidden] = []
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
        return (_Hidden(name, False),) if name.startswith("_") else ()
    owner = item[star - 2].identifier if star else ""
    outputs = tuple(output for name, outputs in sources if not owner or name == owner for output in outputs)
    # EXCLUDE, EXCEPT and REPLACE name columns.
    words = {token.word for token in item}
    named = {token.identifier for token in item[star + 1 :]}
    if words & {"EXCLUDE", "EXCEPT"}:
        return tuple(output for output in outputs if output.name not in named)
    return tuple(_Hidden(output.name, output.is_of_star and output.name not in named) for output in outputs)


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
        outputs = _OF_TABLE if is_table else common[name]
    if after and after[0].word == "AS":
        del after[0]
    if after and after[0].identifier and after[0].word not in {"ON", "USING", *_BEFORE_JOIN}:
        name = after[0].identifier
        if len(after) > 1 and after[1].text == "(":
            outputs = _renamed(after[2 : _closes(after, 1)])
    return [(name, outputs)]


def _renamed(columns: Sequence[Token]) -> _Outputs:
    """The hidden names among those that are given to columns."""
    return tuple(_Hidden(token.identifier, False) for token in columns if token.identifier.startswith("_"))


def _named(outputs: Sequence[_Hidden]) -> _Outputs:
    return tuple(_Hidden(output.name, False) for output in outputs)


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
