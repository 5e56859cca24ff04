"""Writing the columns of ``*`` one by one, so that equal names of a join can be told apart. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kalam_notebook.sql.shape import items_of, source_of
from kalam_notebook.sql.statement import Statement, quote_name
from kalam_notebook.sql.tokens import Token

__all__ = ["StarSource", "expand_stars", "star_sources"]

_JOIN_WORDS = {"INNER", "LEFT", "RIGHT", "FULL", "OUTER", "CROSS"}
#: These leave columns out or merge them.
_NOT_EXPANDED = {"USING", "NATURAL", "SEMI", "ANTI", "LATERAL", "UNNEST"}


@dataclass(frozen=True, slots=True)
class StarSource:
    """A table or sub-query behind FROM.

    Attributes:
        name: What qualifies its columns, as written.
        text: With its alias, as written.
    """

    name: str
    text: str


def star_sources(sql: str) -> list[StarSource] | None:
    """The sources whose columns a ``*`` stands for.

    Args:
        sql: A single SELECT without a semicolon.

    Returns:
        The sources in order; None when there is no ``*``, or it cannot be told what it stands for.
    """
    tokens = Statement.of(sql).tokens
    items, source = items_of(tokens), source_of(tokens)
    stars = [item for item in items or () if item and item[-1].text == "*"]
    if not stars or any(item[0].word in {"DISTINCT", "ALL"} for item in stars):
        return None
    if not source or {token.word for token in source} & _NOT_EXPANDED:
        return None
    sources = [_source(sql, piece) for piece in _pieces(source)]
    return [found for found in sources if found is not None] if None not in sources else None


def expand_stars(sql: str, columns: Sequence[tuple[StarSource, Sequence[str]]]) -> Statement:
    """Write the columns of each ``*``.

    Args:
        sql: As for ``star_sources``.
        columns: The sources with the names of their columns.
    """
    statement = Statement.of(sql)
    edits = []
    for item in items_of(statement.tokens) or ():
        if not item or item[-1].text != "*":
            continue

        owner = sql[item[0].start : item[-1].start].rstrip().removesuffix(".").rstrip()
        written = [
            f"{source.name}.{quote_name(name)}"
            for source, names in columns
            if not owner or owner.lower() in {source.name.lower(), source.name.rpartition(".")[2].lower()}
            for name in names
        ]
        edits.append((item[0].start, item[-1].end, ", ".join(written)))
    return statement.replaced(edits)


def _pieces(source: Sequence[Token]) -> list[list[Token]]:
    """What stands between commas and JOINs, without conditions."""
    pieces: list[list[Token]] = [[]]
    in_condition = False
    for token in source:
        if token.text == "," or token.word == "JOIN":
            pieces.append([])
            in_condition = False
        elif token.word == "ON" or in_condition:
            in_condition = token.word not in _JOIN_WORDS
        elif token.word not in _JOIN_WORDS:
            pieces[-1].append(token)
    return pieces


def _source(sql: str, piece: Sequence[Token]) -> StarSource | None:
    """``name``, ``name alias``, ``(query) alias``, each perhaps with AS."""
    if not piece:
        return None
    end = 2 if piece[0].text == "(" else 1
    while piece[0].text != "(" and piece[end : end + 1] and piece[end].text == ".":
        end += 2
    rest = [token for token in piece[end:] if token.word != "AS"]
    if len(rest) > 1 or (rest and not rest[0].identifier) or (not rest and piece[0].text == "("):
        return None
    named = rest or piece[:end]
    return StarSource(sql[named[0].start : named[-1].end], sql[piece[0].start : piece[-1].end])
