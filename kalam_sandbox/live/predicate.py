"""The WHERE of a live query as a tree that live events are tested against.

The server has a small evaluator of its own for live events (protocol/live.md#queries). What it does not know becomes
`Unsupported` here, in its place in the tree, because an OR whose left side is true never gets there.
`evaluate` gives the tree its meaning, the mistakes included.
"""

from __future__ import annotations

from dataclasses import dataclass

from kalam_sandbox.sql.tokens import NUMBER, QUOTED, WORD, Token, UnterminatedError, tokenize

# Nested parentheses beyond this make the server's second parse fail; it then filters nothing.
_MAX_DEPTH = 50
#: What both kinds of servers know.
COMPARISONS = ("=", "<>", "!=", "<", "<=", ">", ">=")
CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}
# What may follow a whole term.
_STOPS = ("AND", "OR", ")", "")


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, number or boolean of the query, or NULL."""

    value: str | float | bool | None


@dataclass(frozen=True, slots=True)
class ColumnRef:
    """A column by the last part of its name, in lower case."""

    name: str


@dataclass(frozen=True, slots=True)
class Unsupported:
    """What ends the evaluation when it is reached."""


Operand = Literal | ColumnRef | Unsupported


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left operator right``."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Like:
    """``left [NOT] LIKE pattern``, or ILIKE."""

    left: Operand
    pattern: Operand
    negated: bool
    ignore_case: bool


@dataclass(frozen=True, slots=True)
class Not:
    """NOT."""

    inner: Predicate


@dataclass(frozen=True, slots=True)
class And:
    """AND of several terms; one is looked at only when those to its left are true."""

    terms: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """OR of several terms; one is looked at only when those to its left are false."""

    terms: tuple[Predicate, ...]


Predicate = Comparison | Like | Not | And | Or | Unsupported


def parse_predicate(where: str) -> Predicate | None:
    """Read a WHERE clause.

    Returns:
        The tree; None where the server gives up on the clause and sends every row.
    """
    try:
        tokens = tokenize(where)
    except UnterminatedError:
        return Unsupported()
    # The server puts the user's name into the text of this call, which then is no SQL any more.
    if any(token.upper == "KDB_CURRENT_USER" for token in tokens) or _depth(tokens) > _MAX_DEPTH:
        return None
    parser = _Parser(tokens)
    try:
        tree = parser.any_of()
    except RecursionError:
        return None
    return tree if parser.at_end else Unsupported()


def _depth(tokens: list[Token]) -> int:
    depth = deepest = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        deepest = max(deepest, depth)
    return deepest


class _Parser:
    """Recursive descent over the tokens; unknown syntax is skipped to the end of its term."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._index = 0

    @property
    def at_end(self) -> bool:
        return self._index >= len(self._tokens)

    def _peek(self, ahead: int = 0) -> str:
        """Return the next token, words in upper case; empty at the end."""
        index = self._index + ahead
        return self._tokens[index].upper if index < len(self._tokens) else ""

    def _accept(self, *words: str) -> bool:
        if self._peek() in words:
            self._index += 1
            return True
        return False

    def any_of(self) -> Predicate:
        terms = [self._all_of()]
        while self._accept("OR"):
            terms.append(self._all_of())
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def _all_of(self) -> Predicate:
        terms = [self._negation()]
        while self._accept("AND"):
            terms.append(self._negation())
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def _negation(self) -> Predicate:
        if self._accept("NOT"):
            return Not(self._negation())
        return self._term()

    def _term(self) -> Predicate:
        start = self._index
        if self._peek() == "(" and self._peek(1) not in ("SELECT", "WITH"):
            self._index += 1
            inner = self.any_of()
            if self._accept(")") and self._peek() in _STOPS:
                return inner
            self._index = start
        term = self._comparison_or_like(self._operand())
        # With anything behind it (``n = 1 + 1``) the term is another one than it seemed.
        if term is None or self._peek() not in _STOPS:
            self._index = start
            self._skip_term()
            return Unsupported()
        return term

    def _comparison_or_like(self, left: Operand) -> Predicate | None:
        operator = self._peek()
        if self._accept(*COMPARISONS):
            return Comparison(operator, left, self._operand())
        negated = operator == "NOT" and self._peek(1) in ("LIKE", "ILIKE")
        self._index += negated
        word = self._peek()
        if self._accept("LIKE", "ILIKE"):
            return Like(left, self._operand(), negated=negated, ignore_case=word == "ILIKE")
        return None

    def _operand(self) -> Operand:
        """Read one side of a comparison: a literal or a column; the rest of anything else is skipped."""
        if self.at_end:
            return Unsupported()
        token = self._tokens[self._index]
        self._index += 1
        if token.is_plain_string and token.text[0] == "'":
            return Literal(token.value)
        if token.kind == NUMBER:
            return Literal(float(token.text))
        if token.upper in CONSTANTS:
            return Literal(CONSTANTS[token.upper])
        if token.kind not in (WORD, QUOTED):
            self._index -= 1
            return Unsupported()
        while self._peek() == "." and self._index + 1 < len(self._tokens):
            token = self._tokens[self._index + 1]
            self._index += 2
        # Functions that stand without brackets are no columns.
        if token.upper in ("CURRENT_USER", "CURRENT_DATE", "CURRENT_TIMESTAMP", "CURRENT_TIME"):
            return Unsupported()
        return ColumnRef(token.name.lower())

    def _skip_term(self) -> None:
        """Pass over an unknown term, up to an AND or OR of the level it stands on."""
        depth = between = 0
        while not self.at_end:
            word = self._peek()
            if depth == 0 and (word in ("OR", ")") or (word == "AND" and not between)):
                return
            depth += {"(": 1, "[": 1, "CASE": 1, ")": -1, "]": -1, "END": -1}.get(word, 0)
            if depth == 0:
                between += {"BETWEEN": 1, "AND": -1}.get(word, 0)
            self._index += 1
