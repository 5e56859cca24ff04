"""The live table widget: rows of a ``LiveTable`` in the page, as they change.

``display_live`` shows a live table in the cell that runs. One daemon thread per view takes changes from the table and
sends frames through the widget's comm: never the socket's thread, and never the kernel's, which a long cell blocks.
What goes into a frame is decided in ``page_rows``, when it goes in ``pace``, what stays in the notebook in ``freeze``.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from kalam_notebook.errors import KalamError
from kalam_notebook.notebook.page.execution import MadeByCell, forget, let_go
from kalam_notebook.notebook.page.freeze import Outputs, StaticCopy, register, settle_all
from kalam_notebook.notebook.page.marimo import is_marimo, when_closed
from kalam_notebook.notebook.page.ordering import in_shown_order, key_places
from kalam_notebook.notebook.page.pace import FramePace, Turns
from kalam_notebook.notebook.page.page_rows import PageRows
from kalam_notebook.notebook.page.questions import answer, page_module
from kalam_notebook.notebook.page.ranges import Ranges, with_columns
from kalam_notebook.notebook.page.watching import changes_of, has_stopped, is_followed_in_place, watch
from kalam_notebook.results.render import render_html, render_text
from kalam_notebook.settings import live_is_static
from kalam_notebook.texts import first_line
from kalam_notebook.threads import Flag, Worker

if TYPE_CHECKING:
    from kalam_notebook.live_queries.table import LiveTable

__all__ = ["LiveTableWidget", "LiveView", "display_live"]

logger = logging.getLogger("kalam_notebook")

#: Seconds between two updates of the static copy at least; more when the page is silent.
COPY_INTERVAL = 5.0
LONGEST_COPY_INTERVAL = 60.0
#: Seconds between two new starts that fill the page up after rows went away.
REFILL_INTERVAL = 5.0

#: Seconds for the page's first word, before the first frame: what goes out before it goes out twice.
FIRST_WORD = 0.25

#: Seconds after which a page says once more that nobody looks, at least. Until then, deleting a cell can be undone.
GRACE = 25.0

_shown: MadeByCell[LiveView] = MadeByCell()
_tables: list[weakref.ref[LiveTable]] = []  # Those that were shown, until they are closed.
_turns = Turns()
_cell_runs = Flag()  # Meanwhile the kernel's main thread hears nothing.
_NOT_KEPT = "run the cell again to keep these rows in the notebook"


class LiveTableWidget(anywidget.AnyWidget):
    """The model that the page module belongs to. It holds no rows: notebooks save widget state to disk."""

    # The text and not the path: anywidget follows a file, and its follower would keep every widget alive.
    _esm = traitlets.Unicode().tag(sync=True)
    sql = traitlets.Unicode().tag(sync=True)
    twin = traitlets.Unicode().tag(sync=True)

    @traitlets.default("_esm")
    def _read_page_module(self) -> str:
        return page_module("live_table")

    def close(self) -> None:
        """Close it here and in the pages, with the layout that belongs to it."""
        layout = self.layout
        super().close()
        layout.close()


def _model(live: LiveTable, twin: str) -> LiveTableWidget:
    return LiveTableWidget(sql=live.sql, twin=twin)


def _rendered(live: LiveTable, **looks: Any) -> StaticCopy:  # noqa: ANN401 - as of the render functions.
    table, columns = with_columns(live, lambda: in_shown_order(live, live.arrow()))
    return StaticCopy(
        html=render_html(table, columns=columns, **looks), text=render_text(table, columns=columns, **looks)
    )


class LiveView:
    """One live table in one notebook cell.

    Args:
        live: The live table.
        widget: Its model in the page.
        outputs: The cell's outputs.
        release: Called when no page shows it any more, in notebooks that are open.
        hears: Whether the kernel's main thread hears pages now.
        turns: Shared by the views of a kernel.
        clock: Seconds that never go back.

    Attributes:
        model: Makes the widget's model.
        render: Writes the rows of now as html and text.
    """

    model = staticmethod(_model)
    render = staticmethod(_rendered)

    def __init__(
        self,
        live: LiveTable,
        *,
        widget: LiveTableWidget,
        outputs: Outputs,
        release: Callable[[], None] = lambda: None,
        hears: Callable[[], bool] = lambda: True,
        turns: Turns | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.live = live
        self._widget = widget
        self._outputs = outputs
        self._release = release
        self._clock = clock
        self._hears = hears
        self._is_heard_aside = False  # The last message was heard while a cell ran, on a subshell's thread.

        self._pace = FramePace(turns)
        self._rows = PageRows()
        self._ranges = Ranges(live)

        self._lock = threading.Lock()  # Guards the pace, which acknowledgements reach on the kernel's thread.
        # Held while anything is written, so that nothing comes behind the last state. Taken before the other.
        self._writing = threading.Lock()
        self._wake = Flag()
        self._ended = Flag()

        self._dirty = True  # Something is to be told that the last frame did not hold.
        self._whole = True  # The next frame holds the whole table.
        self._whole_at = float("-inf")
        self._copied_at = float("-inf")
        self._copied: object = None
        self._changes = changes_of(live)
        self._changed_at: float | None = None
        self._failure: str | None = None
        self._is_frozen = False

        self._pages: list[str] = []  # Those that have spoken, in order. A page that is loaded anew is another.
        # When a page first said that it shows the table no longer; None once a page shows it.
        self._unseen_at: float | None = None
        self._is_unseen = False
        self._unsubscribe: Callable[[], None] = lambda: None
        self._thread = Worker(self._run, name="kalam-live-view")

    def show(self) -> None:
        """Create the outputs and begin to send. Call once, on the thread of the running cell."""
        self._note_copy()
        self._outputs.show(self._copy(), self._widget.model_id)
        self._widget.on_msg(self._heard)
        self._widget.comm.on_close(lambda _: self._let_go())
        register(self)
        self.live.attach_view(self)
        self._unsubscribe = self.live.on_change(self._changed)
        self._thread.start()

    def freeze(self) -> None:
        """Replace the view by plain html and text of the last state; does nothing the second time.

        The outputs are written on return, also when another thread was at it.
        """
        self._ended.set()
        self._wake.set()
        with self._writing:
            if not self._is_frozen:
                self._write_last()
        self._thread.join(timeout=2.0)

    def _write_last(self) -> None:
        self._unsubscribe()
        self._widget.on_msg(self._heard, remove=True)
        self._ranges = Ranges(self.live)  # What they held goes.
        self._outputs.freeze(self._copy(is_last=True))
        self._is_frozen = True

        if self._widget.comm is None or (self._outputs.are_kept and len(self._pages) < 2):
            self._widget.close()
            return

        # A page that was loaded anew since the cell ran is out of the outputs' reach. It goes on to show its rows, so
        # the model stays open for it, and it has to be told that they are the last, and not in the notebook.
        if self._failure is None:
            self._send()
        end = f"{self._end_text()} · {_NOT_KEPT}" if self._outputs.are_kept else self._end_text()
        self._widget.send({"kind": "end", "text": end})
        if not self._outputs.are_kept:
            return
        self._widget.comm.on_close(None)
        self._widget.on_msg(_closing_with(self._pages[-1]))

    def settle(self) -> None:
        """Write into the outputs what nobody else will, as a cell ends.

        Who runs notebooks without a page reads an output no further than the end of a cell, and never learns of the
        kernel's end.
        """
        if has_stopped(self.live):
            self.freeze()
        elif not self._pages and self._copied != self._state():
            self._update_copy()

    def _changed(self, _: object) -> None:
        """Note that the table changed; called on the table's thread."""
        changes = changes_of(self.live)
        if changes != self._changes:
            self._changes = changes
            self._changed_at = time.time()
        if not self._dirty:  # Waking once is enough: the thread may be waiting for its turn.
            self._dirty = True
            self._wake.set()

    def _heard(self, _: object, content: dict[str, Any], __: object) -> None:
        """Take a message of the page; called on a subshell's thread, or on the kernel's while no cell runs."""
        kind = content.get("kind")
        # Front ends use subshells as they like: that one heard the last message tells nothing of the next cell.
        self._is_heard_aside = not self._hears()

        with self._lock:
            if kind == "hello":
                if content["page"] not in self._pages:
                    self._pages.append(content["page"])
                self._unseen_at = None
                self._pace.greeted()
                self._dirty = self._whole = True
            elif kind == "ack":
                self._unseen_at = None
                self._pace.acknowledged(int(content["frame"]), self._clock())

        if kind == "question" and content.get("about") == "image":
            # The server is asked, which must not keep the kernel from hearing other messages.
            Worker(partial(self._answer, content), name="kalam-image").start()
        elif kind == "question":
            self._answer(content)
        elif kind == "unseen":
            self._looked_away()
        elif kind == "freeze":
            self.freeze()
        elif kind == "stop":
            self.live.close()
        elif kind == "retry":
            _retry(self.live)

        self._wake.set()

    def _answer(self, question: dict[str, Any]) -> None:
        found = answer(self.live, question, self._ranges)
        with self._writing:
            if not self._is_frozen:
                self._widget.send(found.content, list(found.buffers))

    def _looked_away(self) -> None:
        """A page shows the table no longer, and says so for the first time or again."""
        now = self._clock()
        if self._unseen_at is None:
            self._unseen_at = now
            self._dirty = True  # Another page that shows it acknowledges this.
        elif now - self._unseen_at >= GRACE:
            self._let_go()

    def _let_go(self) -> None:
        """End the view of which the cell or its output was deleted."""
        self._is_unseen = True
        self.freeze()
        self._release()

    def _run(self) -> None:
        try:
            self._wake.wait(FIRST_WORD)
            while not self._ended.is_set() and not has_stopped(self.live):
                self._work()
                self._wake.wait(self._next_in())
                self._wake.clear()
        except Exception as exc:
            logger.exception("The view of a live table ended")
            self._failure = f"The view ended with {type(exc).__name__}: {exc}. The live table itself goes on."
        finally:
            self.freeze()

    @property
    def _is_heard(self) -> bool:
        """Whether what a page says would be heard now."""
        return self._is_heard_aside or self._hears()

    def _next_in(self) -> float | None:
        """Seconds until there is something to do; None when only a change or a message brings it."""
        now = self._clock()
        is_heard = self._is_heard
        with self._lock:
            delay = self._pace.delay(now, is_heard=is_heard)
            repeat = self._pace.repeat_in(now, is_heard=is_heard)
        waits = [self._copy_in(now)]
        if delay is not None:
            waits.append(delay if self._dirty else None)
            waits += [None if wait is None else max(delay, wait) for wait in (repeat, self._refill_in(now))]
        if self.live.status.startswith("reconnecting"):
            waits.append(1.0)  # The status counts seconds.
        return min((wait for wait in waits if wait is not None), default=None)

    def _work(self) -> None:
        """Do what is due."""
        now = self._clock()
        is_heard = self._is_heard
        with self._lock:
            may_send = self._pace.delay(now, is_heard=is_heard) == 0
            if self._pace.repeat_in(now, is_heard=is_heard) == 0 or self._refill_in(now) == 0:
                self._whole = True
        counting = self.live.status.startswith("reconnecting")
        if may_send and (self._dirty or self._whole or counting):
            with self._writing:
                if not self._is_frozen:
                    self._send()
        if self._copy_in(now) == 0:
            self._update_copy()

    def _update_copy(self) -> None:
        """Bring the static copy up to date."""
        with self._writing:
            if not self._is_frozen:
                self._note_copy()
                self._outputs.update(self._copy())

    def _note_copy(self) -> None:
        """Note the state that the copy is about to show. Call it first: what changes meanwhile is not in it."""
        self._copied_at = self._clock()
        self._copied = self._state()

    def _send(self) -> None:
        """Send one frame with what changed since the last."""
        began = self._clock()
        computed = time.thread_time()  # What other threads and processes compute meanwhile is no work of this one.
        with self._lock:
            self._dirty = False
            since = -1 if self._whole else self._rows.version

        delta, columns = with_columns(self.live, lambda: self.live.delta(since))
        messages = self._rows.messages(delta, columns, self._status())
        if delta.reset:
            self._whole = False  # Whoever asked while the frame was made hears all of it.

        with self._lock:
            credit = self._pace.credit
        for message in messages:
            self._widget.send(message.content | {"credit": credit}, list(message.buffers))
        if delta.reset:
            self._whole_at = began

        with self._lock:
            self._pace.sent(
                self._rows.frame,
                sum(message.nbytes for message in messages),
                began,
                whole=delta.reset,
                rows=delta.rows.num_rows,
                spent=time.thread_time() - computed,
            )

    def _refill_in(self, now: float) -> float | None:
        return max(0.0, self._whole_at + REFILL_INTERVAL - now) if self._rows.has_room else None

    def _copy_in(self, now: float) -> float | None:
        if self._copied == self._state():
            return None
        with self._lock:
            interval = self._pace.interval(now, is_heard=self._is_heard)
        return max(0.0, self._copied_at + min(max(COPY_INTERVAL, 6 * interval), LONGEST_COPY_INTERVAL) - now)

    def _state(self) -> object:
        """What the static copy shows, to tell whether it is out of date."""
        return self.live.version, _word(self.live), self.live.notice

    def _status(self) -> dict[str, Any]:
        verified = self.live.stats.verified_at
        return {
            "text": self.live.status,
            "failed": self.live.error is not None,
            "notice": "\n".join(self._notices()),
            "changes": self._changes,
            "changed_at": None if self._changed_at is None else int(self._changed_at * 1000),
            "form": self.live.form,
            "order": key_places(self.live),
            "verified_at": None if verified is None else int(verified.timestamp() * 1000),
        }

    def _end_text(self) -> str:
        if self._is_unseen:
            return "stopped: the cell or its output was deleted"
        if self._failure is None and has_stopped(self.live):
            return self.live.status
        return f"stopped: {self._failure or 'the kernel has ended or the view was frozen'}"

    def _notices(self) -> list[str]:
        """What may not be right, without what repeats the error of a table that stopped."""
        error = self.live.error
        lines = (self.live.notice or "").splitlines()
        return lines if error is None else [line for line in lines if first_line(error) not in line]

    def _as_of(self) -> str:
        """How old the rows are: as old as the last proof or change, while the table is not followed."""
        status, verified = self.live.status, self.live.stats.verified_at
        seconds = time.time()
        if status != "live" and verified is not None and not has_stopped(self.live):
            seconds = max(verified.timestamp(), self._changed_at or 0.0)
        return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"

    def _copy(self, *, is_last: bool = False) -> StaticCopy:
        """The present state as html and text."""
        at = self._as_of()
        ended = is_last or has_stopped(self.live)
        changes = changes_of(self.live)
        word = "live" if ended else _word(self.live)
        if self.live.is_replay:
            word = "replayed"

        footer = [
            f"{word} until {at}" if ended else f"{word}, as of {at}",
            f"{changes:,} {'change' if changes == 1 else 'changes'}",
            self.live.form,
        ]

        verified = self.live.stats.verified_at
        if verified is not None:
            footer.append(f"verified {verified:%H:%M:%S} UTC")

        notices = [*self._notices(), *([self._failure] if self._failure else [])]
        if self.live.error is not None:
            footer.append("stopped")
            notices.append(f"{type(self.live.error).__name__}: {self.live.error}")
        elif has_stopped(self.live):
            footer.append(self.live.status)
        return self.render(self.live, title=self.live.sql, footer=footer, notices=notices)


