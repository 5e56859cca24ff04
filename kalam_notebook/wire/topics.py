"""What travels when a topic is consumed: requests, messages, and the rows in them.

Source: protocol/http.md#topics. Called by ``topics.endpoint`` and the consumer.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
import pyarrow as pa

from kalam_notebook.errors import ConfigError, ProtocolError, ResultError
from kalam_notebook.wire.answered import shortened, whole_number
from kalam_notebook.wire.decode import decode_columns
from kalam_notebook.wire.types import Column

__all__ = [
    "Consumed",
    "Start",
    "TopicMessage",
    "ack_body",
    "check_start",
    "check_topic",
    "consume_body",
    "decode_messages",
    "parse_consumed",
    "unsigned_decimals",
]

#: Where a group begins that has not acknowledged anything: the oldest message, those to come, or an offset.
Start = Literal["earliest", "latest"] | int

#: The year 10000, which no time reaches.
_END_OF_TIME_MS = 253_402_300_800_000

#: Members of a payload that are no columns.
_OF_THE_TOPIC = ("_table", "_commit_seq")


@dataclass(frozen=True, slots=True)
class TopicMessage:
    """One change of a row, as a topic tells it.

    Attributes:
        topic_id: The topic, ``namespace.topic``.
        partition_id: The partition; the messages of one key are all in one.
        offset: Number of the message in its partition, from 0.
        op: ``Insert``, ``Update`` or ``Delete``.
        key: The row's primary key as text; None where the table has none.
        user: Whose row it is; None for SHARED tables.
        timestamp_ms: When it was published, in milliseconds since 1970.
        payload: JSON text: the whole row after the change, before it for a delete.
    """

    topic_id: str
    partition_id: int
    offset: int
    op: str
    key: str | None = field(repr=False)
    user: str | None
    timestamp_ms: int
    payload: bytes = field(repr=False)

    @property
    def time(self) -> dt.datetime:
        """When it was published, in UTC."""
        return dt.datetime.fromtimestamp(self.timestamp_ms / 1000, dt.UTC)

    @property
    def table(self) -> str | None:
        """The table, ``namespace.table``; None when the topic's source sends rows without it (``payload = 'key'``)."""
        named = self._members().get("_table")
        return str(named).replace(":", ".", 1) if named else None

    @property
    def row(self) -> dict[str, Any]:
        """The row as the JSON parser made it: BIGINT and DECIMAL are text, times are integers.

        ``Consumer.arrow`` makes exact types of it.
        """
        return {name: cell for name, cell in self._members().items() if name not in _OF_THE_TOPIC}

    def _members(self) -> dict[str, Any]:
        try:
            members = orjson.loads(self.payload)
        except orjson.JSONDecodeError:
            members = None
        if not isinstance(members, dict):
            raise ProtocolError(
                f"Message {self.offset} of {self.topic_id} is not a row in JSON; its payload has it raw."
            )
        return members


@dataclass(frozen=True, slots=True)
class Consumed:
    """The answer to one request.

    Attributes:
        messages: Messages in order of their offsets.
        next_offset: Where the group goes on: behind the last message; without one behind what it has acknowledged, or
            where it starts.
    """

    messages: tuple[TopicMessage, ...]
    next_offset: int


def check_start(start: object) -> Start:
    """See that a start is one.

    Raises:
        ConfigError: It is something else.
    """
    if start == "earliest" or start == "latest":
        return start
    if isinstance(start, int) and not isinstance(start, bool) and 0 <= start < 2**63:
        return start
    raise ConfigError(f"start is 'earliest', 'latest' or an offset from 0 on, not {start!r}.")


def check_topic(topic: str, namespace: str | None) -> str:
    """The full name of a topic.

    Args:
        topic: ``namespace.topic``, or ``topic`` alone.
        namespace: For one that stands alone.

    Raises:
        ConfigError: The name has no namespace, or is none.
    """
    named = topic if namespace is None or "." in str(topic) else f"{namespace}.{topic}"
    if not isinstance(topic, str) or named.count(".") != 1 or not all(named.split(".")):
        raise ConfigError(f"{topic!r} does not name a topic. Write namespace.topic, for example 'app.events'.")
    return named


