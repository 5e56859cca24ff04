"""A plain client of live queries, as a careful reader of the API of 0.4.3 would write it: it believes the socket."""

import contextlib
import gzip
import json
import time

from websockets.sync.client import connect

#: Nothing more is expected after so many seconds of silence. Events of an idle server come within milliseconds.
SILENCE = 1.0
DEADLINE = 30.0

#: Key of a row that is only written to see whether all that was sent before it has come.
MARK = "1000000"


class PlainLive:
    """A client that believes what the socket says, and drops events that are not newer than all that came.

    Args:
        server: The server.
        sql: The live query.
        options: Those of its snapshot; None for none.
        version: The column of the row version.
    """

    def __init__(self, server, sql, options, *, version="_seq"):
        self._version = version
        url = f"{server.url.replace('http', 'ws', 1)}/v1/ws"
        headers = {"Authorization": f"Bearer {server.token}"}
        self._open = contextlib.ExitStack()
        self.socket = self._open.enter_context(connect(url, additional_headers=headers, proxy=None, ping_interval=4))
        assert self._receive(DEADLINE)["type"] == "auth_success"
        self.rows: dict[str, dict] = {}
        self.events = 0
        self.deletes: list[dict] = []
        self.last_seq = 0
        self.domain = None
        self.subscribe("s1", sql, options)
        last = "subscription_ack" if options is None else "initial_data_batch"
        self._take_until(lambda message: message["type"] == last and not message["batch_control"]["has_more"])

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._open.close()

    def subscribe(self, name, sql, options):
        self._send(type="subscribe", subscription={"id": name, "sql": sql, "options": options})

    def listen(self):
        """Take in what comes, until nothing does."""
        with contextlib.suppress(TimeoutError):
            while True:
                self._take(self._receive(SILENCE))
        return self

    def hear_out(self, client, table):
        """Take in all that was sent so far: it comes before the event of a row that is written now."""
        self.subscribe("mark", f"SELECT id FROM {table}", None)
        self._take_until(lambda message: message["subscription_id"] == "mark")
        client.execute_query(f"INSERT INTO {table} (id) VALUES ({MARK})")
        self._take_until(lambda message: message["subscription_id"] == "mark" and message["rows"][0]["id"] == MARK)
        return self

    def _take_until(self, is_last):
        end = time.monotonic() + DEADLINE
        while True:
            message = self._receive(end - time.monotonic())
            self._take(message)
            if is_last(message):
                return

    def _send(self, **message):
        self.socket.send(json.dumps(message))

    def _receive(self, timeout):
        frame = self.socket.recv(timeout=timeout)
        return json.loads(frame if isinstance(frame, str) else gzip.decompress(frame))

    def _take(self, message):
        """Keep the rows of the first subscription, and ask for the next page of its snapshot."""
        if message.get("subscription_id") != "s1":
            return
        self.domain = message.get("batch_control", {}).get("version_domain", self.domain)
        rows = [row for row in message.get("rows") or [] if row["id"] != MARK]
        for row in rows:
            self.rows[row["id"]] = row
            self.last_seq = max(self.last_seq, int(row[self._version]))
        if message["type"] == "initial_data_batch" and message["batch_control"]["has_more"]:
            last = message["batch_control"]["last_seq_id"]
            self._send(type="next_batch", subscription_id="s1", last_seq_id=last)
        if message["type"] == "change":
            self.events += len(rows)
            if message["change_type"] == "delete":
                self.events += 1
                self.deletes += message["old_values"]
                self.rows.pop(message["old_values"][0]["id"], None)
