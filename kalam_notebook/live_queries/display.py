"""How a live table shows itself in a notebook: the package registers what shows it, and the table knows no notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["display", "register_display"]

_shows: list[Callable[[Any], object]] = []


def register_display(show: Callable[[Any], object]) -> None:
    """Let a function show live tables from now on.

    Args:
        show: Called with the live table.
    """
    _shows[:] = [show]


def display(live: Any) -> None:  # noqa: ANN401 - a live table; its type stands above this module.
    """Show a live table in the cell that runs."""
    for show in _shows:
        show(live)
