"""Cutting rows into requests that the server takes. Pure.

A request is one text of at most 1 MiB, sent as JSON of at most 2 MiB (protocol/http.md#limits). Between BEGIN and
COMMIT it is all or nothing; a single statement is that by itself, and must then stand alone, since one INSERT in a
transaction goes the engine's path, where some values are damaged (protocol/sql.md#insert). INSERTs outside of a
transaction cost half as much (truth R8); they are carried out in order up to the first that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import orjson

__all__ = ["ENVELOPE", "MAX_COST", "batches", "cost_of", "insert_statements", "request_text"]

T = TypeVar("T")

#: What a request may cost. The limits are 1 MiB of SQL and 2 MiB of JSON, in which quotes, backslashes and control
#: characters are longer; a text costs the greater of twice its bytes and its JSON, so that both are kept.
MAX_COST = 2 * 1_048_576
#: BEGIN, COMMIT and the JSON around the text.
ENVELOPE = 100


def cost_of(text: str) -> int:
    """What a part of a request costs, with what separates it from the next."""
    return max(2 * len(text.encode()), len(orjson.dumps(text))) + 6


def batches(
    rows: Iterable[T], cost: Callable[[T], int], *, head: int, chunk_rows: int, max_rows: int | None
) -> Iterator[list[T]]:
    """Cut rows into batches that fit into one request each.

    Args:
        rows: The rows; a row that does not fit alone becomes a batch alone.
        cost: What a row costs.
        head: What each statement costs beside its rows.
        chunk_rows: Rows of a statement.
        max_rows: Rows of a request at most; None for as many as fit.
    """
    # There may be two statements more than the number of rows asks for.
    start = ENVELOPE + 2 * head
    batch: list[T] = []
    total = start
    for row in rows:
        needed = cost(row) + (head if len(batch) % chunk_rows == 0 else 0)
        if batch and (len(batch) == max_rows or total + needed > MAX_COST):
            yield batch
            batch, total, needed = [], start, cost(row) + head
        batch.append(row)
        total += needed
    if batch:
        yield batch


def insert_statements(head: str, rows: Sequence[str], *, chunk_rows: int, at_least: int = 1) -> list[str]:
    """INSERT statements of up to ``chunk_rows`` rows; ``at_least`` so many, if there are rows enough."""
    size = max(1, min(chunk_rows, len(rows) // at_least))
    return [head + ",\n".join(rows[start : start + size]) for start in range(0, len(rows), size)]


def request_text(statements: Sequence[str]) -> str:
    """The text of a request that is all or nothing."""
    if len(statements) == 1:
        return statements[0]
    return ";\n".join(["BEGIN", *statements, "COMMIT"])
