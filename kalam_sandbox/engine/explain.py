"""EXPLAIN, SHOW ALL, SHOW COLUMNS and DESCRIBE x: the engine's own commands, for administrators."""

from __future__ import annotations

import re

import pyarrow as pa
from datafusion import LogicalPlan

from kalam_sandbox.engine import plan
from kalam_sandbox.engine.failures import engine_failure
from kalam_sandbox.engine.growth import uncounted
from kalam_sandbox.engine.rewrite import rewrite
from kalam_sandbox.engine.select import ArrowRows, Selector
from kalam_sandbox.sql.statements import Dml
from kalam_sandbox.store.catalog import Catalog

_EXPLAINED = re.compile(
    r"^\s*EXPLAIN\s+(?:ANALYZE\s+)?(?:VERBOSE\s+)?(?:FORMAT\s+\w+\s+)?((INSERT|UPDATE|DELETE)\b.*)",
    re.IGNORECASE | re.DOTALL,
)
_SOURCE = re.compile(r"^( *)DataSourceExec: partitions=\d+, partition_sizes=\[\d+\](.*)$", re.MULTILINE)


def explained_dml(sql: str) -> Dml | None:
    """Return the INSERT, UPDATE or DELETE behind EXPLAIN."""
    found = _EXPLAINED.match(sql)
    return Dml(found[2].lower(), found[1]) if found else None


def run_meta(sql: str, selector: Selector, catalog: Catalog) -> ArrowRows:
    """Run a command of the engine over the tables that the caller sees.

    Raises:
        SqlFailed: The engine refuses it.
    """
    frame = selector.plan(rewrite(sql, selector.caller, selector.options))
    try:
        batches = frame.collect()
        schema = frame.schema()
    except Exception as failed:
        raise engine_failure(failed) from None
    if sql.lstrip()[:7].upper() == "EXPLAIN":
        kinds = _scan_kinds(frame.logical_plan(), catalog)
        batches = [_named_as_server(batch, kinds) for batch in batches]
    return ArrowRows(schema, batches)


def _scan_kinds(logical: LogicalPlan, catalog: Catalog) -> list[str]:
    kinds = []
    for spelled in plan.scanned_tables(logical):
        parts = tuple(spelled.split("."))
        table = catalog.tables.get((parts[-2], parts[-1])) if len(parts) > 1 else None
        kinds.append(table.definition.kind if table is not None else "system")
    return kinds


def _named_as_server(batch: pa.RecordBatch, kinds: list[str]) -> pa.RecordBatch:
    """Name the scans of a physical plan as the server does; its sources are not in memory."""
    place = batch.schema.get_field_index("plan")
    if place < 0:
        return batch
    remaining = iter(kinds)

    def source(found: re.Match[str]) -> str:
        kind = next(remaining, kinds[-1] if kinds else "shared")
        return f"{found[1]}CooperativeExec\n{found[1]}  DeferredBatchExec: source={kind}_table_scan"

    texts = [_SOURCE.sub(source, uncounted(text)) for text in batch.column(place).to_pylist()]
    return batch.set_column(place, batch.schema.field(place), pa.array(texts, pa.string()))
