"""What an ``AsyncClient`` is: its client, how it begins and ends, and what can be told without waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from kalam_notebook.callers import short_failures
from kalam_notebook.client.client import Client
from kalam_notebook.client.live import Subscription
from kalam_notebook.errors import KalamError
from kalam_notebook.settings import MAX_RESULT_BYTES, Secret, Timeouts

if TYPE_CHECKING:
    from kalam_notebook.live_queries.table import LiveTable

__all__ = ["AsyncBase"]


@short_failures
class AsyncBase:
    """A client whose calls run in worker threads; the calls are in the class that builds on it."""

    def __init__(
        self,
        url: str | None = None,
        *,
        user: str | None = None,
        password: str | Secret | None = None,
        token: str | Secret | None = None,
        token_provider: Callable[[], str] | None = None,
        profile: str | None = None,
        namespace: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        timeouts: Timeouts | None = None,
        max_result_bytes: int | None = MAX_RESULT_BYTES,
        compression: bool = True,
        on_receive: Callable[[str], None] | None = None,
        on_send: Callable[[str], None] | None = None,
        on_connect: Callable[[], object] | None = None,
        on_disconnect: Callable[[str], object] | None = None,
        on_error: Callable[[KalamError], object] | None = None,
    ) -> None:
        # A verbose traceback shows the locals of this frame.
        password, token = (Secret(value) if isinstance(value, str) else value for value in (password, token))
        self._client = Client(
            url,
            user=user,
            password=password,
            token=token,
            token_provider=token_provider,
            profile=profile,
            namespace=namespace,
            timeout=timeout,
            max_retries=max_retries,
            timeouts=timeouts,
            max_result_bytes=max_result_bytes,
            compression=compression,
            on_receive=on_receive,
            on_send=on_send,
            on_connect=on_connect,
            on_disconnect=on_disconnect,
            on_error=on_error,
        )

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._client.url

    @property
    def user(self) -> str | None:
        """The user id, when the client knows it."""
        return self._client.user

    @property
    def namespace(self) -> str | None:
        """The namespace of table names that have none; None when it is the server's, ``default``."""
        return self._client.namespace

    @property
    def live_tables(self) -> tuple[LiveTable, ...]:
        """Its live tables that are not closed, in any order."""
        return self._client.live_tables

    @property
    def is_connected(self) -> bool:
        """Whether the WebSocket of the live tables stands; False before the first live query opens it."""
        return self._client.is_connected

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """See ``Client.subscriptions``."""
        return self._client.subscriptions()

    def __repr__(self) -> str:
        return repr(getattr(self, "_client", None) or Client.__new__(Client))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """See ``Client.close``."""
        await asyncio.to_thread(self._client.close)

    async def check_login(self) -> None:
        """See ``Client.check_login``."""
        await asyncio.to_thread(self._client.check_login)
