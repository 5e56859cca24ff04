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
    """The body of consume or ack; without a group messages are read and nothing is remembered."""

    topic_id: str
    group_id: str | None
    partition_id: int
    start: str | int
    limit: int
    upto_offset: int


def add_topic_routes(app: web.Application) -> None:
    """Add `consume` and `ack`."""
    app.router.add_post("/v1/api/topics/consume", _consume)
    app.router.add_post("/v1/api/topics/ack", _ack)
    if app[SANDBOX].options.latest_offsets:
        app.router.add_post("/v1/api/topics/latest-offsets", _latest_offsets)


async def _consume(request: web.Request) -> web.StreamResponse:
    asked = await _checked(request, "Topic consumption", needs_offset=False)
    if isinstance(asked, web.StreamResponse):
        return asked
    topics = request.app[SANDBOX].server.topics
    topic = topics.get(asked.topic_id)
    if topic is None:
        return _no_topic(asked)
    if asked.group_id is None:
        messages, following = topics.inspect(topic, asked.partition_id, start=asked.start, limit=asked.limit)
    else:
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
    assert asked.group_id is not None  # Only messages are read without a group.
    topics = request.app[SANDBOX].server.topics
    if topics.get(asked.topic_id) is None:
        return _no_topic(asked)
    topics.ack(asked.topic_id, asked.group_id, partition=asked.partition_id, upto=asked.upto_offset)
    return json_answer({"success": True, "acknowledged_offset": asked.upto_offset})


async def _latest_offsets(request: web.Request) -> web.StreamResponse:
    """Tell where each partition ends; one that does not exist ends at 0."""
    started = time.perf_counter()
    try:
        caller = bearer_caller(request)
        body, end = await read_json(request)
        wanted = _selectors(body, end)
    except TokenError as refused:
        return token_refused(refused, (time.perf_counter() - started) * 1000)
    except BodyError as broken:
        return broken.answer
    if caller.role not in STAFF:
        told = "Topic offset inspection requires service, dba, or system role"
        return json_answer({"error": told, "code": "FORBIDDEN"}, 403)
    topics = request.app[SANDBOX].server.topics
    offsets = [
        {"topic_id": name, "partition_id": partition, "next_offset": end, "last_offset": end - 1 if end else None}
        for name, partition in sorted(set(wanted))
        for end in [topics.end(name, partition)]
    ]
    return json_answer({"offsets": offsets})


def _selectors(body: object, end: int) -> list[tuple[str, int]]:
    partitions = body.get("partitions", []) if isinstance(body, dict) else None
    if not isinstance(partitions, list):
        raise BodyError(plain_answer(f"Json deserialize error: invalid type, expected a sequence at column {end}"))
    wanted = []
    for one in partitions:
        topic, partition = (one.get("topic_id"), one.get("partition_id", 0)) if isinstance(one, dict) else (None, 0)
        if not isinstance(topic, str) or not isinstance(partition, int) or isinstance(partition, bool) or partition < 0:
            raise BodyError(plain_answer(f"Json deserialize error: missing field `topic_id` at line 1 column {end}"))
        wanted.append((topic, partition))
    return wanted


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
        needs_group = needs_offset or not request.app[SANDBOX].options.groupless_reads
        asked = _asked(*await read_json(request), needs_offset=needs_offset, needs_group=needs_group)
    except BodyError as broken:
        return broken.answer
    if asked.group_id == "":
        return close_without_answer(request)
    if caller.role not in STAFF:
        return json_answer({"error": f"{doing} requires service, dba, or system role", "code": "FORBIDDEN"}, 403)
    return asked


def _asked(body: object, end: int, *, needs_offset: bool, needs_group: bool) -> _Asked:
    if not isinstance(body, dict):
        raise BodyError(plain_answer("Json deserialize error: invalid type, expected struct at line 1 column 0"))
    group = ("group_id",) if needs_group else ()
    required = ("topic_id", *group, *(("upto_offset",) if needs_offset else ()))
    for name in required:
        if name not in body:
            raise BodyError(plain_answer(f"Json deserialize error: missing field `{name}` at line 1 column {end}"))
    limit, partition = body.get("limit", 100), body.get("partition_id", 0)
    upto = body.get("upto_offset", 0)
    group_id = body.get("group_id")
    if not needs_group and (group_id is None or (isinstance(group_id, str) and not group_id.strip())):
        group_id = None
    texts = isinstance(body["topic_id"], str) and (isinstance(group_id, str) or (group_id is None and not needs_group))
    numbers = all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in (limit, partition, upto))
    start = _start(body.get("start", "Latest"))
    if not texts or not numbers or start is None:
        raise BodyError(plain_answer(f"Json deserialize error: invalid value at line 1 column {end}"))
    return _Asked(body["topic_id"], group_id, partition, start, limit, upto)


def _start(value: object) -> str | int | None:
    if isinstance(value, str) and value.lower() in ("latest", "earliest"):
        return value.lower()
    if isinstance(value, dict):
        offset = value.get("Offset", value.get("offset"))
        return offset if isinstance(offset, int) and offset >= 0 else None
    return None
