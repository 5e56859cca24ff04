"""Reading JSON bodies, with the plain-text errors of the server's framework outside `/sql`."""

from __future__ import annotations

import json
from dataclasses import dataclass

from aiohttp import web

from kalam_sandbox.routes.answers import SANDBOX, plain_answer

_JSON_TYPES = ("application/json", "text/json")


@dataclass(frozen=True, slots=True)
class Field:
    """One text member of a body, known by its name or an alias."""

    name: str
    alias: str | None = None
    required: bool = True
    longest: int | None = None


class TooLargeError(Exception):
    """A JSON body is longer than the server takes; the text is the server's."""


class BodyError(Exception):
    """A body is refused before any handler sees it."""

    def __init__(self, answer: web.Response) -> None:
        super().__init__(answer.status)
        self.answer = answer


def is_json_type(request: web.Request) -> bool:
    """Say whether the content type is one that the server reads as JSON."""
    return request.content_type in _JSON_TYPES or request.content_type.endswith("+json")


async def read_bounded(request: web.Request) -> bytes:
    """Return a JSON body, of which no more is kept in memory than the server takes.

    Raises:
        TooLargeError: It is longer.
    """
    limit = request.app[SANDBOX].options.json_body_limit_bytes
    if request.content_length is not None and request.content_length > limit:
        raise TooLargeError(
            f"JSON payload ({request.content_length} bytes) is larger than allowed (limit: {limit} bytes)."
        )
    body = bytearray()
    async for part in request.content.iter_any():
        body += part
        if len(body) > limit:
            raise TooLargeError(f"JSON payload has exceeded limit ({limit} bytes).")
    return bytes(body)


async def read_json(request: web.Request) -> tuple[object, int]:
    """Return the JSON of a body, and its length in bytes.

    Raises:
        BodyError: Wrong content type, too large, or no JSON.
    """
    if not is_json_type(request):
        raise BodyError(plain_answer("Content type error"))
    try:
        raw = await read_bounded(request)
    except TooLargeError as refused:
        raise BodyError(plain_answer(str(refused), 413)) from None
    try:
        return json.loads(raw), len(raw)
    except (ValueError, RecursionError) as wrong:
        raise BodyError(plain_answer(f"Json deserialize error: {wrong}")) from None


async def read_json_object(request: web.Request, fields: tuple[Field, ...]) -> dict[str, object]:
    """Return the members of a body that knows exactly `fields`.

    Raises:
        BodyError: The body is broken, has an unknown member, or lacks one.
    """
    body, end = await read_json(request)
    if not isinstance(body, dict):
        raise BodyError(plain_answer("Json deserialize error: invalid type, expected struct at line 1 column 0"))
    names = {name: field.name for field in fields for name in (field.name, field.alias) if name}
    found: dict[str, object] = {}
    for key, value in body.items():
        if key not in names:
            known = ", ".join(f"`{name}`" for name in names)
            raise BodyError(
                plain_answer(
                    f"Json deserialize error: unknown field `{key}`, expected one of {known} at line 1 column {end}"
                )
            )
        found[names[key]] = value
    for field in fields:
        _check(field, found, end)
    return found


def _check(field: Field, found: dict[str, object], end: int) -> None:
    value = found.get(field.name)
    where = f"at line 1 column {end}"
    if value is None and field.required:
        raise BodyError(plain_answer(f"Json deserialize error: missing field `{field.name}` {where}"))
    if value is not None and not isinstance(value, str):
        raise BodyError(plain_answer(f"Json deserialize error: invalid type, expected a string {where}"))
    if field.longest is not None and isinstance(value, str) and len(value) > field.longest:
        raise BodyError(
            plain_answer(f"Json deserialize error: {field.name} exceeds {field.longest} characters {where}")
        )
