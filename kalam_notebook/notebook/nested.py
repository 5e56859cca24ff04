"""The one place that uses ``nest_asyncio``: for code pasted into a cell that calls ``asyncio.run`` itself."""

from __future__ import annotations

__all__ = ["allow_nested_run"]


def allow_nested_run() -> None:
    """Let ``asyncio.run(...)`` work in notebook cells, where a loop is running already.

    The package itself never needs it: ``await`` works in cells. This patches asyncio for the whole process, which can
    disturb other libraries; call it only for code that you cannot change.
    """
    import nest_asyncio

    nest_asyncio.apply()
