"""The conversation of one connection: authentication, rate limit, and what each message leads to."""

from __future__ import annotations

from kalam_sandbox.backend import LiveBackend
from kalam_sandbox.limits import RateLimiter
from kalam_sandbox.live import frames
from kalam_sandbox.live.connection import Connection, Ending
from kalam_sandbox.live.messages import (
    Authenticate,
    BadMessage,
    NextBatch,
    Subscribe,
    Unsubscribe,
    parse_message,
)
from kalam_sandbox.live.registry import LiveRegistry
from kalam_sandbox.live.subscribe import LiveQueries, Send
from kalam_sandbox.options import Options


class Closed(Exception):
    """The server ends the connection, for the reason given by `ending`."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.reason)
        self.ending = ending


class Session:
    """The server's side of one connection; frames come in, messages go out through `send`."""

    def __init__(
        self,
        connection: Connection,
        registry: LiveRegistry,
        backend: LiveBackend,
        *,
        options: Options,
        send: Send,
    ) -> None:
        self._connection = connection
        self._backend = backend
        self._send = send
        self._options = options
        self._limiter = RateLimiter(options.messages_per_second)
        self._queries = LiveQueries(connection, registry, backend, options=options, send=send)

    async def authenticate(self, token: str, compression: str, serialization: str) -> None:
        """Check a token and tell the result.

        Raises:
            Closed: The token is not accepted.
        """
        self._connection.auth_started = True
        # A second authentication succeeds whatever its token (protocol/live.md#authentication).
        if self._connection.caller is None:
            try:
                self._connection.caller = self._backend.authenticate(token)
            except PermissionError:
                message = frames.auth_error("Invalid credentials")
                raise Closed(Ending(1008, "Authentication failed", message)) from None
            self._connection.serialization = serialization
        await self._send(frames.auth_success(self._connection.caller, compression, serialization))

    async def on_binary(self, data: bytes) -> None:
        """Act on one binary frame; where it is not MessagePack it is refused, and the connection stays open.

        Raises:
            Closed: As for text.
        """
        try:
            if self._connection.serialization != "msgpack":
                raise ValueError("Binary not supported")
            text = frames.decode(data)
        except ValueError as wrong:
            await self._send(frames.error("protocol", "UNSUPPORTED_DATA", f"{wrong}"))
            return
        await self.on_text(text)

    async def on_text(self, text: str) -> None:
        """Act on one text frame.

        Raises:
            Closed: The text is no message, or holds a token that is not accepted.
        """
        if not self._limiter.allow(self._connection.id):
            await self._send(frames.error("rate_limit", "RATE_LIMIT_EXCEEDED", "Too many messages"))
            return
        try:
            message = parse_message(text, self._options)
        except BadMessage as error:
            raise Closed(Ending(1011, f"Invalid message: {error}")) from None
        caller = self._connection.caller
        match message:
            case Authenticate():
                await self.authenticate(message.token, message.compression, message.serialization)
            case Subscribe() if caller is None:
                text = "Authentication required before subscribing"
                await self._send(frames.error("subscribe", "AUTH_REQUIRED", text))
            case Subscribe() if caller is not None:
                await self._queries.subscribe(caller, message)
            case NextBatch() if caller is not None:
                await self._queries.next_batch(caller, message)
            case Unsubscribe() if caller is not None:
                self._queries.unsubscribe(caller, message)
