"""Which cell runs, what it made when it ran before, and how to let go of that.

Front ends send the name of a cell with each execution, as JupyterLab, Notebook and VS Code do. Where there is none,
nothing is known of former executions.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

__all__ = ["MadeByCell", "let_go"]

_T = TypeVar("_T")


class MadeByCell(Generic[_T]):
    """What each cell made when it last ran."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[str, list[_T]]] = {}

    def former(self, shell: Any) -> list[_T]:  # noqa: ANN401 - IPython's shell has no types.
        """Give what the running cell made in an earlier execution, once."""
        cell, execution = _running(shell)
        if cell not in self._made or self._made[cell][0] == execution:
            return []
        return self._made.pop(cell)[1]

    def add(self, shell: Any, item: _T) -> None:  # noqa: ANN401
        """Remember something that the running cell made; after ``former``."""
        cell, execution = _running(shell)
        if cell:
            self._made.setdefault(cell, (execution, []))[1].append(item)


def _running(shell: Any) -> tuple[str, str]:  # noqa: ANN401
    """The names of the running cell and of this execution of it; empty where there are none."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return str(parent.get("metadata", {}).get("cellId", "")), str(parent.get("header", {}).get("msg_id", ""))


def let_go(shell: Any, value: object) -> None:  # noqa: ANN401
    """Take a value out of IPython's memory of results, unless a variable of the user holds it.

    ``Out`` holds every result, so that nothing that a cell has shown would ever be garbage.
    """
    names = shell.user_ns
    if any(held is value for name, held in names.items() if not name.startswith("_")):
        return
    for space in (names, shell.user_ns_hidden, shell.history_manager.output_hist):
        for name in [name for name, held in space.items() if held is value]:
            del space[name]
    for name in ("_", "__", "___"):
        if getattr(shell.displayhook, name, None) is value:
            setattr(shell.displayhook, name, None)
    if getattr(shell.last_execution_result, "result", None) is value:
        shell.last_execution_result = None
