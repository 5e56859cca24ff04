"""What came of each of many files, as a frame; and which errors are those of a single file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kalam_notebook.callers import warn_caller
from kalam_notebook.errors import AuthError, ConnectError
from kalam_notebook.texts import in_line

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OF_ALL", "FilesWarning", "Outcome", "failed", "report"]

#: Errors that every other file would meet, too.
OF_ALL = (AuthError, ConnectError)


class FilesWarning(UserWarning):
    """Some of many files were not uploaded or downloaded."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one file.

    Attributes:
        name: The file's name; None where there is none.
        bytes: Its size; None where it is not known.
        result: One word or two for what was done.
        error: Why it failed; None where it did not.
        more: Other columns of the report.
    """

    name: str | None
    bytes: int | None
    result: str
    error: str | None = None
    more: Mapping[str, Any] | None = None


def failed(error: Exception, name: str | None, size: int | None = None) -> Outcome:
    """The outcome of a file that could not be had or sent."""
    return Outcome(name, size, "failed", in_line(" ".join(str(error).split("\n")), 400))


def report(outcomes: Sequence[Outcome], index: Any, *, columns: Sequence[str], verb: str) -> pd.DataFrame:  # noqa: ANN401 - an index of pandas.
    """The outcomes as a frame; warns of those that failed.

    Args:
        outcomes: One for each file.
        index: The rows' labels; None for numbers.
        columns: Those of ``Outcome`` and of its ``more``, in order.
        verb: What was not done to the failed ones.

    Warns:
        FilesWarning: Some have failed.
    """
    import pandas as pd

    rows = [_cells(one) for one in outcomes]
    frame = pd.DataFrame(rows, columns=list(columns), index=index).astype({"bytes": "Int64"})
    bad = [one for one in outcomes if one.result == "failed"]
    if bad:
        first = f"{bad[0].name!r}: " if bad[0].name else ""
        warn_caller(
            f"{len(bad):,} of {len(outcomes):,} files were not {verb}. {first}{bad[0].error}\n"
            "All of them: report[report['result'] == 'failed'].",
            FilesWarning,
        )
    return frame


def _cells(one: Outcome) -> dict[str, Any]:
    return {"name": one.name, "bytes": one.bytes, "result": one.result, "error": one.error, **(one.more or {})}
