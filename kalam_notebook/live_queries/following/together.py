"""Questions that are asked together: who comes while others are being asked waits, and goes with all who wait.

Live tables over one table hear the same events, so they have the same questions at the same time. Each asks on a thread
of its own; the first of them asks for all.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Together"]

_Q = TypeVar("_Q")
_A = TypeVar("_A")

#: Seconds that the first one waits for others who are likely to come.
_PATIENCE = 0.1


@dataclass(slots=True)
class _Question(Generic[_Q, _A]):
    asked: _Q
    answer: _A | None = None
    error: BaseException | None = None
    is_over: bool = False


@dataclass(slots=True)
class _Group(Generic[_Q, _A]):
    """What concerns one table: who asks about it from time to time, who waits now, and whether somebody asks."""

    askers: weakref.WeakSet[object] = field(default_factory=weakref.WeakSet)
    waiting: list[_Question[_Q, _A]] = field(default_factory=list)
    is_busy: bool = False


class Together(Generic[_Q, _A]):
    """Asks for several at once.

    Args:
        ask: Answers questions of one group, in their order, or says why not; may block, and raise for all of them.
    """

    def __init__(self, ask: Callable[[Sequence[_Q]], Sequence[_A | Exception]]) -> None:
        self._ask = ask
        self._patience = _PATIENCE
        self._groups: dict[Hashable, _Group[_Q, _A]] = {}
        self._changed = threading.Condition()

    def ask(self, question: _Q, *, group: Hashable, asker: object) -> _A:
        """Ask, alone or with others.

        Args:
            question: The question.
            group: Only questions of one group are asked together.
            asker: Who asks; as long as it lives it is expected to ask again when others of its group do.

        Raises:
            Exception: Why there is no answer.
        """
        mine: _Question[_Q, _A] = _Question(question)

        with self._changed:
            found = self._groups.setdefault(group, _Group())
            found.askers.add(asker)
            found.waiting.append(mine)
            self._changed.notify_all()
            while found.is_busy and not mine.is_over:
                self._changed.wait()
            if not mine.is_over:
                found.is_busy = True
                self._changed.wait_for(lambda: len(found.waiting) >= len(found.askers), self._patience)
                taken, found.waiting = found.waiting, []

        if not mine.is_over:
            self._answer(taken)
            with self._changed:
                found.is_busy = False
                self._changed.notify_all()
        if mine.error is not None:
            raise mine.error
        return mine.answer  # type: ignore[return-value]

    def _answer(self, questions: Sequence[_Question[_Q, _A]]) -> None:
        try:
            answers = self._ask([question.asked for question in questions])
            for question, answer in zip(questions, answers, strict=True):
                if isinstance(answer, Exception):
                    question.error = answer
                else:
                    question.answer = answer
        except BaseException as exc:
            for question in questions:
                question.error = exc
        for question in questions:
            question.is_over = True
