"""Colours of SQL in ``%%kalam`` cells of IPython in a terminal. Notebooks have theirs from ``labextension``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pygments.lexer import RegexLexer, using
from pygments.lexers.sql import PostgresLexer
from pygments.token import Error, Keyword, Name, Text, Token

from kalam_notebook.notebook.completion.words import STATEMENTS

__all__ = ["colour_cells", "leave_cells"]

#: What begins statements that other databases do not have.
_WORDS = {word for phrase in STATEMENTS for word in phrase.split()}


class _SqlLexer(PostgresLexer):
    """The SQL that is nearest to KalamDB's, with its words, and without marks for what this lexer does not know."""

    def get_tokens_unprocessed(self, text: str, *args: Any) -> Iterator[tuple[int, Any, str]]:  # noqa: ANN401
        for at, kind, value in super().get_tokens_unprocessed(text, *args):
            if kind in Error:
                yield at, Text, value
            elif kind in Name and value.upper() in _WORDS:
                yield at, Keyword, value
            else:
                yield at, kind, value


class _CellLexer(RegexLexer):
    """The magic's line, and SQL below it."""

    tokens = {  # noqa: RUF012 - as pygments wants it.
        "root": [(r"\s*%%kalam[^\n]*\n?", Token.Comment.Preproc, "sql")],
        "sql": [(r"(?s).+", using(_SqlLexer))],
    }


def colour_cells(shell: Any) -> None:  # noqa: ANN401 - IPython's shell has no types.
    """Have the terminal of a shell colour the cells; other shells stay as they are.

    IPython makes a new lexer for each prompt, with one for each cell magic that it knows; there is no place to add to.
    """
    session = getattr(shell, "pt_app", None)
    if session is None or "prompt" in vars(session):
        return
    from prompt_toolkit.lexers import PygmentsLexer

    ask, lexer = session.prompt, PygmentsLexer(_CellLexer)

    def prompt(*args: object, **options: object) -> object:
        lexers = getattr(options.get("lexer"), "magic_lexers", None)
        if isinstance(lexers, dict):
            lexers["kalam"] = lexer
        return ask(*args, **options)

    session.prompt = prompt


def leave_cells(shell: Any) -> None:  # noqa: ANN401
    """Take the colours away again."""
    session = getattr(shell, "pt_app", None)
    if session is not None:
        vars(session).pop("prompt", None)
