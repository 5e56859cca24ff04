"""A server that answers as a test tells it: raw bytes over TCP, for what no healthy server sends."""

import contextlib
import socket
import threading

LOGIN = (
    b'{"user":{"id":"root","role":"system","email":null},"admin_ui_access":true,"access_token":"access.of.login",'
    b'"refresh_token":"refresh.of.login","expires_at":"2099-01-01T00:00:00+00:00","refresh_expires_at":"2099-01-01T00:00:00+00:00"}'
)


def answer(body, status="200 OK", kind="application/json", extra=b""):
    # The close is announced: else the next request may be sent on this connection in the moment before it closes.
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n"
    return head.encode() + extra + b"\r\n" + body


def sql_answer(schema, rows):
    return answer(
        b'{"status":"success","results":[{"schema":%s,"rows":%s,"row_count":%d,"as_user":"root"}],"took":1}'
        % (schema, rows, rows.count(b"],[") + 1)
    )


class ScriptedServer:
    """Gives each SQL request the same bytes, then closes the connection; logins are answered as usual.

    With ``hold`` the connection stays open behind the reply; with ``deaf`` it is closed before a request is read.

    Attributes:
        requests: The requests that came, head and body.
        waiting: Set when a request has been answered with ``hold``.
    """

    def __init__(self, reply, *, hold=False, deaf=False):
        self._reply, self._hold, self._deaf = reply, hold, deaf
        self.requests, self.waiting, self._end = [], threading.Event(), threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._end.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # Closing alone does not wake the thread that accepts.
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            if self._deaf:
                return
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = stream.readline()
                if not line:
                    return
                head += line
            length = next(
                (int(h.split(b":")[1]) for h in head.lower().split(b"\r\n") if h.startswith(b"content-length")), 0
            )
            self.requests.append(head + stream.read(length))
            if b"/auth/login" in head:
                connection.sendall(answer(LOGIN))
                return
            connection.sendall(self._reply)
            if self._hold:
                self.waiting.set()
                self._end.wait(30)
