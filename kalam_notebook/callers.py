"""What is told to the person who called this package: warnings and errors point at that person's line, not at ours.

Standard library only; IPython is asked where it runs anyway.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import linecache
import os
import sys
import sysconfig
import traceback
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import is_dataclass
from pathlib import Path
from types import FrameType, FunctionType, MethodType, TracebackType
from typing import Any, ParamSpec, TypeVar

from kalam_notebook.advice import for_reader
from kalam_notebook.texts import shown

__all__ = [
    "TRACEBACK_VARIABLE", "fails_shortly", "for_each_row", "running_shell", "short_failures", "short_traceback",
    "shorten", "tell_of_interrupt", "told_when_interrupted", "warn_caller",
]  # fmt: skip

_T = TypeVar("_T", bound=type)
_F = TypeVar("_F", bound=Callable[..., Any])
_P = ParamSpec("_P")
_R = TypeVar("_R")

#: Set to ``whole``, scripts show the frames of this package, too.
TRACEBACK_VARIABLE = "KALAM_TRACEBACK"

#: Calls by which Python comes into an object; a person does not see them as ours.
_PROTOCOLS = frozenset({"__init__", "__enter__", "__exit__", "__next__", "__anext__"})
_PACKAGES = ("kalam_notebook", "kalam_sandbox")
_INSIDE = tuple(f"{name}." for name in _PACKAGES)
_FOR_EACH_ROW: set[object] = set()
_LIBRARIES = ("<frozen ", *{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def warn_caller(text: str, category: type[Warning]) -> None:
    """Warn at the line outside of the package from which it was called."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame):
        level, frame = level + 1, frame.f_back
    warnings.warn(shown(for_reader(text)), category, stacklevel=level)


def short_traceback(error: BaseException) -> list[str]:
    """The lines of an error for IPython: where the reader called this package, and what the error says.

    Whoever asks for more, by ``%tb`` or ``%xmode Verbose``, gets IPython's own traceback.
    """
    shell = running_shell()
    if shell is None:
        return traceback.format_exception(error)
    # %tb is a cell that shows the last error again, when nobody handles it any more. Behind a cell IPython asks once
    # more, to keep it: the whole would take longer than who interrupts waits.
    is_shown_again = sys.exc_info()[1] is not error and shell.displayhook.exec_result is not None
    if is_shown_again or shell.InteractiveTB.mode == "Verbose":
        whole: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__)
        return whole
    lines = [line for frame, number in _readers_lines(error) for line in _place(frame, number, shell)]
    told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return [*lines, *([""] if lines else []), *"\n".join([told, *getattr(error, "__notes__", [])]).splitlines()]


def running_shell() -> Any:  # noqa: ANN401 - IPython's shell has no types.
    """IPython's shell; None where this process runs none."""
    # Another thread may be about to import it.
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return None if get_ipython is None else get_ipython()


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith(_INSIDE)


def _readers_lines(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    """Frames of the reader's own code, on the way to the first of ours, with their line."""
    for frame, number in traceback.walk_tb(error.__traceback__):
        if _is_ours(frame):
            return
        if not frame.f_code.co_filename.startswith(_LIBRARIES):
            yield frame, number


def _place(frame: FrameType, number: int, shell: Any) -> list[str]:  # noqa: ANN401
    """A frame as IPython writes it, with one line of its source; nothing where the reader wrote no such line."""
    path, name = frame.f_code.co_filename, frame.f_code.co_name
    source = linecache.getline(path, number, frame.f_globals).strip()
    if not source or source.startswith("get_ipython()."):  # A magic.
        return []
    cell = shell.compile.format_code_name(path)
    file = f"File {path.replace(str(Path.home()), '~', 1)}:{number}"
    place = file if cell is None else f"{' '.join(cell)}, line {number}"
    return [place if name == "<module>" else f"{place}, in {name}", f"----> {number} {source}"]


def short_failures(kind: _T) -> _T:
    """Have what any public method of a class raises told shortly, and an interrupt as an error of this package.

    As a decorator of the class; methods of which ``for_each_row`` says so stay as they are. In an awaited call an
    interrupt comes as ``CancelledError``.
    """
    for name, method in list(vars(kind).items()):
        if not isinstance(method, FunctionType) or method in _FOR_EACH_ROW:
            continue
        if name == "__init__" and is_dataclass(kind):  # Made by this package, a few for each query.
            continue
        if name in _PROTOCOLS or not name.startswith("_"):
            wrap = _awaited_shortly if inspect.iscoroutinefunction(method) else fails_shortly
            setattr(kind, name, wrap(method))
    return kind


def for_each_row(method: _F) -> _F:
    """Leave out a method that is called for each row: it would take twice as long."""
    _FOR_EACH_ROW.add(method)
    return method


def fails_shortly(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The same for one function."""

    @functools.wraps(function)
    def call(*args: _P.args, **options: _P.kwargs) -> _R:
        try:
            # Its own context: an interrupt at the end of a block skips what would have set a variable back.
            return copy_context().run(function, *args, **options)
        except BaseException as exc:
            _cut(exc)
            raise  # Alone, it adds no line of this function.
        finally:
            del args, options  # A verbose traceback shows the locals of this frame.

    return call


def _awaited_shortly(function: Callable[..., Awaitable[_R]]) -> Callable[..., Awaitable[_R]]:
    @functools.wraps(function)
    async def call(*args: object, **options: object) -> _R:
        try:
            return await function(*args, **options)
        except BaseException as exc:
            _cut(exc)
            raise
        finally:
            del args, options

    return call


def _cut(error: BaseException) -> None:
    """Have an error that leaves this package show the reader's own lines only; in IPython ``%tb`` has the rest."""
    is_interrupt = isinstance(error, KeyboardInterrupt | asyncio.CancelledError)
    if not is_interrupt and type(error).__module__.partition(".")[0] not in _PACKAGES:
        return  # One of Python, or of the reader's own.

    if running_shell() is not None:
        if not hasattr(error, "_render_traceback_"):
            shorten(error)
    elif os.environ.get(TRACEBACK_VARIABLE) != "whole":
        error.__traceback__ = _readers_part(error.__traceback__)
        error.__suppress_context__ = error.__suppress_context__ or is_interrupt


def _readers_part(whole: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of this package and of libraries."""
    places = []
    while whole is not None:
        if not _is_ours(whole.tb_frame) and not whole.tb_frame.f_code.co_filename.startswith(_LIBRARIES):
            places.append(whole)
        whole = whole.tb_next

    part = None
    for place in reversed(places):
        part = TracebackType(part, place.tb_frame, place.tb_lasti, place.tb_lineno)
    return part


@contextmanager
def told_when_interrupted(tell: Callable[[], str]) -> Iterator[None]:
    """Have who interrupts the block told, in one line, what became of what it did; who stands nearest to it tells."""
    try:
        yield
    except KeyboardInterrupt as exc:
        tell_of_interrupt(exc, tell())
        raise


def tell_of_interrupt(interrupt: KeyboardInterrupt, line: str) -> None:
    """Have an interrupt say one line, unless it says one already."""
    if not getattr(interrupt, "__notes__", None):
        interrupt.add_note(line)


def shorten(error: BaseException) -> None:
    """Have IPython show an error as shortly as one of this package."""
    error._render_traceback_ = MethodType(short_traceback, error)  # type: ignore[attr-defined]
