"""One SQL request: its statements in order, its namespace, its results.

Rules: protocol/http.md#request, #batches. Blocking; the route runs it in a worker thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from kalam_sandbox.backend import Caller, SqlFailed, Unencodable
from kalam_sandbox.commands.context import Call, Server
from kalam_sandbox.commands.dispatch import carry_out
from kalam_sandbox.engine import access, explain
from kalam_sandbox.engine.encode import encode_batches, wire_column
from kalam_sandbox.engine.parameters import Value, check_parameters, named_parameters
from kalam_sandbox.engine.reader import Reader
from kalam_sandbox.engine.results import Result, Rows
from kalam_sandbox.engine.select import ArrowRows, Selector
from kalam_sandbox.engine.session import Session
from kalam_sandbox.engine.session_tables import SessionTables
from kalam_sandbox.engine.writer import Writer
from kalam_sandbox.errors import execution
from kalam_sandbox.options import Options
from kalam_sandbox.sql import statements as s
from kalam_sandbox.sql.classify import ADMINS
from kalam_sandbox.sql.runs import on_literal_path
from kalam_sandbox.sql.targets import written_table
from kalam_sandbox.store.catalog import now_ms
from kalam_sandbox.system_tables import OpenTransaction


@dataclass(frozen=True, slots=True)
class Planned:
    """One classified statement with its text."""

    sql: str
    statement: s.Statement


class StatementFailedError(Exception):
    """A statement of the request failed; `number` counts from 1, None when no single one is to blame."""

    def __init__(self, number: int | None, sql: str | None, failure: SqlFailed) -> None:
        super().__init__(number, sql, failure)
        self.number = number
        self.sql = sql
        self.failure = failure


@dataclass(frozen=True, slots=True)
class _Unencoded:
    """A row set that waits for the end of the request before it is encoded."""

    result: ArrowRows
    caller: Caller
    options: Options
    is_live: bool

    def encoded(self) -> Rows:
        """Return the row set with its cells; raises Unencodable."""
        masked = self.caller.role not in ADMINS
        columns = tuple(wire_column(field, self.options) for field in self.result.schema)
        try:
            cells = encode_batches(
                self.result.schema, self.result.batches, self.options, mask_secrets=masked, is_live=self.is_live
            )
        except Unencodable as broken:
            raise Unencodable(broken.message, sum(batch.num_rows for batch in self.result.batches)) from None
        return Rows(columns, cells, self.caller.user_id)


class Request:
    """Run the statements of one request for one caller."""

    def __init__(
        self,
        server: Server,
        session: Session,
        caller: Caller,
        *,
        namespace: str = "default",
        params: Sequence[Value] = (),
        is_live: bool = False,
        is_abandoned: Callable[[], bool] = lambda: False,
    ) -> None:
        self._server = server
        self._is_live = is_live
        self._is_abandoned = is_abandoned
        self._session = session
        self._caller = caller
        self._params = params
        self._namespace = namespace
        # USE reaches the SELECTs behind it, not writes or DDL (protocol/http.md#request).
        self._select_namespace = namespace
        self._reader = Reader(
            server.catalog,
            scan_window=server.options.scan_window,
            hides_vectors=server.options.spoil_flushed_columns,
            snapshot_at_access=server.options.snapshot_at_access,
        )
        self._writer = Writer(server.catalog, server.committer, self._reader, server.options)

    def run(self, planned: Sequence[Planned]) -> list[Result]:
        """Run all statements and return their results in statement order.

        Raises:
            StatementFailedError: A statement failed; earlier effects outside a transaction stay.
            Unencodable: A result holds a value that cannot be sent.
        """
        # Each statement takes the lock by itself, so that other requests write between them (truth L18).
        with nullcontext() if self._server.options.separate_snapshots else self._server.catalog.lock:
            try:
                results = self._run_all(planned)
            finally:
                self._unlist_transaction()
        # A value that cannot be sent stops no later statement.
        return [one.encoded() if isinstance(one, _Unencoded) else one for one in results]

    def _run_all(self, planned: Sequence[Planned]) -> list[Result | _Unencoded]:
        results: list[Result | _Unencoded] = []
        literal_path = on_literal_path([item.statement for item in planned])
        for number, (item, literal) in enumerate(zip(planned, literal_path, strict=True), 1):
            try:
                if self._is_abandoned():
                    raise execution("Execution error: the client has disconnected")
                results.append(self._run(item.statement, self._caller, literal_path=literal))
            except SqlFailed as failure:
                raise StatementFailedError(number, item.sql, failure) from None
        if self._reader.transaction is not None:
            left_open = "Request completed with an open explicit transaction; rolled back automatically"
            raise StatementFailedError(None, None, execution(left_open))
        return results

    def _run(self, statement: s.Statement, caller: Caller, *, literal_path: bool) -> Result | _Unencoded:
        match statement:
            case s.Query(sql):
                check_parameters(self._params)
                with self._planned(
                    caller, sql, self._select_namespace, keep=bool(self._reader.transaction)
                ) as selector:
                    rows = selector.select(sql, named_parameters(self._params))
                return self._unencoded(rows, caller)
            case s.Dml():
                check_parameters(self._params)
                with self._planned(caller, statement.sql, self._namespace, keep=bool(self._params)) as selector:
                    done = self._writer.write(statement, selector, self._params, literal_path=literal_path)
                return self._unencoded(done, caller) if isinstance(done, ArrowRows) else done
            case s.Begin():
                message = self._writer.begin(self._caller)
                self._list_transaction()
                return message
            case s.Commit() | s.Rollback():
                self._unlist_transaction()
                return self._writer.end(self._caller, commit=isinstance(statement, s.Commit))
            case s.ExecuteAs(target, inner):
                self._check_impersonation(target, inner)
                return self._run(inner, Caller(target, "user"), literal_path=literal_path)
            case s.EngineMeta(sql):
                return self._meta(sql, caller)
            case _:
                return self._command(statement, caller)

    def _unencoded(self, rows: ArrowRows, caller: Caller) -> _Unencoded:
        return _Unencoded(rows, caller, self._server.options, self._is_live)

    @contextmanager
    def _planned(self, caller: Caller, sql: str, namespace: str, *, keep: bool) -> Iterator[Selector]:
        """Give a selector in the namespace that a statement will really use, and keep its plan if it works.

        Args:
            caller: Whose role the plan is kept for.
            sql: The statement.
            namespace: The namespace asked for.
            keep: Whether the server caches the plan: writes with parameters, SELECT in a transaction (truth L23).
        """
        plans = self._server.plans
        used = plans.namespace(caller.role, sql, namespace) if self._server.options.forget_namespaces else namespace
        selector = self._selector(caller, used)
        in_transaction = self._reader.transaction is not None
        yield selector
        if keep:
            plans.keep(caller.role, sql, used)
        self._server.scans.note(
            sql, caller.user_id, selector.scans, is_live=self._is_live, in_transaction=in_transaction
        )

    def _selector(self, caller: Caller, namespace: str) -> Selector:
        tables = SessionTables(
            catalog=self._server.catalog,
            system=self._server.system,
            options=self._server.options,
            session=self._session,
            reader=self._reader,
            caller=caller,
            namespace=namespace,
        )
        return Selector(tables)

    def _list_transaction(self) -> None:
        """Show the open transaction in `system.transactions`."""
        opened = self._reader.transaction
        assert opened is not None  # It has just been opened.
        listed = OpenTransaction(self._caller.user_id, now_ms(), opened.begun_at, opened.written)
        self._server.system.transactions[opened.transaction_id] = listed

    def _unlist_transaction(self) -> None:
        if self._reader.transaction is not None:
            self._server.system.transactions.pop(self._reader.transaction.transaction_id, None)

    def _check_impersonation(self, target: str, inner: s.Statement) -> None:
        """Refuse EXECUTE AS USER by role, and writes to SHARED tables under it.

        Raises:
            SqlFailed: PERMISSION_DENIED, or the table is SHARED.
        """
        user = self._server.users.get(target)
        role = user.role if user is not None else "user"
        if not access.may_act_as(self._caller, target, role):
            raise access.not_authorized(self._caller, target, role)
        if not isinstance(inner, s.Dml) or (named := written_table(inner.sql)) is None:
            return
        name = (named[0] or self._namespace, named[1])
        table = self._server.catalog.tables.get(name)
        if table is not None and table.definition.kind == "shared":
            raise execution(
                f"EXECUTE AS USER is not allowed on SHARED tables (table '{':'.join(name)}'). AS USER impersonation is "
                "only supported for USER and STREAM tables."
            )

    def _meta(self, sql: str, caller: Caller) -> Result | _Unencoded:
        if sql.split(maxsplit=1)[0].upper() == "SET":
            self._session.configure(sql)
            return Rows((), [], caller.user_id)
        selector = self._selector(caller, self._select_namespace)
        inner = explain.explained_dml(sql)
        if inner is not None and self._server.options.explain_carries_out:
            # EXPLAIN of a statement that writes carries it out (truth L26).
            self._writer.write(inner, selector, self._params, literal_path=False)
        return self._unencoded(explain.run_meta(sql, selector, self._server.catalog), caller)

    def _command(self, statement: s.Statement, caller: Caller) -> Result:
        transaction = self._reader.transaction
        if transaction is not None and isinstance(statement, s.DDL):
            raise execution(
                f"Invalid operation: DDL is not allowed inside explicit transaction '{transaction.transaction_id}'"
            )
        result = carry_out(Call(self._server, caller), statement)
        if isinstance(statement, s.UseNamespace):
            self._select_namespace = statement.name
            if not self._server.options.forget_namespaces:
                self._namespace = statement.name
        return result
