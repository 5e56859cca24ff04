"""The caller in a condition: CURRENT_USER becomes the name of a user."""

from __future__ import annotations

from kalam_sandbox.sql.tokens import WORD, tokenize

_CALLERS = ("CURRENT_USER", "CURRENT_USER_ID", "KDB_CURRENT_USER")


def with_user(condition: str, user_id: str) -> str:
    """Return a condition with the id of a user, as a text, for CURRENT_USER.

    >>> with_user("owner = CURRENT_USER() OR public", "o'neil")
    "owner = 'o''neil' OR public"
    """
    tokens = tokenize(condition)
    parts, end, place = [], 0, 0
    while place < len(tokens):
        token = tokens[place]
        if token.kind == WORD and token.upper in _CALLERS:
            parts += [condition[end : token.start], "'" + user_id.replace("'", "''") + "'"]
            called = [follower.text for follower in tokens[place + 1 : place + 3]] == ["(", ")"]
            place += 2 if called else 0
            end = tokens[place].end
        place += 1
    return "".join(parts) + condition[end:]
