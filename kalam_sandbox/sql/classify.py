"""Deciding what a statement is and whether the caller's role may send it, before anything runs.

This judges the kind of statement only; rights on a table are checked when its turn comes (protocol/http.md#request).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice

from kalam_sandbox.backend import Caller, SqlFailed
from kalam_sandbox.errors import INVALID_INPUT, denied, invalid_sql, unsupported
from kalam_sandbox.options import Options
from kalam_sandbox.sql import commands, policies, tables
from kalam_sandbox.sql.columns import Types
from kalam_sandbox.sql.statements import (
    AlterTable,
    Begin,
    Commit,
    CreateTable,
    Dml,
    EngineMeta,
    ExecuteAs,
    Query,
    Rollback,
    Show,
    Statement,
)
from kalam_sandbox.sql.tokens import Cursor, UnterminatedError, iterate

ADMINS = ("dba", "system")
STAFF = ("service", "dba", "system")

_KINDS = ("USER", "SHARED", "STREAM")
# First words that are statements to PostgreSQL's grammar but not to the server.
_FOREIGN_TEXT = """
    VALUES TABLE TRUNCATE MERGE COPY GRANT REVOKE VACUUM ANALYZE CALL SAVEPOINT RELEASE DECLARE PREPARE EXECUTE LISTEN
    NOTIFY COMMENT CREATE ALTER DROP SHOW LOCK CLOSE FETCH DISCARD DEALLOCATE END ABORT SET RESET
"""
_FOREIGN = frozenset(_FOREIGN_TEXT.split())

_BAD_CREATE = "Invalid CREATE TABLE statement: "
_NO_LEVELS = "ACCESS_LEVEL is not supported any more; use CREATE POLICY"
_DEFAULTS = Options()

_Reader = Callable[[Cursor], Statement]


def classify(sql: str, caller: Caller, options: Options = _DEFAULTS) -> Statement:
    """Return what a statement asks for.

    Args:
        sql: The statement.
        caller: Whose role decides.
        options: Which statements the server has.

    Raises:
        SqlFailed: INVALID_SQL, INVALID_INPUT or PERMISSION_DENIED, without the prefix ``Statement n failed``.
    """
    try:
        # A look at the first words is enough for what the engine reads itself.
        words = [token.upper for token in islice(iterate(sql), 5)] + [""] * 5
    except UnterminatedError:
        if sql.upper().split()[:3] == ["EXECUTE", "AS", "USER"]:
            raise SqlFailed(INVALID_INPUT, "EXECUTE AS USER username quote was not closed") from None
        # Alone in its request such a text reaches the engine, which words the error.
        return Query(sql)
    if words[0] in ("SELECT", "WITH") or words[0] == "(":
        return Query(sql)
    if words[0] in ("INSERT", "UPDATE", "DELETE"):
        return Dml(words[0].lower(), sql)
    if words[:3] == ["EXECUTE", "AS", "USER"] or (options.short_execute_as and words[:2] == ["EXECUTE", "AS"]):
        return ExecuteAs(*commands.read_execute_as(sql, lambda inner: classify(inner, caller, options)))
    cursor = Cursor(sql)
    command = _session(words) or _later_command(cursor, words, caller, options) or _command(cursor, words, caller)
    return command or _meta(sql, words, caller) or _unknown(cursor)


def _session(words: list[str]) -> Statement | None:
    if words[0] == "BEGIN" or words[:2] == ["START", "TRANSACTION"]:
        return Begin()
    return Commit() if words[0] == "COMMIT" else Rollback() if words[0] == "ROLLBACK" else None


def _later_command(cursor: Cursor, words: list[str], caller: Caller, options: Options) -> Statement | None:
    """Read what not all servers take, or not of everybody: CREATE, ALTER and DROP of TABLE and POLICY; else None."""
    verb, what = words[0], words[1]
    is_show = verb in ("SHOW", "SUBSCRIBE") or (verb in ("DESCRIBE", "DESC") and what == "TABLE")
    if options.staff_only_shows and is_show and caller.role not in STAFF:
        raise denied(f"Permission denied: Role '{caller.role.title()}' cannot run {verb} {what}")
    if options.row_policies and what == "POLICY" and verb in ("CREATE", "ALTER", "DROP"):
        if caller.role not in STAFF:
            raise denied("System, DBA, or Service role required for policy operations")
        return _read(policies.read_policy, cursor, "Invalid SQL: ")
    if verb not in ("CREATE", "ALTER", "DROP") or "TABLE" not in (what, words[2] if what in _KINDS else ""):
        return None
    if options.staff_only_ddl and caller.role not in STAFF:
        raise denied(f"Permission denied: Role '{caller.role.title()}' cannot {verb} tables")
    if verb == "DROP":
        return _read(tables.read_drop_table, cursor, "Invalid SQL: ")
    types = Types(options.array_columns, options.more_types)
    if verb == "ALTER":
        change = _read(partial(tables.read_alter_table, types=types), cursor, "Invalid SQL: ")
        if options.row_policies and isinstance(change, AlterTable) and change.action == "access":
            raise invalid_sql(f"Invalid SQL: {_NO_LEVELS}")
        return change
    if options.create_with_only and what in _KINDS:
        raise invalid_sql(f"{_BAD_CREATE}use CREATE TABLE … WITH (TYPE = '{what}') instead of CREATE {what} TABLE")
    created = _read(partial(tables.read_create_table, types=types), cursor, _BAD_CREATE)
    if options.row_policies and isinstance(created, CreateTable) and "access_level" in created.options:
        raise invalid_sql(_BAD_CREATE + _NO_LEVELS)
    return created


def _command(cursor: Cursor, words: list[str], caller: Caller) -> Statement | None:
    """Read one of KalamDB's own statements; None when it is none of them."""
    verb, what = words[0], words[1]
    if verb == "CREATE" and "VIEW" in (what, words[3]):
        _admin(caller, "view operations")
        return _read(tables.read_create_view, cursor)
    if what == "NAMESPACE" and verb in ("CREATE", "ALTER", "DROP"):
        _admin(caller, "namespace operations")
        return _read(commands.read_namespace, cursor)
    if verb == "USE" or (verb == "SET" and what == "NAMESPACE"):
        return _read(commands.read_namespace, cursor)
    if what == "USER" and verb in ("CREATE", "ALTER", "DROP"):
        _admin(caller, "user management")
        return _read(commands.read_user, cursor)
    if what == "TOPIC" and verb in ("CREATE", "ALTER", "DROP", "CLEAR"):
        _admin(caller, "topic management")
        return _read(commands.read_topic, cursor)
    return _other_command(cursor, words, caller)


