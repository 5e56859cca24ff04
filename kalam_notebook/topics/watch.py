"""What the server does not tell about a topic: why nothing comes, and that the topic is another one now."""

from __future__ import annotations

import time

from kalam_notebook.callers import warn_caller
from kalam_notebook.topics.partition import TopicPartition

__all__ = ["TopicWarning", "TopicWatch"]

#: How long another consumer may have messages before the reader is told why nothing comes.
_HELD_S = 2.0
#: Seconds without messages between two looks whether the topic is still the same.
_LOOK_S = 60.0


class TopicWarning(UserWarning):
    """Something that the server does not tell about messages of a topic."""


class TopicWatch:
    """Looks after the partitions from which nothing comes.

    Args:
        topic_id: The topic, for warnings.
        group_id: The consumer group, for warnings.
    """

    def __init__(self, topic_id: str, group_id: str) -> None:
        self._topic_id = topic_id
        self._group_id = group_id
        # By partition: a message that exists and did not come, and since when; None when there is nothing to tell.
        self._missing: dict[int, tuple[int, float] | None] = {}
        # By partition: when it was last looked at whether its log is still the same.
        self._looked_at: dict[int, float] = {}

    def look_at(self, partition: TopicPartition) -> None:
        """Look after a partition that was asked just now, and from which nothing came.

        Warns:
            TopicWarning: Another consumer has its messages, or the topic was made anew.
        """
        self._look_for_missing(partition)
        self._look_for_new_log(partition)

    def _look_for_missing(self, partition: TopicPartition) -> None:
        """Tell once when at first nothing comes although there are messages."""
        number, now = partition.number, time.monotonic()
        if number not in self._missing:
            offset = partition.missing()
            self._missing[number] = None if offset is None else (offset, now)
        elif (found := self._missing[number]) is not None and now - found[1] > _HELD_S:
            self._missing[number] = None
            if partition.is_held_elsewhere(found[0]):
                warn_caller(
                    f"Messages of {self._topic_id} from offset {found[0]} of partition {number} on were given to "
                    f"another consumer of group {self._group_id!r}, or to one that ended without commit_sync(). The "
                    "server gives them out again after its visibility time-out (60 s by default). Another group_id "
                    "gets them now.",
                    TopicWarning,
                )

    def _look_for_new_log(self, partition: TopicPartition) -> None:
        """Tell when the topic is another one: once in a while, where nothing comes."""
        now = time.monotonic()
        if now - self._looked_at.setdefault(partition.number, now) > _LOOK_S:
            self._looked_at[partition.number] = now
            if partition.begins_anew():
                warn_caller(f"{self._topic_id} was made anew. It is read from its first message on.", TopicWarning)
