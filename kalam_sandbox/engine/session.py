"""DataFusion sessions: set up once, lent to one request at a time, kept in step with the catalogue.

A session belongs to one user, so rows that stay registered never meet another user's query.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial

import pyarrow as pa
from datafusion import DataFrame, LogicalPlan, RuntimeEnvBuilder, SessionConfig, SessionContext, SQLOptions

from kalam_sandbox.backend import SqlFailed
from kalam_sandbox.engine.bounds import check_depth, check_setting, refused_copy
from kalam_sandbox.engine.casting import cast_cells
from kalam_sandbox.engine.failures import engine_failure, engine_text, told_as_failure
from kalam_sandbox.engine.functions import register_functions
from kalam_sandbox.engine.growth import check_growth, counted, plan_counted
from kalam_sandbox.errors import unsupported
from kalam_sandbox.store.versions import empty

# Rows that are tested one by one; no table has a name like this.
_FILTERED = "kalam.default.__filtered"
# Sessions kept for later requests, over all users.
_KEPT = 32


class Session:
    """One DataFusion context with the server's names and functions."""

    def __init__(self, *, memory_bytes: int, unicode_functions: bool) -> None:
        config = (
            SessionConfig()
            .with_default_catalog_and_schema("kalam", "default")
            .with_information_schema(enabled=True)
            .with_target_partitions(1)
        )
        self.context = SessionContext(config, RuntimeEnvBuilder().with_greedy_memory_pool(memory_bytes))
        register_functions(self.context, memory_bytes=memory_bytes, unicode_functions=unicode_functions)
        self._memory_bytes = memory_bytes
        self.catalog_version = -1
        # A setting ends with its request, so a session that has one is not lent again.
        self.is_configured = False
        self._schemas = {"default"}
        self._tables: dict[str, pa.Schema] = {}
        self._namespace = "default"
        self._read_only = SQLOptions().with_allow_ddl(False).with_allow_statements(False)

    @property
    def tables(self) -> Mapping[str, pa.Schema]:
        """Registered tables by full name."""
        return self._tables

    def use(self, namespace: str) -> None:
        """Make unqualified names mean tables of this namespace."""
        if namespace != self._namespace:
            self.context.sql(f"SET datafusion.catalog.default_schema = '{namespace}'")
            self._namespace = namespace

    def configure(self, sql: str) -> None:
        """Run a SET of the engine.

        Raises:
            SqlFailed: There is no such setting, or the value does not fit.
        """
        self.is_configured = True
        check_setting(sql)
        with told_as_failure():
            self.context.sql(sql)

    def declare(self, wanted: Mapping[str, pa.Schema], namespaces: Sequence[str]) -> None:
        """Make exactly these tables known, new ones without rows, for planning and information_schema."""
        for namespace in namespaces:
            if namespace not in self._schemas:
                self.context.sql(f'CREATE SCHEMA IF NOT EXISTS "{namespace}"')
                self._schemas.add(namespace)
        for name in self._tables.keys() - wanted.keys():
            self.forget(name)
        for name, schema in wanted.items():
            known = self._tables.get(name)
            if known is None or not known.equals(schema, check_metadata=True):
                self.fill(name, schema, [])

    def fill(self, name: str, schema: pa.Schema, batches: Sequence[pa.RecordBatch]) -> None:
        """Put rows into a table, instead of those it had.

        Raises:
            SqlFailed: The rows do not fit the schema, which ALTER TABLE can bring about.
        """
        if name in self._tables:
            self.context.deregister_table(name)
        self._tables[name] = schema
        try:
            self.context.register_record_batches(name, [list(batches) or [empty(schema)]])
        except Exception as failed:
            # A column became NOT NULL over rows that hold NULL.
            self.context.register_record_batches(name, [[empty(schema)]])
            raise engine_failure(failed) from None

    def filtered(self, alias: str, batches: Sequence[pa.RecordBatch], condition: str) -> list[pa.RecordBatch]:
        """Return the rows for which a condition is true, in their order.

        Args:
            alias: Name under which the condition may call the table.
            batches: The rows, all of one schema.
            condition: SQL over its columns.

        Raises:
            SqlFailed: The condition cannot be evaluated.
        """
        if not batches:
            return []
        self.context.register_record_batches(_FILTERED, [list(batches)])
        try:
            frame = self.plan(f'SELECT ({condition}) IS TRUE AS kept FROM {_FILTERED} AS "{alias}"')
            with told_as_failure():
                found = frame.collect()
        finally:
            self.context.deregister_table(_FILTERED)
        kept = pa.chunked_array([batch.column(0) for batch in found], pa.bool_())
        return list(pa.Table.from_batches(batches).filter(kept).to_batches())

    def forget(self, name: str) -> None:
        """Take a table away; a plan that was made over it keeps its rows."""
        if self._tables.pop(name, None) is not None:
            self.context.deregister_table(name)

    def put_view(self, name: str, query: str) -> None:
        """Define a view over the tables as they are filled now; one that cannot be planned is left out."""
        self.context.sql(f"DROP VIEW IF EXISTS {name}")
        if "\0" in query:
            return  # The engine's bindings abort over a NUL in a name.
        with suppress(ValueError, SqlFailed):
            check_depth(query)
            self.context.sql(f"CREATE VIEW {name} AS {counted(query)}")

    def plan(self, sql: str, params: Mapping[str, object] | None = None) -> DataFrame:
        """Plan a SELECT or DML text without running it.

        Raises:
            SqlFailed: The engine refuses the text.
        """
        check_depth(sql)
        if "\0" in sql:
            self._check_names(sql)
        try:
            frame = plan_counted(partial(self._planned, params), sql)
        except SqlFailed as failed:
            if "DDL not supported" in failed.message or "Statement not supported" in failed.message:
                raise engine_text("Error during planning: SELECT … INTO is not available in the sandbox") from None
            raise
        if "COPY" in sql.upper() and (refused := refused_copy(frame.logical_plan().display_indent())):
            raise refused
        return frame

    def _planned(self, params: Mapping[str, object] | None, sql: str) -> DataFrame:
        with told_as_failure():
            frame = self.context.sql(sql, options=self._read_only, param_values=dict(params) if params else None)
        check_growth(sql, frame, self._memory_bytes)
        return frame

    def _check_names(self, sql: str) -> None:
        """Refuse a NUL in the name or type of a column, over which the engine's bindings abort the process.

        Raises:
            SqlFailed: There is one.
        """
        try:
            batches = self.context.sql(f"DESCRIBE {sql}").collect()
        except Exception:
            return  # No SELECT, or a broken one: the names are those of a table, or there are none.
        for batch in batches:
            names, kinds = batch.column(0).to_pylist(), batch.column(1).to_pylist()
            # The name of a type shows it escaped.
            if any("\0" in name for name in names) or any("\\0" in kind for kind in kinds):
                raise unsupported("The character NUL in the name of a column")

    def optimized(self, frame: DataFrame) -> LogicalPlan:
        """Optimise a plan.

        Raises:
            SqlFailed: The plan fails.
        """
        with told_as_failure():
            return frame.optimized_logical_plan()

    def frame(self, logical: LogicalPlan) -> DataFrame:
        """Return a plan as one that can be added to."""
        return self.context.create_dataframe_from_logical_plan(logical)

    def collect(self, optimized: LogicalPlan) -> tuple[pa.Schema, list[pa.RecordBatch]]:
        """Run an optimised plan; the schema is its own, as the server announces it.

        Raises:
            SqlFailed: The plan fails.
        """
        with told_as_failure():
            frame = self.context.create_dataframe_from_logical_plan(optimized)
            batches = frame.collect()
            schema = batches[0].schema if batches else frame.schema()
        return schema, batches

    def evaluate(self, logical: LogicalPlan) -> pa.RecordBatch:
        """Run a part of a plan, such as the rows below a DML node, and return all its rows as one batch.

        Raises:
            SqlFailed: The plan fails.
        """
        with told_as_failure():
            frame = self.context.create_dataframe_from_logical_plan(logical)
            batches = frame.collect()
        return pa.concat_batches(batches) if batches else empty(frame.schema())

    def cast_failure(self, cells: pa.Array, kind: pa.DataType) -> SqlFailed:
        """Return how the engine refuses to cast cells that Arrow could not cast."""
        try:
            cast_cells(self.context, cells, kind)
        except Exception as failed:
            return engine_failure(failed)
        return engine_text(f"Arrow error: Cast error: Casting from {cells.type} to {kind} not supported")


class SessionPool:
    """Sessions by user, lent to one request at a time."""

    def __init__(self, *, memory_bytes: int, unicode_functions: bool) -> None:
        self._memory_bytes = memory_bytes
        self._unicode_functions = unicode_functions
        self._lock = threading.Lock()
        self._idle: list[tuple[str, Session]] = []

    @contextmanager
    def lend(self, user_id: str) -> Iterator[Session]:
        """Lend a session that only `user_id` has used before."""
        session = self._take(user_id) or Session(
            memory_bytes=self._memory_bytes, unicode_functions=self._unicode_functions
        )
        try:
            yield session
        finally:
            with self._lock:
                if not session.is_configured:
                    self._idle.append((user_id, session))
                del self._idle[:-_KEPT]

    def _take(self, user_id: str) -> Session | None:
        with self._lock:
            for place, (owner, session) in enumerate(self._idle):
                if owner == user_id:
                    del self._idle[place]
                    return session
        return None
