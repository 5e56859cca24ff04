"""What was sent to the server lately, for somebody who looks for the reason of something: no values, no secrets."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections import deque
from dataclasses import dataclass

__all__ = ["Sent", "SentRequests"]

_LOG = logging.getLogger("kalam_notebook")
_KEPT = 200
#: Characters of a statement that are kept.
_SQL_CHARS = 300
_PASSWORD = re.compile(r"(?i)(\b(?:PASSWORD|SECRET|TOKEN)\b\W{0,3})'(?:[^']|'')*(?:'|$)")


@dataclass(frozen=True, slots=True)
class Sent:
    """A request.

    Attributes:
        at: When it was sent, in UTC.
        request: Method and path.
        answer: Status of the answer, or the class of the error in its place.
        seconds: Until the head of the answer was there.
        sql: Beginning of the statement in one line, without passwords; empty for other requests.
        error: Why there was no answer, with what was the cause of that; empty where there was one.
    """

    at: dt.datetime
    request: str
    answer: str
    seconds: float
    sql: str
    error: str = ""


class SentRequests:
    """The last 200 requests of a client."""

    def __init__(self) -> None:
        self._sent: deque[Sent] = deque(maxlen=_KEPT)

    def note(self, request: str, sql: str, answer: str, seconds: float, error: str = "") -> None:
        """Note a request that is over or whose answer has begun; those that failed are logged, too."""
        told = sql[:_SQL_CHARS]
        if "'" in told:
            told = _PASSWORD.sub(r"\1'…'", told)
        told = " ".join(told.split())
        self._sent.append(Sent(dt.datetime.now(dt.UTC), request, answer, seconds, told, error))
        if error or answer[:1] in {"4", "5"}:
            _LOG.info("%s: %s after %.3f s: %s", request, answer, seconds, error or told)

    def last(self) -> tuple[Sent, ...]:
        """All that are remembered, the oldest first."""
        return tuple(self._sent)
