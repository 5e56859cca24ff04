"""``Consumer``: what ``kalam.consumer()`` returns, the messages of a topic as one member of a group gets them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from kalam_notebook.callers import short_failures, told_when_interrupted, warn_caller
from kalam_notebook.errors import ConfigError, TopicError, TransportError
from kalam_notebook.results.frames import to_pandas
from kalam_notebook.threads import Flag
from kalam_notebook.topics.marks import AutoCommit, Marks
from kalam_notebook.topics.partition import PartitionSource, TopicPartition
from kalam_notebook.topics.watch import TopicWarning, TopicWatch
from kalam_notebook.wire.arguments import check_number, check_text
from kalam_notebook.wire.fileref import FileHost
from kalam_notebook.wire.topics import Start, TopicMessage, decode_messages, unsigned_decimals
from kalam_notebook.wire.types import Column

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CommitResult", "Consumer", "TopicSource", "partitions_of"]

#: Seconds between two questions while nothing comes: the first pause, and the longest.
_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 0.5
#: How long ``for`` asks on while the server cannot be reached.
_PATIENCE_S = 30.0


class TopicSource(PartitionSource, Protocol):
    """What a consumer needs of a client; may block and raise ``KalamError``."""

    topic_id: str
    group_id: str

    def count_partitions(self) -> int | None:
        """How many partitions the topic has; None when this user may not ask, 0 when there is no such topic."""
        ...


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What ``commit_sync`` did.

    Attributes:
        acknowledged_offsets: For each partition the last offset that the group has acknowledged, as far as this
            consumer did it or came to know; none where that is nothing.
        held_back: Messages that were returned and cannot be acknowledged yet, because another consumer of the group has
            one before them. Acknowledging them would acknowledge that one too.
    """

    acknowledged_offsets: dict[int, int]
    held_back: int


