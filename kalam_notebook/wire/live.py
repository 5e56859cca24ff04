"""Messages of the WebSocket: incoming frames to frozen values, outgoing messages to JSON text.

Pure, and without memory: which message may come when is the work of ``connection.protocol``. Compression is a gzip
member per message in a binary frame (protocol/live.md#frames). MessagePack is never asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from kalam_notebook.errors import ProtocolError
from kalam_notebook.wire.answered import shortened
from kalam_notebook.wire.row_version import SEQ, VERSION, WRITTEN_AT, version_name
from kalam_notebook.wire.types import Column, parse_schema

__all__ = [
    "MAX_BATCH_SIZE",
    "MAX_CLIENT_MESSAGE_BYTES",
    "MAX_MESSAGE_BYTES",
    "AuthErrorMessage",
    "AuthSuccess",
    "BatchControl",
    "Change",
    "ErrorMessage",
    "InitialDataBatch",
    "Message",
    "Row",
    "SubscribeOptions",
    "SubscriptionAck",
    "Unknown",
    "greatest_seq",
    "next_batch_message",
    "parse_message",
    "row_seq",
    "subscribe_message",
    "unpack_frame",
    "unsubscribe_message",
    "written_ms",
]

#: Largest message that is read, in bytes after unpacking; a gzip member may claim to be anything.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

#: A larger frame from the client ends the connection without a word (protocol/live.md#frames).
MAX_CLIENT_MESSAGE_BYTES = 65_536

#: With 1000 or more the server ends the snapshot after 1000 rows and says ``ready`` (protocol/live.md#snapshots).
MAX_BATCH_SIZE = 999

#: Cells of one row by column name, as the JSON parser made them.
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuthSuccess:
    """``auth_success``: the socket may subscribe.

    Attributes:
        user: The user's id.
        role: The role in lower case.
    """

    user: str
    role: str


@dataclass(frozen=True, slots=True)
class AuthErrorMessage:
    """``auth_error``: the server closes the socket after it."""

    message: str


@dataclass(frozen=True, slots=True)
class BatchControl:
    """``batch_control`` of an acknowledgement or a batch.

    Attributes:
        batch_num: Number of the batch, from 0.
        has_more: Whether ``next_batch`` has to be sent.
        status: ``loading``, ``loading_batch`` or ``ready``.
        last_seq_id: Version of the batch's last row, which need not be the greatest, as it came: a number, or text from
            0.7.1 on; None when the batch is empty.
        version_domain: What versions of a SHARED table belong to, as it came; None where the server does not tell.
    """

    batch_num: int
    has_more: bool
    status: str
    last_seq_id: int | str | None
    version_domain: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionAck:
    """``subscription_ack``: the live query is registered.

    Attributes:
        subscription_id: The id that the client chose.
        batch_control: State of the snapshot; ``ready`` when none was asked for.
        columns: The columns of the query, empty when none is a plain column of the table.
    """

    subscription_id: str
    batch_control: BatchControl
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class InitialDataBatch:
    """``initial_data_batch``: rows of the snapshot."""

    subscription_id: str
    rows: tuple[Row, ...]
    batch_control: BatchControl


class Change(NamedTuple):
    """``change``: what a commit did to rows of the live query. There are many, and tuples are made fastest.

    Attributes:
        subscription_id: The id that the client chose.
        change_type: ``insert``, ``update`` or ``delete``.
        rows: The new rows. In an update, a column that is missing is NULL now.
        old_values: For a delete the last values (of a STREAM table only ``row_id``), for an update what changed.
    """

    subscription_id: str
    change_type: str
    rows: tuple[Row, ...]
    old_values: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """``error``: of a subscription, or of the connection under one of the fixed ids.

    Source: protocol/live.md#server-messages.
    """

    subscription_id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a type that this client does not know; newer servers may send some.

    Attributes:
        raw: The message as parsed.
    """

    raw: Mapping[str, Any]


Message = AuthSuccess | AuthErrorMessage | SubscriptionAck | InitialDataBatch | Change | ErrorMessage | Unknown


