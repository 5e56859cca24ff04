"""The page module in an empty page, with a model that stands in for anywidget's."""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from playwright.sync_api import Page

from kalam_notebook.notebook.page.page_rows import PageRows
from kalam_notebook.notebook.page.questions import PARTS, answer, page_part
from kalam_notebook.notebook.page.ranges import Ranges
from kalam_notebook.wire.types import Column, arrow_schema

ORDERS = (
    Column("id", "BigInt", flags=("pk", "nn", "uq")),
    Column("customer", "Text"),
    Column("total", "Decimal", 12, 2),
    Column("placed_at", "Timestamp"),
)
PLACED = dt.datetime(2026, 5, 20, 10, 0, tzinfo=dt.UTC)
NAMES = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "Barbara Liskov", "Edsger Dijkstra", "Radia Perlman")


def order(i: int, customer: str | None = "Ada", total: str = "1.50") -> dict:
    placed = PLACED + dt.timedelta(seconds=i, microseconds=i)
    return {"id": i, "customer": customer, "total": Decimal(total), "placed_at": placed}


STATIC = Path(__file__).parents[2] / "kalam_notebook" / "notebook" / "page" / "static"

MOUNT = """async ({source, parts, model}) => {
  const url = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
  const {default: widget} = await import(url);
  const listeners = {};
  window.said = [];
  window.model = {
    get: (key) => model[key],
    on: (event, listener) => { (listeners[event] ??= []).push(listener); },
    send: async (content) => {
      window.said.push(content);
      if (content.kind !== 'question') return;
      const {number, about, name} = content;
      if (about === 'part' && name in parts) window.take([[{kind: 'answer', number, text: parts[name]}, []]]);
      else if (window.answer) window.take([await window.answer(content)]);
    },
  };
  window.take = (messages) => {
    for (const [content, buffers] of messages) {
      const views = buffers.map((text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer));
      window.emit('msg:custom', content, views);
    }
  };
  window.emit = (event, ...args) => (listeners[event] ?? []).forEach((listener) => listener(...args));
  window.end = widget.initialize({model: window.model});
  window.show = () => widget.render({model: window.model, el: document.querySelector('#place')});
  window.hide = window.show();
}"""


def cells(page: Page) -> list[list[str]]:
    """The texts of the rows on screen."""
    return page.eval_on_selector_all(
        ".kalam-live tbody tr:not(.kl-space)", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )


@dataclass(frozen=True)
class Change:
    """A delta as a live table gives it."""

    version: int
    reset: bool
    rows: pa.Table
    row_ids: tuple[int, ...]
    num_rows: int
    inserted: frozenset[int] = frozenset()
    removed: tuple[int, ...] = ()


@dataclass
class MountedTable:
    """The module on a page, fed by the same code that feeds it in a notebook."""

    page: Page
    columns: tuple[Column, ...]
    sql: str = "SELECT * FROM app.orders"
    twin: str = "abc123"
    status: dict[str, Any] = field(default_factory=dict)
    #: Parts of the module that are given when they are asked for.
    parts: frozenset[str] = PARTS
    module: str = "live_table"
    traits: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = PageRows()
        self.ids: list[int] = []
        quiet = {"text": "live", "failed": False, "notice": "", "changes": 0, "changed_at": None}
        self.status = quiet | {"form": "direct", "verified_at": None} | self.status
        source = (STATIC / f"{self.module}.js").read_text(encoding="utf-8")
        parts = {name: page_part(name) for name in self.parts}
        model = {"twin": self.twin, "sql": self.sql, **self.traits}
        self.page.evaluate(MOUNT, {"source": source, "parts": parts, "model": model})

    def table(self, rows: list[dict[str, Any]]) -> pa.Table:
        return pa.Table.from_pylist(rows, schema=arrow_schema(self.columns))

    def load(self, rows: list[dict[str, Any]], *, total: int | None = None, ids: list[int] | None = None) -> None:
        """Send all rows; their ids are 1, 2, … or those given, which makes a new version."""
        self.ids = ids or list(range(1, len(rows) + 1))
        version = self.rows.version + 1 if ids else 1
        self._send(Change(version, True, self.table(rows), tuple(self.ids), total or len(rows)))

    def alter(self, columns: tuple[Column, ...], rows: list[dict[str, Any]]) -> None:
        """Send other columns and all rows anew."""
        self.columns = columns
        self.load(rows, ids=[row + 1_000 for row in range(len(rows))])

    def change(self, rows: dict[int, dict[str, Any]], removed: tuple[int, ...] = ()) -> None:
        """Send new and changed rows by id, and the ids of removed ones."""
        inserted = frozenset(rows) - set(self.ids)
        self.ids = [i for i in self.ids if i not in removed] + sorted(inserted)
        self.status["changes"] += len(rows) + len(removed)
        delta = Change(
            self.rows.version + 1, False, self.table(list(rows.values())), tuple(rows), len(self.ids), inserted, removed
        )
        self._send(delta)

    def tell(self, **status: Any) -> None:
        """Send a status without rows."""
        self.status |= status
        self._send(Change(self.rows.version, False, self.table([]), (), len(self.ids)))

    def _send(self, delta: Change) -> None:
        self.raw(
            [
                (message.content, [base64.b64encode(buffer).decode() for buffer in message.buffers])
                for message in self.rows.messages(delta, self.columns, self.status)
            ]
        )

    def raw(self, messages: list[tuple[dict[str, Any], list[str]]]) -> None:
        self.page.evaluate("messages => window.take(messages)", messages)

    def answer_from(self, live: Any) -> None:
        """Answer the page's questions from now on, as a kernel does."""

        ranges = Ranges(live)

        def answered(question: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
            found = answer(live, question, ranges)
            return found.content, [base64.b64encode(buffer).decode() for buffer in found.buffers]

        self.page.expose_function("answer", answered)

    def follow(self, live: Any) -> None:
        """Send what changed in a live table since the last time, or all of it."""
        delta = live.delta(self.rows.version)
        self.ids = [row_id for row_id in self.ids if row_id not in delta.removed and not delta.reset]
        self.ids += sorted({*delta.row_ids}.difference(self.ids))
        self._send(delta)
