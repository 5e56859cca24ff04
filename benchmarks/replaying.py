"""A server that gives the answers which another one has given before, so that its own work does not count.

``python -m benchmarks.replaying URL`` prints its port. What it was not asked yet, it asks the server of ``URL``.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream = ""
    known: dict[tuple[str, str, bytes], tuple[int, str, bytes]] = {}  # noqa: RUF012 - of all connections.

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = (self.command, self.path, body)
        if key not in self.known:
            self.known[key] = self.ask(body)
        status, kind, content = self.known[key]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer

    def ask(self, body: bytes) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection(self.upstream, timeout=600)
        names = ("Authorization", "Content-Type")
        connection.request(self.command, self.path, body, {n: self.headers[n] for n in names if self.headers[n]})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers["Content-Type"], content

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def replayed(url: str) -> Iterator[str]:
    """The address of one in front of a server, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.replaying", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


if __name__ == "__main__":
    Handler.upstream = urlsplit(sys.argv[1]).netloc
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
