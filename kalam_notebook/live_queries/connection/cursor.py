"""From where a stream of events goes on after the connection was lost.

The server brings changed rows again from a ``_seq`` on. It is the greatest one that came, but not before the rows asked
for have all come: their pages are not in the order of ``_seq`` (protocol/live.md#snapshots), so a half-read snapshot
begins anew. Kept by ``connection.subscriptions`` for what came, and by the reader for what was taken.
"""

from __future__ import annotations

from kalam_notebook.wire.live import MAX_BATCH_SIZE, SubscribeOptions

__all__ = ["Cursor"]


class Cursor:
    """The place in a stream.

    Args:
        options: What is asked for at first; None for no rows.

    Attributes:
        seq: Where to go on; None while there is no such place.
    """

    def __init__(self, options: SubscribeOptions | None) -> None:
        self.seq = None if options is None else options.from_seq
        self._options = options
        self._seen = self.seq

    def options(self) -> SubscribeOptions | None:
        """Return what to ask for now."""
        if self.seq is None:
            return self._options
        batch_size = None if self._options is None else self._options.batch_size
        return SubscribeOptions(batch_size=batch_size or MAX_BATCH_SIZE, from_seq=self.seq)

    def take(self, seq: int | None, *, is_loading: bool = False) -> None:
        """Take note of what came.

        Args:
            seq: The greatest ``_seq`` of its rows, if there is any.
            is_loading: Whether rows that were asked for are still to come.
        """
        if seq is not None and (self._seen is None or seq > self._seen):
            self._seen = seq
        if not is_loading:
            self.seq = self._seen
