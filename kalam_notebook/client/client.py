"""``Client``: all calls to one server, as one user. Thin: they turn arguments into requests of the layers below."""

from __future__ import annotations

from kalam_notebook.client.administration import AdministrationCalls
from kalam_notebook.client.catalog import CatalogCalls
from kalam_notebook.client.live import LiveCalls
from kalam_notebook.client.partitions import PartitionCalls

__all__ = ["Client"]


class Client(PartitionCalls, CatalogCalls, LiveCalls, AdministrationCalls):
    """A connection to a KalamDB server. Nothing is sent before the first call that needs the server.

    Args:
        url: ``http(s)://host:port``; None looks in ``KALAMDB_SERVER_URL``, ``KALAMDB_URL`` and in the logins saved by
            the KalamDB CLI.
        user: User id. Its password is taken from ``password``, ``KALAMDB_PASSWORD`` (of ``KALAMDB_USERNAME``), for
            root also from ``KALAMDB_ROOT_PASSWORD``, from the keyring, else asked for.
        password: Password of ``user``.
        token: An access token instead of user and password.
        token_provider: A function that returns an access token whenever one is needed.
        profile: Name of a login saved by the KalamDB CLI.
        namespace: Namespace of table names that have none; the client writes it into the SQL.
        timeout: Seconds of silence after which a request is given up.
        max_retries: Repeats of requests that change nothing, and of those the server refused unexecuted.
        timeouts: Every phase on its own; replaces ``timeout``.
        max_result_bytes: Bytes of one answer that are read into memory at most, 2 GB by default; None for any number.
        compression: Whether the server may compress live frames.
        on_receive: Called with every WebSocket frame received, as text without secrets.
        on_send: Called with every WebSocket frame sent, as text without secrets.
        on_connect: Called when a WebSocket stands: that of all live tables, and that of each ``live_events``; also when
            it is back. This and the others are called on the WebSocket's thread: return soon.
        on_disconnect: Called with the reason when a WebSocket that stood is lost or closed.
        on_error: Called with a ``KalamError`` when a WebSocket cannot be opened, now or for good.

    Raises:
        ConfigError: No server is named, or the arguments contradict each other.
    """
