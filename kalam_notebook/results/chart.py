"""A chart as a static picture: what stays of a live chart in the saved notebook, SVG inside of html.

Pure and deterministic: the same rows give the same text. ``Drawn`` says what is drawn and checks that it can be; the
page draws the same by ``js/src/chart.ts``. Everything that comes from data is escaped.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, get_args

import numpy as np
import pyarrow as pa

from kalam_notebook.errors import ConfigError
from kalam_notebook.results.cells import CellColumn, cell_text, describe, plain
from kalam_notebook.results.render import render_block_html
from kalam_notebook.texts import cut, did_you_mean, one_line
from kalam_notebook.wire.types import Column

__all__ = ["COLOURS", "ChartKind", "Drawn", "render_chart_html"]

ChartKind = Literal["line", "bar", "points"]

#: Of the series, readable on light and on dark; the page takes them from here.
COLOURS = ("#2f81f7", "#d4720c", "#2da44e", "#a475f9", "#db61a2", "#b58407", "#1b9aaa", "#8b949e")

#: The picture, in pixels, and what stands around the drawing.
_WIDTH, _HEIGHT = 720, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 10, 26
#: Bars, and characters of their names.
_MOST_BARS = 60
_NAME_CHARS = 14
#: What is nearer to each other is drawn as one value.
_LEAST_SPAN = 1e-300
#: The width of a character, about.
_CHAR = 6.2

_TIMES = frozenset({"timestamp", "date"})
_DAY_MS = 86_400_000.0
_YEAR_MS = 365.2425 * _DAY_MS
_SECOND_MS, _MINUTE_MS, _HOUR_MS = 1_000.0, 60_000.0, 3_600_000.0
#: From one time on the axis to the next.
_TIME_STEPS = [
    *(number * unit for unit, numbers in (
        (1.0, (1, 10, 100)), (_SECOND_MS, (1, 2, 5, 10, 15, 30)), (_MINUTE_MS, (1, 2, 5, 10, 15, 30)),
        (_HOUR_MS, (1, 2, 3, 6, 12)), (_DAY_MS, (1, 2, 7, 14, 30, 91)),
    ) for number in numbers),
]  # fmt: skip


_TIME_FORMS = ((_DAY_MS, "%Y-%m-%d"), (_MINUTE_MS, "%H:%M"), (0.0, "%H:%M:%S"))


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a chart draws of a table.

    Attributes:
        x: The column from left to right.
        y: The columns upwards; each makes a series.
        kind: ``line``, ``points``, or ``bar``: a bar for each row, named by x.
    """

    x: str
    y: tuple[str, ...]
    kind: ChartKind = "line"

    def check(self, schema: pa.Schema, columns: Sequence[Column]) -> None:
        """See that a table can be drawn.

        Raises:
            ConfigError: It has no such columns, or they hold nothing that can be drawn.
        """
        if self.kind not in get_args(ChartKind):
            raise ConfigError(f"kind is line, bar or points, not {self.kind!r}.")
        if not 1 <= len(self.y) <= len(COLOURS):
            raise ConfigError(f"y names one column to {len(COLOURS)}, not {len(self.y)}.")

        described = describe(schema, columns)
        x, *series = (_column(name, described) for name in (self.x, *self.y))
        numbers = [column.name for column in described if column.is_number]

        for column in series:
            if not column.is_number:
                raise ConfigError(
                    f"{column.name!r} is {column.sql_type}, and y takes numbers."
                    f"{did_you_mean(column.name, numbers)} Numbers are: {', '.join(numbers) or 'none'}."
                )

        if self.kind != "bar" and not (x.is_number or x.kind in _TIMES):
            able = [column.name for column in described if column.is_number or column.kind in _TIMES]
            raise ConfigError(
                f"{x.name!r} is {x.sql_type}: kind='bar' draws it. On x, {self.kind} takes a number or a time."
                f"{did_you_mean(x.name, able)} There are: {', '.join(able) or 'none'}."
            )

    def of(self, table: pa.Table) -> pa.Table:
        """The columns that are drawn, x first."""
        return table.select(self.places(table.schema.names))

    def places(self, names: Sequence[str]) -> list[int]:
        """Where the columns stand among others.

        Raises:
            ConfigError: They do not any more.
        """
        if gone := [name for name in (self.x, *self.y) if name not in names]:
            raise ConfigError(f"the table has no column {gone[0]!r} any more.")
        return [names.index(name) for name in (self.x, *self.y)]


