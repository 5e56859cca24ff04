"""From where a stream of events goes on after the connection was lost.

The server brings changed rows again from a version on. It is the greatest one that came, but not before the rows asked
for have all come: their pages are not in the order of versions (protocol/live.md#snapshots), so a half-read snapshot
begins anew. Kept by ``connection.subscriptions`` for what came, and by the reader for what was taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kalam_notebook.wire.live import MAX_BATCH_SIZE, SubscribeOptions

__all__ = ["StreamCursor"]


class StreamCursor:
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
        self._is_text = options is not None and options.is_text
        self._domain = None if options is None else options.version_domain

    def options(self) -> SubscribeOptions | None:
        """Return what to ask for now."""
        if self.seq is None:
            return self._options
        batch_size = None if self._options is None else self._options.batch_size
        return SubscribeOptions(
            batch_size=batch_size or MAX_BATCH_SIZE,
            from_seq=self.seq,
            is_text=self._is_text,
            version_domain=self._domain,
        )

    def take(self, seq: int | None, *, is_loading: bool = False, is_text: bool = False) -> None:
        """Take note of what came.

        Args:
            seq: The greatest version of its rows, if there is any.
            is_loading: Whether rows that were asked for are still to come.
            is_text: Whether the server reads such versions as text.
        """
        self._is_text = self._is_text or is_text
        if seq is not None and (self._seen is None or seq > self._seen):
            self._seen = seq
        if not is_loading:
            self.seq = self._seen

    def belongs_to(self, domain: Mapping[str, Any] | None) -> None:
        """Take note of what the versions belong to, where the server tells it: it goes back as it came."""
        if domain is not None:
            self._domain = domain

    def forget(self) -> None:
        """Begin anew: the server knows the place no more."""
        self.seq = self._seen = self._domain = None
        self._is_text = False  # Until it is seen: another server may have come.
        if self._options is not None:
            self._options = replace(self._options, from_seq=None, version_domain=None)