@short_failures
class Consumer:
    """The messages of a topic, each once and in the order of its partition.

    Made by ``kalam.consumer(topic, group_id=...)``. The server shares the messages out among the consumers of a group.
    Nothing is acknowledged unless ``commit_sync`` is called or ``auto_commit`` is wanted: what is not acknowledged
    within the server's visibility time-out (60 s by default) is given out again, to this consumer unseen and to any
    other as new. All methods may be called from any thread.

    Args:
        source: The client's side of the topic.
        start: Where the group begins if it has not acknowledged anything: ``earliest``, ``latest`` or an offset.
        partitions: How many partitions the topic has.
        max_poll_records: Messages of one partition that are asked for at a time.
        auto_commit: Whether what was returned is acknowledged when the next messages are asked for, every 5 s at most,
            and when the block of ``with`` ends without an error.
        columns_of: Tells the columns of a table, for ``arrow`` and ``df``.
        host: What fetches the files of FILE cells.
    """

    def __init__(
        self,
        source: TopicSource,
        *,
        start: Start,
        partitions: int,
        max_poll_records: int,
        columns_of: Callable[[str], tuple[Column, ...]],
        auto_commit: bool = False,
        host: FileHost | None = None,
    ) -> None:
        self._source = source
        self._columns_of = columns_of
        self._host = host
        self._lock = threading.RLock()
        self._closed = Flag()
        self._watch = TopicWatch(source.topic_id, source.group_id)
        self._partitions = [TopicPartition(source, number, start, max_poll_records) for number in range(partitions)]
        # While nothing is marked, all that was returned counts as processed.
        self._marks = Marks()
        self._auto_commit = AutoCommit(self.commit_sync if auto_commit else None, self._marks)

    def __repr__(self) -> str:
        return f"<Consumer {self.topic_id}, group {self.group_id}{', closed' if self._closed.is_set() else ''}>"

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            self._auto_commit.in_the_end(exc_info[0])
        finally:
            self.close()

    async def __aenter__(self) -> Consumer:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        try:
            await asyncio.to_thread(self._auto_commit.in_the_end, exc_info[0])
        finally:
            self.close()

    @property
    def topic_id(self) -> str:
        """The topic, ``namespace.topic``."""
        return self._source.topic_id

    @property
    def group_id(self) -> str:
        """The consumer group."""
        return self._source.group_id

    def poll(self, timeout: float | None = 1.0) -> list[TopicMessage]:
        """Wait for messages and return those that have come.

        Args:
            timeout: Seconds to wait for the first one, 0 to ask once, None for ever.

        Returns:
            New messages; empty when none came in time.

        Warns:
            TopicWarning: Nothing comes because another consumer of the group has messages that it did not acknowledge.

        Raises:
            TopicError: The consumer is closed.
            TransportError: The server cannot be reached until the time is over. Messages of an answer that was lost on
                its way come with the next call.
            KalamError: The server refuses.
        """
        self._auto_commit.when_due()
        self._wait(timeout)
        found = self._take()
        if not found and self._closed.is_set():
            raise TopicError(f"The consumer of {self.topic_id} is closed. Make a new one: kalam.consumer(...).")
        return found

    def __iter__(self) -> Consumer:
        return self

    def __next__(self) -> TopicMessage:
        self._auto_commit.when_due()
        while not self._closed.is_set():
            self._wait(None)
            if found := self._take(1):
                return found[0]
        raise StopIteration

    def __aiter__(self) -> Consumer:
        return self

    async def __anext__(self) -> TopicMessage:
        if self._auto_commit.is_due:
            await asyncio.to_thread(self._auto_commit.when_due)
        while not self._closed.is_set():
            asking = self._asking(None)
            while (pause := await asyncio.to_thread(next, asking, None)) is not None:  # noqa: ASYNC110 - it asks.
                await asyncio.sleep(pause)
            # Nothing can be cancelled before the message is returned, so none gets lost.
            if found := self._take(1):
                return found[0]
        raise StopAsyncIteration

    def commit_sync(self, message: TopicMessage | None = None) -> CommitResult:
        """Acknowledge the messages that were returned so far, so that the group does not get them again.

        Never more than that: the server takes an offset for all before it, so this stops before a message that another
        consumer of the group has not acknowledged, and, once ``mark_processed`` was called, before one that is not
        marked.

        Args:
            message: Acknowledge up to this message of its partition, that one included; None for all.

        Returns:
            What the group has acknowledged, and how many messages had to be held back.

        Raises:
            ConfigError: It is no message, or one of another topic.
            TopicError: The topic was made anew since; nothing is acknowledged.
            KalamError: No answer, or a refusal. May be tried again; nothing is returned twice for it.
        """
        if message is not None:
            _check_message("commit_sync", message, self.topic_id)
        with self._lock:
            for partition in self._partitions:
                if message is not None and message.partition_id == partition.number:
                    partition.commit(message.offset)
                elif message is None and not self._marks:
                    partition.commit()
                elif message is None:
                    self._marks.commit(partition)
            known = {one.number: one.acknowledged for one in self._partitions if one.acknowledged is not None}
            return CommitResult(known, sum(partition.held_back for partition in self._partitions))

    def position(self) -> dict[int, int]:
        """Tell for each partition the offset behind the last message that was returned, or where it began."""
        with self._lock:
            return {partition.number: partition.position for partition in self._partitions}

    def seek(self, offset: int, *, partition_id: int | None = None) -> None:
        """Have the next ``poll`` return messages again, from an offset on.

        The server moves no group back, so they are read without it: also those that were acknowledged before this
        consumer began, and those that others of the group have. Behind the last that was returned it goes on as
        before. What the group has acknowledged, and what ``commit_sync`` may acknowledge, does not change.

        Args:
            offset: From 0 on; what the server keeps no longer is left out.
            partition_id: The partition; None for all.

        Raises:
            ConfigError: An argument is not one.
            TopicError: No message from there on has been returned yet, and a group cannot skip any.
        """
        check_number("offset", offset, least=0)
        with self._lock:
            meant = [one for one in self._partitions if partition_id is None or one.number == partition_id]
            if not meant:
                raise ConfigError(f"partition_id is 0 to {len(self._partitions) - 1}, not {partition_id!r}.")
            for partition in meant:
                if offset > partition.end:
                    raise TopicError(
                        f"Partition {partition.number} stands at {partition.end}, before offset {offset}: a group "
                        f"skips none.\nA group of its own begins there: consumer(..., group_id=..., start={offset})."
                    )
            for partition in meant:
                partition.seek(offset)

    def mark_processed(self, message: TopicMessage) -> None:
        """Note that a message is done; from the first on ``commit_sync()`` acknowledges only what is marked.

        Messages may be marked in any order. One is acknowledged when all before it are marked, too.

        Args:
            message: A message that this consumer returned.

        Raises:
            ConfigError: It is no message, or one of another topic.
        """
        _check_message("mark_processed", message, self.topic_id)
        with self._lock:
            for partition in self._partitions:
                if partition.number == message.partition_id:
                    self._marks.add(partition, message.offset)

    def arrow(self, messages: Sequence[TopicMessage], *, table: str | None = None) -> pa.Table:
        """Convert the rows of messages into Arrow, with the exact types of their table.

        Args:
            messages: Messages of one table.
            table: ``namespace.table``; None takes it from the messages, which have it unless ``payload = 'key'``.

        Returns:
            ``_partition``, ``_offset``, ``_op`` and ``_time``, then the columns of the table as it is now, one row for
            each message; a column that a message does not have is NULL.

        Warns:
            TopicWarning: DECIMAL values below 1 may have lost their sign on the server.

        Raises:
            ConfigError: The messages are of several tables, of another one, or do not tell of which.
            ResultError: A message has a column that the table does not have any more.
            DecodeError: A cell does not fit its column.
            KalamError: The table's columns cannot be read.
        """
        return self._converted(messages, _table_of(messages, table))

    def _converted(self, messages: Sequence[TopicMessage], table: str | None) -> pa.Table:
        """The rows of messages of one table; of none, where there are no messages."""
        columns = () if table is None else self._columns_of(table)
        found = decode_messages(messages, columns)
        for name in unsigned_decimals(found, columns):
            text = (
                f"Values of {name} between -1 and 0 come without their sign: the server drops it in topics. Read the "
                "rows with kalam.query() to be sure."
            )
            warn_caller(text, TopicWarning)
        return found

    def df(self, messages: Sequence[TopicMessage], *, table: str | None = None) -> pd.DataFrame:
        """Convert the rows of messages into a DataFrame with the types of ``kalam.query``; otherwise as ``arrow``."""
        table = _table_of(messages, table)
        named = () if table is None else table.split(".")
        bind = (named[0], named[1]) if len(named) == 2 else None
        return to_pandas(self._converted(messages, table), bind=bind, host=self._host)

    def close(self) -> None:
        """Ask for nothing more, without acknowledging anything. May be called twice, and while others wait."""
        self._closed.set()

    def _take(self, limit: int | None = None) -> list[TopicMessage]:
        """Messages that have come: all, or those of one partition, up to a limit."""
        with self._lock:
            ready = [partition for partition in self._partitions if partition.is_ready]
            ready = ready if limit is None else ready[:1]
            states = [partition.state() for partition in ready]
            try:
                return [message for partition in ready for message in partition.take(limit)]
            except BaseException:  # An interrupt: nobody has them.
                for partition, state in zip(ready, states, strict=True):
                    partition.restore(state)
                raise

    @property
    def _is_ready(self) -> bool:
        return any(partition.is_ready for partition in self._partitions)

    def _wait(self, timeout: float | None) -> None:
        with told_when_interrupted(lambda: "No message is lost: what has come is returned by the next call."):
            for pause in self._asking(timeout):
                self._closed.wait(pause)

    def _asking(self, timeout: float | None) -> Iterator[float]:
        """Ask until there is a message, the time is over, or somebody closes the consumer.

        Yields:
            Seconds to wait before the next question.
        """
        pause, reached = _PAUSE_S, time.monotonic()
        deadline = None if timeout is None else reached + timeout
        while True:
            with self._lock:
                if self._is_ready or self._closed.is_set():
                    return
                failure = _ask_all(self._partitions, self._watch)
                if self._is_ready:
                    return

            now = time.monotonic()
            reached = reached if failure else now
            end = reached + _PATIENCE_S if deadline is None else deadline
            if end <= now:
                if failure:
                    raise failure
                return

            yield min(pause, end - now)
            pause = min(2 * pause, _LONGEST_PAUSE_S)


