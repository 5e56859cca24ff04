"""Which names may be given to namespaces, tables and columns (protocol/sql.md#names, #reserved)."""

from __future__ import annotations

import re

from kalam_sandbox.errors import execution

_KEYWORD_TEXT = """
    table tables tablespace index view schema database insert update delete create drop alter
    with explain analyze select where group sort having order pivot unpivot top lateral view limit offset fetch union
    except intersect minus on join inner cross full left right natural using cluster distribute global anti semi
    returning asof outer set qualify window end for partition prewhere settings format start connect match_recognize
    sample tablesample open from into exists interval struct trim
"""
_COLUMN_TEXT = "_seq _deleted _id _row_id _rowid _key _updated _created _timestamp _version _hash"
_KEYWORDS = frozenset(_KEYWORD_TEXT.split())
_COLUMNS = frozenset(_COLUMN_TEXT.split())
_ALLOWED = re.compile(r"[A-Za-z0-9_]+$")
_LONGEST = 64


def check_name(name: str, *, before: str, what: str) -> None:
    """Refuse a name that the server refuses.

    Args:
        name: The name, already folded.
        before: Text before the reason.
        what: ``Namespace``, ``Table`` or ``Column``.

    Raises:
        SqlFailed: Names the rule.
    """
    reason = _reason(name, what)
    if reason:
        raise execution(before + reason)


def _reason(name: str, what: str) -> str | None:
    if what == "Column" and name in _COLUMNS:
        return f"Column name '{name}' is reserved and cannot be used"
    if name in _KEYWORDS:
        return f"Name '{name}' is a reserved SQL keyword and cannot be used"
    if len(name) > _LONGEST:
        return f"Name is too long ({len(name)} characters, max {_LONGEST})"
    if not _ALLOWED.match(name):
        return f"Name '{name}' contains invalid characters (only alphanumeric and underscore allowed)"
    if name[0] == "_":
        return "Name cannot start with underscore (reserved for system columns)"
    return "Name cannot start with a number" if name[0].isdigit() else None
