"""What fills a column that an INSERT leaves out (protocol/sql.md#create-table, #insert)."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from kalam_sandbox.engine.coerce import Coercer, CoercionError
from kalam_sandbox.engine.failures import engine_text
from kalam_sandbox.engine.functions import EXPRESSION_IDS, now_us
from kalam_sandbox.engine.keys import unreadable_key
from kalam_sandbox.engine.parameters import Value
from kalam_sandbox.engine.wording import literal_coercion, no_cast, one_row_only
from kalam_sandbox.errors import execution
from kalam_sandbox.ids import Snowflakes, ulid, uuid7
from kalam_sandbox.store.catalog import now_ms
from kalam_sandbox.store.schema import ColumnDef
from kalam_sandbox.store.versions import zero_value

# Ids from 2024 on; the engine path counts from 1970, so that the two kinds do not sort together.
_LITERAL_IDS = Snowflakes()


class Defaults:
    """Values for left-out columns, on one of the two paths."""

    def __init__(self, coercer: Coercer, *, user_id: str, is_literal: bool, zero_embeddings: bool) -> None:
        self._coercer = coercer
        self._user_id = user_id
        self._is_literal = is_literal
        self._zero_embeddings = zero_embeddings

    def column(self, column: ColumnDef, count: int) -> pa.Array:
        """Return `count` values for a column.

        Raises:
            SqlFailed: The default does not fit the column, or a key is left out on the engine path.
        """
        if column.default is not None:
            self._check_uuid7(column, count)
            values = [self._value(column) for _ in range(count)]
            try:
                return self._coercer.column(values, column)
            except CoercionError as wrong:
                raise execution(literal_coercion(f"{wrong}")) from None
        if self._is_literal and not column.nullable:
            return pa.array([zero_value(column.type.arrow)] * count, column.type.arrow)
        if not self._is_literal and column.type.name == "Embedding" and self._zero_embeddings:
            # Left out on the engine path, an embedding becomes zeros (truth L9).
            return pa.array([[0.0] * column.type.first] * count, column.type.arrow)
        if not self._is_literal and column.is_key:
            raise unreadable_key(column.name, is_literal=False)
        return pa.nulls(count, column.type.arrow)

    def _check_uuid7(self, column: ColumnDef, count: int) -> None:
        """Refuse UUID_V7() on the engine path, where it makes one text for all rows (protocol/sql.md#create-table)."""
        assert column.default is not None  # Asked by the caller.
        if self._is_literal or column.default.function != "UUID_V7" or not count:
            return
        if column.type.name == "Uuid":
            raise engine_text(no_cast("FixedSizeBinary(16)"))
        if count > 1:
            raise engine_text(one_row_only("uuid_v7", count))

    def _value(self, column: ColumnDef) -> Value:
        default = column.default
        assert default is not None  # Asked by the caller.
        if default.function is None:
            return default.value
        if default.function == "CURRENT_USER":
            return self._user_id if self._is_literal else None
        ids = _LITERAL_IDS if self._is_literal else EXPRESSION_IDS
        makers: dict[str, Callable[[], Value]] = {
            "SNOWFLAKE_ID": ids.next,
            "ULID": ulid,
            "UUID_V7": uuid7,
            # Milliseconds on the literal path, microseconds on the other.
            "NOW": (lambda: now_ms() * 1000) if self._is_literal else now_us,
        }
        return makers[default.function]()
