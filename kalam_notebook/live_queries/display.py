"""How a live table shows itself in a notebook: the package registers what shows it, and the table knows no notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["display", "register_display", "register_host", "shown_by_host"]

_shows: list[Callable[[Any], object]] = []
_hosts: list[Callable[[Any], object]] = []


def register_display(show: Callable[[Any], object]) -> None:
    """Let a function show live tables from now on.

    Args:
        show: Called with the live table.
    """
    _shows[:] = [show]


def register_host(shown: Callable[[Any], object]) -> None:
    """Let a function give hosts that are not Jupyter what they show of a live table.

    Args:
        shown: Called with the live table; returns an object that the host can show.
    """
    _hosts[:] = [shown]


def shown_by_host(live: Any) -> object:  # noqa: ANN401
    """What a host such as marimo shows in the place of a live table."""
    return next((shown(live) for shown in _hosts), repr(live))


def display(live: Any) -> None:  # noqa: ANN401 - a live table; its type stands above this module.
    """Show a live table in the cell that runs."""
    for show in _shows:
        show(live)