def _column(name: object, columns: Sequence[CellColumn]) -> CellColumn:
    names = [column.name for column in columns]
    if names.count(name) == 1:  # type: ignore[arg-type] # Whatever was given.
        return columns[names.index(name)]  # type: ignore[arg-type]
    if name in names:
        raise ConfigError(f"Several columns are called {name!r}; name them apart with AS.")
    raise ConfigError(f"There is no column {name!r}.{did_you_mean(str(name), names)} There are: {', '.join(names)}.")


def render_chart_html(
    table: pa.Table,
    kind: ChartKind,
    *,
    columns: Sequence[Column] = (),
    title: str | None = None,
    footer: Sequence[str] = (),
    notices: Sequence[str] = (),
) -> str:
    """Draw a table as a block of html that needs no script.

    Args:
        table: The columns that are drawn, x first.
        kind: How.
        columns: As the server announced them.
        title: One line above it, for example the SQL.
        footer: Facts for the line below, after what is drawn.
        notices: Warnings, shown above everything.
    """
    described = describe(table.schema, columns)
    series = [_numbers(table.column(1 + index), column) for index, column in enumerate(described[1:])]
    if kind == "bar":
        drawing, told = _bars(table.column(0), described[0], series)
    else:
        drawing, told = _plotted(_numbers(table.column(0), described[0]), described[0], series, kind)
    names = [one_line(column.name) for column in described]
    picture = (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(" and ".join(names[1:]))} by '
        f'{escape(names[0])}" style="display:block;width:100%;min-width:560px;max-width:{_WIDTH}px;height:auto;'
        f'font-size:11px" fill="currentColor">{drawing}</svg>'
    )
    legend = "".join(
        f'<span style="margin-right:14px"><span style="color:{colour}">●</span> {escape(name)}</span>'
        for name, colour in zip(names[1:], COLOURS, strict=False)
    )
    unit = " (UTC)" if described[0].zoned else ""
    content = (
        f'<div style="padding:0 8px">{legend}<small>by {escape(names[0])}{unit}</small></div>'
        f'<div class="kalam-scroll">{picture}</div>'
    )
    return render_block_html(content, title=title, foot=" · ".join((told, *footer)), notices=notices)


def _numbers(values: pa.ChunkedArray, column: CellColumn) -> np.ndarray:
    """The values as doubles, times in milliseconds; NaN where there is none to draw."""
    if column.kind in _TIMES:
        ticks = plain(values, column).cast(pa.int64()).cast(pa.float64(), safe=False)
        found = ticks.to_numpy() * (_DAY_MS if column.kind == "date" else 1_000.0 / column.scale)
    else:
        found = values.cast(pa.float64(), safe=False).to_numpy()
    return np.where(np.isfinite(found), found, np.nan)


# Lines and points.


