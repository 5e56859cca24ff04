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
    version_of,
)
from kalam_sandbox.options import Options

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

_DEFAULTS = Options()
# Rows of a page, on servers that say so.
_MOST_ROWS = 1000
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
        from_seq: Only rows with a greater version.
        version_domain: What the version of `from_seq` belongs to.
    """

    batch_size: int | None = None
    last_rows: int | None = None
    from_seq: int | None = None
    version_domain: dict[str, object] | None = None


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


def parse_message(text: str, options: Options = _DEFAULTS) -> ClientMessage:
    """Read one text frame.

    Args:
        text: What the client sent.
        options: Which forms of a cursor the server takes.

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
            return _authenticate(message, options)
        case "subscribe":
            return _subscribe(object_of(message.need("subscription"), "SubscriptionRequest"), options)
        case "next_batch":
            cursor = _cursor(message.get("last_seq_id"), options)
            return NextBatch(text_of(message.need("subscription_id")), cursor)
        case "unsubscribe":
            return Unsubscribe(text_of(message.need("subscription_id")))
    return Ping()


def _authenticate(message: JsonObject, options: Options) -> Authenticate:
    """Read credentials; both fields of `protocol` are mandatory (protocol/live.md#authentication)."""
    protocol = object_of(message.need("protocol"), "ProtocolOptions")
    serialization = choice_of(protocol.need("serialization"), ("json", "msgpack") if options.msgpack else ("json",))
    compression = choice_of(protocol.need("compression"), ("none", "gzip"))
    choice_of(message.need("method"), ("jwt",))
    return Authenticate(text_of(message.need("token")), compression, serialization)


def _cursor(value: object, options: Options) -> int | None:
    """Read a version, which is a number on some servers and a text on others."""
    if value is None:
        return None
    if options.text_cursors or (options.any_cursors and isinstance(value, str)):
        return version_of(value)
    return int_of(value, "i64")


def _domain(given: JsonObject) -> dict[str, object]:
    """Read what a version belongs to."""
    partition = given.get("partition_id")
    return {
        "history_incarnation": text_of(given.need("history_incarnation")),
        "table_id": text_of(given.need("table_id")),
        "scope_id": int_of(given.need("scope_id"), "u64"),
        "partition_id": None if partition is None else int_of(partition, "u64"),
    }


def _subscribe(request: JsonObject, options: Options) -> Subscribe:
    given = request.get("options")
    return Subscribe(
        text_of(request.need("id")),
        text_of(request.need("sql")),
        None if given is None else _options(object_of(given, "SubscriptionOptions"), options),
    )


def _options(given: JsonObject, options: Options) -> SubscribeOptions:
    def number(kind: str, name: str) -> int | None:
        value = given.get(name)
        return None if value is None else int_of(value, kind)

    size = number("usize", "batch_size")
    domain = given.get("version_domain") if options.version_domains else None
    return SubscribeOptions(
        batch_size=size if size is None or not options.page_by_version else min(max(size, 1), _MOST_ROWS),
        last_rows=number("u32", "last_rows"),
        from_seq=_cursor(given.get("from", "from_seq_id"), options),
        version_domain=None if domain is None else _domain(object_of(domain, "VersionDomain")),
    )