def display_live(live: LiveTable, *, view: type[LiveView] = LiveView) -> LiveView | None:
    """Show a live table in the running cell.

    Args:
        live: The live table.
        view: What shows it.

    Returns:
        The view; None where there is no notebook. A terminal shows the rows in one place until Ctrl-C; captured output
        has them once, and so has everything where static rows are wanted (``KALAM_LIVE=static``).
    """
    from IPython import get_ipython
    from IPython.display import display

    if is_marimo():
        display(marimo_widget(live, view))
        return None
    shell: Any = get_ipython()
    if shell is not None:
        _tables.append(weakref.ref(live))
        _cell_runs.set()
        shell.events.register("pre_run_cell", _begin_cell)  # Once: IPython knows it the second time.
        shell.events.register("post_run_cell", _end_cell)
    publisher: Any = getattr(shell, "display_pub", None)
    if live.form and is_followed_in_place(shell):  # A frame has no form.
        watch(live)
        return None
    # Captured output has a publisher of its own that keeps everything; only the kernel's can replace outputs.
    if not hasattr(publisher, "pub_socket") or live_is_static():
        copy = view.render(live, title=live.sql, footer=[live.status])
        display({"text/html": copy.html, "text/plain": copy.text}, raw=True)
        return None

    def publish(data: dict[str, Any], display_id: str, update: bool) -> None:
        publisher.publish(data, {}, transient={"display_id": display_id}, update=update)

    for former in _shown.former(shell):
        # Its outputs are gone. Where its table has no name either, nobody could close it.
        if former.live is not live:
            former.freeze()
            let_go(shell, former.live)
    outputs = Outputs(publish)
    widget = view.model(live, outputs.twin)
    shown = view(
        live,
        widget=widget,
        outputs=outputs,
        release=lambda: let_go(shell, live),
        hears=lambda: not _cell_runs.is_set(),
        turns=_turns,
    )
    shown.show()
    _shown.add(shell, shown)
    return shown