def _plotted(x: np.ndarray, column: CellColumn, series: Sequence[np.ndarray], kind: ChartKind) -> tuple[str, str]:
    order = np.argsort(x, kind="stable")
    order = order[~np.isnan(x[order])]
    xs, ys = x[order], [values[order] for values in series]
    drawable = np.any([~np.isnan(values) for values in ys], axis=0) if len(xs) else np.zeros(0, bool)
    told = f"{_counted(int(drawable.sum()), 'point')}"
    if missing := len(x) - int(drawable.sum()):
        told += f" · {_counted(missing, 'row')} without a number left out"
    if not drawable.any():
        return _empty(), told

    across = _Scale(xs[drawable], _LEFT, _WIDTH - _RIGHT)
    up = _Scale(np.concatenate(ys), _HEIGHT - _BOTTOM, _TOP)
    parts = [_grid(across, up, _time_ticks if column.kind in _TIMES else _ticks)]
    is_thinned = False
    for values, colour in zip(ys, COLOURS, strict=False):
        points = np.stack([across.place(xs), up.place(values)], axis=1)
        if kind == "line":
            shape, is_thin = _line(points)
            parts.append(
                f'<path d="{shape}" fill="none" stroke="{colour}" stroke-width="1.5" stroke-linejoin="round"/>'
            )
        else:
            shape, is_thin = _dots(points)
            parts.append(f'<path d="{shape}" stroke="{colour}" stroke-width="4" stroke-linecap="round"/>')
        is_thinned |= is_thin
    if is_thinned:
        rule = "of each pixel column the first, least, greatest and last" if kind == "line" else "one for each pixel"
        told += f", thinned: {rule}"
    return "".join(parts), told


def _line(points: np.ndarray) -> tuple[str, bool]:
    """A path through points from left to right; where a column of pixels has many, through those that show."""
    has_place = ~np.isnan(points[:, 1])
    pieces, is_thinned = [], False
    # NULL interrupts the line.
    for piece in np.split(np.arange(len(points)), np.flatnonzero(~has_place)):
        piece = piece[has_place[piece]]
        kept = _envelope(points[piece])
        is_thinned |= len(kept) < len(piece)
        places = [f"{px:.1f},{py:.1f}" for px, py in points[piece][kept]]
        if places:
            pieces.append("M" + "L".join(places if len(places) > 1 else places * 2))
    return "".join(pieces), is_thinned


def _envelope(points: np.ndarray) -> list[int]:
    """Of each column of pixels the first, least, greatest and last point."""
    if len(points) <= 4 * _WIDTH:
        return list(range(len(points)))
    starts = np.flatnonzero(np.diff(np.floor(points[:, 0]), prepend=-1))
    kept: set[int] = set()
    for start, end in zip(starts, [*starts[1:], len(points)], strict=True):
        heights = points[start:end, 1]
        kept |= {int(start), int(start + heights.argmin()), int(start + heights.argmax()), int(end) - 1}
    return sorted(kept)


def _dots(points: np.ndarray) -> tuple[str, bool]:
    """A dot for each pixel that has a point."""
    held = points[~np.isnan(points[:, 1])]
    pixels = np.unique(np.round(held), axis=0)
    return "".join(f"M{px:.0f},{py:.0f}h0" for px, py in pixels), len(pixels) < len(held)


# Bars.


def _bars(values: pa.ChunkedArray, column: CellColumn, series: Sequence[np.ndarray]) -> tuple[str, str]:
    names = [
        "NULL" if value is None else cell_text(value, column)
        for value in plain(values.slice(0, _MOST_BARS), column).to_pylist()
    ]
    total = len(values)
    told = f"first {len(names)} of {_counted(total, 'row')}" if total > len(names) else _counted(total, "row")
    heights = [found[: len(names)] for found in series]
    if not names or all(np.isnan(found).all() for found in heights):
        return _empty(), told

    up = _Scale(np.append(np.concatenate(heights), 0.0), _HEIGHT - _BOTTOM, _TOP)
    step = (_WIDTH - _LEFT - _RIGHT) / len(names)
    width = step * 0.8 / len(series)
    ground = float(up.place(np.zeros(1))[0])
    parts = [_grid(None, up, _ticks)]
    for number, (found, colour) in enumerate(zip(heights, COLOURS, strict=False)):
        for index, height in enumerate(up.place(found)):
            if not math.isnan(height):
                left = _LEFT + index * step + step * 0.1 + number * width
                top, size = min(height, ground), abs(height - ground)
                parts.append(
                    f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{size:.1f}" fill="{colour}"/>'
                )
    every = max(1, math.ceil(_NAME_CHARS * _CHAR / step))
    for index in range(0, len(names), every):
        name = one_line(names[index])
        text = cut(name, _NAME_CHARS)
        parts.append(_text(_LEFT + (index + 0.5) * step, _HEIGHT - 9, text, "middle", title=name))
    return "".join(parts), told


