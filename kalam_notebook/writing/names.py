"""Names of columns that the server takes, and better ones for those that it does not. Pure.

Source: protocol/sql.md#names, #reserved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from kalam_notebook.errors import FrameError

__all__ = ["check_names"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_LONGEST = 60
#: Words of SQL that the server takes for no column, also in quotes.
_RESERVED_TEXT = """
    alter analyze anti asof cluster connect create cross database delete distribute drop end except exclude exists
    explain fetch for format from full global group having index inner insert intersect interval into join lateral
    left limit match_recognize minus natural offset on open order outer partition pivot prewhere qualify returning
    right sample schema select semi set settings sort start struct table tables tablesample tablespace top trim
    union unpivot update using view where window with
"""
_RESERVED = frozenset(_RESERVED_TEXT.split())


def check_names(names: Sequence[str], renaming: Callable[[dict[str, str]], str]) -> None:
    """See that columns can have these names on the server.

    Args:
        names: The names.
        renaming: What to type to give columns other names.

    Raises:
        FrameError: Some cannot; gives names to type in their place.
    """
    bad = [name for name in names if not _is_name(name)]
    if not bad:
        return
    taken, better = set(names) - set(bad), {}
    for name in bad:
        better[name] = _free(_better(name), taken)
        taken.add(better[name])
    which = f"Column {bad[0]!r}" if len(bad) == 1 else f"{len(bad)} columns"
    raise FrameError(
        f"{which} cannot have this name on the server: small letters, digits and _, and no words of SQL. Rename:\n"
        f"    {renaming(better)}"
    )


def _is_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and name not in _RESERVED


def _better(name: str) -> str:
    """``sepal_length`` for ``sepalLength``, ``price_eur`` for ``Price (EUR)``, ``order_`` for ``order``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:_LONGEST]
    if not plain[:1].isalpha():
        plain = f"c_{plain}".rstrip("_")
    return f"{plain}_" if plain in _RESERVED else plain


def _free(name: str, taken: set[str]) -> str:
    number = 2
    found = name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found
