"""What a caller has, as one Arrow table: pandas, polars, Arrow, and anything with ``__arrow_c_stream__``.

Nothing is judged here but the form: whether values can be written is for ``values`` to say. NaN in float columns stays
NaN, so that it is not taken for NULL in silence.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kalam_notebook.errors import FrameError
from kalam_notebook.wire.types import KALAM_TYPE
from kalam_notebook.writing.objects import GUESSED, plain_objects
from kalam_notebook.writing.problems import Problems

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["renaming", "to_arrow", "with_index"]


def with_index(frame: object, wanted: Collection[str]) -> tuple[object, str]:
    """Make columns of those parts of an index of pandas that are wanted.

    Args:
        frame: Any frame.
        wanted: Names of columns of the table.

    Returns:
        The frame, and what is said about the rest of the index; empty where nobody would miss it.
    """
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(frame, pandas.DataFrame):
        return frame, ""
    named = [name for name in frame.index.names if isinstance(name, str) and name not in frame.columns]
    if found := [name for name in named if name in wanted]:
        frame = frame.reset_index(level=found)
    left_out = ", ".join(repr(name) for name in named if name not in found)
    return frame, f"The index {left_out} was left out: frame.reset_index() makes it a column." if left_out else ""


def renaming(frame: object, names: dict[str, str]) -> str:
    """What to type to give columns of a frame other names."""
    library = type(frame).__module__.partition(".")[0]
    calls = {"pandas": "frame.rename(columns={})", "polars": "frame.rename({})"}
    return f"frame = {calls.get(library, 'frame.rename_columns({})').replace('{}', repr(names))}"


def to_arrow(
    frame: object,
    *,
    json_columns: Collection[str] | None = None,
    nan_is_null: bool = False,
    problems: Problems | None = None,
) -> pa.Table:
    """Convert a frame to an Arrow table of one chunk.

    Args:
        frame: A pandas or polars DataFrame, an Arrow table, batch or reader, or any object with ``__arrow_c_stream__``.
        json_columns: Names of the table's JSON columns; None when the table is to be made.
        nan_is_null: Whether a decimal NaN stands for NULL; else it is refused.
        problems: Told of columns that have no Arrow form that keeps their values, which are left out; None to raise.

    Returns:
        The rows, columns in the frame's order. An index of pandas is left out.

    Raises:
        FrameError: It is none of these, two columns have one name, or a column has no Arrow form that keeps its values.
    """
    found = Problems() if problems is None else problems
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(frame, pandas.DataFrame):
        table = _from_pandas(frame, json_columns, nan_is_null, found)
    elif isinstance(frame, pa.RecordBatch):
        table = pa.Table.from_batches([frame])
    elif isinstance(frame, pa.Table):
        table = frame
    elif hasattr(frame, "__arrow_c_stream__"):
        table = _from_stream(frame)
    else:
        raise FrameError(
            f"A {type(frame).__name__} is no frame. Give a pandas or polars DataFrame or an Arrow table, for example "
            "pyarrow.Table.from_pylist(rows)."
        )

    if problems is None:
        found.raise_found()
    _refuse_twins(table.column_names)
    return table.combine_chunks()


def _refuse_twins(names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise FrameError(f"The frame has two columns named {twice[0]!r}. Drop or rename one.")


def _from_stream(frame: object) -> pa.Table:
    name = type(frame).__name__
    try:
        return pa.RecordBatchReader.from_stream(frame).read_all()
    except Exception as exc:  # A stream of another library may raise anything.
        why = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        if hasattr(frame, "to_frame"):
            advice = "It is one column: write the frame that its to_frame() gives."
        else:
            advice = "Convert columns of types that Arrow does not have, such as 128-bit integers, or leave them out."
        raise FrameError(f"The {name} cannot be read as a table of Arrow ({why}). {advice}") from None


def _from_pandas(
    frame: pd.DataFrame, json_columns: Collection[str] | None, nan_is_null: bool, problems: Problems
) -> pa.Table:
    labels = list(frame.columns)
    for label in labels:
        if not isinstance(label, str):
            raise FrameError(f"The column label {label!r} is not text. Rename it: frame.rename(columns=str).")
    _refuse_twins(labels)
    columns = []
    for index, label in enumerate(labels):
        is_json = None if json_columns is None else label in json_columns
        with problems.noted():
            columns.append(_from_series(frame.iloc[:, index], label, is_json=is_json, nan_is_null=nan_is_null))
    fields = [field for field, _ in columns]
    return pa.Table.from_arrays([array for _, array in columns], schema=pa.schema(fields))


def _from_series(
    series: pd.Series[Any], name: str, *, is_json: bool | None, nan_is_null: bool
) -> tuple[pa.Field, pa.Array]:
    values: Any = series
    metadata: dict[bytes, bytes] = {}
    if series.dtype == object:
        values, kind = plain_objects(series, name, is_json=is_json, nan_is_null=nan_is_null)
        metadata = {KALAM_TYPE: kind} if kind else {GUESSED: b"1"}
    try:
        array = pa.array(values, from_pandas=True)
        if pa.types.is_floating(array.type):
            # NaN is pandas' sign for "missing" too; whether it shall become NULL is the caller's to say.
            array = pa.array(values, from_pandas=False)
    except UnicodeEncodeError:
        raise _surrogate(series, name) from None
    except (ValueError, TypeError, OverflowError, pa.ArrowNotImplementedError) as exc:
        why = str(exc).splitlines()[0]
        raise FrameError(f"its values have no common type ({why}). Convert them to one.", column=name) from None
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return pa.field(name, array.type, metadata=metadata), array


def _surrogate(series: pd.Series[Any], name: str) -> FrameError:
    for row, value in enumerate(series):
        if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
            return FrameError(
                "holds a lone surrogate, which is not Unicode text. Replace it.",
                column=name,
                row=row,
                value=ascii(value)[:40],
            )
    return FrameError("holds text that is not Unicode.", column=name)
