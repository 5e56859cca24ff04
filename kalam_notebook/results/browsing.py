"""How a result is looked through in a notebook: the package registers what shows it, and results know no notebook."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["browse", "register_browser"]

_shows: list[Callable[[object], None]] = []


def register_browser(show: Callable[[object], None]) -> None:
    """Let a function show results from now on.

    Args:
        show: Called with the result.
    """
    _shows[:] = [show]


def browse(result: object) -> None:
    """Show a result in the cell that runs."""
    for show in _shows:
        show(result)
