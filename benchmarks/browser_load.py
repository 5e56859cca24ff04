"""P8, P10–P12: what a live table in JupyterLab and Chromium bears: order and filters, many frames, a flood for long."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
from playwright.sync_api import Browser

from benchmarks.browser import (
    SMOOTH_MS,
    LabServer,
    Notebook,
    browser_and_lab,
    heap_mb,
    printed,
    share,
    write_notebook,
)
from benchmarks.measure import Figure, wanted

STATIC = Path(__file__).parents[1] / "kalam_notebook" / "notebook" / "page" / "static"
#: Columns that tell whether a row is the same.
COMPARED = ("id", "tick", "n", "score")

_START = """
import json, psutil
import pyarrow as pa
from benchmarks.browser_feed import FedTable, Feed
from kalam_notebook.notebook.page import pace
from kalam_notebook.notebook.page.live_view import display_live
feed = Feed({size})
table = FedTable(feed, feed.ticks({ticks}, {changed}))
"""
_SHOW = "view = display_live(table)"
_RUN = """
first = len(feed.sent)
done = feed.run(table.tell, {ticks}, {rate})
"""
_TELL = """
assert done.wait(60)
memory = psutil.Process().memory_info().rss / 1e6
print(json.dumps([view._rows.frame, table.rows_told, feed.sent[first], feed.kernel_seconds, memory]))
"""
_KEEP = """
rows = table.arrow()
with pa.ipc.new_file("held.arrow", rows.schema) as writer:
    writer.write_table(rows)
