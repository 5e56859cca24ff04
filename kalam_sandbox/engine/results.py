"""What a statement answers, before it becomes JSON."""

from __future__ import annotations

from dataclasses import dataclass

from kalam_sandbox.backend import Column


@dataclass(frozen=True, slots=True)
class Rows:
    """A row set with encoded cells; `announced` columns stand in `schema`."""

    columns: tuple[Column, ...]
    rows: list[list[object]]
    as_user: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message with the number of rows affected; `dml` is the kind of an INSERT, UPDATE or DELETE."""

    text: str
    as_user: str
    row_count: int = 0
    dml: str | None = None


Result = Rows | Message

_DONE = {"insert": "Inserted", "update": "Updated", "delete": "Deleted"}


def written(kind: str, count: int, as_user: str) -> Message:
    """Return the answer of an INSERT, UPDATE or DELETE."""
    return Message(f"{_DONE[kind]} {count} row(s)", as_user, count, kind)


def in_batch_order(results: list[Result], caller_id: str) -> list[Result]:
    """Return the results of a batch as the server orders them (truth L19).

    Whatever speaks of Inserted, Updated or Deleted disappears; totals per kind come last, zeros are left out.
    """
    kept = [result for result in results if not _is_counted(result)]
    for kind, word in _DONE.items():
        total = sum(r.row_count for r in results if isinstance(r, Message) and word in r.text)
        if total:
            kept.append(written(kind, total, caller_id))
    return kept


def _is_counted(result: Result) -> bool:
    return isinstance(result, Message) and any(word in result.text for word in _DONE.values())
