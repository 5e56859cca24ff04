"""All that is wrong with a frame, told at once. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kalam_notebook.errors import FrameError

__all__ = ["Problems"]


class Problems:
    """Notes what is wrong with the columns of a frame, so that the next one is looked at, too."""

    def __init__(self) -> None:
        self._found: list[FrameError] = []

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that something is wrong with."""
        return tuple(error.column for error in self._found if error.column is not None)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note a ``FrameError`` of the block, in the place of raising it."""
        try:
            yield
        except FrameError as exc:
            self._found.append(exc)

    def raise_found(self) -> None:
        """Raise what was noted.

        Raises:
            FrameError: Something was.
        """
        if not self._found:
            return
        first, *others = self._found
        raise FrameError(
            first.reason, column=first.column, row=first.row, value=first.value, others=tuple(others)
        ) from None
