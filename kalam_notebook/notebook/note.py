"""Text that a magic shows."""

from __future__ import annotations

from kalam_notebook.results.render import render_message_html
from kalam_notebook.texts import shown

__all__ = ["Note"]


class Note:
    """Text for the reader.

    Args:
        text: One line or more.
        aligned: Whether its words stand in columns.
    """

    def __init__(self, text: str, *, aligned: bool = False) -> None:
        self._text = shown(text, 10_000)
        self._aligned = aligned

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return render_message_html(self._text, aligned=self._aligned)
