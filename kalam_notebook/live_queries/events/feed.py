"""The events of one live query on their way from the socket's thread to whoever reads them.

They wait in a bounded queue. When it is full the stream ends with an error, or nothing more is read from the connection
until there is room; both are told. The connection belongs to this live query alone: rows that are read, and reading
that pauses, would cost the other live queries events (protocol/live.md#loss).
"""

from __future__ import annotations

import time
from collections import deque

from kalam_notebook.errors import KalamError, LiveError, SlowConsumerError
from kalam_notebook.live_queries.connection.cursor import StreamCursor
from kalam_notebook.live_queries.connection.failures import subscription_error
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.connection.states import (
    Event,
    Refused,
    State,
    Status,
    StatusChanged,
    Stopped,
)
from kalam_notebook.live_queries.connection.waiting import Sleepers
from kalam_notebook.live_queries.events import notices
from kalam_notebook.live_queries.events.messages import (
    Delete,
    EventStats,
    InitialBatch,
    Insert,
    LiveEvent,
    OnFull,
    Update,
)
from kalam_notebook.live_queries.events.streaming import EventStream
from kalam_notebook.live_queries.lifetime import Lifetime
from kalam_notebook.wire.live import MAX_MESSAGE_BYTES, SubscribeOptions

__all__ = ["EventFeed"]

#: Bytes of messages, unpacked, whose events may wait: what a socket may bring in one message.
_MAX_WAITING_BYTES = MAX_MESSAGE_BYTES