def _ask_all(partitions: Iterable[TopicPartition], watch: TopicWatch) -> TransportError | None:
    """Ask each partition once; why one could not be asked."""
    for partition in partitions:
        try:
            partition.ask()
            if not partition.is_ready:
                watch.look_at(partition)
        except TransportError as exc:
            return exc  # The others would not be reached either, and each would take its time.
    return None


def partitions_of(source: TopicSource, partitions: int | None) -> int:
    """How many partitions a topic has."""
    if partitions is not None:
        return check_number("partitions", partitions)
    count = source.count_partitions()
    if count is None:
        source.end_offset(0)  # Refuses whoever may not consume at all.
        raise TopicError(
            f"This user may not ask how many partitions {source.topic_id} has.\n"
            "Tell it: kalam.consumer(..., partitions=1), the number of CREATE TOPIC … PARTITIONS, 1 without that."
        )
    return count or 1  # The server says itself that there is no such topic.


def _check_message(name: str, message: object, topic_id: str) -> None:
    if not isinstance(message, TopicMessage) or message.topic_id != topic_id:
        raise ConfigError(f"{name} takes one message of {topic_id}; not {message!r}.")


def _table_of(messages: Sequence[TopicMessage], table: str | None) -> str | None:
    """The table of messages; None when there are no messages and none is named."""
    tables = {message.table for message in messages}
    if table is not None:
        check_text("table", table)
        others = tables - {None, table.replace('"', "").lower()}
        if others:
            raise ConfigError(f"Among the messages are some of {_listed(others)}. Give those of {table} alone.")
        return table
    if not messages:
        return None
    if len(tables) != 1 or None in tables:
        raise ConfigError(
            f"The messages name {_listed(tables)}. Give those of one table, and its name if they have none: "
            "table='namespace.table'."
        )
    return str(tables.pop())


def _listed(tables: Iterable[str | None]) -> str:
    return ", ".join(sorted(table for table in tables if table)) or "no table"
