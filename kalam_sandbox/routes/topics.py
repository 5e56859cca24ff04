"""Topic consumption over HTTP (protocol/http.md#topics)."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass

from aiohttp import web

from kalam_sandbox.backend import Caller
from kalam_sandbox.routes.answers import (
    SANDBOX,
    bearer_caller,
    close_without_answer,
    json_answer,
    plain_answer,
    token_refused,
)
from kalam_sandbox.routes.bodies import BodyError, read_json
from kalam_sandbox.sql.classify import STAFF
from kalam_sandbox.tokens import TokenError
from kalam_sandbox.topics import Message, Topic


@dataclass(frozen=True, slots=True)
class _Asked:
    """The body of consume or ack."""

    topic_id: str
    group_id: str
    partition_id: int
    start: str | int
    limit: int
    upto_offset: int


def add_topic_routes(app: web.Application) -> None:
    """Add `consume` and `ack`."""
    app.router.add_post("/v1/api/topics/consume", _consume)
    app.router.add_post("/v1/api/topics/ack", _ack)


async def _consume(request: web.Request) -> web.StreamResponse:
    asked = await _checked(request, "Topic consumption", needs_offset=False)
    if isinstance(asked, web.StreamResponse):
        return asked
    topics = request.app[SANDBOX].server.topics
    topic = topics.get(asked.topic_id)
    if topic is None:
        return _no_topic(asked)
    messages, following = topics.consume(
        topic, asked.group_id, partition=asked.partition_id, start=asked.start, limit=asked.limit
    )
    body = {
        "messages": [_message(topic, asked.partition_id, message) for message in messages],
        "next_offset": following,
        "has_more": len(messages) == asked.limit,
    }
    return json_answer(body)


async def _ack(request: web.Request) -> web.StreamResponse:
    asked = await _checked(request, "Topic acknowledgment", needs_offset=True)
    if isinstance(asked, web.StreamResponse):
        return asked
    topics = request.app[SANDBOX].server.topics
    if topics.get(asked.topic_id) is None:
        return _no_topic(asked)
    topics.ack(asked.topic_id, asked.group_id, partition=asked.partition_id, upto=asked.upto_offset)
    return json_answer({"success": True, "acknowledged_offset": asked.upto_offset})


def _no_topic(asked: _Asked) -> web.Response:
    return json_answer({"error": f"Topic '{asked.topic_id}' does not exist", "code": "NOT_FOUND"}, 404)


def _message(topic: Topic, partition: int, message: Message) -> dict[str, object]:
    told: dict[str, object] = {
        "topic_id": topic.name,
        "partition_id": partition,
        "offset": message.offset,
        "payload": base64.b64encode(message.payload).decode(),
        "key": message.key,
        "timestamp_ms": message.timestamp_ms,
    }
    if message.user is not None:
        told["user"] = message.user
    return told | {"op": message.op}


async def _checked(request: web.Request, doing: str, *, needs_offset: bool) -> _Asked | web.StreamResponse:
    """Return the body of a permitted request, or the answer that refuses it."""
    started = time.perf_counter()
    try:
        caller: Caller = bearer_caller(request)
    except TokenError as refused:
        return token_refused(refused, (time.perf_counter() - started) * 1000)
    try:
        asked = _asked(*await read_json(request), needs_offset=needs_offset)
    except BodyError as broken:
        return broken.answer
    if not asked.group_id:
        return close_without_answer(request)
    if caller.role not in STAFF:
        return json_answer({"error": f"{doing} requires service, dba, or system role", "code": "FORBIDDEN"}, 403)
    return asked


def _asked(body: object, end: int, *, needs_offset: bool) -> _Asked:
    if not isinstance(body, dict):
        raise BodyError(plain_answer("Json deserialize error: invalid type, expected struct at line 1 column 0"))
    required = ("topic_id", "group_id", *(("upto_offset",) if needs_offset else ()))
    for name in required:
        if name not in body:
            raise BodyError(plain_answer(f"Json deserialize error: missing field `{name}` at line 1 column {end}"))
    limit, partition = body.get("limit", 100), body.get("partition_id", 0)
    upto = body.get("upto_offset", 0)
    texts = isinstance(body["topic_id"], str) and isinstance(body["group_id"], str)
    numbers = all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in (limit, partition, upto))
    start = _start(body.get("start", "Latest"))
    if not texts or not numbers or start is None:
        raise BodyError(plain_answer(f"Json deserialize error: invalid value at line 1 column {end}"))
    return _Asked(body["topic_id"], body["group_id"], partition, start, limit, upto)


def _start(value: object) -> str | int | None:
    if isinstance(value, str) and value.lower() in ("latest", "earliest"):
        return value.lower()
    if isinstance(value, dict):
        offset = value.get("Offset", value.get("offset"))
        return offset if isinstance(offset, int) and offset >= 0 else None
    return None
