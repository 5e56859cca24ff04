"""Server messages as JSON objects, and their way into WebSocket frames and back.

Source: protocol/live.md#frames, #server-messages.
"""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Mapping, Sequence

from kalam_sandbox.backend import Caller, Column
from kalam_sandbox.live import msgpack

Message = dict[str, object]

# Smaller messages are never compressed.
_COMPRESS_FROM = 512
# A close frame holds 125 bytes, two of them the code.
_MAX_REASON = 123
# Messages that are JSON although the client asked for MessagePack.
_ALWAYS_JSON = ("auth_success", "auth_error", "error")
#: Code and text for a live query that has lost events, or that cannot go on from its cursor.
EXPIRED = ("CURSOR_EXPIRED", "stale resume cursor expired; resubscribe without a resume token")
_GZIP = b"\x1f\x8b"
# A client message holds no more; what unpacks to more is refused.
_MOST_UNPACKED = 1 << 20


def auth_success(caller: Caller, compression: str, serialization: str) -> Message:
    """Tell who the client is; the compression is an echo without any effect."""
    protocol = {"serialization": serialization, "compression": compression}
    return {"type": "auth_success", "user": caller.user_id, "role": caller.role, "protocol": protocol}


def auth_error(text: str) -> Message:
    """Tell why the socket is about to be closed."""
    return {"type": "auth_error", "message": text}


def error(subscription_id: str, code: str, text: str) -> Message:
    """Tell of a failure of one subscription, or of the connection by one of the fixed ids."""
    return {"type": "error", "subscription_id": subscription_id, "code": code, "message": text}


def batch_control(
    batch_num: int,
    has_more: bool,
    last_seq_id: int | None,
    *,
    as_text: bool = False,
    domain: Mapping[str, object] | None = None,
) -> Message:
    """Describe a page.

    Args:
        batch_num: Number of the page.
        has_more: Whether another page follows.
        last_seq_id: Version of its last row.
        as_text: Whether the version is sent as text, and left out without one. Else it is a number here, and only here.
        domain: What the version belongs to, None to leave it out.
    """
    status = ("loading_batch" if batch_num else "loading") if has_more else "ready"
    control: Message = {"batch_num": batch_num, "has_more": has_more, "status": status}
    if not as_text:
        control["last_seq_id"] = last_seq_id
    elif last_seq_id is not None:
        control["last_seq_id"] = str(last_seq_id)
    return control if domain is None else control | {"version_domain": dict(domain)}


def subscription_ack(subscription_id: str, control: Message, schema: list[Message]) -> Message:
    """Confirm a subscription; ``total_rows`` is always 0."""
    return {
        "type": "subscription_ack",
        "subscription_id": subscription_id,
        "total_rows": 0,
        "batch_control": control,
        "schema": schema,
    }


def initial_data_batch(subscription_id: str, rows: Sequence[Message], control: Message) -> Message:
    """Send one page of a snapshot."""
    return {
        "type": "initial_data_batch",
        "subscription_id": subscription_id,
        "rows": list(rows),
        "batch_control": control,
    }


def change(subscription_id: str, body: Mapping[str, object]) -> Message:
    """Send one row version."""
    return {"type": "change", "subscription_id": subscription_id, **body}


def schema_of(columns: Sequence[Column], projection: Sequence[str] | None) -> list[Message]:
    """Describe the projected columns that exist; expressions and aliases are passed over."""
    by_name = {column.name.lower(): column for column in columns}
    names = list(by_name) if projection is None else [name.lower() for name in projection]
    schema = []
    for index, name in enumerate(names):
        if name in by_name:
            column = by_name[name]
            field: Message = {"name": column.name, "data_type": column.data_type, "index": index}
            schema.append(field | ({"flags": list(column.flags)} if column.flags else {}))
    return schema


def encode(message: Message, *, compress: bool, serialization: str = "json") -> str | bytes:
    """Return the payload of a frame: text, or bytes for a binary frame: MessagePack, or gzip where that is shorter."""
    shuffled = {name: _shuffled(value) if name in ("rows", "old_values") else value for name, value in message.items()}
    if serialization == "msgpack" and message["type"] not in _ALWAYS_JSON:
        data = msgpack.pack(shuffled)
        return (_compressed(data) if compress else None) or data
    text = json.dumps(shuffled, ensure_ascii=False, separators=(",", ":"))
    return (_compressed(text.encode()) if compress else None) or text


def _compressed(data: bytes) -> bytes | None:
    """Return a gzip member, None where it would not be shorter or the message is small."""
    if len(data) < _COMPRESS_FROM:
        return None
    packed = gzip.compress(data, compresslevel=1, mtime=0)
    return packed if len(packed) < len(data) else None


def decode(data: bytes) -> str:
    """Return a client's binary frame, MessagePack or gzip of it, as JSON text.

    Raises:
        ValueError: It is neither.
    """
    if data.startswith(_GZIP):
        unzip = zlib.decompressobj(wbits=31)
        try:
            data = unzip.decompress(data, _MOST_UNPACKED)
        except zlib.error as wrong:
            raise ValueError(f"broken gzip: {wrong}") from None
    return json.dumps(msgpack.unpack(data))


def _shuffled(rows: object) -> object:
    """Put the keys of each row in random order, as the server does, so that no client relies on one."""
    if not isinstance(rows, list):
        return rows
    return [dict(random.sample(list(row.items()), len(row))) for row in rows]


def close_reason(text: str) -> bytes:
    """Cut a reason to what a close frame can carry, at a whole character."""
    return text.encode()[:_MAX_REASON].decode(errors="ignore").encode()
