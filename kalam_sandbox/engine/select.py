"""SELECT with the server's habits: silent caps, sorting by key, tombstones on request, a limited scan.

Rules: protocol/sql.md#select; truth L1 to L4.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from datafusion import DataFrame, LogicalPlan, col

from kalam_sandbox.backend import SqlFailed
from kalam_sandbox.engine import access, plan
from kalam_sandbox.engine.decimals import as_decimals
from kalam_sandbox.engine.failures import engine_text, told_as_failure
from kalam_sandbox.engine.plan import TableScan
from kalam_sandbox.engine.reader import Filling
from kalam_sandbox.engine.rewrite import rewrite, server_name
from kalam_sandbox.engine.scans import POINT, Scan, scan_kind
from kalam_sandbox.engine.session_tables import SessionTables
from kalam_sandbox.errors import execution, unsupported
from kalam_sandbox.ids import version_name
from kalam_sandbox.sql.references import Mention, copy_name, separate
from kalam_sandbox.store.catalog import Name
from kalam_sandbox.store.schema import DELETED, TableDef

#: The only aggregate of a plan that counts all rows.
_COUNT_ALONE = re.compile(r"Aggregate: groupBy=\[\[\]\], aggr=\[\[count\((?:Int64\(1\)|\*)\)(?: AS [^,\]]*)?\]\]")
# A LIMIT that is none.
_ALL_ROWS = 2**62
# System tables of the real server that the sandbox has not.
_ABSENT_SYSTEM_TABLE = re.compile(r"table 'kalam\.(system\.audit_log)'")


@dataclass(frozen=True, slots=True)
class ArrowRows:
    """A result before encoding; the schema is the announced one."""

    schema: pa.Schema
    batches: list[pa.RecordBatch]


class Selector:
    """Plan and run statements that read, for one request.

    Args:
        tables: The tables that the statements name, and whose request it is.
    """

    def __init__(self, tables: SessionTables) -> None:
        self.tables = tables
        self.options = tables.options
        self.session = tables.session
        self.reader = tables.reader
        self.caller = tables.caller
        self.namespace = tables.namespace
        self._catalog = tables.catalog
        self._system = tables.system
        # Scans of the statements run so far.
        self.scans: list[Scan] = []
        # What the column is called that numbers row versions.
        self._version = version_name(by_log=tables.options.log_versions)

    def select(self, sql: str, params: Mapping[str, object] | None = None) -> ArrowRows:
        """Run a SELECT.

        Raises:
            SqlFailed: The statement is refused or fails.
        """
        text = rewrite(sql, self.caller, self.options)
        # All tables are seen at one moment; what is filled in then does not change any more.
        with self._catalog.lock:
            frame = self.plan(text, params)
            self._check_numbered(frame)
        optimized = self.session.optimized(self._shaped(frame))
        names = frame.schema().names
        is_alone = self.reader.transaction is None
        scans = self.note_scans(optimized, is_point_cheap=is_alone)
        if len(scans) > 1 and is_alone and self.options.separate_scans:
            optimized = self._at_other_moments(text, params, scans) or optimized
        else:
            self._pay(scans)
        schema, batches = self.session.collect(optimized)
        told = [field.with_name(server_name(name)) for field, name in zip(schema, names, strict=True)]
        return ArrowRows(pa.schema(told), batches)

    def _shaped(self, frame: DataFrame) -> DataFrame:
        """Sort and cut a result as the server does (truth L1, L2, L4)."""
        limited = plan.has_limit(frame.logical_plan())
        if self.options.sort_under_limit:
            frame = self._sorted_under_limit(frame)
        elif self.options.resort_by_key:
            frame = self._in_default_order(frame)
        if cap := self.options.max_query_limit if limited else self.options.default_query_limit:
            frame = frame.limit(cap)
        return frame

    def _at_other_moments(
        self, text: str, params: Mapping[str, object] | None, scans: Sequence[Scan]
    ) -> LogicalPlan | None:
        """Read the tables of a statement again, one after the other, so that each scan sees another state (truth L29).

        Scans of one mention of a table, as of a view or a named query that is used twice, see one state.

        Args:
            text: The statement after rewriting.
            params: Named parameters.
            scans: Its scans, which take their time.

        Returns:
            The plan over these rows; None if it would not be the plan of the statement.
        """
        separated, mentions = separate(text, self.tables.own_table)
        try:
            self._fill_again(mentions, scans)
            frame = self.session.plan(separated, self._comparable(separated, params, {one.name for one in mentions}))
            optimized = self.session.optimized(self._shaped(frame))
        except SqlFailed:
            # It names a column by its table, and the table has another name now; or somebody has altered a table.
            return None
        finally:
            for one in mentions:
                if one.number > 1:
                    self.session.forget(".".join((one.name[0], copy_name(one.name[1], one.number))))
        found = [name for one in plan.table_scans(optimized, self._version) for name in self.tables.own([one.table])]
        return optimized if [".".join(name) for name in found] == [scan.table for scan in scans] else None

    def _fill_again(self, mentions: Sequence[Mention], scans: Sequence[Scan]) -> None:
        """Fill each mentioned table but the first when the scan before it has ended."""
        for number, mention in enumerate(mentions[1:], 1):
            self._pay(scans[number - 1 : number])
            if self.session.catalog_version == self._catalog.version:
                self.tables.fill_one(mention.name, self.tables.filled_as[mention.name], copy=mention.number)
        self._pay(scans[max(len(mentions) - 1, 0) :])

    def _pay(self, scans: Sequence[Scan]) -> None:
        """Take the time that scans cost, and let others write meanwhile."""
        time.sleep(sum(scan.seconds(self.options) for scan in scans))

    def plan(self, text: str, params: Mapping[str, object] | None = None, *, whole: bool = False) -> DataFrame:
        """Plan a rewritten text over the rows that this caller sees now.

        Args:
            text: The statement after rewriting.
            params: Named parameters.
            whole: Whether the scan window does not apply. The server was not seen to cut what UPDATE and DELETE
                find, so the sandbox does not.

        Raises:
            SqlFailed: The engine refuses the text, or the caller may not read a table.
        """
        self.tables.declare()
        self.session.use(self.namespace)
        fresh = self.tables.mentioned(text)
        params = self._comparable(text, params, fresh)
        self.tables.fill(fresh)
        frame = self._planned(text, params)
        scanned = self.tables.resolve(plan.scanned_tables(frame.logical_plan()))
        for name in scanned:
            self._check_access(name)
        if missing := set(scanned) - fresh:
            self.tables.fill(missing)
            frame = self.session.plan(text, params)
        cut = set() if whole else self._beyond_window(scanned)
        frame = self._with_hidden_rows(frame, text, params, scanned, cut)
        return self._with_vectors(frame, text, params, scanned)

    def note_scans(self, optimized: LogicalPlan, *, is_point_cheap: bool = False) -> list[Scan]:
        """Keep and return the scans of a plan, which cost the same whatever few rows they bring (truth L32).

        Args:
            optimized: The plan.
            is_point_cheap: Whether rows are looked up by key; else each scan goes through its table.
        """
        scans = [
            self._scan(found, name, is_point_cheap=is_point_cheap)
            for found in plan.table_scans(optimized, self._version)
            for name in self.tables.own([found.table])
        ]
        self.scans += scans
        return scans

    def _scan(self, found: TableScan, name: Name, *, is_point_cheap: bool) -> Scan:
        key = self._catalog.tables[name].definition.key
        kind = scan_kind(found, key.name if key else None, is_point_cheap=is_point_cheap)
        unflushed, flushed = self.reader.versions(name, self.caller.user_id, found.after)
        return Scan(".".join(name), kind, 0 if kind == POINT else unflushed, flushed)

    def _check_numbered(self, frame: DataFrame) -> None:
        """Refuse to read the version behind a single INSERT of the open transaction (protocol/sql.md#transactions)."""
        unnumbered = self.reader.transaction.unnumbered if self.reader.transaction else set()
        if not unnumbered:
            return
        with told_as_failure():
            optimized = frame.optimized_logical_plan()
        if any(plan.reads_column(optimized, ".".join(name), self._version) for name in unnumbered):
            raise engine_text(
                f"Arrow error: Invalid argument error: Column '{self._version}' is declared as non-nullable "
                "but contains null values"
            )

    def _comparable(
        self, text: str, params: Mapping[str, object] | None, names: set[Name]
    ) -> Mapping[str, object] | None:
        """Return parameters that compare with DECIMAL as numbers, where that is wanted (truth L28)."""
        if not params or self.options.compare_decimals_as_text:
            return params
        tables = [self._catalog.tables[name].definition for name in _stored(names)]
        return as_decimals(text, params, tables)

    def _beyond_window(self, scanned: list[Name]) -> set[Name]:
        return {name for name in _stored(scanned) if self.reader.is_beyond_window(name, self.caller.user_id)}

    def _planned(self, text: str, params: Mapping[str, object] | None) -> DataFrame:
        try:
            return self.session.plan(text, params)
        except SqlFailed as failed:
            if found := _ABSENT_SYSTEM_TABLE.search(failed.message):
                raise unsupported(found[1]) from None
            raise

    def _check_access(self, name: Name) -> None:
        if name[0] == "system":
            access.check_system(self.caller, name[1])
            return
        definition = self._catalog.tables[name].definition
        access.check_read(self.caller, definition)
        self.check_transaction(definition)

    def check_transaction(self, definition: TableDef) -> None:
        """Refuse a STREAM table inside BEGIN and COMMIT, where the server does.

        Raises:
            SqlFailed: There is a transaction, and the table is one.
        """
        is_refused = self.reader.transaction is not None and self.options.refuse_streams_inside
        if is_refused and definition.kind == "stream":
            raise execution(f"Invalid operation: STREAM table '{definition.full_name}' cannot be used in a transaction")

    def _with_hidden_rows(
        self,
        frame: DataFrame,
        text: str,
        params: Mapping[str, object] | None,
        scanned: list[Name],
        cut: set[Name],
    ) -> DataFrame:
        """Plan again over tombstones or a cut window, where the statement asks for one or runs into the other."""
        if not cut and DELETED not in text:
            return frame
        try:
            optimized = frame.optimized_logical_plan()
        except Exception:
            # Running the plan will fail in the same way, with the message for the caller.
            return frame
        filters = plan.hidden_filters(optimized, self._version)
        plain = plan.plain_bounds(frame.logical_plan(), self._version) if self.options.seek_by_literals_only else None
        changed = False
        for name in _stored(scanned):
            asked = [f for f in filters if self.tables.resolve([f.table]) == [name]]
            tombstones = any(f.tombstones for f in asked)
            if tombstones and plan.scan_count(optimized, asked[0].table) != sum(f.tombstones for f in asked):
                raise execution(
                    "Execution error: Error during planning: the sandbox cannot read tombstones and living rows of "
                    f"'{'.'.join(name)}' in one statement; send two statements between BEGIN and COMMIT"
                )
            if tombstones or (name in cut and not self._escapes_window(optimized.display_indent(), name)):
                after = [f.after for f in asked if f.after is not None and (plain is None or f.after in plain)]
                filling = Filling(tombstones=tombstones, after=min(after, default=None), whole=name not in cut)
                self.tables.fill_one(name, filling)
                changed = True
        return self.session.plan(text, params) if changed else frame

    def _with_vectors(
        self, frame: DataFrame, text: str, params: Mapping[str, object] | None, scanned: list[Name]
    ) -> DataFrame:
        """Plan again over flushed vectors, where the statement looks up a key (protocol/sql.md#flush)."""
        hidden = [name for name in _stored(scanned) if self.reader.has_hidden_vectors(name, self.caller.user_id)]
        if not hidden:
            return frame
        with told_as_failure():
            plan_text = frame.optimized_logical_plan().display_indent()
        looked_up = [name for name in hidden if self._is_point(plan_text, name)]
        for name in looked_up:
            self.tables.fill_one(name, Filling(whole=True, vectors=True))
        return self.session.plan(text, params) if looked_up else frame

    def _is_point(self, plan_text: str, name: Name) -> bool:
        """Say whether rows of a table are looked up by key."""
        key = self._catalog.tables[name].definition.key
        return key is not None and f"{'.'.join(name)}.{key.name} = " in plan_text

    def _escapes_window(self, plan_text: str, name: Name) -> bool:
        """Say whether the scan is right beyond the window: count(*) alone and look-ups by key (truth L3)."""
        counts = _COUNT_ALONE.search(plan_text) is not None and "Filter:" not in plan_text
        return counts or self._is_point(plan_text, name)

    def _in_default_order(self, frame: DataFrame) -> DataFrame:
        """Sort by the first table's key unless the statement's own sort stands last."""
        logical = frame.logical_plan()
        scans = plan.scanned_tables(logical)
        if plan.is_sorted_last(logical) or not scans or "." not in scans[0]:
            return frame
        resolved = self.tables.resolve(scans[:1])
        if not resolved:
            return frame
        column = self._order_column(resolved[0])
        names = frame.schema().names
        if names.count(column) != 1:
            return frame
        return frame.sort(col(f'"{column}"').sort(ascending=True, nulls_first=False))

    def _sorted_under_limit(self, frame: DataFrame) -> DataFrame:
        """Sort by the first table's key before the LIMIT, unless the statement sorts by itself (truth L4 mended)."""
        logical = frame.logical_plan()
        limit = plan.limit_of(logical)
        if plan.is_sorted(logical):
            return frame
        if limit is None:
            return self._in_default_order(frame)
        below = self._in_default_order(self.session.frame(logical.inputs()[0]))
        skip, count = limit
        return below.limit(count, skip) if count is not None else below.limit(_ALL_ROWS, skip)

    def _order_column(self, name: Name) -> str:
        if name[0] == "system":
            return self._system.key(name[1])
        definition: TableDef = self._catalog.tables[name].definition
        return definition.key.name if definition.key else definition.version_column


def _stored(names: Iterable[Name]) -> list[Name]:
    """The tables that are no system tables."""
    return [name for name in names if name[0] != "system"]