@dataclass(frozen=True, slots=True)
class SubscribeOptions:
    """``options`` of ``subscribe``: which rows come before the changes (protocol/live.md#client-messages).

    Attributes:
        batch_size: Rows of one ``initial_data_batch``; None leaves it to the server.
        last_rows: Only so many rows, meant to be the newest.
        from_seq: Only rows with a greater version; beats ``last_rows``.
        is_text: Whether the server reads versions as text.
        version_domain: What the version belongs to, as the server told it; goes with ``from_seq`` only.
    """

    batch_size: int | None = None
    last_rows: int | None = None
    from_seq: int | None = None
    is_text: bool = False
    version_domain: Mapping[str, Any] | None = None


# By name: there are many rows.
_SEQ, _VERSION = SEQ.name, VERSION.name

#: Digits of the greatest version.
_SEQ_DIGITS = len(str(2**63 - 1))

_CHANGE_TYPES = frozenset({"insert", "update", "delete"})


def unpack_frame(frame: str | bytes, *, max_bytes: int = MAX_MESSAGE_BYTES) -> str | bytes:
    """Return the JSON text of a frame.

    Args:
        frame: Payload of a text frame (``str``) or a binary frame (``bytes``, one gzip member).
        max_bytes: Bound of the unpacked size.

    Raises:
        ProtocolError: The frame is too large, is not gzip, or is cut.
    """
    if isinstance(frame, str):
        if len(frame) > max_bytes:
            raise ProtocolError(f"The server sent a message of more than {max_bytes:,} bytes.")
        return frame
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        text = unpacker.decompress(frame, max_bytes + 1)
    except zlib.error as exc:
        raise ProtocolError(f"The server sent a binary frame that is not gzip ({exc}): {frame[:20]!r}") from None
    if len(text) > max_bytes:
        raise ProtocolError(f"The server sent a message that unpacks to more than {max_bytes:,} bytes.")
    if not unpacker.eof or unpacker.unused_data:
        raise ProtocolError(f"The server sent a damaged gzip frame of {len(frame):,} bytes.")
    return text


def parse_message(text: str | bytes) -> Message:
    """Read one message.

    Raises:
        ProtocolError: The text is not JSON in UTF-8, or a field is missing or of the wrong type.
    """
    try:
        raw = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise ProtocolError(f"The server sent a message that is not JSON ({exc}): {shortened(text, 200)}") from None
    kind = raw.get("type") if type(raw) is dict else None
    if type(kind) is not str:
        raise ProtocolError(f"The server sent a message without a type: {shortened(text, 200)}")
    parser = _PARSERS.get(kind)
    if parser is None:
        return Unknown(raw)
    try:
        return parser(raw)
    except (KeyError, TypeError, ValueError) as exc:
        reason = f"missing field {exc}" if isinstance(exc, KeyError) else str(exc)
        raise ProtocolError(f"The server sent a bad {kind} message ({reason}): {shortened(text, 200)}") from None


def row_seq(row: Row) -> int | None:
    """Return the exact version of a row, or None when it has none.

    Raises:
        ProtocolError: It is neither an integer of 63 bits nor the text of one.
    """
    value = row.get(_SEQ)
    if value is None:
        value = row.get(_VERSION)
        if value is None:
            return None
    # Rows carry it as decimal text (protocol/live.md#seq); a float would already have lost digits.
    if isinstance(value, str) and len(value) <= _SEQ_DIGITS and value.isascii() and value.isdigit():
        value = int(value)
    if type(value) is int and 0 <= value < 2**63:
        return value
    told = shortened(repr(value), 200)
    raise ProtocolError(f"The server sent a row whose {version_name(row)} is not an integer: {told}")


def greatest_seq(rows: Iterable[Row]) -> int | None:
    """Return the greatest version of some rows, or None when they have none.

    Raises:
        ProtocolError: One is neither an integer nor the text of one.
    """
    return max((seq for seq in map(row_seq, rows) if seq is not None), default=None)


def written_ms(row: Row) -> int | None:
    """When a row was written, in milliseconds since 1970; None where nothing in it tells."""
    if SEQ.name in row:
        seq = row_seq(row)
        return None if seq is None else SEQ.ms(seq)
    told = row.get(WRITTEN_AT)
    return int(told) if isinstance(told, (int, str)) and str(told).isdigit() else None


