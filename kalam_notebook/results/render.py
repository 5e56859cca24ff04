"""Html and plain text of a table: what a person sees of a result, and what stays of a live table in the saved notebook.

Pure: no IPython, no clock. Everything that comes from data or SQL is escaped. The html is one block with its own style
that also reads well where styles are stripped (GitHub). Called by the results, the magics and the live table's freeze.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import accumulate

import pyarrow as pa

from kalam_notebook.results.cells import CellColumn, cell_text, describe, plain
from kalam_notebook.texts import one_line, shown
from kalam_notebook.wire.types import Column

__all__ = ["PREVIEW_ROWS", "render_block_html", "render_html", "render_message_html", "render_text"]

#: Rows that a preview shows.
PREVIEW_ROWS = 20
#: Characters of a cell that are shown, about; that it holds, for a copy of it, and in its tooltip; in plain text.
CELL_CHARS = 80
WHOLE_CHARS = 1_000
#: Longer texts may be wider than a column, of wide characters such as 語 and W; they get a tooltip. As in ``cells.ts``.
NARROW_CHARS = 32
TEXT_CHARS = 40
#: Of a message. The help of the magics is shorter.
_MESSAGE_CHARS = 10_000
#: More columns than this are left out, and the count line says so.
MAX_COLUMNS = 50

# Colours come from JupyterLab, then from VS Code, then from the reader's preference. The block paints its own
# background, so that it stays readable on a page whose theme differs from that preference.
_STYLE = """<style>
.kalam-out{--k-bg:#fff;--k-fg:#1f2328;--k-dim:#656d76;--k-line:#d8dee4;
max-width:100%;padding:2px 0;font:13px/1.5 var(--jp-ui-font-family,var(--vscode-font-family,system-ui,sans-serif));
color:var(--jp-content-font-color1,var(--vscode-foreground,var(--k-fg)));
background:var(--jp-layout-color0,var(--vscode-notebook-editorBackground,var(--k-bg)))}
@media (prefers-color-scheme:dark){.kalam-out{--k-bg:#0d1117;--k-fg:#e6edf3;--k-dim:#8b949e;--k-line:#30363d}}
.kalam-out .kalam-scroll{overflow-x:auto;max-width:100%}
.kalam-out .kalam-table{border-collapse:collapse;border:0;margin:0;font-size:13px;font-variant-numeric:tabular-nums}
.kalam-out .kalam-table :is(th,td){padding:3px 14px 3px 8px;border:0;text-align:left;vertical-align:top;
white-space:nowrap;unicode-bidi:isolate;max-width:48em;overflow:hidden;text-overflow:ellipsis;background:none}
.kalam-out .kalam-cut{display:flex;align-items:baseline;gap:4px}
.kalam-out .kalam-cut span{min-width:0;overflow:hidden;text-overflow:ellipsis}
.kalam-out .kalam-cut small{flex:none}
.kalam-out .kalam-mark{user-select:none;-webkit-user-select:none}
.kalam-out .kalam-table tr{background:none!important}
.kalam-out .kalam-table :is(th,td).kalam-n{text-align:right}
.kalam-out .kalam-table th{font-weight:600;border-bottom:1px solid var(--jp-border-color1,var(--k-line))}
.kalam-out .kalam-table td{border-bottom:1px solid var(--jp-border-color3,var(--k-line))}
.kalam-out .kalam-table th small{font-weight:400;font-size:10.5px;letter-spacing:.03em}
.kalam-out :is(small,em,.kalam-foot,.kalam-gap td){color:var(--jp-content-font-color2,var(--k-dim))}
.kalam-out .kalam-table th b{font-weight:600;font-size:9.5px;padding:0 3px;border-radius:3px;
border:1px solid var(--jp-border-color1,var(--k-line))}
.kalam-out .kalam-table em{font-size:11.5px;font-style:italic}
.kalam-out :is(.kalam-title,.kalam-aligned){font-family:var(--jp-code-font-family,var(--vscode-editor-font-family,
ui-monospace,monospace))}
.kalam-out .kalam-title{font-size:12px;padding:0 8px 4px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.kalam-out .kalam-foot{font-size:12px;padding:5px 8px}
.kalam-out .kalam-note{background:rgba(212,167,44,.16);border-left:3px solid #d4a72c;
padding:4px 10px;margin:0 0 6px;white-space:pre-wrap}
</style>"""

#: Characters that rounding to 15 digits frees where the last ones were noise.
_NOISE_CHARS = 5

# MathJax of JupyterLab typesets what stands between dollar signs, unless one of these classes forbids it.
_OPEN = f'<div class="kalam-out mathjax_ignore tex2jax_ignore">{_STYLE}'


@dataclass(frozen=True, slots=True)
class _Preview:
    """What is shown of a table: columns, texts of the first and of the last rows, and how much is left out."""

    columns: tuple[CellColumn, ...]
    head: list[tuple[str | None, ...]]
    tail: list[tuple[str | None, ...]]
    hidden: int
    total: int
    all_columns: int

    @property
    def count_line(self) -> str:
        """How much of the table is shown, for example ``20 of 1,234 rows shown``."""
        shown = len(self.head) + len(self.tail)
        rows = f"{self.total:,} {'row' if self.total == 1 else 'rows'}"
        text = f"{shown:,} of {rows} shown" if self.hidden else rows
        if self.all_columns > len(self.columns):
            text += f", {len(self.columns)} of {self.all_columns:,} columns shown"
        return text

    @property
    def gap_line(self) -> str:
        return f"… {self.hidden:,} more {'row' if self.hidden == 1 else 'rows'} …"


def render_html(
    table: pa.Table,
    *,
    title: str | None = None,
    footer: Sequence[str] = (),
    notices: Sequence[str] = (),
    total_rows: int | None = None,
    max_rows: int = PREVIEW_ROWS,
    columns: Sequence[Column] | None = None,
) -> str:
    """Render the preview of a table as a block of html.

    Args:
        table: The rows, or the first of them.
        title: One line above the table, for example the SQL; None for none.
        footer: Facts for the line below, after the number of rows.
        notices: Warnings, shown above everything.
        total_rows: Rows of the whole when ``table`` holds only its first ones; None when it holds all.
        max_rows: Rows to show: the first and the last half of them when there are more.
        columns: As the server announced them; None reads the types from the schema's metadata.

    Returns:
        Html that is complete in itself; every text in it is escaped.
    """
    preview = _preview(table, total_rows, max_rows, columns)
    parts = [f'<div class="kalam-scroll"><table class="kalam-table"><thead><tr>{_head_html(preview)}</tr></thead>']
    parts.append("<tbody>")
    parts += [_row_html(row, preview.columns) for row in preview.head]
    if preview.hidden:
        span = max(1, len(preview.columns))
        parts.append(f'<tr class="kalam-gap"><td colspan="{span}">{preview.gap_line}</td></tr>')
    parts += [_row_html(row, preview.columns) for row in preview.tail]
    parts.append("</tbody></table></div>")
    foot = " · ".join((preview.count_line, *footer))
    return render_block_html("".join(parts), title=title, foot=foot, notices=notices)


def render_block_html(content: str, *, title: str | None, foot: str, notices: Sequence[str]) -> str:
    """Put html into the block that all outputs have.

    Args:
        content: Html, of which every text is escaped.
        title: One line above it, as text.
        foot: One line below it, as text.
        notices: Warnings, shown above everything.
    """
    parts = [_OPEN, *map(_note_html, notices)]
    if title:
        parts.append(f'<div class="kalam-title" title="{_attribute(title)}">{escape(one_line(title))}</div>')
    parts.append(content)
    parts.append(f'<div class="kalam-foot">{escape(one_line(foot))}</div></div>')
    return "".join(parts)


def render_message_html(message: str, *, notices: Sequence[str] = (), aligned: bool = False) -> str:
    """Render the answer of a statement without rows, for example ``Inserted 1 row(s)``, as a block of html.

    Args:
        message: One line or more.
        notices: Warnings, shown above it.
        aligned: Whether words stand below each other by their number of characters, as in a help text.
    """
    text = escape("\n".join(one_line(line) for line in shown(message, _MESSAGE_CHARS).split("\n")))
    notes = "".join(map(_note_html, notices))
    name = "kalam-foot kalam-aligned" if aligned else "kalam-foot"
    return f'{_OPEN}{notes}<div class="{name}" style="white-space: pre-wrap">{text}</div></div>'


def render_text(
    table: pa.Table,
    *,
    title: str | None = None,
    footer: Sequence[str] = (),
    notices: Sequence[str] = (),
    total_rows: int | None = None,
    max_rows: int = PREVIEW_ROWS,
    max_width: int | None = None,
    columns: Sequence[Column] | None = None,
) -> str:
    """Render the preview of a table as plain text, columns aligned.

    Args:
        table: As in ``render_html``; so are the others.
        title: One line above the table.
        footer: Facts for the line below.
        notices: Warnings, shown above everything.
        total_rows: Rows of the whole when ``table`` holds only its first ones.
        max_rows: Rows to show.
        max_width: Columns of the terminal; the table's columns that do not fit are left out, and the last line says so.
            None for any width.
        columns: As the server announced them.
    """
    preview = _preview(table, total_rows, max_rows, columns)
    lines = [f"Warning: {one_line(notice)}" for notice in notices]
    if title:
        lines.append(_cut(one_line(title), 2 * CELL_CHARS))

    types = tuple(_type_text(column) + (" PK" if column.key else "") for column in preview.columns)
    names = tuple(_cut(one_line(column.name), CELL_CHARS) for column in preview.columns)
    for chars in (TEXT_CHARS, TEXT_CHARS // 2):
        rows = [tuple(_plain_cells(row, preview.columns, chars)) for row in (*preview.head, *preview.tail)]
        widths = [max(map(_width, cells)) for cells in zip(names, types, *rows, strict=True)]
        fitting = widths if max_width is None else _fitting(widths, max_width)
        if len(fitting) == len(widths):
            break

    preview = replace(preview, columns=preview.columns[: len(fitting)])
    printed = [_line(row[: len(fitting)], fitting, preview.columns) for row in (names, types, *rows)]
    printed.insert(2, "  ".join("─" * width for width in fitting))
    if preview.hidden:
        printed.insert(3 + len(preview.head), preview.gap_line)

    lines += printed if preview.columns else []
    lines.append(" · ".join((preview.count_line, *map(one_line, footer))))
    return "\n".join(lines)


def _preview(table: pa.Table, total_rows: int | None, max_rows: int, columns: Sequence[Column] | None) -> _Preview:
    total = table.num_rows if total_rows is None else max(total_rows, table.num_rows)
    shown = min(max_rows, table.num_rows)
    # A table that holds only the first rows has no last ones to show.
    tail = shown // 2 if shown < table.num_rows == total else 0
    head = shown - tail
    described = describe(table.schema, columns)
    kept = described[:MAX_COLUMNS]
    return _Preview(
        columns=kept,
        head=_texts(table.slice(0, head), kept),
        tail=_texts(table.slice(table.num_rows - tail, tail), kept),
        hidden=total - shown,
        total=total,
        all_columns=len(described),
    )


def _texts(table: pa.Table, columns: Sequence[CellColumn]) -> list[tuple[str | None, ...]]:
    """The cells' texts by row; None for NULL."""
    if not columns:
        return []
    by_column = [
        [None if value is None else cell_text(value, column) for value in plain(table.column(i), column).to_pylist()]
        for i, column in enumerate(columns)
    ]
    return list(zip(*by_column, strict=True))


def _head_html(preview: _Preview) -> str:
    return "".join(
        f'<th{_aligned(column)} title="{_attribute(column.name)}">{escape(_cut(one_line(column.name), CELL_CHARS))}'
        f"<br><small{_title(column.sql_type)}>{escape(_type_text(column))}"
        f"{' <b>PK</b>' if column.key else ''}</small></th>"
        for column in preview.columns
    )


def _type_text(column: CellColumn) -> str:
    return _cut(one_line(column.sql_type), CELL_CHARS)


def _row_html(row: Sequence[str | None], columns: Sequence[CellColumn]) -> str:
    return f"<tr>{''.join(map(_cell_html, row, columns))}</tr>"


def _cell_html(text: str | None, column: CellColumn) -> str:
    if not text:
        return f"<td{_aligned(column)}><em>{'NULL' if text is None else 'empty'}</em></td>"
    if column.kind == "float" and (short := _as_written(text)) != text:
        return f'<td{_aligned(column)} title="{_attribute(text)}">{escape(short)}</td>'
    if not column.is_long or len(text) <= CELL_CHARS:
        return f"<td{_aligned(column)}{_title(text)}>{escape(text)}</td>"
    # Two elements, so that the text gives way to the mark, which is copied only with a text that is not whole.
    mark = "" if len(text) > WHOLE_CHARS else ' class="kalam-mark"'
    shown = f"<span>{escape(_cut(text, WHOLE_CHARS))}</span> <small{mark}>{len(text):,} characters</small>"
    return f'<td{_aligned(column)}{_title(text)}><div class="kalam-cut">{shown}</div></td>'


def _as_written(text: str) -> str:
    """A double without the noise of binary fractions: ``0.3`` for ``0.30000000000000004``, other digits as they are."""
    short = repr(float(f"{float(text):.15g}")) if text[-1].isdigit() else text
    return short if len(short) <= len(text) - _NOISE_CHARS else text


def _title(text: str) -> str:
    """The attribute that tells the whole text, where it may be cut."""
    return f' title="{_attribute(text)}"' if len(text) > NARROW_CHARS else ""


def _aligned(column: CellColumn) -> str:
    # The attribute is for viewers that strip classes and styles.
    return ' class="kalam-n" align="right"' if column.is_number else ' align="left"'


def _note_html(notice: str) -> str:
    return f'<div class="kalam-note" role="note"><strong>Warning:</strong> {escape(one_line(notice))}</div>'


def _attribute(text: str) -> str:
    return escape(one_line(_cut(text, WHOLE_CHARS)))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "…"


def _plain_cells(row: Sequence[str | None], columns: Sequence[CellColumn], chars: int) -> Iterator[str]:
    for text, column in zip(row, columns, strict=True):
        if text is None:
            yield "NULL"
        elif text in ("", "NULL", "''"):  # As in SQL, to tell it from NULL, and from the sign for an empty text.
            yield f"'{text}'"
        elif column.is_long and len(text) > chars:
            yield f"{_cut(text, chars)} ({len(text):,} characters)"
        else:
            yield text


def _line(row: Sequence[str], widths: Sequence[int], columns: Sequence[CellColumn]) -> str:
    padded = (
        " " * (width - _width(cell)) + cell if column.is_number else cell + " " * (width - _width(cell))
        for cell, width, column in zip(row, widths, columns, strict=True)
    )
    return "  ".join(padded).rstrip()


def _fitting(widths: list[int], room: int) -> list[int]:
    """The widths of the first columns that fit beside each other; of one at least."""
    ends = accumulate(widths, lambda end, width: end + 2 + width)
    return widths[: max(1, sum(end <= room for end in ends))]


def _width(text: str) -> int:
    """Columns that a terminal needs: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    shown = [char for char in text if not unicodedata.combining(char)]
    return len(shown) + sum(unicodedata.east_asian_width(char) in "WF" for char in shown)
