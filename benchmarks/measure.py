"""Timing and memory: each figure is a ratio to a reference measured beside it, so that the machine cancels out."""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

#: Seconds that one reading of the clock shall cover at least: shorter work is repeated.
_LEAST_S = 0.1

#: Units in which a slow machine is a slow program.
_OF_MACHINE = {"ms", "k/s"}

_chosen = ""
_is_on_server = False
_most_rounds = sys.maxsize


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        name: Number in the table, for example ``D3``.
        measure: What is measured, in words.
        value: The measured ratio, size or number.
        bound: What must hold; None where nothing is promised.
        at_least: Whether the bound is a minimum instead of a maximum.
        unit: Unit of value and bound; empty for a number of things.
    """

    name: str
    measure: str
    value: float
    bound: float | None
    at_least: bool = False
    unit: str = "×"

    @property
    def holds(self) -> bool:
        if self.bound is None:
            return True
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def with_room(self, room: float) -> Figure:
        """The same, with a bound that is so many times as far away if it is one of a ratio.

        Times and speeds have none then: how fast a machine is, the full table judges.
        """
        if self.unit in _OF_MACHINE:
            return replace(self, bound=None)
        if self.bound is None or self.unit != "×":
            return self
        return replace(self, bound=self.bound / room if self.at_least else self.bound * room)

    def __str__(self) -> str:
        must, verdict = "–", ""
        if self.bound is not None:
            must = f"{'≥' if self.at_least else '≤'} {self.bound:g} {self.unit}".strip()
            verdict = "ok" if self.holds else "MISSED"
        measured = f"{self.value:.2f} {self.unit}" if self.unit else f"{self.value:g}"
        return f"| {self.name} | {self.measure} | {must} | {measured} | {verdict} |"


def choose(start: str) -> None:
    """Want only figures whose number is the given one; all for an empty text."""
    global _chosen
    _chosen = start


def wanted(*names: str) -> bool:
    """Whether one of the figures was asked for, so that the work for it is worth its time."""
    return not _chosen or _chosen in names


def limit_rounds(most: int) -> None:
    """Take ratios from so many rounds at most: for a coarse bound a few are enough."""
    global _most_rounds
    _most_rounds = most


def use_server() -> None:
    """Measure what questions cost on the server of ``KALAM_TEST_URL``."""
    global _is_on_server
    _is_on_server = True


def on_server() -> bool:
    """Whether that is to be done."""
    return _is_on_server


def seconds(work: Callable[[], object], *, calls: int = 1, clock: Callable[[], float] = time.process_time) -> float:
    """Seconds of one call, without the garbage of what was before.

    The clock counts what this process computes, so that other work on the machine is not measured; for work that a
    server does, give ``time.perf_counter``.
    """
    gc.collect()
    start = clock()
    for _ in range(calls):
        work()
    return (clock() - start) / calls


def ratio(
    work: Callable[[], object],
    reference: Callable[[], object],
    *,
    rounds: int = 9,
    clock: Callable[[], float] = time.process_time,
    least_s: float = _LEAST_S,
) -> float:
    """The median of ``work / reference``, measured in turn, each first in every other round."""
    calls = [max(1, round(least_s / max(seconds(each, clock=clock), 1e-6))) for each in (work, reference)]
    found = []
    for number in range(min(rounds, _most_rounds)):
        pair = [0.0, 0.0]
        for index in (0, 1) if number % 2 else (1, 0):
            pair[index] = seconds((work, reference)[index], calls=calls[index], clock=clock)
        found.append(pair[0] / pair[1])
    return statistics.median(found)


def without_collector(work: Callable[[], object]) -> Callable[[], object]:
    """The same work with garbage collection paused."""

    def run() -> object:
        gc.disable()
        try:
            return work()
        finally:
            gc.enable()

    return run


def peak_memory(function: str, *arguments: str) -> float:
    """Bytes by which a function of ``benchmarks.memory`` raises the peak memory of a process of its own."""
    return float(
        in_process(f"from benchmarks import memory; print(memory.peak(memory.{function}, *{list(arguments)!r}))")
    )


def in_process(code: str) -> str:
    """What a Python program of its own prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