# Scales, axes and texts.


class _Scale:
    """From values to pixels."""

    def __init__(self, values: np.ndarray, start: float, end: float) -> None:
        self.low = float(np.nanmin(values))
        self.high = float(np.nanmax(values))
        if self.high / 5 - self.low / 5 < _LEAST_SPAN:
            room = abs(self.low) * 0.1 or 1.0
            self.low = self.low - room
            self.high = self.high + room
        self._start = start
        self._end = end

    def place(self, values: np.ndarray) -> np.ndarray:
        # Halves: the whole span of doubles is no double.
        share = (values / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return self._start + share * (self._end - self._start)


def _grid(across: _Scale | None, up: _Scale, ticks: Callable[[_Scale], list[tuple[float, str]]]) -> str:
    parts = []
    for value, text in _ticks(up):
        y = float(up.place(np.array([value]))[0])
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" opacity=".15"/>'
        )
        parts.append(_text(_LEFT - 6, y + 4, text, "end"))
    for value, text in ticks(across) if across else ():
        x = float(across.place(np.array([value]))[0])  # type: ignore[union-attr]
        # What is wide stays inside of the picture.
        parts.append(_text(max(x, _CHAR * len(text) / 2), _HEIGHT - 9, text, "middle"))
    return "".join(parts)


def _ticks(scale: _Scale) -> list[tuple[float, str]]:
    """Some round numbers of a scale, and their texts."""
    rough = scale.high / 5 - scale.low / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((power * nice for nice in (1, 2, 5) if power * nice >= rough), power * 10)
    digits = max(0, -math.floor(math.log10(step)))
    numbers = [
        round(count * step, digits) for count in range(math.ceil(scale.low / step), math.floor(scale.high / step) + 1)
    ]
    is_plain = all(number == 0 or 1e-6 <= abs(number) < 1e12 for number in numbers)
    return [(number, f"{number:,.{digits}f}" if is_plain else f"{number:.3g}") for number in numbers]


def _time_ticks(scale: _Scale) -> list[tuple[float, str]]:
    """Some round times of a scale."""
    rough = (scale.high - scale.low) / 5
    if rough > _TIME_STEPS[-1]:
        return _year_ticks(scale)
    step = next(step for step in _TIME_STEPS if step >= rough)
    times = [count * step for count in range(math.ceil(scale.low / step), math.floor(scale.high / step) + 1)]
    form = next(form for least, form in _TIME_FORMS if step >= least)
    texts = [_time_text(time, form, with_ms=step < _SECOND_MS) for time in times]
    if step < _DAY_MS and texts:
        texts[0] = f"{_time_text(times[0], '%Y-%m-%d', with_ms=False)} {texts[0]}"
    return list(zip(times, texts, strict=True))


def _year_ticks(scale: _Scale) -> list[tuple[float, str]]:
    ends = np.array([scale.low, scale.high]) / _YEAR_MS + 1970
    years = sorted({round(year) for year, _ in _ticks(_Scale(ends, 0, 1))})
    days = [int(np.datetime64(year - 1970, "Y").astype("datetime64[D]").astype(int)) for year in years]
    return [(day * _DAY_MS, str(year)) for day, year in zip(days, years, strict=True)]


def _time_text(ms: float, form: str, *, with_ms: bool) -> str:
    try:
        time = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=ms)
    except OverflowError:
        return f"{ms / _YEAR_MS + 1970:.0f}"  # A year that Python does not know.
    return time.strftime(form) + (f".{round(ms) % 1_000:03}" if with_ms else "")


def _text(x: float, y: float, text: str, anchor: str, *, title: str = "") -> str:
    whole = f"<title>{escape(title)}</title>" if title and title != text else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" opacity=".75">{whole}{escape(text)}</text>'


def _empty() -> str:
    return _text(_WIDTH / 2, _HEIGHT / 2, "nothing to draw yet", "middle")


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