def consume_body(topic_id: str, group_id: str, partition_id: int, *, start: Start, limit: int) -> bytes:
    """The body of ``POST /v1/api/topics/consume``. ``timeout_seconds`` is left out: the server answers at once."""
    begin = {"Offset": start} if isinstance(start, int) else start.title()
    return orjson.dumps(
        {"topic_id": topic_id, "group_id": group_id, "partition_id": partition_id, "start": begin, "limit": limit}
    )


def ack_body(topic_id: str, group_id: str, partition_id: int, upto_offset: int) -> bytes:
    """The body of ``POST /v1/api/topics/ack``."""
    return orjson.dumps(
        {"topic_id": topic_id, "group_id": group_id, "partition_id": partition_id, "upto_offset": upto_offset}
    )


def parse_consumed(content: bytes) -> Consumed:
    """Read the answer to ``consume``.

    Raises:
        ProtocolError: It has another form.
    """
    try:
        raw = orjson.loads(content)
        messages = tuple(_message(one) for one in raw["messages"])
        next_offset = _offset(raw["next_offset"])
    except (orjson.JSONDecodeError, binascii.Error, KeyError, TypeError, ValueError, ProtocolError):
        raise ProtocolError(f"The answer is not that of a topic; it begins with {shortened(content)!r}.") from None
    offsets = [message.offset for message in messages]
    if offsets != sorted(set(offsets)):
        raise ProtocolError("The messages of the topic came in another order than that of their offsets.")
    return Consumed(messages, next_offset)


def _message(raw: Mapping[str, Any]) -> TopicMessage:
    return TopicMessage(
        topic_id=str(raw["topic_id"]),
        partition_id=_bounded(whole_number(raw["partition_id"]), 2**31),
        offset=_offset(raw["offset"]),
        op=str(raw["op"]).title(),
        key=None if raw.get("key") is None else str(raw["key"]),
        user=None if raw.get("user") is None else str(raw["user"]),
        timestamp_ms=_bounded(whole_number(raw["timestamp_ms"]), _END_OF_TIME_MS),
        payload=base64.b64decode(raw["payload"], validate=True),
    )


def _offset(value: object) -> int:
    return _bounded(whole_number(value), 2**63)


def _bounded(number: int, behind: int) -> int:
    if not 0 <= number < behind:
        raise ValueError(f"{number} is beyond what it can be")
    return number


def decode_messages(messages: Sequence[TopicMessage], columns: Sequence[Column]) -> pa.Table:
    """Convert the rows of messages into Arrow, with exact types.

    Args:
        messages: Messages of one table.
        columns: The table's columns.

    Returns:
        A table with ``_partition``, ``_offset``, ``_op`` and ``_time`` before the columns, one row for each message. A
        column that a message does not have is NULL.

    Raises:
        DecodeError: A cell does not fit its column.
        ResultError: A message has a column that the table has not (any more).
    """
    rows = [message.row for message in messages]
    unknown = {name for row in rows for name in row} - {column.name for column in columns}
    if unknown:
        raise ResultError(f"The table has no column {min(unknown)!r} any more, which a message has. Use message.row.")
    batch = decode_columns(columns, [[row.get(column.name) for row in rows] for column in columns])
    head = {
        "_partition": pa.array([message.partition_id for message in messages], pa.int32()),
        "_offset": pa.array([message.offset for message in messages], pa.int64()),
        "_op": pa.array([message.op for message in messages], pa.string()),
        "_time": pa.array([message.timestamp_ms * 1000 for message in messages], pa.timestamp("us", tz="UTC")),
    }
    fields = [pa.field(name, array.type) for name, array in head.items()]
    return pa.Table.from_arrays([*head.values(), *batch.columns], schema=pa.schema([*fields, *batch.schema]))


def unsigned_decimals(table: pa.Table, columns: Sequence[Column]) -> list[str]:
    """The DECIMAL columns that hold a value below 1: the server sends those between -1 and 0 without their sign."""
    names = [column.name for column in columns if column.type_name == "Decimal"]
    return [name for name in names if any(value and 0 < value < 1 for value in table.column(name).to_pylist())]
