"""Warnings that point at the line of the person who called this package."""

from __future__ import annotations

import sys
import warnings

__all__ = ["warn_caller"]


def warn_caller(text: str, category: type[Warning]) -> None:
    """Warn at the line outside of the package from which it was called."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("kalam_notebook."):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, category, stacklevel=level)
