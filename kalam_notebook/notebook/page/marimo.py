"""What is particular to marimo, another host of widgets: its outputs cannot be replaced, and it keeps none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["is_marimo", "when_closed"]


def is_marimo() -> bool:
    """Whether this code runs in a notebook of marimo."""
    marimo: Any = sys.modules.get("marimo")
    return marimo is not None and bool(marimo.running_in_notebook())


def when_closed(comm: Any, call: Callable[[], object]) -> None:  # noqa: ANN401 - marimo's comm.
    """Call a function when marimo closes a comm, because its cell runs again or was deleted; it tells nobody."""
    close = comm.close

    def closing(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        comm.close = close
        call()
        close(*args, **kwargs)

    comm.close = closing