def _other_command(cursor: Cursor, words: list[str], caller: Caller) -> Statement | None:
    verb, what = words[0], words[1]
    if (verb in ("DESCRIBE", "DESC") and what == "TABLE") or words[:4] == ["SHOW", "STATS", "FOR", "TABLE"]:
        return _read(commands.read_describe, cursor)
    if verb == "SHOW" and what in ("NAMESPACES", "TABLES", "STORAGES", "MANIFEST"):
        return Show("tables_in" if words[2] == "IN" else what.lower())
    if verb in ("CONSUME", "ACK"):
        if caller.role not in STAFF:
            doing = "consume from" if verb == "CONSUME" else "acknowledge"
            raise denied(f"Permission denied: Only service, dba, or system roles can {doing} topics")
        return _read(commands.read_consume if verb == "CONSUME" else commands.read_ack, cursor)
    if verb == "SUBSCRIBE":
        return _read(commands.read_subscribe, cursor)
    if verb == "STORAGE" and what == "FLUSH":
        if caller.role not in STAFF:
            raise denied("Service, DBA or System role required for storage flush operations")
        return _read(commands.read_flush, cursor)
    return _absent(cursor, words, caller)


def _absent(cursor: Cursor, words: list[str], caller: Caller) -> Statement | None:
    """Refuse what the real server has and the sandbox has not, after the role check of the server."""
    verb, what = words[0], words[1]
    groups = {"BACKUP": "backup operations", "RESTORE": "restore operations", "CLUSTER": "cluster operations"}
    if verb in groups:
        _admin(caller, groups[verb])
        raise unsupported(verb)
    if verb == "KILL":
        _admin(caller, "live query management" if what == "LIVE" else "job management")
        if what == "LIVE":
            return _read(commands.read_kill, cursor)
        raise unsupported(f"KILL {what}")
    if (what == "STORAGE" and verb in ("CREATE", "ALTER", "DROP")) or words[:2] == ["STORAGE", "CHECK"]:
        _admin(caller, "storage operations")
        raise unsupported(f"{verb} {what}")
    if words[:2] in (["STORAGE", "COMPACT"], ["SHOW", "EXPORT"], ["EXPORT", "USER"]):
        raise unsupported(f"{verb} {what}")
    return None


def _meta(sql: str, words: list[str], caller: Caller) -> Statement | None:
    verb, what = words[0], words[1]
    names = {"EXPLAIN": "EXPLAIN commands", "SET": "SET commands", "DESCRIBE": "DESCRIBE", "DESC": "DESC"}
    if verb == "SHOW" and what in ("ALL", "COLUMNS"):
        _admin(caller, f"SHOW {what}")
        return EngineMeta(sql)
    if verb in names:
        _admin(caller, names[verb])
        return EngineMeta(sql)
    return None


def _unknown(cursor: Cursor) -> Statement:
    first = cursor.peek()
    if first is not None and first.upper in _FOREIGN:
        raise invalid_sql(f"Unsupported statement type: {cursor.rest()}")
    raise invalid_sql(f"sql parser error: Expected: an SQL statement, found: {cursor.found}")


def _admin(caller: Caller, what: str) -> None:
    if caller.role not in ADMINS:
        raise denied(f"Admin privileges (DBA or System role) required for {what}")


def _read(reader: _Reader, cursor: Cursor, prefix: str = "") -> Statement:
    try:
        return reader(cursor)
    except SyntaxError as wrong:
        raise invalid_sql(prefix + (wrong.msg or str(wrong))) from None
