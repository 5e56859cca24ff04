"""The sandbox server without HTTP: its parts put together, and what the WebSocket part asks of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from kalam_sandbox.backend import Caller, Change, SelectRows, SqlFailed, TableInfo
from kalam_sandbox.catalogue import stored_tables
from kalam_sandbox.changes import changes_of, key_text
from kalam_sandbox.commands.context import Server
from kalam_sandbox.engine import access, row_rights
from kalam_sandbox.engine.plan_cache import PlanCache
from kalam_sandbox.engine.request import Planned, Request, StatementFailedError
from kalam_sandbox.engine.results import Rows
from kalam_sandbox.engine.scans import ScanLog
from kalam_sandbox.engine.session import SessionPool
from kalam_sandbox.errors import DENIED
from kalam_sandbox.files import FileStore
from kalam_sandbox.jobs import Jobs
from kalam_sandbox.options import Options
from kalam_sandbox.sql.classify import classify
from kalam_sandbox.store.catalog import Catalog, now_ms
from kalam_sandbox.store.commit import Applied, Committer
from kalam_sandbox.system_tables import SystemTables
from kalam_sandbox.tokens import Tokens
from kalam_sandbox.topics import Topics
from kalam_sandbox.users import Users


class Sandbox:
    """All parts of one sandbox server; implements `backend.LiveBackend`."""

    def __init__(self, options: Options) -> None:
        catalog = Catalog(by_log=options.log_versions)
        users = Users(
            options.root_password,
            lock_after_failures=options.lock_after_failures,
            lock_seconds=options.lock_seconds,
        )
        topics = Topics(visibility_seconds=options.topic_visibility_seconds, numbers_commits=not options.log_versions)
        jobs = Jobs()
        system = SystemTables(catalog=catalog, users=users, topics=topics, jobs=jobs, options=options)
        committer = Committer(catalog, most_rows=options.commit_rows)
        self.server = Server(
            options, catalog, committer, users, topics, jobs, FileStore(), system, PlanCache(), ScanLog()
        )
        self.options = options
        self.tokens = Tokens(users, access_seconds=options.access_token_seconds)
        self.sessions = SessionPool(
            memory_bytes=options.query_memory_bytes, unicode_functions=options.unicode_functions
        )
        # Hits answers; events of live queries are hit by `live.faults`.
        self.chance = random.Random(options.fault_seed)
        self._listeners: list[Callable[[Sequence[Change]], None]] = []
        self.server.committer.listeners.append(self._tell)
        for table in stored_tables(now_ms(), by_log=options.log_versions):
            if table.namespace == "dba":
                catalog.add_table(table)

    def warm_up(self) -> None:
        """Run a first query for root; the engine and what it imports take about a second to load."""
        with self.sessions.lend("root") as session:
            session.collect(session.optimized(session.plan("SELECT 1")))

    def authenticate(self, token: str) -> Caller:
        """Return who owns an access token; raises PermissionError."""
        user = self.tokens.user_of(token)
        return Caller(user.user_id, user.role)

    def describe(self, caller: Caller, namespace: str, table: str) -> TableInfo | None:
        """Return a table, None when there is none; raises SqlFailed when it may not be read."""
        if namespace == "system":
            # Stored tables can be subscribed to, though nothing is ever told; views are no tables
            # (protocol/live.md#queries).
            return self.server.system.info(table)
        found = self.server.catalog.tables.get((namespace, table))
        if found is None:
            return None
        definition = found.definition
        if not access.may_read(caller, definition):
            raise SqlFailed(DENIED, _plain_refusal(caller, definition.access_level))
        columns = tuple(column.wire for column in definition.columns)
        domain = None
        if self.options.version_domains and definition.kind == "shared":
            domain = {
                "history_incarnation": found.incarnation,
                "table_id": definition.full_name,
                "scope_id": 0,
                "partition_id": None,
            }
        policy = row_rights.live_condition(caller, found)
        return TableInfo(namespace, table, definition.kind, columns, definition.version_column, domain, policy)

    def select(self, caller: Caller, sql: str) -> SelectRows:
        """Run one SELECT of a live query as over HTTP; raises SqlFailed or Unencodable."""
        planned = Planned(sql, classify(sql, caller, self.options))
        with self.sessions.lend(caller.user_id) as session:
            try:
                (result,) = Request(self.server, session, caller, is_live=True).run([planned])
            except StatementFailedError as failed:
                raise failed.failure from None
        assert isinstance(result, Rows)  # The live part sends SELECTs only.
        return SelectRows(result.columns, result.rows)

    def on_commit(self, listener: Callable[[Sequence[Change]], None]) -> None:
        """Call `listener` once per commit with its changes."""
        self._listeners.append(listener)

    def _tell(self, applied: Sequence[Applied]) -> None:
        changes = [change for item in applied for change in changes_of(item, self.options)]
        if not changes:
            return
        self.server.topics.publish(changes, lambda change: key_text(self.server.catalog, change))
        for listener in self._listeners:
            listener(changes)


def _plain_refusal(caller: Caller, level: str | None) -> str:
    return f"Permission denied: Shared table access denied (access_level={level}) for role '{caller.role.title()}'"
