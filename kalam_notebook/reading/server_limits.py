"""What a server does silently, found out by asking it: where it cuts results, the decimal sign, and what it can send.

These are settings or faults of a version, and no version number tells them. Each is asked when something depends on
it, the limits with the first answer that has more than one row; and asked again after the server was away, since
another one may have come in its place.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from kalam_notebook.errors import KalamError, ServerError
from kalam_notebook.http.failures import NoAnswerError
from kalam_notebook.reading.endpoint import Endpoint

__all__ = ["Epoch", "LimitsProbe", "ServerLimits"]

#: More rows than both caps of a server with default settings; a cap beyond is as good as none to tell.
_ROWS = 2001


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What one server does silently; by default those of KalamDB 0.4.3 (protocol/http.md#caps).

    Attributes:
        default_cap: An answer to a SELECT without LIMIT of so many rows may have been cut.
        limit_cap: The same with a LIMIT.
        drops_sign: Whether decimals between -1 and 0 come without their sign.
    """

    default_cap: int = 50
    limit_cap: int = 1000
    drops_sign: bool = True

    @property
    def cuts_nothing(self) -> bool:
        """Whether no cap was found."""
        return min(self.default_cap, self.limit_cap) >= _ROWS


class Epoch(Protocol):
    """Tells how long one server stays."""

    def __call__(self, *, looks: bool = True) -> object:
        """An object, and another one when another server may answer; ``looks`` costs a look at what is open."""


class LimitsProbe:
    """Asks a server for its limits, once while it stays.

    Args:
        known: The limits where they are known; None to ask.
        epoch: Tells how long the server stays.
    """

    def __init__(self, known: ServerLimits | None, epoch: Epoch) -> None:
        self._known = known
        self._epoch = epoch
        # Of each the answer, and when it was asked for.
        self._limits: tuple[object, ServerLimits] | None = None
        self._sends_anything: tuple[object, bool] | None = None
        self._lock = threading.Lock()

    @property
    def known(self) -> ServerLimits:
        """The limits as far as they are known; until they were asked for, those of a server with default settings."""
        asked = self._limits
        found = asked[1] if asked is not None and asked[0] is self._epoch(looks=False) else None
        return self._known or found or ServerLimits()

    def ask(self, endpoint: Endpoint) -> ServerLimits:
        """The limits; those of a server with default settings where it does not answer."""
        if self._known is not None:
            return self._known
        with self._lock:
            epoch = self._epoch()
            if self._limits is None or self._limits[0] is not epoch:
                try:
                    self._limits = epoch, _ask(endpoint)
                except KalamError:
                    self._limits = epoch, ServerLimits()
            return self._limits[1]

    def are_others(self, endpoint: Endpoint) -> bool:
        """Whether a server that has come tells otherwise; asks it for what was asked for before, and nothing else.

        Raises:
            KalamError: It cannot be reached.
        """
        with self._lock:
            epoch, limits, sends_anything = self._epoch(), self._limits, self._sends_anything
            if limits is not None and limits[0] is not epoch:
                self._limits = epoch, _ask(endpoint)
            if sends_anything is not None and sends_anything[0] is not epoch:
                self._sends_anything = epoch, _sends_text_views(endpoint)
            pairs = ((limits, self._limits), (sends_anything, self._sends_anything))
            return any(before and after and before[1] != after[1] for before, after in pairs)

    def sends_anything(self, endpoint: Endpoint) -> bool:
        """Whether the server sends values that 0.4.3 cannot send (protocol/http.md#later-versions).

        It sends NaN and the infinities as NULL then, and lists under the type of their elements.
        """
        with self._lock:
            epoch = self._epoch()
            if self._sends_anything is None or self._sends_anything[0] is not epoch:
                self._sends_anything = epoch, _sends_text_views(endpoint)
            return self._sends_anything[1]

    def damages(self, endpoint: Endpoint) -> bool:
        """Whether a flush or a write damages bytes and embeddings (truth L10, L24): until the server sends anything."""
        return not self.sends_anything(endpoint)


def _sends_text_views(endpoint: Endpoint) -> bool:
    """Ask for a text of the kind that only newer servers can send; in a batch the others answer with an error."""
    try:
        return endpoint.execute("SELECT 1;\nSELECT CAST('a' AS TEXT) AS t").column(1) == ["a"]
    except (ServerError, NoAnswerError):
        return False


def _ask(endpoint: Endpoint) -> ServerLimits:
    series = f"SELECT value FROM generate_series(1, {_ROWS})"
    answer = endpoint.execute(f"{series};\n{series} LIMIT {_ROWS};\nSELECT CAST('-0.5' AS DECIMAL(2, 1)) AS d")
    drops_sign = answer.column(2) == [Decimal("0.5")]
    return ServerLimits(answer.table(0).num_rows, answer.table(1).num_rows, drops_sign)
