"""What a client may say (protocol/live.md#client-messages), and how a text becomes one of these messages.

Unknown fields are ignored; anything else that is wrong closes the socket, with the reason given here.
"""

from __future__ import annotations

from dataclasses import dataclass

from kalam_sandbox.live.syntax import (
    BadMessage,
    JsonObject,
    at,
    choice_of,
    int_of,
    object_of,
    parse_json,
    text_of,
)

__all__ = [
    "Authenticate",
    "BadMessage",
    "ClientMessage",
    "NextBatch",
    "Ping",
    "Subscribe",
    "SubscribeOptions",
    "Unsubscribe",
    "parse_message",
]

_TYPES = ("authenticate", "subscribe", "next_batch", "unsubscribe", "ping")


@dataclass(frozen=True, slots=True)
class Authenticate:
    """A token, the compression that the client wants to see echoed, and how later messages are written."""

    token: str
    compression: str
    serialization: str

    def __repr__(self) -> str:
        return f"Authenticate(compression={self.compression!r}, serialization={self.serialization!r})"


@dataclass(frozen=True, slots=True)
class SubscribeOptions:
    """Options of a snapshot; None where the client gave none.

    Attributes:
        batch_size: Rows of one page.
        last_rows: Only the newest rows, as many.
        from_seq: Only rows with a greater ``_seq``.
    """

    batch_size: int | None = None
    last_rows: int | None = None
    from_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Start a live query; `options` None means live changes only."""

    id: str
    sql: str
    options: SubscribeOptions | None


@dataclass(frozen=True, slots=True)
class NextBatch:
    """Ask for the page behind `last_seq_id`; None is the first page again."""

    subscription_id: str
    last_seq_id: int | None


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """End a live query."""

    subscription_id: str


@dataclass(frozen=True, slots=True)
class Ping:
    """A sign of life; it gets no answer."""


ClientMessage = Authenticate | Subscribe | NextBatch | Unsubscribe | Ping


def parse_message(text: str) -> ClientMessage:
    """Read one text frame.

    Raises:
        BadMessage: It is no JSON, of unknown type, or a field is missing or of the wrong type.
    """
    value = parse_json(text)
    try:
        message = object_of(value, "ClientMessage", kind="internally tagged enum")
        kind = choice_of(message.need("type"), _TYPES)
    except BadMessage as error:
        # The type is read while the text is parsed, so the parser adds where it was; fields are read later.
        raise BadMessage(at(text, len(text.rstrip()), str(error))) from None
    match kind:
        case "authenticate":
            return _authenticate(message)
        case "subscribe":
            return _subscribe(object_of(message.need("subscription"), "SubscriptionRequest"))
        case "next_batch":
            last = message.get("last_seq_id")
            cursor = None if last is None else int_of(last, "i64")
            return NextBatch(text_of(message.need("subscription_id")), cursor)
        case "unsubscribe":
            return Unsubscribe(text_of(message.need("subscription_id")))
    return Ping()


def _authenticate(message: JsonObject) -> Authenticate:
    """Read credentials; both fields of `protocol` are mandatory (protocol/live.md#authentication)."""
    protocol = object_of(message.need("protocol"), "ProtocolOptions")
    serialization = choice_of(protocol.need("serialization"), ("json", "msgpack"))
    compression = choice_of(protocol.need("compression"), ("none", "gzip"))
    choice_of(message.need("method"), ("jwt",))
    return Authenticate(text_of(message.need("token")), compression, serialization)


def _subscribe(request: JsonObject) -> Subscribe:
    options = request.get("options")
    return Subscribe(
        text_of(request.need("id")),
        text_of(request.need("sql")),
        None if options is None else _options(object_of(options, "SubscriptionOptions")),
    )


def _options(options: JsonObject) -> SubscribeOptions:
    def number(kind: str, *names: str) -> int | None:
        value = options.get(*names)
        return None if value is None else int_of(value, kind)

    return SubscribeOptions(
        batch_size=number("usize", "batch_size"),
        last_rows=number("u32", "last_rows"),
        from_seq=number("i64", "from", "from_seq_id"),
    )
