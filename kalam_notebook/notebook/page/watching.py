"""A live table in a terminal: its rows, written over those of before whenever they change, until Ctrl-C."""

from __future__ import annotations

import math
import shutil
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kalam_notebook.notebook.page.ordering import in_shown_order
from kalam_notebook.results.render import render_text
from kalam_notebook.settings import live_is_static

if TYPE_CHECKING:
    from kalam_notebook.live_queries.table import LiveTable

__all__ = ["changes_of", "has_stopped", "is_followed_in_place", "watch"]

#: Seconds between two texts at least, and at most: the status counts seconds.
_INTERVAL = 0.2
_LONGEST = 1.0
#: Lines beside those of rows: title, names, types, a rule, a gap, the facts below, and the prompt.
_OTHER_LINES = 8
_MOST_ROWS = 20


def is_followed_in_place(shell: Any) -> bool:  # noqa: ANN401 - IPython's shell has no types.
    """Whether somebody sits at a terminal in which lines can be written over, and wants more than static rows."""
    return getattr(shell, "pt_app", None) is not None and sys.stdout.isatty() and not live_is_static()


def changes_of(live: LiveTable) -> int:
    """How many changes a live table has seen."""
    return live.stats.inserted + live.stats.updated + live.stats.deleted


def has_stopped(live: LiveTable) -> bool:
    """Whether a live table follows its server no longer."""
    return live.error is not None or live.status.startswith("stopped")


def watch(
    live: LiveTable, *, seconds: float | None = None, is_over: Callable[[LiveTable], bool] = lambda live: False
) -> None:
    """Show a live table in one place until Ctrl-C, until it stops, or for some seconds; its last rows stay.

    Args:
        live: The live table; it goes on.
        seconds: For how long at most; None for as long as the reader wants.
        is_over: Whether it has come to what the reader waits for.
    """
    has_changed = threading.Event()
    unsubscribe = live.on_change(lambda _: has_changed.set())
    until = None if seconds is None else time.monotonic() + seconds
    lines = 0
    try:
        while True:
            has_changed.clear()
            lines = _write_over(_text(live), lines)
            if has_stopped(live) or is_over(live):
                return
            left = _LONGEST if until is None else until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(_INTERVAL, left))
            has_changed.wait(min(_LONGEST, max(0.0, left - _INTERVAL)))
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    finally:
        unsubscribe()


def _text(live: LiveTable) -> str:
    """The rows of now, as many as the terminal takes."""
    width, height = shutil.get_terminal_size()
    counted = changes_of(live)
    footer = [live.status, f"{counted:,} {'change' if counted == 1 else 'changes'}", "Ctrl-C ends this"]
    return render_text(
        in_shown_order(live, live.arrow()),
        columns=live.columns,
        title=live.sql,
        footer=footer,
        notices=(live.notice or "").splitlines(),
        max_rows=max(2, min(_MOST_ROWS, height - _OTHER_LINES)),
        max_width=width,
    )


def _write_over(text: str, lines: int) -> int:
    """Write a text in the place of the last lines, and return how many lines of the terminal it takes."""
    back = f"\x1b[{lines}F\x1b[0J" if lines else ""
    sys.stdout.write(f"{back}{text}\n")
    sys.stdout.flush()
    width = shutil.get_terminal_size().columns
    return sum(max(1, math.ceil(len(line) / width)) for line in text.split("\n"))
