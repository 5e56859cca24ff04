"""Which cell runs, what it made when it ran before, and how IPython's memory lets go of that.

Front ends send the name of a cell with each execution, as JupyterLab, Notebook and VS Code do. Where there is none,
nothing is known of former executions.
"""

from __future__ import annotations

import re
import weakref
from typing import Any, Generic, TypeVar

__all__ = ["MadeByCell", "TypedCell", "forget", "let_go"]

_T = TypeVar("_T")


class TypedCell:
    """The cell that runs, as it was typed.

    IPython takes prompts (``>>>``) and the blanks of blank lines out of a cell, also inside of its texts.
    """

    def __init__(self) -> None:
        self._text = ""

    def note(self, info: Any) -> None:  # noqa: ANN401
        """Take the cell; to be registered for ``pre_run_cell``."""
        self._text = info.raw_cell or ""

    def body(self, shell: Any, magic: str, line: str, cell: str) -> str:  # noqa: ANN401
        """What stands below the line of a cell magic, as it was typed.

        Args:
            shell: IPython's shell.
            magic: The magic's name.
            line: Its line.
            cell: What IPython gives for the body; this is returned where another way than a cell led to the magic.
        """
        lines = self._text.splitlines(keepends=True)
        while lines and not lines[0].strip():
            lines.pop(0)
        call = f"get_ipython().run_cell_magic({magic!r}, {line!r}, {cell!r})\n"
        is_it = bool(lines) and lines[0].startswith(f"%%{magic}") and shell.transform_cell(self._text) == call
        return "".join(lines[1:]) if is_it else cell


class MadeByCell(Generic[_T]):
    """What each cell made when it last ran. It is not kept alive."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[str, list[weakref.ref[_T]]]] = {}

    def former(self, shell: Any) -> list[_T]:  # noqa: ANN401 - IPython's shell has no types.
        """Give what the running cell made in an earlier execution, once."""
        cell, execution = _running(shell)
        if cell not in self._made or self._made[cell][0] == execution:
            return []
        made = (reference() for reference in self._made.pop(cell)[1])
        return [item for item in made if item is not None]

    def add(self, shell: Any, item: _T) -> None:  # noqa: ANN401
        """Remember something that the running cell made; after ``former``."""
        cell, execution = _running(shell)
        if cell:
            self._made.setdefault(cell, (execution, []))[1].append(weakref.ref(item))


def _running(shell: Any) -> tuple[str, str]:  # noqa: ANN401
    """The names of the running cell and of this execution of it; empty where there are none."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return str(parent.get("metadata", {}).get("cellId", "")), str(parent.get("header", {}).get("msg_id", ""))


def let_go(shell: Any, value: object) -> None:  # noqa: ANN401
    """Take a value out of IPython's memory of results, unless a variable of the user holds it."""
    if not any(held is value for name, held in list(shell.user_ns.items()) if not _is_of_ipython(name)):
        forget(shell, value)


def forget(shell: Any, value: object) -> None:  # noqa: ANN401
    """Take a value out of IPython's memory of results; variables of the user go on to hold it.

    ``Out`` holds every result, so that nothing that a cell has shown would ever be garbage.
    """
    for space in (shell.user_ns, shell.user_ns_hidden, shell.history_manager.output_hist):
        for name in [name for name, held in list(space.items()) if held is value and _is_of_ipython(name)]:
            del space[name]
    for name in ("_", "__", "___"):
        if getattr(shell.displayhook, name, None) is value:
            setattr(shell.displayhook, name, None)
    if getattr(shell.last_execution_result, "result", None) is value:
        shell.last_execution_result = None


def _is_of_ipython(name: object) -> bool:
    """Whether IPython gives the name to results: a number in ``Out``, ``_``, ``__``, ``___`` and ``_12`` elsewhere."""
    return isinstance(name, int) or re.fullmatch(r"_{1,3}|_\d+", str(name)) is not None
