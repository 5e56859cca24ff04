"""How a live table shows itself in a notebook: the package registers what shows it, and the table knows no notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Displayed", "register_display", "register_host"]

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


class Displayed:
    """What shows itself as the last expression of a cell."""

    def _ipython_display_(self) -> None:
        for show in _shows:
            show(self)

    def _display_(self) -> object:  # Of marimo.
        return next((shown(self) for shown in _hosts), repr(self))
