"""The newest messages of a topic, in place of a ``Follower``: what ``live_topic`` shows.

They are read beside all groups: nobody's messages are taken, and nothing is acknowledged. The server tells nobody of a
message, so it is asked where the log ends, which reads nothing of it, and then for what lies behind the last message.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import orjson
import pyarrow as pa

from kalam_notebook.errors import KalamError, TransportError
from kalam_notebook.live_queries.following.plan import Form
from kalam_notebook.live_queries.following.refreshed import Refreshed
from kalam_notebook.live_queries.rows.fingerprint import Proof
from kalam_notebook.live_queries.rows.result_store import ResultStore
from kalam_notebook.sql.hidden import HIDDEN_COLUMNS
from kalam_notebook.texts import first_line
from kalam_notebook.wire.topics import Consumed, TopicMessage

__all__ = ["TopicLog", "TopicTail"]

#: Seconds between two questions: while messages come, and at most where none do.
_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 1.0

#: Messages of one answer.
_BATCH = 500

_KEY = ("partition", "offset")
_SCHEMA = pa.schema(
    [
        pa.field("partition", pa.int32()),
        pa.field("offset", pa.int64()),
        pa.field("time", pa.timestamp("ms", tz="UTC")),
        pa.field("op", pa.string()),
        pa.field("table", pa.string()),
        pa.field("user", pa.string()),
        pa.field("row", pa.string()),
    ]
)


class TopicLog(Protocol):
    """What is needed of a server: ``topics.endpoint.TopicEndpoint``, or a script in tests."""

    topic_id: str

    def end_offset(self, partition_id: int) -> int:
        """The offset that the next message gets."""
        ...

    def peek(self, partition_id: int, offset: int, limit: int) -> Consumed:
        """Read messages from an offset on, whoever has them."""
        ...


class TopicTail(Refreshed):
    """The newest messages of a topic, and the thread that asks for more.

    Args:
        log: The topic on its server.
        partitions: How many partitions it has.
        max_rows: Messages that are kept, the newest.
    """

    form = Form.DIRECT
    key = _KEY
    forked = "This live table belongs to the process that forked this one. Call live_topic here."

    def __init__(self, log: TopicLog, *, partitions: int, max_rows: int) -> None:
        super().__init__("kalam-live-topic")
        self._log = log
        self._max_rows = max_rows
        self._fault = ""
        self._messages: list[TopicMessage] = []
        self._next = dict.fromkeys(range(partitions), 0)
        self._rows: ResultStore | None = None

    def begin(self) -> None:
        """Read the newest messages, and go on with those that come.

        Raises:
            KalamError: The topic cannot be read.
        """
        self._read()
        self._rows = ResultStore((), key=_KEY, rows=_table(self._messages), at=time.time())
        super().begin()

    # What anybody may ask.

    @property
    def rows(self) -> ResultStore | None:
        """The rows; None before they have been read."""
        return self._rows

    @property
    def table_name(self) -> str:
        """The topic, for people."""
        return self._log.topic_id

    @property
    def _progress(self) -> str:
        return f"trying again: {self._fault}" if self._fault else "live"

    @property
    def notices(self) -> tuple[str, ...]:
        """What the rows may not show rightly, in sentences."""
        if self.num_rows < self._max_rows:
            return ()
        return (f"The newest {self._max_rows:,} messages are kept; max_rows keeps more.",)

    def verify(self, *, timeout: float, reread: bool = False) -> Proof:
        """Say that nothing is proved: a topic has no aggregate to compare with."""
        return self._unproved("messages of a topic are shown as they came, each with its offset")

    def retry(self) -> None:
        """Ask now."""
        self._awake()

    # The thread.

    def _work(self) -> None:
        pause = _PAUSE_S
        while not self.is_over:
            self._wake.wait(pause)
            self._wake.clear()
            if self._is_paused or self.is_over:
                continue
            came = self._ask()
            pause = _PAUSE_S if came else min(2 * pause, _LONGEST_PAUSE_S)

    def _ask(self) -> bool:
        """Ask once, and show what came; tell whether something did."""
        before = self._fault
        try:
            came = self._read()
            self._fault = ""
        except TransportError as exc:
            came = False
            self._fault = first_line(exc)
        except KalamError as exc:
            self._end(exc)
            return False
        if came:
            with self._lock:
                if not self.is_over and self._rows is not None:
                    self._counters.add_changes(self._rows.load(_table(self._messages), at=time.time()))
        if came or before != self._fault:
            self.bell.ring()
        return came

    def _read(self) -> bool:
        """Take what the log has beyond the last messages; tell whether anything changed."""
        came: list[TopicMessage] = []
        for number in self._next:
            end = self._log.end_offset(number)
            if end < self._next[number]:  # The topic was made anew.
                self._messages = [message for message in self._messages if message.partition_id != number]
                self._next[number] = max(0, end - self._max_rows)
            # A burst that nobody could read is passed over: no more than so many are kept.
            self._next[number] = max(self._next[number], end - self._max_rows)
            while self._next[number] < end:
                found = self._log.peek(number, self._next[number], min(_BATCH, self._max_rows)).messages
                came += found
                self._next[number] = found[-1].offset + 1 if found else end

        if came:
            messages = sorted([*self._messages, *came], key=_moment)
            self._messages = messages[-self._max_rows :]
        return bool(came)


def _moment(message: TopicMessage) -> tuple[int, int, int]:
    return message.timestamp_ms, message.partition_id, message.offset


def _table(messages: Sequence[TopicMessage]) -> pa.Table:
    """A row for each message; the changed row is the text of its JSON object."""
    columns = [
        [one.partition_id for one in messages],
        [one.offset for one in messages],
        [one.timestamp_ms for one in messages],
        [one.op for one in messages],
        [one.table for one in messages],
        [one.user for one in messages],
        [orjson.dumps(_shown(one)).decode() for one in messages],
    ]
    return pa.Table.from_arrays(
        [pa.array(cells, field.type) for cells, field in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA
    )


def _shown(message: TopicMessage) -> dict[str, object]:
    """The row without the server's own columns, in one order: members come in any."""
    return {name: cell for name, cell in sorted(message.row.items()) if name not in HIDDEN_COLUMNS}
