"""Rewriting SQL text before the engine parses it.

What the server has and the Python package lacks: JSON operators, functions without arguments, CURRENT_USER. What the
package has and the server lacks is refused here (protocol/sql.md#json, #functions).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from kalam_sandbox.backend import Caller
from kalam_sandbox.engine.failures import engine_text
from kalam_sandbox.engine.growth import uncounted
from kalam_sandbox.options import Options
from kalam_sandbox.sql.tokens import QUOTED, STRING, SYMBOL, WORD, Token, UnterminatedError, tokenize

_JSON_OPERATORS = {"->": "json_get_json", "->>": "json_as_text", "?": "json_contains"}
_PATH_FUNCTIONS = {
    "json_as_text", "json_get_str", "json_get_int", "json_get_float", "json_get_bool", "json_get_json", "json_contains",
    "json_length", "json_object_keys", "json_get_array", "json_get",
}  # fmt: skip
_KEYWORDS = {
    "SELECT",
    "DISTINCT",
    "WHERE",
    "AND",
    "OR",
    "NOT",
    "ON",
    "WHEN",
    "THEN",
    "ELSE",
    "BY",
    "LIKE",
    "IN",
    "VALUES",
}
_NO_ARGUMENTS = {
    "SNOWFLAKE_ID": "snowflake_id(random())",
    "ULID": "ulid(random())",
    "UUID_V7": "uuid_v7(random())",
}
# Functions about the caller, by the one that the engine is given.
_IDENTITIES = {
    "CURRENT_USER": "kdb_current_user",
    "CURRENT_USER_ID": "kdb_current_user",
    "CURRENT_ROLE": "kdb_current_role",
    "KDB_CURRENT_USER": "kdb_current_user",
    "KDB_CURRENT_ROLE": "kdb_current_role",
}
_PLANNER_LACKS = {
    "SUBSTR": "Substring could not be planned by registered expr planner. Hint: Please try with `unicode_expressions` "
    "DataFusion feature enabled",
    "SUBSTRING": "Substring could not be planned by registered expr planner. Hint: Please try with "
    "`unicode_expressions` DataFusion feature enabled",
    "POSITION": "Position could not be planned by registered expr planner. Hint: Please try with `unicode_expressions` "
    "DataFusion feature enabled",
    "EXTRACT": "Extract could not be planned by registered expr planner. Hint: Please try with `datetime_expressions` "
    "DataFusion feature enabled",
}
_DEFAULTS = Options()
# How rewritten calls look in names of output columns.
_FILLED = re.compile(
    r'\b(kdb_current_user|kdb_current_role|snowflake_id|ulid|uuid_v7)\((?:random\(\)|Utf8\("[^"]*"\))\)'
)
_LONGER = re.compile(r"\b(json_\w+)_of\(")
_CURRENT = re.compile(r"\bcurrent_(user|role)\b(\s*\(\s*\))?", re.IGNORECASE)
_INTERESTING = re.compile(
    r"->|\?|json_|current_|snowflake_id|ulid|uuid_v7|substr|position|extract|lateral|\bby\s+all\b", re.IGNORECASE
)


@dataclass(slots=True)
class _Piece:
    """A token, or a rewritten run of tokens, with the white space before it."""

    kind: str
    text: str
    gap: str

    @property
    def upper(self) -> str:
        return self.text.upper() if self.kind == WORD else self.text


def rewrite(sql: str, caller: Caller, options: Options = _DEFAULTS) -> str:
    """Return the text that the engine understands.

    Args:
        sql: A statement.
        caller: Who CURRENT_USER is.
        options: Which functions the server has.

    Raises:
        SqlFailed: A function is used that the server's engine does not have.
    """
    if not _INTERESTING.search(sql):
        return sql
    try:
        pieces = _pieces(sql, tokenize(sql))
    except UnterminatedError:
        # The engine words the error.
        return sql
    _check_clauses(pieces)
    if not options.unicode_functions:
        _check_functions(pieces)
    pieces = _calls(pieces, caller)
    pieces = _operators(pieces)
    return "".join(piece.gap + piece.text for piece in pieces)


def _pieces(sql: str, tokens: list[Token]) -> list[_Piece]:
    pieces, end = [], 0
    for token in tokens:
        gap = " " if token.start > end else ""
        pieces.append(_Piece(token.kind, token.text, gap))
        end = token.end
    return pieces


def _check_clauses(pieces: list[_Piece]) -> None:
    """Refuse clauses that the server does not have (protocol/sql.md#select)."""
    words = [piece.upper for piece in pieces]
    for place, word in enumerate(words):
        if word == "LATERAL" and words[place + 1 : place + 2] == ["("]:
            raise engine_text("This feature is not implemented: LATERAL")
        if words[place : place + 3] == ["GROUP", "BY", "ALL"]:
            raise engine_text("This feature is not implemented: GROUP BY ALL")


def _check_functions(pieces: list[_Piece]) -> None:
    """Refuse functions that only the planner of a later server knows."""
    for piece, following in pairwise(pieces):
        if piece.kind == WORD and piece.upper in _PLANNER_LACKS and following.text == "(":
            raise engine_text(f"This feature is not implemented: {_PLANNER_LACKS[piece.upper]}")


def _calls(pieces: list[_Piece], caller: Caller) -> list[_Piece]:
    """Replace identity functions, functions without arguments and many-argument JSON functions."""
    out: list[_Piece] = []
    place = 0
    while place < len(pieces):
        piece = pieces[place]
        called = place + 1 < len(pieces) and pieces[place + 1].text == "("
        word = piece.upper if piece.kind == WORD else ""
        if piece.kind == STRING:
            # The server substitutes inside strings, too (protocol/sql.md#functions).
            text = _CURRENT.sub(lambda found: f"KDB_CURRENT_{found[1].upper()}()", piece.text)
            out.append(_Piece(STRING, text, piece.gap))
        elif word in _IDENTITIES and (called or not word.startswith("KDB_")):
            function = _IDENTITIES[word]
            value = caller.role if function == "kdb_current_role" else caller.user_id
            quoted = value.replace("'", "''")
            out.append(_Piece(WORD, f"{function}('{quoted}')", piece.gap))
            place += 2 if called and _text(pieces, place + 2) == ")" else 0
        elif called and word in _NO_ARGUMENTS and _text(pieces, place + 2) == ")":
            out.append(_Piece(WORD, _NO_ARGUMENTS[word], piece.gap))
            place += 2
        elif called and word.lower() in _PATH_FUNCTIONS:
            end = _closing(pieces, place + 1)
            inner = _operators(_calls(pieces[place + 2 : end], caller))
            out.append(_Piece(WORD, _nested(word.lower(), inner), piece.gap))
            place = end
        else:
            out.append(piece)
        place += 1
    return out


def _text(pieces: list[_Piece], place: int) -> str:
    return pieces[place].text if place < len(pieces) else ""


def _closing(pieces: list[_Piece], opening: int) -> int:
    depth = 0
    for place in range(opening, len(pieces)):
        depth += {"(": 1, ")": -1}.get(pieces[place].text, 0)
        if depth == 0:
            return place
    return len(pieces) - 1


def _nested(function: str, inner: list[_Piece]) -> str:
    """Return nested two-argument calls for a call with a path: the package's functions have a fixed number."""
    arguments, depth, current = [], 0, ""
    for piece in inner:
        depth += {"(": 1, ")": -1}.get(piece.text, 0)
        if piece.text == "," and depth == 0:
            arguments.append(current.strip())
            current = ""
        else:
            current += piece.gap + piece.text
    arguments.append(current.strip())
    text = arguments[0]
    for step in arguments[1:-1]:
        text = f"json_get_json({text}, {step})"
    if len(arguments) == 1:
        return f"{function}_of({text})"
    return f"{function}({text}, {arguments[-1]})"


def _operators(pieces: list[_Piece]) -> list[_Piece]:
    out: list[_Piece] = []
    place = 0
    while place < len(pieces):
        function = _JSON_OPERATORS.get(pieces[place].text) if pieces[place].kind == SYMBOL else None
        if function is None or not out or place + 1 >= len(pieces) or not _is_operand(out[-1]):
            out.append(pieces[place])
            place += 1
            continue
        start = _operand(out)
        left, gap = "".join(p.gap + p.text for p in out[start:]).strip(), out[start].gap
        stop = _closing(pieces, place + 1) if pieces[place + 1].text == "(" else place + 1
        right = "".join(p.gap + p.text for p in pieces[place + 1 : stop + 1]).strip()
        out[start:] = [_Piece(WORD, f"{function}({left}, {right})", gap)]
        place = stop + 1
    return out


def _is_operand(piece: _Piece) -> bool:
    """Say whether an operator may stand behind a piece; behind a keyword or symbol ``?`` is a placeholder."""
    if piece.kind == WORD:
        return piece.upper not in _KEYWORDS
    return piece.kind != SYMBOL or piece.text in (")", "]")


def _operand(out: list[_Piece]) -> int:
    """Return where the operand that ends the list begins."""
    place = len(out) - 1
    if out[place].text in (")", "]"):
        depth = 0
        while place >= 0:
            depth += {")": 1, "]": 1, "(": -1, "[": -1}.get(out[place].text, 0)
            if depth == 0:
                break
            place -= 1
        if place > 0 and out[place - 1].kind == WORD and not out[place].gap:
            place -= 1
    while place > 1 and out[place - 1].text == "." and out[place - 2].kind in (WORD, QUOTED):
        place -= 2
    return max(place, 0)


def server_name(column: str) -> str:
    """Return the name that the server gives to an output column of rewritten calls.

    >>> server_name('kdb_current_user(Utf8("root"))'), server_name("json_length_of(app.t.doc)")
    ('kdb_current_user()', 'json_length(app.t.doc)')
    """
    return _LONGER.sub(r"\1(", _FILLED.sub(r"\1()", uncounted(column)))
