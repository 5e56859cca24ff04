"""Server messages as JSON objects, and their way into WebSocket frames (live reference 3.1, 4.2).

MessagePack is not spoken: a client that asks for it gets JSON, and is told so in ``auth_success``.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Mapping, Sequence

from kalam_notebook.sandbox.backend import Caller, Column

Message = dict[str, object]

# Smaller messages are never compressed.
_COMPRESS_FROM = 512
# A close frame holds 125 bytes, two of them the code.
_MAX_REASON = 123
_SERIALIZATION = "json"


def auth_success(caller: Caller, compression: str) -> Message:
    """Tell who the client is; the compression is an echo without any effect."""
    protocol = {"serialization": _SERIALIZATION, "compression": compression}
    return {"type": "auth_success", "user": caller.user_id, "role": caller.role, "protocol": protocol}


def auth_error(text: str) -> Message:
    """Tell why the socket is about to be closed."""
    return {"type": "auth_error", "message": text}


def error(subscription_id: str, code: str, text: str) -> Message:
    """Tell of a failure of one subscription, or of the connection by one of the fixed ids."""
    return {"type": "error", "subscription_id": subscription_id, "code": code, "message": text}


def batch_control(batch_num: int, has_more: bool, last_seq_id: int | None) -> Message:
    """Describe a page; here, and only here, a ``_seq`` is a number."""
    status = ("loading_batch" if batch_num else "loading") if has_more else "ready"
    return {"batch_num": batch_num, "has_more": has_more, "status": status, "last_seq_id": last_seq_id}


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


def encode(message: Message, *, compress: bool) -> str | bytes:
    """Return the payload of a frame: text, or gzip for a binary frame where that is shorter."""
    shuffled = {name: _shuffled(value) if name in ("rows", "old_values") else value for name, value in message.items()}
    text = json.dumps(shuffled, ensure_ascii=False, separators=(",", ":"))
    data = text.encode()
    if not compress or len(data) < _COMPRESS_FROM:
        return text
    packed = gzip.compress(data, compresslevel=1, mtime=0)
    return packed if len(packed) < len(data) else text


def _shuffled(rows: object) -> object:
    """Put the keys of each row in random order, as the server does, so that no client relies on one."""
    if not isinstance(rows, list):
        return rows
    return [dict(random.sample(list(row.items()), len(row))) for row in rows]


def close_reason(text: str) -> bytes:
    """Cut a reason to what a close frame can carry, at a whole character."""
    return text.encode()[:_MAX_REASON].decode(errors="ignore").encode()