"""
#: For frames that are to be many: they follow each other as soon as they can.
_HURRY = "pace.INTERVAL = 0.012"
#: Notes the times between animation frames from now on.
_GAPS = """() => {
  let before = performance.now();
  const gaps = window.gaps = [];
  const frame = (now) => {
    gaps.push(now - before);
    before = now;
    if (gaps === window.gaps) requestAnimationFrame(frame);
  };
  requestAnimationFrame((now) => { before = now; requestAnimationFrame(frame); });
}"""
_SET = (
    "([index, text]) => window.jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.setSource(text)"
)
_IS_SHOWN = "text => document.querySelector('.kl-facts')?.textContent.includes(text)"


@dataclass(frozen=True)
class Load:
    """What a table bore.

    Attributes:
        frames: Frames that were sent.
        rows: Changed rows in them.
        seconds: From the first tick until the page showed the last.
        kernel_seconds: What the kernel computed meanwhile.
        memory_mb: Memory of the kernel at the end.
    """

    frames: int
    rows: int
    seconds: float
    kernel_seconds: float
    memory_mb: float


class Loaded:
    """A table that is shown, and changes when it is told to.

    Args:
        notebook: Its notebook.
        changed: How many rows a tick changes.
    """

    def __init__(self, notebook: Notebook, changed: int) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self._changed = changed
        self.grown_mb = 0.0
        self.gaps_ms: list[float] = []
        self._ticks = 0
        self._before = (0, 0)

    def run_text(self, text: str) -> None:
        """Run a text in the kernel."""
        self.page.evaluate(_SET, [2, text])
        self.notebook.run(2)

    def change(self, ticks: int, rate: float, *, weighed: bool = False, watched: bool = False) -> Load:
        """Tell of so many ticks, so many a second, and wait until the page shows the last of them.

        With ``weighed``, ``grown_mb`` tells then what the page's heap has grown by, and with ``watched`` ``gaps_ms``
        the times between animation frames. JupyterLab's heap grows with each cell that runs, and takes some frames to
        run one, so none runs meanwhile.
        """
        self._ticks += ticks
        self.run_text(_RUN.format(ticks=ticks, rate=rate))
        if watched:
            self.page.evaluate(_GAPS)
        heap = heap_mb(self.page) if weighed else 0.0
        text = f" {self._ticks * self._changed:,} changes "
        self.page.wait_for_function(_IS_SHOWN, arg=text, timeout=1_000 * (ticks / rate + 60))
        shown = time.time()
        self.grown_mb = heap_mb(self.page) - heap if weighed else 0.0
        self.gaps_ms = self.page.evaluate("window.gaps") if watched else []

        frames, rows, begun, kernel_seconds, memory_mb = json.loads(printed(self.notebook, 3))
        before, self._before = self._before, (frames, rows)
        return Load(frames - before[0], rows - before[1], shown - begun, kernel_seconds, memory_mb)

    def gap_ms(self, ticks: int, rate: float) -> tuple[float, Load]:
        """The same, with the time that 99 of 100 animation frames come after the one before.

        The heap is not weighed meanwhile, which would hold the page up for a third of a second.
        """
        load = self.change(ticks, rate, watched=True)
        return share(self.gaps_ms, 0.99), load


def figures(*, small: bool) -> Iterator[Figure]:
    if wanted("P12"):
        yield from scripts()
    if not wanted("P8", "P10", "P11"):
        return
    with browser_and_lab() as (browser, lab):
        if wanted("P8"):
            for size in (10_000,) if small else (10_000, 100_000):
                yield from arranged(browser, lab, size)
        if wanted("P10"):
            yield from many_frames(browser, lab, 900 if small else 9_000)
        if wanted("P11"):
            yield from flood(browser, lab, 10 if small else 60)


def scripts() -> Iterator[Figure]:
    """How much code comes with a table, and how much more with a chart."""
    table, chart = ((STATIC / f"live_{name}.js").stat().st_size / 1_000 for name in ("table", "chart"))
    yield Figure("P12", "script of a table", table, 70, unit="kB")
    yield Figure("P12", "script of a chart, beyond that of a table", chart - table, 60, unit="kB")


def arranged(browser: Browser, lab: LabServer, size: int) -> Iterator[Figure]:
    """1,000 rows change ten times a second in a table that a reader has sorted and filtered."""
    with opened(browser, lab, f"arranged-{size}", size=size, ticks=130, changed=1_000) as table:
        table.change(5, 10)
        table.page.locator(".kalam-live th button").nth(4).click()
        gap, _ = table.gap_ms(60, 10)
        what = f"animation frames, p99, {size:,} rows, sorted by a column that changes"
        yield Figure("P8", what, gap, SMOOTH_MS, unit="ms")

        table.page.get_by_role("searchbox").fill("room-1")
        table.page.wait_for_function("document.querySelector('.kl-hits').textContent.includes('match')")
        gap, _ = table.gap_ms(60, 10)
        yield Figure("P8", f"{what}, and filtered", gap, SMOOTH_MS, unit="ms")


def many_frames(browser: Browser, lab: LabServer, wanted_frames: int) -> Iterator[Figure]:
    """What the page keeps of frames that are long over."""
    with opened(browser, lab, "frames", size=1_000, ticks=2 * wanted_frames, changed=20) as table:
        table.run_text(_HURRY)
        table.change(100, 50)
        frames = table.change(wanted_frames * 11 // 10, 80, weighed=True).frames
        grown = table.grown_mb
    yield Figure("P10", "frames that the page drew", frames, wanted_frames, at_least=True, unit="")
    yield Figure("P10", "what its heap grew by over them", grown, 3, unit="MB")


def flood(browser: Browser, lab: LabServer, seconds: int) -> Iterator[Figure]:
    """20,000 changes a second, 200 at a time."""
    rate, changed = 100, 200
    with opened(browser, lab, "flood", size=10_000, ticks=(seconds + 5) * rate, changed=changed) as table:
        begun = table.change(5 * rate, rate)
        load = table.change(seconds * rate, rate, weighed=True)
        heap = table.grown_mb
        table.run_text(_KEEP)
        differ = differing(table, lab.folder / "held.arrow")
    what = f"{seconds} s of 20,000 changes a second"
    yield Figure("P11", f"{what}: rows that differ in the page", differ, 0, unit="")
    yield Figure("P11", f"{what}: frames a second", load.frames / load.seconds, 10, unit="/s")
    yield Figure("P11", f"{what}: kernel", load.kernel_seconds / load.seconds, 0.5, unit="cores")
    yield Figure("P11", f"{what}: what the page's heap grows by", heap, 3, unit="MB")
    yield Figure("P11", f"{what}: what the kernel's memory grows by", load.memory_mb - begun.memory_mb, 10, unit="MB")


def differing(table: Loaded, held: Path) -> int:
    """How many rows of the kernel's table are others in the file that the page saves."""
    table.page.get_by_role("button", name="Copy", exact=True).click()
    with table.page.expect_download() as saved:
        table.page.get_by_role("button", name="Save as CSV file").click()
    wanted_rows = pa.ipc.open_file(held).read_all().select(COMPARED)
    types = {field.name: field.type for field in wanted_rows.schema}
    options = pa.csv.ConvertOptions(column_types=types, include_columns=COMPARED)
    found = pa.csv.read_csv(saved.value.path(), convert_options=options)
    return len(set(map(tuple_of, wanted_rows.to_pylist())) ^ set(map(tuple_of, found.to_pylist())))


def tuple_of(row: dict[str, object]) -> tuple[object, ...]:
    return tuple(row[name] for name in COMPARED)


@contextmanager
def opened(browser: Browser, lab: LabServer, name: str, *, size: int, ticks: int, changed: int) -> Iterator[Loaded]:
    """A notebook of its own whose table is shown, for so many ticks at most."""
    start = _START.format(size=size, ticks=ticks, changed=changed)
    write_notebook(lab.folder / f"{name}.ipynb", [text.strip() for text in (start, _SHOW, "", _TELL)])
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    try:
        notebook = Notebook(lab, page, f"{name}.ipynb")
        notebook.run(0)
        notebook.run(1)
        page.wait_for_function(_IS_SHOWN, arg=f"{size:,} rows ·")
        yield Loaded(notebook, changed)
    finally:
        page.evaluate("() => window.jupyterapp.commands.execute('kernelmenu:shutdown')")
        page.wait_for_timeout(500)
        context.close()