class EventFeed(Lifetime):
    """A bounded queue of events, filled by the socket's thread and emptied by any other.

    Args:
        stream: Makes the events.
        socket: A connection that nobody else uses; it is closed at the end.
        options: Which rows are asked for; None for changes only.
        max_queue: Events that may wait, if their messages have no more than 64 MB.
        on_full: What happens when more come.

    Attributes:
        is_closed: Whether the reader wants nothing more.
    """

    forked = "These live events belong to the process that forked this one. Begin new ones here."

    def __init__(
        self,
        stream: EventStream,
        *,
        socket: LiveSocket,
        options: SubscribeOptions | None,
        max_queue: int,
        on_full: OnFull,
    ) -> None:
        super().__init__()
        self.is_closed = False
        self._received = self._delivered = self._num_bytes = 0
        self._stream = stream
        self._socket = socket
        self._options = options
        self._max_queue = max_queue
        self._on_full = on_full
        self._key = 0
        self._connection = Status(State.IDLE)
        # What waits would be delivered before an error; what was delivered is where a reader may begin again.
        self._waiting_cursor = StreamCursor(options)
        self._taken_cursor = StreamCursor(options)
        self._events: deque[tuple[LiveEvent, int]] = deque()
        self._waiting_bytes = 0
        self._held_since: float | None = None
        self._sleepers = Sleepers()

    def start(self, sql: str, *, timeout: float) -> None:
        """Subscribe, and wait for the acknowledgement.

        Raises:
            ConnectError: There was none in time.
            KalamError: The query was refused.
        """
        self._key = self._socket.subscribe(sql, self.hear, StreamCursor(self._options))
        if not self.wait(time.monotonic() + timeout):
            raise self._socket.late(timeout)
        if not self._events:
            self.raise_if_over()

    def close(self) -> None:
        """End it; what waits is forgotten. May be called twice, and from any thread."""
        if self.is_forked:
            return
        with self._lock:
            self.is_closed = True
            self._end(None)
        self._socket.close()

    # What the socket's thread tells.

    def hear(self, event: Event, size: int) -> None:
        """Take what happened to the live query."""
        with self._lock:
            if self.is_over:
                return
            match event:
                case Refused():
                    self._end(subscription_error(event))
                case Stopped():
                    self._end(event.error or LiveError("The connection of this client was closed."))
                case _:
                    if isinstance(event, StatusChanged):
                        self._connection = event.status
                    self._num_bytes += size
                    # A frame may hold a thousand times as much as it has bytes.
                    unpacked = self._socket.message_bytes if size else 0
                    for item in self._stream.take(event):
                        self._put(item, unpacked)
                        unpacked = 0

    def _put(self, event: LiveEvent, size: int) -> None:
        if self.is_over:
            return

        self._received += 1
        if self._is_full() and self._on_full == "error":
            waiting, cursor = len(self._events), self._waiting_cursor
            self._end(SlowConsumerError(self._received, waiting, cursor.seq, self._waiting_bytes))
            return

        self._events.append((event, size))
        self._waiting_bytes += size
        _note(self._waiting_cursor, event)

        if self._is_full() and self._on_full == "block" and self._held_since is None:
            self._held_since = time.monotonic()
            self._socket.gate.shut()
        self.bell.ring()
        self._sleepers.wake()

    def _is_full(self) -> bool:
        return len(self._events) >= self._max_queue or self._waiting_bytes >= _MAX_WAITING_BYTES

    def _end(self, error: KalamError | None, why: str = "closed") -> bool:
        is_first = super()._end(error, why)
        if is_first and error is not None:
            self._socket.close()
        self._sleepers.wake()
        return is_first

    # What the reader does.

    def take(self) -> LiveEvent | None:
        """Return the next event, or None when none waits.

        Raises:
            LiveError: This is a forked child of the process that made it.
        """
        self._check_process()
        with self._lock:
            if self.is_closed or not self._events:
                return None
            event, size = self._events.popleft()
            self._waiting_bytes -= size
            self._delivered += 1
            _note(self._taken_cursor, event)
            self._let_go_on()
        if isinstance(event, InitialBatch) and event.has_more:
            self._socket.next_batch(self._key, event.subscription_id)
        return event

    def _let_go_on(self) -> None:
        """Have reading go on when the queue is half empty."""
        is_crowded = len(self._events) > self._max_queue // 2 or self._waiting_bytes > _MAX_WAITING_BYTES // 2
        if self._held_since is None or is_crowded:
            return

        seconds = time.monotonic() - self._held_since
        self._held_since = None
        self._received += 1
        self._events.append((notices.reading_held_up(seconds), 0))
        self._socket.gate.open()

    def wait(self, deadline: float | None = None) -> bool:
        """Wait until there is something to take or nothing will come; False at the deadline on the monotonic clock."""
        while True:
            seen = self.bell.count
            if self._events or self.is_over:
                return True
            if self.bell.wait_beyond(seen, deadline) == seen:
                return False

    async def sleep(self) -> None:
        """Wait in the same way without holding up the event loop; may return early."""
        with self._lock:
            if self._events or self.is_over:
                return
            future = self._sleepers.add()
        await future

    def raise_if_over(self) -> None:
        """Raise why it ended, if it ended otherwise than by being closed.

        Raises:
            KalamError: The reason.
        """
        if self.error is not None:
            raise self.error

    # What anybody may ask.

    def stats(self) -> EventStats:
        """Return the counters at one point in time."""
        with self._lock:
            lost = int(isinstance(self.error, SlowConsumerError))
            reconnects = max(0, self._stream.reconnects)
            return EventStats(self._received, self._delivered, len(self._events), lost, reconnects, self._num_bytes)

    @property
    def last_seq(self) -> int | None:
        """Where to begin again behind what was taken; None before the last batch of rows was."""
        return self._taken_cursor.seq

    @property
    def status(self) -> str:
        """Where it is, for people."""
        if self.is_over:
            return self._stopped
        if self._held_since is not None:
            return "held up: the queue is full"
        if self._connection.state is State.OPEN:
            return "live" if self._stream.is_following else "catching up"
        return self._connection.text(time.monotonic())


def _note(cursor: StreamCursor, event: LiveEvent) -> None:
    if isinstance(event, InitialBatch):
        cursor.take(event.seq, is_loading=event.has_more)
    elif isinstance(event, Insert | Update | Delete):
        cursor.take(event.seq)
