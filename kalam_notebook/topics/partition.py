"""One partition of a topic as one consumer sees it: each message once and in order, and no acknowledgement too many.

The server gives a message to one consumer of a group, and gives it again when it is not acknowledged in time. It tells
nobody what it gave away, and believes every acknowledgement (HTTP reference, section 14.4). Hence these rules:

1. An answer that was lost on its way may have held messages. What lies behind the last one that came is read again
   without the group before anything newer is handed out; otherwise it would come a minute later, out of order.
2. What comes again is dropped, unless the log has begun anew: then it is newer than all that came before.
3. Acknowledging an offset acknowledges all before it. So it stops before the first message that never came here,
   unless the group has acknowledged that one or it does not exist any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from kalam_notebook.errors import AuthError, ConnectError, KalamError, ServerError
from kalam_notebook.topics.offsets import Offsets
from kalam_notebook.wire.topics import Consumed, Start, TopicMessage

__all__ = ["Partition", "Source"]


class Source(Protocol):
    """What a partition needs of a server: ``transport.topics.TopicEndpoint``, or a script in tests."""

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


class Partition:
    """A partition, from where its group stands now.

    Args:
        source: The server.
        number: Which partition.
        start: Where the group begins if it has not acknowledged anything.
        limit: Messages of one answer, at most.

    Attributes:
        number: Which partition.
        acknowledged: The last offset that the group has acknowledged, as far as this consumer did it or came to know.

    Raises:
        KalamError: No answer, or a refusal.
    """

    def __init__(self, source: Source, number: int, start: Start, limit: int) -> None:
        self.number = number
        self.acknowledged: int | None = None
        self._source = source
        self._limit = limit
        # Requests whose answer never came: they may have taken messages.
        self._lost_answers = 0
        self._begin(source.next_offset(number, start))

    def _begin(self, offset: int) -> None:
        # Where it began, and the first offset that is not acknowledged.
        self._start = self._committed = offset
        self._handed_out = Offsets(offset)
        self._waiting: dict[int, TopicMessage] = {}
        self._newest_ms: int | None = None
        # A missing message that was known to exist before the newest ones came.
        self._missing: int | None = None

    @property
    def is_ready(self) -> bool:
        """Whether there are messages to take; not while older ones may have been lost on their way."""
        return bool(self._waiting) and not self._lost_answers

    @property
    def held_back(self) -> int:
        """Messages that were handed out and cannot be acknowledged, because one before them is missing."""
        return self._handed_out.beyond

    def overshoot(self) -> int | None:
        """The offset that the group has acknowledged beyond the end of the log: what is still to come never comes."""
        return self._committed - 1 if self._committed > self._source.end_offset(self.number) else None

    def take(self, limit: int | None = None) -> list[TopicMessage]:
        """Hand messages out, in order; they may be acknowledged from now on.

        Args:
            limit: So many at most.
        """
        found = [self._waiting[offset] for offset in sorted(self._waiting)[:limit]]
        for message in found:
            self._handed_out.add(message.offset)
            del self._waiting[message.offset]
        return found

    def ask(self) -> None:
        """Ask for messages, until there is a new one or there are none for this consumer.

        Raises:
            KalamError: No answer, or a refusal. Nothing is lost: the next call brings what this one should have.
        """
        while self._ask_once() and not self._waiting:
            pass  # What came has been here before.

    def missing(self) -> int | None:
        """The first message that exists and has not come here, whoever has it; None when there is none."""
        messages = self._source.peek(self.number, self._handed_out.frontier, 1).messages
        return messages[0].offset if messages and not self._has(messages[0].offset) else None

    def is_held_elsewhere(self, offset: int) -> bool:
        """Whether a message that was missing has neither come here nor been acknowledged."""
        return not self._has(offset) and offset >= self._learn_committed()

    def commit(self, upto: int | None = None) -> None:
        """Acknowledge what was handed out, up to the first message that is missing.

        Args:
            upto: Not more than up to this offset, that one included.

        Raises:
            KalamError: No answer, or a refusal; may be tried again.
        """
        while self._handed_out.beyond and not self._has(self._handed_out.frontier) and self._close_gap():
            pass
        target = self._handed_out.frontier if upto is None else min(self._handed_out.frontier, upto + 1)
        if target > self._committed:
            self._source.ack(self.number, target - 1)
            self._committed, self.acknowledged = target, target - 1

    def _has(self, offset: int) -> bool:
        return offset in self._handed_out or offset in self._waiting

    def _ask_once(self) -> bool:
        """Ask, and keep what is new; whether anything came."""
        self._lost_answers += 1
        try:
            # A server that was started again knows only what was acknowledged. "latest" would be another place then.
            consumed = self._source.consume(self.number, self._start, self._limit)
        except KalamError as exc:
            if _did_nothing(exc):
                self._lost_answers -= 1
            raise
        self._keep(consumed.messages)
        self._lost_answers -= 1
        if self._lost_answers:
            self._recover(min((message.offset for message in consumed.messages), default=None))
        return bool(consumed.messages)

    def _keep(self, messages: Sequence[TopicMessage]) -> None:
        """Keep the messages of an answer that have not come before."""
        again = [message for message in messages if self._has(message.offset)]
        if self._newest_ms is not None and any(message.timestamp_ms > self._newest_ms for message in again):
            self._begin(messages[0].offset)
        self._add(message for message in messages if not self._has(message.offset))

    def _add(self, messages: Iterable[TopicMessage]) -> None:
        for message in messages:
            self._waiting[message.offset] = message
            self._newest_ms = max(self._newest_ms or 0, message.timestamp_ms)
            self._missing = None

    def _recover(self, behind: int | None) -> None:
        """Read what lost answers may have held: so many messages behind the last that came before.

        Args:
            behind: The offset with which the first answer since then begins; None if it is empty.
        """
        at = self._handed_out.end
        room = self._lost_answers * self._limit
        while room > 0 and (behind is None or at < behind):
            wanted = min(room, self._limit)
            found = self._source.peek(self.number, at, wanted).messages
            missed = [message for message in found if behind is None or message.offset < behind]
            self._add(missed)
            if len(missed) < wanted:
                break
            at = missed[-1].offset + 1
            room -= wanted
        self._lost_answers = 0

    def _learn_committed(self) -> int:
        """Ask for the first offset that the group has not acknowledged."""
        offset = self._source.next_offset(self.number, self._committed)
        if offset > self._committed:
            self._committed, self.acknowledged = offset, offset - 1
        return self._committed

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
        self._handed_out.fill_to(min(filled, self._handed_out.end))
        return True


def _did_nothing(error: KalamError) -> bool:
    """Whether the server carried nothing out for sure."""
    if isinstance(error, ServerError):
        return error.status < 500
    return isinstance(error, (AuthError, ConnectError))
