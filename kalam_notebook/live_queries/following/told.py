"""Whether events have told all that happened since a check asked: then the next one need not go back behind them.

Only where the server tells when it drops events (``wire.row_version.tells_gaps``). Pure.
"""

from __future__ import annotations

__all__ = ["Told"]


class Told:
    """What was missed, and what checks have made up for. At first everything was missed."""

    def __init__(self) -> None:
        self._missed = 1
        self._asked = 0
        self._made_up = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing was missed that no check has brought."""
        return self._made_up == self._missed

    def miss(self) -> None:
        """Events did not come, or were dropped here."""
        self._missed += 1

    def ask(self) -> None:
        """A check begins."""
        self._asked = self._missed

    def answer(self) -> None:
        """The check has brought all that had happened when it was asked."""
        self._made_up = self._asked
