"""One SQL request: its statements in order, its transaction, its results.

Rules: KalamDB HTTP reference, sections 6 and 9. Blocking; the route runs it in a worker thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kalam_notebook.sandbox.backend import Caller, SqlFailed
from kalam_notebook.sandbox.commands.context import Call, Server
from kalam_notebook.sandbox.commands.dispatch import carry_out
from kalam_notebook.sandbox.engine import access, explain
from kalam_notebook.sandbox.engine.coerce import Value
from kalam_notebook.sandbox.engine.encode import encode_batches, wire_column
from kalam_notebook.sandbox.engine.insert import LITERAL_COMMIT, Inserter, commit_failure, named_parameters
from kalam_notebook.sandbox.engine.reader import Reader
from kalam_notebook.sandbox.engine.results import Message, Result, Rows, written
from kalam_notebook.sandbox.engine.select import ArrowRows, Selector
from kalam_notebook.sandbox.engine.session import Session
from kalam_notebook.sandbox.engine.update import Changer
from kalam_notebook.sandbox.errors import execution
from kalam_notebook.sandbox.ids import uuid7
from kalam_notebook.sandbox.sql import statements as s
from kalam_notebook.sandbox.sql.classify import ADMINS
from kalam_notebook.sandbox.sql.inserts import read_insert
from kalam_notebook.sandbox.store.commit import ConstraintError, Operation

_MAX_PARAMS = 50
_MAX_PARAM_BYTES = 524_288
# What the server counts for a text besides its bytes.
_TEXT_OVERHEAD = 24


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
    ) -> None:
        self._server = server
        self._caller = caller
        self._params = params
        self._reader = Reader(server.catalog, scan_window=server.options.scan_window)
        self._session = session
        self._namespace = namespace
        # USE reaches the SELECTs behind it, not writes or DDL (HTTP reference, section 6).
        self._select_namespace = namespace

    def run(self, planned: Sequence[Planned]) -> list[Result]:
        """Run all statements and return their results in statement order.

        Raises:
            StatementFailedError: A statement failed; earlier effects outside a transaction stay.
            Unencodable: A result holds a value that cannot be sent.
        """
        results: list[Result] = []
        literal_runs = _literal_runs(planned)
        for place, item in enumerate(planned):
            try:
                results.append(self._run_one(item, self._caller, literal_runs[place]))
            except SqlFailed as failure:
                raise StatementFailedError(place + 1, item.sql, failure) from None
        if self._reader.transaction is not None:
            raise StatementFailedError(
                None,
                None,
                execution("Request completed with an open explicit transaction; rolled back automatically"),
            )
        return results

    def _run_one(self, item: Planned, caller: Caller, literal_path: bool) -> Result:
        match item.statement:
            case s.Query(sql):
                check_parameters(self._params)
                selector = self._selector(caller, self._select_namespace)
                return self._rows(selector.select(sql, named_parameters(self._params)), caller)
            case s.Dml(kind, sql):
                check_parameters(self._params)
                return self._write(kind, sql, caller, literal_path)
            case s.Begin() | s.Commit() | s.Rollback():
                return self._transaction(item.statement)
            case s.ExecuteAs(target, inner):
                return self._execute_as(target, inner, literal_path)
            case s.EngineMeta(sql):
                return self._meta(sql, caller)
            case _:
                return self._command(item.statement, caller)

    def _selector(self, caller: Caller, namespace: str) -> Selector:
        selector = Selector(
            catalog=self._server.catalog,
            system=self._server.system,
            options=self._server.options,
            session=self._session,
            reader=self._reader,
            caller=caller,
        )
        selector.namespace = namespace
        return selector

    def _rows(self, result: ArrowRows, caller: Caller) -> Rows:
        masked = caller.role not in ADMINS
        columns = tuple(wire_column(field) for field in result.schema)
        return Rows(columns, encode_batches(result.schema, result.batches, mask_secrets=masked), caller.user_id)

    def _write(self, kind: str, sql: str, caller: Caller, literal_path: bool) -> Message:
        selector = self._selector(caller, self._namespace)
        # Evaluating and committing belong together, so that no other write comes between.
        with self._server.catalog.lock:
            if kind == "insert":
                prepared = Inserter(self._server.catalog, selector).prepare(
                    sql, self._params, literal_path=literal_path
                )
                operation, is_literal = prepared.operation, prepared.is_literal
            else:
                operation, is_literal = Changer(self._server.catalog, selector).prepare(kind, sql, self._params), True
            self._commit_or_stage(operation, is_literal=is_literal)
        return written(kind, operation.rows.num_rows, caller.user_id)

    def _commit_or_stage(self, operation: Operation, *, is_literal: bool) -> None:
        table = self._server.catalog.tables[operation.table]
        if self._reader.transaction is not None and table.definition.kind != "stream":
            self._reader.stage(operation)
            return
        if not operation.rows.num_rows:
            return
        try:
            self._server.committer.commit([operation])
        except ConstraintError as broken:
            text = f"{broken}"
            if is_literal:
                raise execution(LITERAL_COMMIT + text) from None
            raise execution(_engine_constraint(text, is_shared=table.definition.kind == "shared")) from None

    def _transaction(self, statement: s.Begin | s.Commit | s.Rollback) -> Message:
        open_one = self._reader.transaction
        user = self._caller.user_id
        if isinstance(statement, s.Begin):
            if open_one is not None:
                raise execution(
                    f"Conflict: request owner '{user}' already has an active transaction '{open_one.transaction_id}'"
                )
            return Message(f"Transaction started ({self._reader.begin().transaction_id})", user)
        word = "COMMIT" if isinstance(statement, s.Commit) else "ROLLBACK"
        if open_one is None:
            raise execution(f"Invalid operation: {word} requires an active explicit SQL transaction")
        self._reader.transaction = None
        if isinstance(statement, s.Rollback):
            return Message(f"Transaction rolled back ({open_one.transaction_id})", user)
        kinds = {self._kind_of(operation) for operation in open_one.operations}
        if len(kinds) > 1:
            raise execution(
                commit_failure(open_one.transaction_id, "explicit transactions must remain within one data raft group")
            )
        try:
            self._server.committer.commit(open_one.operations)
        except ConstraintError as broken:
            shared = kinds == {"shared"}
            raise execution(_engine_constraint(f"{broken}", is_shared=shared, owner=open_one.transaction_id)) from None
        return Message(f"Transaction committed ({open_one.transaction_id})", user)

    def _kind_of(self, operation: Operation) -> str:
        return "shared" if self._server.catalog.tables[operation.table].definition.kind == "shared" else "user"

    def _execute_as(self, target: str, inner: s.Statement, literal_path: bool) -> Result:
        user = self._server.users.get(target)
        role = user.role if user is not None else "user"
        if not access.may_act_as(self._caller, target, role):
            raise access.not_authorized(self._caller, target, role)
        caller = Caller(target, "user")
        if isinstance(inner, s.Dml) and inner.kind == "insert" and (text := read_insert(inner.sql)) is not None:
            self._refuse_shared((text.namespace or self._namespace, text.table))
        if isinstance(inner, s.Dml):
            self._refuse_shared(_written_table(inner.sql, self._namespace))
        return self._run_one(Planned("", inner), caller, literal_path)

    def _refuse_shared(self, name: tuple[str, str]) -> None:
        table = self._server.catalog.tables.get(name)
        if table is not None and table.definition.kind == "shared":
            raise execution(
                f"EXECUTE AS USER is not allowed on SHARED tables (table '{':'.join(name)}'). AS USER impersonation is "
                "only supported for USER and STREAM tables."
            )

    def _meta(self, sql: str, caller: Caller) -> Rows:
        selector = self._selector(caller, self._select_namespace)
        inner = explain.explained_dml(sql)
        if inner is not None:
            # EXPLAIN of a statement that writes carries it out (truth L26).
            self._write(inner[0], inner[1], caller, literal_path=False)
        return self._rows(explain.run_meta(sql, selector, self._server.catalog), caller)

    def _command(self, statement: s.Statement, caller: Caller) -> Result:
        transaction = self._reader.transaction
        if transaction is not None and _is_ddl(statement):
            raise execution(
                f"Invalid operation: DDL is not allowed inside explicit transaction '{transaction.transaction_id}'"
            )
        result = carry_out(Call(self._server, caller), statement)
        if isinstance(statement, s.UseNamespace):
            self._select_namespace = statement.name
        return result


def check_parameters(params: Sequence[Value]) -> None:
    """Refuse too many or too large parameters.

    Raises:
        SqlFailed: Says how many or which.
    """
    if len(params) > _MAX_PARAMS:
        raise execution(f"Parameter count exceeded: maximum {_MAX_PARAMS} parameters allowed, got {len(params)}")
    for place, value in enumerate(params):
        size = len(value.encode()) + _TEXT_OVERHEAD if isinstance(value, str) else 8
        if size > _MAX_PARAM_BYTES:
            raise execution(
                f"Parameter size exceeded: parameter at index {place} is {size} bytes (max {_MAX_PARAM_BYTES} bytes)"
            )


def _engine_constraint(text: str, *, is_shared: bool, owner: str | None = None) -> str:
    """Return a constraint error as it comes out of a committed transaction."""
    where = text.replace("in the insert batch", "in the transaction batch")
    if is_shared and "already exists in column" in where:
        where += " (hot storage)"
    many = "Failed to insert batch row: " if "Primary key" in text else "Failed to insert batch rows: "
    return commit_failure(owner or uuid7(), many + where)


def _literal_runs(planned: Sequence[Planned]) -> list[bool]:
    """Say for each statement whether a plain INSERT goes the literal path.

    Inside BEGIN … COMMIT only runs of two or more INSERTs with the same table and columns do (SQL reference, 6.6).
    """
    heads: list[str | None] = []
    inside = False
    for item in planned:
        inside = (inside or isinstance(item.statement, s.Begin)) and not isinstance(
            item.statement, s.Commit | s.Rollback
        )
        is_insert = inside and isinstance(item.statement, s.Dml) and item.statement.kind == "insert"
        text = read_insert(item.sql) if is_insert else None
        heads.append(" ".join(text.head.lower().split()) if text is not None else None)
    runs = []
    for place, head in enumerate(heads):
        before = heads[place - 1] if place else None
        after = heads[place + 1] if place + 1 < len(planned) else None
        runs.append(head is None or head in (before, after))
    return runs


def _written_table(sql: str, namespace: str) -> tuple[str, str]:
    words = sql.replace("(", " ").split()
    name = words[2] if words and words[0].upper() == "DELETE" else words[1] if len(words) > 1 else ""
    first, dot, second = name.lower().partition(".")
    return (first, second) if dot else (namespace, first)


def _is_ddl(statement: s.Statement) -> bool:
    return isinstance(
        statement,
        s.CreateTable
        | s.AlterTable
        | s.DropTable
        | s.CreateView
        | s.CreateNamespace
        | s.DropNamespace
        | s.AlterNamespace
        | s.CreateUser
        | s.AlterUser
        | s.DropUser
        | s.CreateTopic
        | s.AddTopicSource
        | s.EndTopic
        | s.Flush,
    )
