"""Definitions of the tables that the server brings along, read from `data/catalogue.json`.

The ten stored tables of `system` and the two of `dba`, with the comments that SHOW TABLES repeats.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from kalam_sandbox.store.schema import ColumnDef, Default, TableDef, hidden_columns
from kalam_sandbox.store.types import ColumnType

_LEVELS = {"dba.notifications": "Public", "dba.stats": "Dba"}
_OPTIONS: dict[str, dict[str, object]] = {"dba.stats": {"flush_policy": {"type": "row_limit", "row_limit": 10_000}}}


@cache
def stored_tables(created_ms: int, *, by_log: bool = False) -> tuple[TableDef, ...]:
    """Return the definitions, `dba` first.

    Args:
        created_ms: Creation time to show, Unix milliseconds.
        by_log: Whether row versions are positions in a log.
    """
    text = resources.files("kalam_sandbox").joinpath("data", "catalogue.json").read_text("utf-8")
    return tuple(_table(name, told, created_ms, by_log=by_log) for name, told in json.loads(text).items())


def _table(full_name: str, told: dict[str, object], created_ms: int, *, by_log: bool) -> TableDef:
    namespace, _, name = full_name.partition(".")
    listed = told["columns"]
    assert isinstance(listed, list)  # The file is part of the package.
    columns = tuple(_column(column) for column in listed)
    shared = namespace == "dba"
    return TableDef(
        namespace=namespace,
        name=name,
        kind="shared" if shared else "system",
        columns=(*columns, *hidden_columns(len(columns) + 1, by_log=by_log)) if shared else columns,
        options=_OPTIONS.get(full_name, {}),
        access_level=_LEVELS.get(full_name),
        comment=str(told["comment"]),
        created_ms=created_ms,
        updated_ms=created_ms,
    )


def _column(told: dict[str, object]) -> ColumnDef:
    default = told.get("default")
    filled = None
    if isinstance(default, dict):
        call = default.get("FunctionCall")
        filled = Default(function=call["name"]) if call else Default(value=default["Literal"])
    comment = told["comment"]
    return ColumnDef(
        name=str(told["name"]),
        type=ColumnType(str(told["type"])),
        nullable=bool(told.get("nullable", False)),
        is_key=bool(told.get("key", False)),
        default=filled,
        column_id=int(str(told["id"])),
        comment=str(comment) if comment is not None else None,
    )
