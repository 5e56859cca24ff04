"""The phases of a live query as its rows follow the server, and what leads from one to another."""

from __future__ import annotations

from enum import Enum

__all__ = ["TRANSITIONS", "Move", "Phase"]


class Phase(Enum):
    """Where a live query is, until it ends."""

    BEGINNING = "beginning"  # Its subscriptions have never stood all at once.
    LOST = "lost"  # They do not stand any more, or not all.
    CATCHING_UP = "catching up"  # They stand; what happened before that was not told.
    LIVE = "live"  # A round that has begun since then has ended well.
    PAUSED = "paused"  # The owner wants the rows to stay.


class Move(Enum):
    """What leads to another phase."""

    ESTABLISHED = "established"  # All subscriptions stand, for the first time or again.
    LOST = "lost"  # One of them does not, or the connection.
    CAUGHT_UP = "caught up"
    PAUSED = "paused"
    RESUMED = "resumed"


#: Where a move leads; one that is not listed leaves the phase as it is.
TRANSITIONS: dict[Phase, dict[Move, Phase]] = {
    Phase.BEGINNING: {Move.ESTABLISHED: Phase.CATCHING_UP},
    Phase.LOST: {Move.ESTABLISHED: Phase.CATCHING_UP, Move.PAUSED: Phase.PAUSED},
    Phase.CATCHING_UP: {Move.LOST: Phase.LOST, Move.CAUGHT_UP: Phase.LIVE, Move.PAUSED: Phase.PAUSED},
    Phase.LIVE: {
        Move.ESTABLISHED: Phase.CATCHING_UP,
        Move.LOST: Phase.LOST,
        Move.PAUSED: Phase.PAUSED,
        Move.RESUMED: Phase.CATCHING_UP,
    },
    # What happens to the connection meanwhile is asked for on the return.
    Phase.PAUSED: {Move.RESUMED: Phase.CATCHING_UP},
}
