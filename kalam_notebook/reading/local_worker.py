"""The process of ``engine="local"``: takes a query and its tables, runs it, sends the rows back.

A fault of the engine ends a process: a stack that overflows, memory that is not there, a name that the bindings cannot
carry. So it has one of its own, started and watched by ``local_process``, and nothing but rows and messages cross.

A message is a line of JSON and Arrow streams behind it: ``{"sql", "values", "tables"}`` and a stream for each table;
back come ``{}`` and the rows, or ``{"error", "message"}``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
from datafusion import SessionConfig, SessionContext, SQLOptions

from kalam_notebook.errors import ResultError
from kalam_notebook.reading.local_types import as_read, without_metadata
from kalam_notebook.sql.statement import quote_name

#: Of the thread that plans: a level of a query takes up to 10 kB of it. Only what is touched becomes memory.
_STACK_BYTES = 512 * 1024 * 1024
#: Virtual memory beside that of the rows: stacks of the engine's threads, and what allocators reserve.
_RESERVED_BYTES = 8 * 1024**3
#: Seconds between two looks whether the process that asks is still there.
_PARENT_INTERVAL = 0.5


def main() -> None:
    """Answer queries until standard input ends."""
    # What a library prints goes to stderr; stdout belongs to the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _bound_memory()
    threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
    threading.stack_size(_STACK_BYTES)
    serving = threading.Thread(target=_serve, args=(sys.stdin.buffer, answers))
    serving.start()
    serving.join()


def _bound_memory() -> None:
    """Let a query that wants more memory than there is end this process, before the machine suffers."""
    try:
        import resource

        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        resource.setrlimit(resource.RLIMIT_AS, (memory + _RESERVED_BYTES,) * 2)
        # Linux ends the process with the highest score where memory runs out, not the notebook.
        Path("/proc/self/oom_score_adj").write_text("1000")
    except (ImportError, OSError, ValueError):
        pass  # Another system, or a lower limit is set already.


def _watch_parent(parent: int) -> None:
    """End with the process that asks: while a query runs, nobody reads standard input."""
    while os.getppid() == parent:
        time.sleep(_PARENT_INTERVAL)
    os._exit(0)


def _serve(questions: IO[bytes], answers: IO[bytes]) -> None:
    while line := questions.readline():
        asked = json.loads(line)
        tables = {}
        for namespace, table in asked["tables"]:
            with pa.ipc.open_stream(questions) as stream:
                tables[namespace, table] = stream.read_all()

        try:
            rows = _rows(asked["sql"], asked["values"], tables)
        except ResultError as exc:
            told = {"error": "result", "message": str(exc)}
            rows = None
        except Exception as exc:  # The package raises plain exceptions for every failure of the engine.
            told = {"error": "query", "message": str(exc).removeprefix("DataFusion error: ")}
            rows = None
        except BaseException as exc:
            # A fault inside the engine comes as no ordinary exception.
            told, rows = {"error": "query", "message": f"The engine failed: {exc}"}, None
        else:
            told = {}

        answers.write(json.dumps(told).encode() + b"\n")
        if rows is not None:
            with pa.ipc.new_stream(answers, rows.schema) as stream:
                stream.write_table(rows)
        answers.flush()


def _rows(sql: str, values: Mapping[str, Any], tables: Mapping[tuple[str, str], pa.Table]) -> pa.Table:
    """Run a query.

    The engine carries the metadata of fields along, by which JSON and FILE are told from text, but refuses some plans
    in which it has lost it (``DISTINCT NOT flag``). Those run without it.
    """
    context = _context({namespace for namespace, _ in tables})
    try:
        found = _run(context, tables, sql, values)
    except Exception as exc:
        try:
            bare = {name: without_metadata(rows) for name, rows in tables.items()}
            found = _run(context, bare, sql, values)
        except Exception:
            raise exc from None
    return as_read(*found)


def _context(namespaces: set[str]) -> SessionContext:
    config = SessionConfig().with_default_catalog_and_schema("kalam", "default")
    # With it, DISTINCT and GROUP BY under ORDER BY and LIMIT lose their row for NULL (DataFusion 53).
    context = SessionContext(config.set("datafusion.optimizer.enable_topk_aggregation", "false"))
    for namespace in namespaces:
        context.sql(f"CREATE SCHEMA IF NOT EXISTS {quote_name(namespace)}")
    return context


def _run(
    context: SessionContext, tables: Mapping[tuple[str, str], pa.Table], sql: str, values: Mapping[str, Any]
) -> tuple[list[pa.RecordBatch], pa.Schema]:
    for (namespace, table), rows in tables.items():
        name = f"{quote_name(namespace)}.{quote_name(table)}"
        context.deregister_table(name)
        context.register_record_batches(name, [_batches(rows)])
    # A query reads: it writes no file and changes no setting.
    reads = SQLOptions().with_allow_ddl(False).with_allow_dml(False).with_allow_statements(False)
    if "\0" in sql:
        _check_names(context, sql)
    frame = context.sql(sql, options=reads, param_values=dict(values) or None)
    return frame.collect(), frame.schema()


def _check_names(context: SessionContext, sql: str) -> None:
    """Refuse a NUL in a name, over which the engine's bindings abort the process."""
    for batch in context.sql(f"DESCRIBE {sql}").collect():
        for place in range(2):
            # The name of a type shows it escaped.
            if any("\0" in text or (place and "\\0" in text) for text in batch.column(place).to_pylist()):
                raise ValueError(
                    "The name or type of a column holds the character NUL. Give the column a name with AS."
                )


def _batches(table: pa.Table) -> list[pa.RecordBatch]:
    """At least one batch: the engine takes the schema from it."""
    batches: list[pa.RecordBatch] = table.to_batches()
    return batches or [pa.RecordBatch.from_pylist([], schema=table.schema)]


if __name__ == "__main__":
    main()
