"""What messages advise, as it is typed where they are read: ``kalam.connect(…)`` or ``%kalam connect``.

Standard library only. Messages are written for Python; what a magic can do, is put into its words here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar

__all__ = ["RULES", "for_magic", "for_reader", "is_below_magic"]

#: Whether what runs was typed as a magic.
is_below_magic: ContextVar[bool] = ContextVar("kalam_is_below_magic", default=False)


def _connected(match: re.Match[str]) -> str:
    """A call of connect as a line; the password is asked for, and what no line takes stays Python."""
    words = ["%kalam connect"]
    for argument in match[1].split(","):
        name, _, value = argument.strip().rpartition("=")
        text = value.strip("'")
        if name == "user":
            words += ["--user", "USER" if text == "..." else text]
        elif name not in {"", "password"}:
            return match[0]
        elif not name:
            words.append("URL" if text in {"...", "…", "url", ""} else text)
    return " ".join(words)


#: What stands in messages, and what that is for a magic; the first that fits is taken first.
RULES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"In a notebook (%kalam setup [^\n]*)\. In Python:\n.*", r"\1."),
    (r"Call client\.server_setup\([^)]*\)", "Type %kalam setup URL"),
    (r"kalam\.connect\(url, (timeout=120|timeouts=kalam\.Timeouts\(total=600\))\)", "%%kalam --timeout 600"),
    (r"kalam\.connect\(([^()]*)\)", _connected),
    (r"pass user=\.\.\. and password=\.\.\.", "type %kalam connect URL --user USER"),
    (r"Pass them as user=\.\.\. and password=\.\.\., so that they stay out of logs",
     "Leave them out and write --user USER; the password is asked for"),
    (r"Pass password=\.\.\., or set", "Set"),
    (r"query\(\.\.\., engine='local'\)|engine='local'", "--engine local"),
    (r"engine='server'", "--engine server"),
    (r"pass max_rows=None", "write --limit all"),
    (r"allow_unsafe=True", "--allow-unsafe"),
    (r"pass namespace=…", "pass --namespace …"),
    (r"Pass params=\[", "Write --params ["),
    (r"params=\[…\]", "--params […]"),
    (r"with key=\[…\]", "with --key …"),
    (r"use kalam\.query\(sql\)", "leave --live out"),
    (r"with \$1 for values: live\.where\('n > \$1', \[5\]\)", 'with $name for values: --where "n > $least"'),
    (r"kind='bar' draws it", "live.chart(x, y, kind='bar') in Python draws it"),
    (r"kalam\.tables\(\)", "%kalam tables"),
    (r"with live\.close\(\)", "with %kalam stop"),
    (r"Read it in pieces, for batch in kalam\.query_batches\(sql\),",
     "Have it written in pieces, %kalam export rows.parquet SELECT …,"),
    (r"with kalam\.query\(\.\.\.\)", "with %%kalam"),
    (r"Pass a cell of a FILE column as query gives it: ref = kalam\.query\(sql\)\.loc\[0, 'column'\]",
     "Name a FILE column of what a query gave"),
    (r"(kalam\.download\(ref, )?to='([^']*)'\)?", r"%kalam download VARIABLE COLUMN \2"),
    (r"path='([^']*)'", r"%kalam export \1"),
    (r"replace=True", "--replace"),
)  # fmt: skip
_RULES = tuple((re.compile(python, re.DOTALL), magic) for python, magic in RULES)


def for_magic(text: str) -> str:
    """Advice as it is typed on the line of a magic."""
    for python, magic in _RULES:
        text = python.sub(magic, text)
    return text


def for_reader(text: str) -> str:
    """Advice as it is typed where it is going to be read: below the magic that runs, or in Python."""
    return for_magic(text) if is_below_magic.get() else text
