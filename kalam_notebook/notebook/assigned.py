"""Whether anybody takes what a magic gives: ``rows = %kalam tables`` does, ``%kalam tables`` alone does not."""

from __future__ import annotations

import dis
import sys

__all__ = ["is_taken"]

_ON_THE_WAY = ("kalam_notebook.", "IPython.")
#: How Python shows the last expression of a cell: up to 3.11, and later.
_PRINTED = {("PRINT_EXPR", ""), ("CALL_INTRINSIC_1", "INTRINSIC_PRINT")}


def is_taken() -> bool:
    """Tell it of the magic that runs.

    IPython does not, and shows what a magic gives only where that is a cell's last expression. What Python does next
    with the value is asked of the compiled code: its text may be gone, as below ``%%time``.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith(_ON_THE_WAY):
        frame = frame.f_back

    following = (step for step in dis.get_instructions(frame.f_code) if step.offset > frame.f_lasti)
    step = next(following, None)
    is_printed = step is not None and (step.opname, step.argrepr) in _PRINTED
    return step is not None and step.opname != "POP_TOP" and not is_printed
