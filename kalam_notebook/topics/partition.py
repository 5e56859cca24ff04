"""One partition of a topic as one consumer sees it: each message once and in order, and no acknowledgement too many.

The server gives a message to one consumer of a group, and gives it again when it is not acknowledged in time. It tells
nobody what it gave away, and believes every acknowledgement (protocol/http.md#topics). Hence these rules:

1. An answer that was lost on its way may have held messages. All that lies behind the last one that came is read again
   without the group before anything newer is handed out; otherwise it would come a minute later, out of order.
2. What comes again is dropped, unless the log has begun anew: then it is newer than all that came before. What another
   consumer has acknowledged meanwhile is dropped, too.
3. Acknowledging an offset acknowledges all before it. So it stops before the first message that never came here,
   unless the group has acknowledged that one or it does not exist any more. What lies before the place where a group
   began that had acknowledged nothing was not meant for it.
4. The server moves no group back. What is to be read again is read without the group, up to where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from kalam_notebook.errors import AuthError, ConnectError, KalamError, ServerError, TopicError
from kalam_notebook.topics.offsets import Offsets
from kalam_notebook.wire.topics import Consumed, Start, TopicMessage

__all__ = ["PartitionSource", "TopicPartition"]


class PartitionSource(Protocol):
    """What a partition needs of a server: ``topics.endpoint.TopicEndpoint``, or a script in tests."""

    def consume(self, partition_id: int, start: Start, limit: int) -> Consumed:
        """Take messages for the group."""
        ...

    def next_offset(self, partition_id: int, start: Start) -> int:
        """The first offset that the group has not acknowledged, or its start."""
        ...

    def end_offset(self, partition_id: int) -> int:
        """The offset that the next message gets."""
        ...

    def peek(self, partition_id: int, offset: int, limit: int) -> Consumed:
        """Read messages from an offset on, whoever has them."""
        ...

    def ack(self, partition_id: int, upto_offset: int) -> None:
        """Acknowledge all messages up to an offset, that one included."""
        ...


class TopicPartition:
    """A partition, from where its group stands now.

    Args:
        source: The server.
        number: Which partition.
        start: Where the group begins if it has not acknowledged anything.
        limit: Messages of one answer, at most.

    Attributes:
        number: Which partition.
        start: The offset with which it began to read this log.
        acknowledged: The last offset that the group has acknowledged, as far as this consumer did it or came to know.
        logs: How many logs it has read: the topic may be made anew.

    Raises:
        TopicError: The place is beyond the end of the log, so that messages still to come would never come.
        KalamError: No answer, or a refusal.
    """

    def __init__(self, source: PartitionSource, number: int, start: Start, limit: int) -> None:
        self.number = number
        self.acknowledged: int | None = None
        self.logs = 0
        self._source = source
        self._limit = limit
        # Requests whose answer never came: they may have taken messages.
        self._lost_answers = 0
        self._begin(source.next_offset(number, start))
        # The same, had it acknowledged nothing: an offset below was acknowledged, or skipped by "latest".
        self._acknowledged_below = source.next_offset(number, 0)
        end = source.end_offset(number)
        if self.start > end:
            raise TopicError(_beyond_the_end(number, self.start, end, is_start=self._acknowledged_below <= end))

    def _begin(self, offset: int) -> None:
        self.logs += 1
        self.start = offset
        self._committed = offset  # The first that is not acknowledged.
        self._acknowledged_below = 0
        self._handed_out = Offsets(offset)
        # Messages from before the start that a group without an acknowledgement gets after all.
        self._early: frozenset[int] = frozenset()
        self._waiting: dict[int, TopicMessage] = {}
        # Read without the group: what is to be handed out again, and the offset behind it; None where nothing is.
        self._again: list[TopicMessage] = []
        self._again_at: int | None = None
        self._newest_ms: int | None = None
        self._was_empty = False
        # A missing message that was known to exist before the newest ones came.
        self._missing: int | None = None

    @property
    def is_ready(self) -> bool:
        """Whether there are messages to take; not while older ones may have been lost on their way."""
        if self._again_at is not None:
            return bool(self._again)
        return bool(self._waiting) and not self._lost_answers

    @property
    def held_back(self) -> int:
        """Messages that were handed out and cannot be acknowledged, because one before them is missing."""
        return self._handed_out.beyond

    @property
    def position(self) -> int:
        """The offset behind the last message that was handed out, or where it began."""
        if self._again_at is None:
            return self._handed_out.end
        return self._again[0].offset if self._again else self._again_at

    @property
    def end(self) -> int:
        """The offset behind all that was handed out."""
        return self._handed_out.end

    def seek(self, offset: int) -> None:
        """Hand messages out again from an offset on, not behind ``end``; those of others and from before the start too.

        What may be acknowledged stays as it is.
        """
        self._again = []
        self._again_at = offset if offset < self.end else None

    def take(self, limit: int | None = None) -> list[TopicMessage]:
        """Hand messages out, in order; they may be acknowledged from now on.

        Args:
            limit: So many at most.
        """
        if self._again_at is not None:
            again = self._again[:limit]
            self._again = self._again[len(again) :]
            return again
        offsets = sorted(self._waiting)[:limit]
        found = [self._waiting[offset] for offset in offsets]
        waiting = {offset: self._waiting[offset] for offset in self._waiting.keys() - set(offsets)}
        early = self._early.union(offset for offset in offsets if offset < self.start)
        # At once, in the end: an interrupt finds a message either here or with the reader.
        self._handed_out = self._handed_out.plus(offsets)
        self._early = early
        self._waiting = waiting
        return found

    def state(self) -> tuple[Offsets, frozenset[int], dict[int, TopicMessage], list[TopicMessage]]:
        """What ``take`` changes."""
        return self._handed_out, self._early, self._waiting, self._again

    def restore(self, state: tuple[Offsets, frozenset[int], dict[int, TopicMessage], list[TopicMessage]]) -> None:
        """Take back what was taken since."""
        self._handed_out, self._early, self._waiting, self._again = state

    def ask(self) -> None:
        """Ask for messages, until there is a new one or there are none for this consumer.

        Raises:
            KalamError: No answer, or a refusal. Nothing is lost: the next call brings what this one should have.
        """
        if self._again_at is not None:
            self._read_again(self._again_at)
            if self.is_ready:
                return
        last, first = -1, self._ask_once()
        # What came has been here before, and what comes next lies behind it; else the caller may ask again.
        while not self._waiting and first is not None and first > last:
            last, first = first, self._ask_once()

    def missing(self) -> int | None:
        """The first message that exists and has not come here, whoever has it; None when there is none."""
        messages = self._source.peek(self.number, self._handed_out.frontier, 1).messages
        return messages[0].offset if messages and not self._has(messages[0].offset) else None

    def is_held_elsewhere(self, offset: int) -> bool:
        """Whether a message that was missing has neither come here nor been acknowledged."""
        return not self._has(offset) and offset >= self._learn_committed()

    def begins_anew(self) -> bool:
        """Whether the log ends before what came from it: then it is another one, and is read from its beginning."""
        if self._source.end_offset(self.number) >= self._handed_out.end:
            return False
        self._begin(0)
        return True

    def commit(self, upto: int | None = None) -> None:
        """Acknowledge what was handed out, up to the first message that is missing.

        Args:
            upto: Not more than up to this offset, that one included.

        Raises:
            TopicError: The topic was made anew since; nothing is acknowledged.
            KalamError: No answer, or a refusal; may be tried again.
        """
        while self._handed_out.beyond and not self._has(self._handed_out.frontier) and self._close_gap():
            pass
        target = self._handed_out.frontier if upto is None else min(self._handed_out.frontier, upto + 1)
        if target > self._committed:
            # Where nothing comes, these may be offsets of a log that is no more, and of messages still to come.
            if self._was_empty and self.begins_anew():
                raise TopicError(
                    "The topic was made anew; nothing was acknowledged. Its messages come from the first on."
                )
            self._source.ack(self.number, target - 1)
            self._committed = target
            self.acknowledged = target - 1

    def _has(self, offset: int) -> bool:
        if offset < self.start:
            return offset < self._acknowledged_below or offset in self._early or offset in self._waiting
        return offset in self._handed_out or offset in self._waiting

    def _ask_once(self) -> int | None:
        """Ask, and keep what is new; the first offset of what came, None when nothing did."""
        self._lost_answers += 1
        try:
            # A server that was started again knows only what was acknowledged. "latest" would be another place then.
            consumed = self._source.consume(self.number, self.start, self._limit)
        except KalamError as exc:
            if _did_nothing(exc):
                self._lost_answers -= 1
            raise
        self._keep(consumed.messages)
        self._lost_answers -= 1
        self._was_empty = not consumed.messages
        first = min((message.offset for message in consumed.messages), default=None)
        if self._lost_answers:
            self._recover(first)
        return first

    def _read_again(self, at: int) -> None:
        found = self._source.peek(self.number, at, self._limit).messages
        self._again = [message for message in found if message.offset < self.end]
        self._again_at = self._again[-1].offset + 1 if self._again else None

    def _keep(self, messages: Sequence[TopicMessage]) -> None:
        """Keep the messages of an answer that have not come before."""
        again = [message for message in messages if self._has(message.offset)]
        if self._newest_ms is not None and any(message.timestamp_ms > self._newest_ms for message in again):
            self._begin(messages[0].offset)
        is_first = self._newest_ms is None
        self._add(message for message in messages if not self._has(message.offset))
        if messages and (is_first or messages[0].offset < self._handed_out.end):
            # Given again, as those of another consumer may be that has acknowledged some of them.
            first = self._learn_committed()
            self._waiting = {offset: message for offset, message in self._waiting.items() if offset >= first}

    def _add(self, messages: Iterable[TopicMessage]) -> None:
        for message in messages:
            self._waiting[message.offset] = message
            self._newest_ms = max(self._newest_ms or 0, message.timestamp_ms)
            self._missing = None

    def _recover(self, behind: int | None) -> None:
        """Read what lost answers may have held: all behind the last message that came before.

        Args:
            behind: The offset with which the first answer since then begins; None if it is empty.
        """
        at, is_more = self._handed_out.end, True
        while is_more and (behind is None or at < behind):
            found = self._source.peek(self.number, at, self._limit).messages
            missed = [message for message in found if behind is None or message.offset < behind]
            self._add(message for message in missed if not self._has(message.offset))
            is_more = len(missed) == self._limit
            at = missed[-1].offset + 1 if missed else at
        self._lost_answers = 0

    def _learn_committed(self) -> int:
        """Ask for the first offset that the group has not acknowledged; 0 when it has not acknowledged anything."""
        offset = self._source.next_offset(self.number, 0)
        if offset > self._committed:
            self._committed = offset
            self.acknowledged = offset - 1
            self._handed_out = self._handed_out.filled_to(offset)
        return offset

    def _close_gap(self) -> bool:
        """Whether the first missing message need not come any more: it is acknowledged, or does not exist."""
        missing = self._handed_out.frontier
        filled = self._learn_committed()
        if filled <= missing:
            if missing == self._missing:
                return False
            found = self._source.peek(self.number, missing, 1).messages
            filled = found[0].offset if found else self._handed_out.end
        if filled <= missing:
            self._missing = missing
            return False
        self._handed_out = self._handed_out.filled_to(min(filled, self._handed_out.end))
        return True


def _beyond_the_end(number: int, offset: int, end: int, *, is_start: bool) -> str:
    if is_start:
        return f"start={offset} is beyond the end of partition {number}, {end}. Use 'latest' for messages to come."
    return (
        f"The group has acknowledged offset {offset - 1} of partition {number}, which ends at {end}: messages up to "
        "there would never come.\n"
        "The topic was made anew since, or an offset too many was acknowledged. Use another group_id."
    )


def _did_nothing(error: KalamError) -> bool:
    """Whether the server carried nothing out for sure."""
    if isinstance(error, ServerError):
        return error.status < 500
    return isinstance(error, (AuthError, ConnectError))
