"""What a server does silently, found out by asking it: where it cuts results, the decimal sign, and what it can send.

These are settings or faults of a version, and no version number tells them. Each is asked when something depends on
it, the limits with the first answer that has more than one row; and asked again after the server was away, since
another one may have come in its place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, Protocol, TypeVar

from kalam_notebook.errors import KalamError, ServerError
from kalam_notebook.http.failures import NoAnswerError
from kalam_notebook.reading.endpoint import Endpoint

__all__ = ["Epoch", "LimitsProbe", "ServerLimits"]

_T = TypeVar("_T")

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


class _Trait(Generic[_T]):
    """What a server was asked for, kept while it stays."""

    def __init__(self, ask: Callable[[Endpoint], _T]) -> None:
        self._ask = ask
        # When it was asked for, and the answer.
        self._kept: tuple[object, _T] | None = None

    @property
    def is_asked(self) -> bool:
        """Whether any server was asked."""
        return self._kept is not None

    def known(self, epoch: object) -> _T | None:
        """The answer of the server of now; None where it was not asked."""
        kept = self._kept
        return kept[1] if kept is not None and kept[0] is epoch else None

    def keep(self, epoch: object, answer: _T) -> _T:
        """Take this for its answer."""
        self._kept = epoch, answer
        return answer

    def of(self, epoch: object, endpoint: Endpoint) -> _T:
        """The answer, asked for where it is not known."""
        known = self.known(epoch)
        return self.keep(epoch, self._ask(endpoint)) if known is None else known

    def is_another(self, epoch: object, endpoint: Endpoint) -> bool:
        """Whether the server of now answers otherwise than the one before; nothing that was not asked for is."""
        before = self._kept
        return before is not None and self.of(epoch, endpoint) != before[1]


class LimitsProbe:
    """Asks a server for its limits, once while it stays.

    Args:
        known: The limits where they are known; None to ask.
        epoch: Tells how long the server stays.
    """

    def __init__(self, known: ServerLimits | None, epoch: Epoch) -> None:
        self._given = known
        self._epoch = epoch
        self._limits = _Trait(_ask)
        self._sends_anything = _Trait(_sends_text_views)
        self._lock = threading.Lock()

    @property
    def known(self) -> ServerLimits:
        """The limits as far as they are known; until they were asked for, those of a server with default settings."""
        if self._given is not None or not self._limits.is_asked:
            return self._given or ServerLimits()
        return self._limits.known(self._epoch(looks=False)) or ServerLimits()

    def ask(self, endpoint: Endpoint) -> ServerLimits:
        """The limits; those of a server with default settings where it does not answer."""
        if self._given is not None:
            return self._given
        with self._lock:
            epoch = self._epoch(looks=False)  # They are asked for with an answer at hand.
            try:
                return self._limits.of(epoch, endpoint)
            except KalamError:
                return self._limits.keep(epoch, ServerLimits())

    def are_others(self, endpoint: Endpoint) -> bool:
        """Whether a server that has come tells otherwise; asks it for what was asked for before, and nothing else.

        Raises:
            KalamError: It cannot be reached.
        """
        with self._lock:
            epoch = self._epoch()
            # Both are asked: what changes later is of another server.
            changed = [trait.is_another(epoch, endpoint) for trait in (self._limits, self._sends_anything)]
            return any(changed)

    def sends_anything(self, endpoint: Endpoint) -> bool:
        """Whether the server sends values that 0.4.3 cannot send (protocol/http.md#later-versions).

        It sends NaN and the infinities as NULL then, and lists under the type of their elements.
        """
        with self._lock:
            return self._sends_anything.of(self._epoch(), endpoint)

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
