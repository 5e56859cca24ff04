"""Timing and memory: each figure is a ratio to a reference measured beside it, so that the machine cancels out."""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        name: Number in the table, for example ``D3``.
        measure: What is measured, in words.
        value: The measured ratio or size.
        bound: What must hold.
        at_least: Whether the bound is a minimum instead of a maximum.
        unit: Unit of value and bound.
    """

    name: str
    measure: str
    value: float
    bound: float
    at_least: bool = False
    unit: str = "×"

    @property
    def holds(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        verdict = "ok" if self.holds else "MISSED"
        must, measured = f"{sign} {self.bound:g} {self.unit}", f"{self.value:.2f} {self.unit}"
        return f"| {self.name} | {self.measure} | {must} | {measured} | {verdict} |"


def seconds(work: Callable[[], object]) -> float:
    """One run, without the garbage of earlier ones."""
    gc.collect()
    start = time.perf_counter()
    result = work()
    elapsed = time.perf_counter() - start
    del result
    return elapsed


def ratio(work: Callable[[], object], reference: Callable[[], object], rounds: int = 7) -> float:
    """The median of ``work / reference``, measured in turn."""
    work()
    reference()
    return statistics.median(seconds(work) / seconds(reference) for _ in range(rounds))


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
    code = (
        "import json, sys; from benchmarks import memory;"
        f"print(json.dumps(memory.peak(memory.{function}, *{list(arguments)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout))
