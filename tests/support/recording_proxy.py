"""An HTTP proxy on a thread that writes down what it is asked for, and may lead every name to one server."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from urllib.parse import urlsplit

_CHUNK = 65_536


class RecordingProxy:
    """Takes requests of proxies: an address in the first line, or CONNECT.

    Args:
        target: URL of the server that all names lead to.
        answer: Sent instead, whatever is asked for.

    Attributes:
        heads: First line and headers of the first request of each connection.
    """

    def __init__(self, target: str = "http://127.0.0.1:9", *, answer: bytes = b"") -> None:
        place = urlsplit(target)
        self.heads: list[str] = []
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    piece = self.request.recv(1)
                    if not piece:
                        return
                    head += piece
                proxy.heads.append(head.decode())
                if answer:
                    self.request.sendall(answer)
                    return
                with socket.create_connection((place.hostname, place.port)) as far:
                    if head.startswith(b"CONNECT "):
                        self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    else:
                        far.sendall(head)
                    upwards = threading.Thread(target=_carry, args=(self.request, far), daemon=True)
                    upwards.start()
                    _carry(far, self.request)
                    upwards.join()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> RecordingProxy:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_CHUNK):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
