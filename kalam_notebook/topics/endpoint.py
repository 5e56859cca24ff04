"""The routes of topics on one server, as one user."""

from __future__ import annotations

import uuid

from kalam_notebook.errors import PermissionDeniedError, ProtocolError
from kalam_notebook.http.client import HttpTransport, Request
from kalam_notebook.http.endpoint import SqlEndpoint
from kalam_notebook.settings import MAX_RESULT_BYTES
from kalam_notebook.wire.answered import whole_number
from kalam_notebook.wire.topics import Consumed, Start, ack_body, consume_body, parse_consumed

__all__ = ["TopicEndpoint"]

_JSON = {"Content-Type": "application/json"}

#: Each is asked for on its own.
_MOST_PARTITIONS = 10_000


class TopicEndpoint:
    """Requests about one topic.

    Args:
        http: Sends.
        sql: Gives tokens, and runs SQL.
        topic_id: ``namespace.topic``.
        group_id: The consumer group.
    """

    def __init__(self, http: HttpTransport, sql: SqlEndpoint, topic_id: str, group_id: str) -> None:
        self.topic_id = topic_id
        self.group_id = group_id
        # Asks where the log ends, and nothing else, so that the server remembers no more than this one.
        self._observer = self._nobody()
        self._http = http
        self._sql = sql

    def count_partitions(self) -> int | None:
        """How many partitions the topic has; None when this user may not ask, 0 when there is no such topic."""
        sql = "SELECT array_agg(partitions) AS n FROM system.topics WHERE topic_id = $1"
        try:
            row = self._sql.execute_row(sql, [self.topic_id])
        except PermissionDeniedError:
            return None
        counts = row[0] if len(row) == 1 and isinstance(row[0], list) else None
        count = whole_number(counts[0]) if counts else 0
        if count > _MOST_PARTITIONS:
            raise ProtocolError(f"The topic has {count:,} partitions, as the server says; that cannot be.")
        return count

    def consume(self, partition_id: int, start: Start, limit: int) -> Consumed:
        """Take messages, which the group gets once; not repeated when the answer is lost, for it has them then.

        Raises:
            KalamError: No answer, or a refusal.
        """
        return self._consume(self.group_id, partition_id, start, limit)

    def next_offset(self, partition_id: int, start: Start) -> int:
        """The first offset that the group has not acknowledged, or its start; takes nothing.

        Raises:
            KalamError: No answer, or a refusal.
        """
        return self._consume(self.group_id, partition_id, start, 0, repeatable=True).next_offset

    def end_offset(self, partition_id: int) -> int:
        """The offset that the next message gets."""
        return self._consume(self._observer, partition_id, "latest", 0, repeatable=True).next_offset

    def peek(self, partition_id: int, offset: int, limit: int) -> Consumed:
        """Read messages from an offset on, whoever has them.

        Raises:
            KalamError: No answer, or a refusal.
        """
        found = self._consume(self._nobody(), partition_id, offset, limit)
        if any(message.offset < offset for message in found.messages):
            raise ProtocolError(f"The topic sent messages from before offset {offset}, from which they were asked for.")
        return found

    def ack(self, partition_id: int, upto_offset: int) -> None:
        """Acknowledge all messages of a partition up to an offset, that one included. The server checks nothing.

        Raises:
            KalamError: No answer, or a refusal.
        """
        # A lower offset than before changes nothing, so it may be sent twice.
        body = ack_body(self.topic_id, self.group_id, partition_id, upto_offset)
        self._send("/v1/api/topics/ack", body, repeatable=True)

    def _nobody(self) -> str:
        """A group that nobody else is in: reading as it takes nothing from anyone, and nothing of it is stored."""
        return f"{self.group_id}.{uuid.uuid4().hex}"

    def _consume(
        self, group_id: str, partition_id: int, start: Start, limit: int, *, repeatable: bool = False
    ) -> Consumed:
        body = consume_body(self.topic_id, group_id, partition_id, start=start, limit=limit)
        return parse_consumed(self._send("/v1/api/topics/consume", body, repeatable=repeatable))

    def _send(self, path: str, body: bytes, *, repeatable: bool) -> bytes:
        request = Request("POST", path, body, _JSON, repeatable=repeatable, max_bytes=MAX_RESULT_BYTES)
        return self._sql.with_token(lambda token: self._http.send(request, token=token).content)
