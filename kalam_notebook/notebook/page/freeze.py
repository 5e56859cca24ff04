"""The static copy of a live table: what a notebook shows when there is no kernel or no widget.

Every live table has two outputs: this copy, html and plain text, and the widget. The copy follows the table slowly. The
page module hides it while it shows the table itself; where nothing can show the widget (GitHub, nbconvert, a notebook
reopened later) the copy is what remains. Freezing writes the last state into the copy and empties the widget's output.
The copy is a separate output because an update of an output that holds a widget makes JupyterLab build the widget's
view anew, and because JupyterLab prefers the widget, which is "not found" once the kernel is gone, to the html beside
it.

Who freezes waits until the outputs are written: what reads them may read no further than the end of the running cell
(nbclient, and with it nbconvert and papermill).
"""

from __future__ import annotations

import atexit
import uuid
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Freezable", "Outputs", "StaticCopy", "freeze_all", "register", "settle_all"]

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

# JupyterLab only: hides the frame of the widget's output right after the copy while it does not show the table, which
# is when it says "Loading widget..." or "model not found". `.kalam-live` is the page module's own element.
_HIDE_DEAD_WIDGET = (
    "<style>.jp-OutputArea-child:has([data-kalam-twin='{id}'])"
    " + .jp-OutputArea-child:has(> .lm-Panel):not(:has(.kalam-live)){{display:none}}</style>"
)


class Freezable(Protocol):
    """A view that can be frozen (``LiveView``)."""

    def freeze(self) -> None:
        """Replace the view by its last state; does nothing the second time. What it writes is written on return."""

    def settle(self) -> None:
        """Write into the outputs what nobody else will, as a cell ends."""


@dataclass(frozen=True, slots=True)
class StaticCopy:
    """One state of a live table, rendered."""

    html: str
    text: str


class Outputs:
    """The two outputs of one live table in a notebook cell.

    Args:
        publish: Sends display data: ``publish(data, display_id, update)``. Must be callable from any thread. None where
            outputs cannot be replaced: the widget alone shows the table, and nothing is kept.
    """

    def __init__(self, publish: Callable[[dict[str, Any], str, bool], None] | None = None) -> None:
        self._publish = publish or (lambda data, display_id, update: None)
        #: Whether they are kept in a notebook.
        self.are_kept = publish is not None
        #: Names the copy; the page module finds it by this.
        self.twin = uuid.uuid4().hex

    def show(self, copy: StaticCopy, model_id: str) -> None:
        """Create both outputs: the copy first, right after it the widget."""
        self._publish(self._bundle(copy, frozen=False), self._copy_id, False)
        # The empty text is for converters that complain about an output without any form they know.
        view = {WIDGET_VIEW: {"version_major": 2, "version_minor": 0, "model_id": model_id}, "text/plain": ""}
        self._publish(view, self._widget_id, False)

    def update(self, copy: StaticCopy) -> None:
        """Replace the copy by a newer one."""
        self._publish(self._bundle(copy, frozen=False), self._copy_id, True)

    def freeze(self, copy: StaticCopy) -> None:
        """Replace the copy by the last state and the widget by nothing."""
        self._publish(self._bundle(copy, frozen=True), self._copy_id, True)
        self._publish({"text/html": "", "text/plain": ""}, self._widget_id, True)

    @property
    def _copy_id(self) -> str:
        return f"kalam-{self.twin}-copy"

    @property
    def _widget_id(self) -> str:
        return f"kalam-{self.twin}-widget"

    def _bundle(self, copy: StaticCopy, *, frozen: bool) -> dict[str, str]:
        style = "" if frozen else _HIDE_DEAD_WIDGET.format(id=self.twin)
        return {
            "text/html": f'{style}<div data-kalam-twin="{self.twin}">{copy.html}</div>',
            "text/plain": copy.text,
        }


_views: weakref.WeakSet[Freezable] = weakref.WeakSet()


def register(view: Freezable) -> None:
    """Have a view frozen when the kernel exits."""
    if not _views:
        # Registered again with each first view, so that it runs before the exit handlers of what the views need:
        # the kernel's output thread and the client's connections.
        atexit.unregister(freeze_all)
        atexit.register(freeze_all)
    _views.add(view)


def settle_all() -> None:
    """Have every view write what must not wait; call it as a cell ends."""
    for view in list(_views):
        view.settle()


def freeze_all() -> None:
    """Freeze every view. Runs when the kernel exits; the notebook still takes its output then."""
    for view in list(_views):
        view.freeze()