def marimo_widget(live: LiveTable, view: type[LiveView] = LiveView) -> LiveTableWidget:
    """Make the widget that shows a live table in a cell of marimo, and begin to send. Once the cell ends, it does."""
    outputs = Outputs()
    widget = view.model(live, outputs.twin)
    # Nobody tells whether a cell runs, and while one does, marimo hears no page.
    shown = view(live, widget=widget, outputs=outputs, hears=lambda: False, turns=_turns)
    shown.show()
    when_closed(widget.comm, shown.freeze)
    return widget


def _begin_cell(_: object) -> None:
    _cell_runs.set()


def _end_cell(_: object) -> None:
    """Bring the outputs up to date and forget what was closed; called by IPython as a cell ends."""
    from IPython import get_ipython

    _cell_runs.clear()
    settle_all()
    shown = [(reference, reference()) for reference in _tables]
    for _, live in shown:
        if live is not None and live.is_closed:
            forget(get_ipython(), live)
    _tables[:] = [reference for reference, live in shown if live is not None and not live.is_closed]


def _closing_with(page: str) -> Callable[[LiveTableWidget, dict[str, Any], Any], None]:
    """What closes a widget that outlived its view, when a page shows it no longer."""

    def heard(widget: LiveTableWidget, content: dict[str, Any], _: object) -> None:
        if content.get("kind") == "unseen" and content.get("page") == page:
            widget.close()

    return heard


def _retry(live: LiveTable) -> None:
    with suppress(KalamError):  # It has stopped just now, and the page will be told.
        live.retry()


def _word(live: LiveTable) -> str:
    """The status without the seconds until the next attempt."""
    return live.status.split(" in ")[0]
