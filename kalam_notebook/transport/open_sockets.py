"""The sockets under an HTTP client, so that closing it wakes a thread that waits for an answer on one of them.

Closing a socket does not wake who reads from it; shutting it down does. httpx tells of its sockets by the ``trace``
extension of a request only.
"""

from __future__ import annotations

import contextlib
import socket
import weakref
from collections.abc import Mapping
from typing import Any

__all__ = ["OpenSockets"]


class OpenSockets:
    """Collects the sockets that requests open. Forgets those that are gone."""

    def __init__(self) -> None:
        self._streams: weakref.WeakSet[Any] = weakref.WeakSet()

    def trace(self, event: str, details: Mapping[str, Any]) -> None:
        """Take an event of a request; httpx calls it."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._streams.add(details["return_value"])

    def shut_down(self) -> None:
        """End all of them, for both directions; who waits on one gets an error at once."""
        for stream in list(self._streams):
            found = stream.get_extra_info("socket")
            if found is not None:
                with contextlib.suppress(OSError):  # Closed already.
                    # Not the method of a TLS socket, which would take the TLS away under the thread that reads.
                    socket.socket.shutdown(found, socket.SHUT_RDWR)