def subscribe_message(subscription_id: str, sql: str, options: SubscribeOptions | None = None) -> str:
    """Ask for the changes of a query.

    Args:
        subscription_id: The client's name for it, never used before on the connection.
        sql: The query.
        options: Which of its present rows come first; None for none.
    """
    if options is None:
        wanted = None
    else:
        named: dict[str, object] = {"batch_size": options.batch_size, "last_rows": options.last_rows}
        if options.from_seq is not None:
            named["from"] = str(options.from_seq) if options.is_text else options.from_seq
            named["version_domain"] = options.version_domain
        wanted = {name: value for name, value in named.items() if value is not None}
    return _dump({"type": "subscribe", "subscription": {"id": subscription_id, "sql": sql, "options": wanted}})


def next_batch_message(subscription_id: str, last_seq_id: int | str | None) -> str:
    """Ask for the batch of a snapshot that follows ``last_seq_id``, which goes back as it came."""
    return _dump({"type": "next_batch", "subscription_id": subscription_id, "last_seq_id": last_seq_id})


def unsubscribe_message(subscription_id: str) -> str:
    """End a live query; the server does not answer."""
    return _dump({"type": "unsubscribe", "subscription_id": subscription_id})


def _dump(message: Mapping[str, object]) -> str:
    return orjson.dumps(message).decode()


def _auth_success(raw: dict[str, Any]) -> AuthSuccess:
    # Documentation of other versions says ``user_id`` and ``"Dba"`` (protocol/live.md#authentication).
    user = raw["user"] if "user" in raw else raw["user_id"]
    return AuthSuccess(_text(user), _text(raw["role"]).lower())


def _auth_error(raw: dict[str, Any]) -> AuthErrorMessage:
    return AuthErrorMessage(_text(raw["message"]))


def _subscription_ack(raw: dict[str, Any]) -> SubscriptionAck:
    columns = parse_schema(raw.get("schema"))
    return SubscriptionAck(_text(raw["subscription_id"]), _batch_control(raw["batch_control"]), columns)


def _initial_data_batch(raw: dict[str, Any]) -> InitialDataBatch:
    return InitialDataBatch(
        _text(raw["subscription_id"]), _rows(raw["rows"], "rows"), _batch_control(raw["batch_control"])
    )


def _change(raw: dict[str, Any]) -> Change:
    kind = raw["change_type"]
    if kind not in _CHANGE_TYPES:
        raise ValueError(f"change_type {kind!r} is not known")
    rows = _rows(raw.get("rows"), "rows")
    old_values = _rows(raw.get("old_values"), "old_values")
    if not (old_values if kind == "delete" else rows):
        raise ValueError("there is no row in it")
    return Change(_text(raw["subscription_id"]), kind, rows, old_values)


def _error(raw: dict[str, Any]) -> ErrorMessage:
    return ErrorMessage(_text(raw["subscription_id"]), _text(raw["code"]), _text(raw["message"]))


_PARSERS: dict[str, Callable[[dict[str, Any]], Message]] = {
    "auth_success": _auth_success,
    "auth_error": _auth_error,
    "subscription_ack": _subscription_ack,
    "initial_data_batch": _initial_data_batch,
    "change": _change,
    "error": _error,
}


def _batch_control(raw: dict[str, Any]) -> BatchControl:
    return BatchControl(
        _integer(raw["batch_num"], "batch_num"),
        bool(raw["has_more"]),
        _text(raw["status"]),
        None if raw.get("last_seq_id") is None else _version(raw["last_seq_id"]),
        _object(raw.get("version_domain")),
    )


def _version(value: object) -> int | str:
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= _SEQ_DIGITS):
            raise TypeError(f"last_seq_id {value!r} is not an integer")
        return value
    return _integer(value, "last_seq_id")


def _object(value: object) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise TypeError("version_domain is no object")
    return value


def _rows(raw: list[Row] | None, field: str) -> tuple[Row, ...]:
    rows = tuple(raw) if raw else ()
    for row in rows:
        if type(row) is not dict:
            raise TypeError(f"{field} holds something that is not a row")
    return rows


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _integer(value: object, field: str) -> int:
    # JSON integers beyond 64 bits arrive as floats here, and are refused like fractions.
    if type(value) is not int:
        raise TypeError(f"{field} {value!r} is not an integer")
    return value
