"""``live.perspective()``: a table of Perspective that follows a live table, fed by its changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kalam_notebook.errors import ConfigError, LiveError, MissingDependencyError
from kalam_notebook.results.cells import CellColumn, cell_text, describe, plain
from kalam_notebook.results.frames import ipc_stream

if TYPE_CHECKING:
    from kalam_notebook.live_queries.rows.delta import LiveDelta
    from kalam_notebook.live_queries.table import LiveTable

__all__ = ["perspective_table"]

#: The column that tells rows apart where no single column of the query does.
_ROW = "_row"
#: What Perspective has types for; everything else goes as text.
_KEPT = frozenset({"boolean", "integer", "float", "float32", "decimal", "text", "json", "timestamp", "date"})
_INDEXABLE = frozenset({"integer", "text"})


def perspective_table(live: LiveTable) -> Any:  # noqa: ANN401 - Perspective has no types.
    """A ``perspective.Table`` with the rows of a live table, which follows until that ends.

    Raises:
        MissingDependencyError: Perspective is not installed.
        ConfigError: Columns have one name.
    """
    try:
        import perspective
    except ImportError as exc:
        raise MissingDependencyError(
            "perspective-python is not installed. Install it with: pip install perspective-python"
        ) from exc
    names = live.schema.names
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"Several columns are called {twice!r}; name them apart with AS.")
    return _Feed(live, perspective.Server().new_local_client().table).table


class _Feed:
    """Brings changes of a live table into a table of Perspective."""

    def __init__(self, live: LiveTable, make: Callable[..., Any]) -> None:
        first = live.delta(-1)
        self._columns = live.columns
        self._schema = first.rows.schema
        self._version = first.version
        self._described = describe(self._schema, self._columns)
        self._index = self._indexed(live.key)
        # Perspective removes rows by their index.
        self._keys: dict[int, Any] = {}
        self._lock = threading.Lock()
        self.table = make(self._stream(first), index=self._index)
        self._remove = live.on_change(self._follow)
        self._follow(live)  # What came before the line above.

    def _indexed(self, key: tuple[str, ...]) -> str:
        """The column by which Perspective tells rows apart."""
        kinds = {column.name: column.kind for column in self._described}
        return key[0] if len(key) == 1 and kinds.get(key[0]) in _INDEXABLE else _ROW

    def _follow(self, live: LiveTable) -> None:
        with self._lock:
            delta = live.delta(self._version)
            if delta.version == self._version:
                return
            if not delta.rows.schema.equals(self._schema):
                self._remove()
                raise LiveError("The columns have changed. Call live.perspective() again for a table with these.")
            if delta.reset:
                self._keys.clear()
                self.table.replace(self._stream(delta))
            else:
                # First: a key may be there again in another row.
                self.table.remove([self._keys.pop(row_id) for row_id in delta.removed])
                if delta.row_ids:
                    self.table.update(self._stream(delta))
            self._version = delta.version

    def _stream(self, delta: LiveDelta) -> bytes:
        """The rows of a delta as an Arrow IPC stream, with their index."""
        columns = {
            column.name: _taken(values, column)
            for column, values in zip(self._described, delta.rows.columns, strict=True)
        }
        if self._index == _ROW:
            columns[_ROW] = pa.chunked_array([pa.array(delta.row_ids, pa.int64())])
        table = pa.table(columns)
        self._keys.update(zip(delta.row_ids, table.column(self._index).to_pylist(), strict=True))
        return ipc_stream(table)


def _taken(values: pa.ChunkedArray, column: CellColumn) -> pa.ChunkedArray:
    """Values in a type that Perspective has."""
    if column.kind in _KEPT and not pa.types.is_date64(values.type):
        return values
    texts = (None if value is None else cell_text(value, column) for value in plain(values, column).to_pylist())
    return pa.chunked_array([pa.array(texts, pa.string())])
