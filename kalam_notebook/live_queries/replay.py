"""``kalam.replay``: a recording of a live table, shown as a live table again. It needs no server and no connection."""

from __future__ import annotations

import os
from pathlib import Path

from kalam_notebook.callers import fails_shortly
from kalam_notebook.errors import ConfigError
from kalam_notebook.live_queries.recording.player import play
from kalam_notebook.live_queries.table import LiveTable

__all__ = ["replay"]


@fails_shortly
def replay(path: str | os.PathLike[str], *, speed: float = 1.0) -> LiveTable:
    """Play a recording that ``live.record`` made, as a live table without a server.

    The first rows are there at once; then everything happens again in its order, with the pauses that were between,
    and the table's numbers, versions and ``changes`` are those of then. ``status`` is ``replaying``, and in the end
    ``stopped: the recording has ended``; the rows stay. ``pause`` stops the recording, ``resume`` lets it go on from
    there. ``verify`` says that there is no server. FILE cells belong to no table, so they cannot be downloaded from
    here.

    Args:
        path: The file.
        speed: How many recorded seconds pass in one; ``float("inf")`` for everything at once.

    Returns:
        A live table without a server.

    Raises:
        ConfigError: ``speed`` is not greater than 0.
        RecordingError: The file cannot be read, is no recording, or breaks off before its first rows.
    """
    if not speed > 0:
        raise ConfigError(f"speed is {speed}; give a number greater than 0.")
    player = play(Path(path).expanduser(), speed=speed)
    return LiveTable(player, sql=player.origin.sql)
