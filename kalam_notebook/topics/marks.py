"""When a consumer acknowledges: what a reader has marked as done, and what is acknowledged without being asked for."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from kalam_notebook.errors import TransportError
from kalam_notebook.topics.offsets import Offsets
from kalam_notebook.topics.partition import TopicPartition

__all__ = ["AutoCommit", "Marks"]

#: Seconds between two acknowledgements that nobody asks for, at least.
_AUTO_COMMIT_S = 5.0


class Marks:
    """What of the partitions was marked as processed."""

    def __init__(self) -> None:
        # Of each partition which of its logs it is, and the offsets.
        self._marked: dict[int, tuple[int, Offsets]] = {}

    def __bool__(self) -> bool:
        return bool(self._marked)

    def add(self, partition: TopicPartition, offset: int) -> None:
        """Mark a message."""
        marked = self._of(partition).plus([offset])
        self._marked = {**self._marked, partition.number: (partition.logs, marked)}

    def commit(self, partition: TopicPartition) -> None:
        """Acknowledge what is marked of a partition, up to the first message that is not.

        Raises:
            KalamError: As ``TopicPartition.commit``.
        """
        marked = self._of(partition)
        while marked.frontier > partition.start:
            partition.commit(marked.frontier - 1)
            # What others have acknowledged meanwhile need not be marked here.
            filled = marked.filled_to((partition.acknowledged or 0) + 1)
            if filled.frontier <= marked.frontier:
                break
            marked = filled

    def _of(self, partition: TopicPartition) -> Offsets:
        """What was marked of the log that a partition reads now."""
        log, marked = self._marked.get(partition.number, (0, None))
        return marked if marked is not None and log == partition.logs else Offsets(partition.start)


class AutoCommit:
    """Acknowledges what was returned, when the next messages are asked for and in the end.

    Args:
        commit: Acknowledges what was returned; None where nobody wants it.
        marks: What is known to be done also after an error.
    """

    def __init__(self, commit: Callable[[], object] | None, marks: Marks) -> None:
        self._commit = commit
        self._marks = marks
        self._at = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether it is wanted, and some time has passed since the last."""
        return self._commit is not None and time.monotonic() - self._at >= _AUTO_COMMIT_S

    def when_due(self) -> None:
        """Acknowledge, if it is due."""
        if self._commit is not None and self.is_due:
            with contextlib.suppress(TransportError):  # The next time does it.
                self._commit()
                self._at = time.monotonic()

    def in_the_end(self, error: object) -> None:
        """Acknowledge at the end of a block, if it is wanted; after an error only what is marked, which is done."""
        if self._commit is not None and (error is None or self._marks):
            self._commit()
