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
        committed: The first offset that the group has not acknowledged, as far as is known here.

    Raises:
        KalamError: No answer, or a refusal.
    """

    def __init__(self, source: Source, number: int, start: Start, limit: int) -> None:
        self.number = number
        self._source = source
        self._limit = limit
        # Requests whose answer never came: they may have taken messages.
        self._lost_answers = 0
        self._begin(source.next_offset(number, start))

    def _begin(self, offset: int) -> None:
        self._start = self.committed = offset
        self._received, self._handed_out = Offsets(offset), Offsets(offset)
        self._waiting: dict[int, TopicMessage] = {}
        self._newest_ms: int | None = None
        # A missing message that was known to exist before the newest ones came.
        self._missing: int | None = None

    @property
    def is_ahead(self) -> bool:
        """Whether the group stands behind the end of the log, so that messages still to come never come to it."""
        return self.committed > self._source.end_offset(self.number)

    @property
    def held_back(self) -> int:
        """Messages that were handed out and cannot be acknowledged, because one before them is missing."""
        return self._handed_out.beyond

    def fetch(self) -> list[TopicMessage]:
        """Return the messages that are new here, in order; none when there are none for this consumer.

        Raises:
            KalamError: No answer, or a refusal. Nothing is lost: the next call returns what this one should have.
        """
        while self._ask() and not self._waiting:
            pass  # What came has been here before.
        found = [self._waiting[offset] for offset in sorted(self._waiting)]
        for message in found:
            self._received.add(message.offset)
            self._newest_ms = max(self._newest_ms or 0, message.timestamp_ms)
            self._missing = None
        self._waiting = {}
        return found

    def missing(self) -> int | None:
        """The first message that exists and has not come here, whoever has it; None when there is none."""
        messages = self._source.peek(self.number, self._received.frontier, 1).messages
        return messages[0].offset if messages and messages[0].offset not in self._received else None

    def is_held_elsewhere(self, offset: int) -> bool:
        """Whether a message that was missing has neither come here nor been acknowledged."""
        if offset in self._received:
            return False
        self.committed = self._source.next_offset(self.number, self.committed)
        return offset >= self.committed

    def hand_out(self, message: TopicMessage) -> None:
        """Remember that the reader has a message, which may be acknowledged from now on."""
        self._handed_out.add(message.offset)

    def commit(self, upto: int | None = None) -> None:
        """Acknowledge what was handed out, up to the first message that is missing.

        Args:
            upto: Not more than up to this offset, that one included.

        Raises:
            KalamError: No answer, or a refusal; may be tried again.
        """
        while self._handed_out.beyond and self._handed_out.frontier not in self._received and self._close_gap():
            pass
        target = self._handed_out.frontier if upto is None else min(self._handed_out.frontier, upto + 1)
        if target > self.committed:
            self._source.ack(self.number, target - 1)
            self.committed = target

    def _ask(self) -> bool:
        """Ask once, and keep what is new; whether anything came."""
        self._lost_answers += 1
        try:
            # A server that was started again knows only what was acknowledged. "latest" would be another place then.
            consumed = self._source.consume(self.number, self._start, self._limit)
        except KalamError as exc:
            if _did_nothing(exc):
                self._lost_answers -= 1
            raise
        self._take(consumed)
        self._lost_answers -= 1
        if self._lost_answers:
            self._recover()
        return bool(consumed.messages)

    def _take(self, consumed: Consumed) -> None:
        """Keep the messages of an answer that have not come before."""
        again = [one for one in consumed.messages if one.offset in self._received]
        if self._newest_ms is not None and any(one.timestamp_ms > self._newest_ms for one in again):
            self._begin(consumed.messages[0].offset)
        self._waiting |= {one.offset: one for one in consumed.messages if one.offset not in self._received}

    def _recover(self) -> None:
        """Read what lost answers may have held: so many messages behind the last that came, up to what came now."""
        at = self._received.end
        behind = min((offset for offset in self._waiting if offset >= at), default=None)
        room = self._lost_answers * self._limit
        while room > 0 and (behind is None or at < behind):
            wanted = min(room, self._limit)
            found = self._source.peek(self.number, at, wanted).messages
            missed = [message for message in found if behind is None or message.offset < behind]
            self._waiting |= {message.offset: message for message in missed}
            if len(missed) < wanted:
                break
            at = missed[-1].offset + 1
            room -= wanted
        self._lost_answers = 0

    def _close_gap(self) -> bool:
        """Whether the first missing message need not come any more: it is acknowledged, or does not exist."""
        missing = self._handed_out.frontier
        self.committed = self._source.next_offset(self.number, self.committed)
        filled = self.committed
        if filled <= missing:
            if missing == self._missing:
                return False
            found = self._source.peek(self.number, missing, 1).messages
            filled = found[0].offset if found else self._handed_out.end
        if filled <= missing:
            self._missing = missing
            return False
        for offsets in (self._received, self._handed_out):
            offsets.fill_to(min(filled, self._handed_out.end))
        return True


def _did_nothing(error: KalamError) -> bool:
    """Whether the server carried nothing out for sure."""
    if isinstance(error, ServerError):
        return error.status < 500
    return isinstance(error, (AuthError, ConnectError))
