"""What to write in the place of a form that some servers take and others refuse. Pure; asked when one was refused.

Which servers those are is known from documentation alone (protocol/sql.md#later-versions), so it goes by what was
refused and by what the server says of it.
"""

from __future__ import annotations

import re

from kalam_notebook.sql.statement import Statement
from kalam_notebook.sql.tokens import Token

__all__ = ["form_hint"]

_KINDS = {"USER", "SHARED", "STREAM"}
#: A refusal that is about the kind of a table before the word TABLE, or tells those below dba nothing.
_OF_KIND = re.compile(
    r"found: (USER|SHARED|STREAM)\b|CREATE (USER|SHARED|STREAM) TABLE|WITH \(TYPE|^SQL statement is inv"
)
#: A refusal of access levels as such; older servers word it otherwise where a level or a kind of table is wrong.
_OF_LEVEL = re.compile(r"ACCESS[_ ]LEVEL(?!.*\bonly\b)(?!.*Supported: )", re.DOTALL)
_IF = re.compile(r"IF\s+(NOT\s+)?EXISTS\s+", re.IGNORECASE)
_OF_SHORT_NAME = re.compile(r"Expected: end of statement, found: \(")


def form_hint(statement: Statement, message: str) -> str:
    """The form that all servers take, or this one, of what was refused.

    Args:
        statement: One that can be read, or several.
        message: The server's text.

    Returns:
        A sentence; empty when the refusal is not about a form.
    """
    hints = (_form_of(one, one.tokens, message) for one in statement.statements)
    return next(filter(None, hints), "")


def _form_of(statement: Statement, tokens: tuple[Token, ...], message: str) -> str:
    words = [token.word for token in tokens[:3]]
    has_kind = words[:1] == ["CREATE"] and words[2:] == ["TABLE"] and words[1] in _KINDS
    if has_kind and _OF_KIND.search(message):
        return f"All servers take the kind of a table in WITH: {_with_kind(statement, tokens, words[1])}."
    if words[:2] in (["CREATE", "TABLE"], ["ALTER", "TABLE"]) and _OF_LEVEL.search(message):
        return (
            "Row policies say here who sees what of a SHARED table: "
            f"CREATE POLICY everybody ON {_IF.sub('', _named(statement, tokens))} FOR SELECT USING (true)."
        )
    if words[:2] == ["EXECUTE", "AS"] and words[2:] not in ([], ["USER"]) and _OF_SHORT_NAME.search(message):
        return f"Older servers want one more word: EXECUTE AS USER {tokens[2].text} (…)."
    return ""


def _with_kind(statement: Statement, tokens: tuple[Token, ...], kind: str) -> str:
    options = ", …" if any(token.word == "WITH" for token in tokens) else ""
    return f"CREATE TABLE {_named(statement, tokens)} (…) WITH (TYPE = '{kind}'{options})"


def _named(statement: Statement, tokens: tuple[Token, ...]) -> str:
    """What stands behind TABLE: the name, and IF NOT EXISTS before it."""
    first = next(place for place, token in enumerate(tokens) if token.word == "TABLE") + 1
    behind = first
    while behind < len(tokens) and tokens[behind].text != "(" and tokens[behind].word != "SET":
        behind += 1
    return statement[tokens[first].start : tokens[behind - 1].end] if behind > first else "…"
