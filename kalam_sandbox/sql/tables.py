"""Reading CREATE TABLE, DROP TABLE, CREATE VIEW and ALTER TABLE.

Source: protocol/sql.md#create-table, #alter-table, #views.
"""

from __future__ import annotations

import re
from dataclasses import replace

from kalam_sandbox.sql.columns import (
    FIRST_TYPES,
    Types,
    read_column,
    read_default,
    read_type,
    skip_parentheses,
)
from kalam_sandbox.sql.statements import AlterTable, CreateTable, CreateView, DropTable
from kalam_sandbox.sql.tokens import NUMBER, Cursor
from kalam_sandbox.store.schema import ColumnDef

_KINDS = ("USER", "SHARED", "STREAM")
_LEVELS = ("PUBLIC", "PRIVATE", "RESTRICTED", "DBA")
_METRICS = ("cosine", "l2", "dot")
_POLICY_LIMITS = {"rows": 1_000_000, "interval": 86_400}
_POLICY = re.compile(r"^(rows|interval):(\d+)$")


def read_create_table(cursor: Cursor, types: Types = FIRST_TYPES) -> CreateTable:
    """Read CREATE TABLE.

    Args:
        cursor: The statement.
        types: Those that columns may have.

    Raises:
        SyntaxError: The text behind ``Invalid CREATE TABLE statement: ``.
    """
    cursor.expect("CREATE")
    prefix = next((word for word in _KINDS if cursor.accept(word)), None)
    cursor.expect("TABLE")
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    namespace, name = cursor.qualified()
    columns = _read_columns(cursor, types)
    options = _read_options(cursor) if cursor.accept("WITH") else {}
    cursor.accept("COMMENT") and cursor.string()
    cursor.end()
    kind = _kind(prefix, options)
    _check_options(kind, options)
    return CreateTable(namespace, name, kind, columns, options, if_not_exists)


def _kind(prefix: str | None, options: dict[str, object]) -> str | None:
    named = options.pop("type", None)
    if prefix and named and prefix.lower() != named:
        raise SyntaxError(
            f"Conflicting table type definitions: CREATE {prefix} TABLE vs TYPE option {str(named).upper()}"
        )
    return prefix.lower() if prefix else str(named) if named else None


def _read_columns(cursor: Cursor, types: Types) -> tuple[ColumnDef, ...]:
    columns: list[ColumnDef] = []
    keys: list[str] = []
    if not cursor.accept("("):
        raise SyntaxError("Table must have at least one column")
    while not cursor.accept(")"):
        if cursor.accept("CONSTRAINT"):
            cursor.identifier()
        if cursor.at("PRIMARY", "KEY", "("):
            keys.append(_table_key(cursor))
        elif cursor.at("UNIQUE", "(") or cursor.at("CHECK", "(") or cursor.at("FOREIGN", "KEY"):
            _skip_table_constraint(cursor)
        else:
            column, is_key = read_column(cursor, types)
            if any(column.name == other.name for other in columns):
                raise SyntaxError(f"Duplicate column name '{column.name}'. Column names are case-insensitive.")
            columns.append(column)
            keys += [column.name] if is_key else []
        if not cursor.accept(",") and not cursor.at(")"):
            raise SyntaxError(f"sql parser error: Expected: ',' or ')' after column definition, found: {cursor.found}")
    if not columns:
        raise SyntaxError("Table must have at least one column")
    return _with_key(columns, keys)


def _table_key(cursor: Cursor) -> str:
    cursor.expect("PRIMARY", "KEY", "(")
    name = cursor.identifier().lower()
    if cursor.at(","):
        raise SyntaxError("Composite PRIMARY KEYs are not supported yet")
    cursor.expect(")")
    return name


def _skip_table_constraint(cursor: Cursor) -> None:
    """UNIQUE, CHECK and FOREIGN KEY are accepted and ignored, as on the server."""
    while not (cursor.at(",") or cursor.at(")")):
        if cursor.at("("):
            skip_parentheses(cursor)
        else:
            cursor.next()


def _with_key(columns: list[ColumnDef], keys: list[str]) -> tuple[ColumnDef, ...]:
    if len(keys) > 1:
        raise SyntaxError("Multiple PRIMARY KEY definitions found")
    if keys and keys[0] not in [column.name for column in columns]:
        raise SyntaxError(f"PRIMARY KEY column '{keys[0]}' not found in column list")
    return tuple(replace(column, is_key=True, nullable=False) if column.name in keys else column for column in columns)


def _read_options(cursor: Cursor) -> dict[str, object]:
    options: dict[str, object] = {}
    cursor.expect("(")
    while not cursor.accept(")"):
        name = cursor.identifier().lower()
        cursor.expect("=")
        options[name] = _option(name, cursor)
        if not cursor.accept(",") and not cursor.at(")"):
            raise SyntaxError(f"sql parser error: Expected: ',' or ')', found: {cursor.found}")
    return options


def _option(name: str, cursor: Cursor) -> object:
    token = cursor.next()
    value = token.value if token.is_plain_string else token.text
    if name == "type":
        if value.upper() not in _KINDS:
            raise SyntaxError(f"Invalid table type '{value}'. Supported: USER, SHARED, STREAM")
        return value.lower()
    if name == "access_level":
        if value.upper() not in _LEVELS:
            raise SyntaxError(f"Invalid ACCESS_LEVEL '{value}'. Supported: PUBLIC, PRIVATE, RESTRICTED, DBA")
        return value.title()
    if name in ("ttl_seconds", "deleted_retention_hours"):
        if token.kind != NUMBER or not value.isdigit():
            raise SyntaxError(f"Invalid {name.upper()} value '{value}'")
        return int(value)
    if name == "use_user_storage":
        return value.lower() == "true"
    if name == "storage_id":
        return value
    if name == "flush_policy":
        return _flush_policy(value)
    raise SyntaxError(f"Unknown table option '{name.upper()}'")


def _flush_policy(text: str) -> dict[str, object]:
    found: dict[str, int] = {}
    for part in text.split(","):
        match = _POLICY.match(part.strip())
        if match is None:
            raise SyntaxError(f"Invalid FLUSH_POLICY format '{text}'. Expected 'key:value'")
        if int(match[2]) >= _POLICY_LIMITS[match[1]]:
            raise SyntaxError(f"Invalid FLUSH_POLICY '{text}': {match[1]} must be less than {_POLICY_LIMITS[match[1]]}")
        found[match[1]] = int(match[2])
    if len(found) == 2:
        return {"type": "combined", "row_limit": found["rows"], "interval_seconds": found["interval"]}
    if "rows" in found:
        return {"type": "row_limit", "row_limit": found["rows"]}
    return {"type": "time_interval", "interval_seconds": found["interval"]}


def _check_options(kind: str | None, options: dict[str, object]) -> None:
    if kind == "stream" and "ttl_seconds" not in options:
        raise SyntaxError("STREAM tables must specify 'TTL_SECONDS'")
    only = {"ttl_seconds": "stream", "use_user_storage": "user", "access_level": "shared"}
    for name, wanted in only.items():
        if name in options and (kind or "shared") != wanted:
            raise SyntaxError(f"{name.upper()} is only supported for {wanted.upper()} tables")


def read_drop_table(cursor: Cursor) -> DropTable:
    """Read DROP TABLE; the kind word is not compared with the table."""
    cursor.expect("DROP")
    any(cursor.accept(word) for word in _KINDS)
    cursor.expect("TABLE")
    if_exists = cursor.accept("IF", "EXISTS")
    namespace, name = cursor.qualified()
    cursor.accept("CASCADE")
    cursor.end()
    return DropTable(namespace, name, if_exists)


def read_create_view(cursor: Cursor) -> CreateView:
    """Read CREATE [OR REPLACE] VIEW."""
    cursor.expect("CREATE")
    or_replace = cursor.accept("OR", "REPLACE")
    cursor.expect("VIEW")
    namespace, name = cursor.qualified()
    columns: list[str] = []
    if cursor.accept("("):
        while not cursor.accept(")"):
            columns.append(cursor.identifier())
            cursor.accept(",")
    cursor.expect("AS")
    return CreateView(namespace, name, tuple(columns), cursor.rest(), or_replace)


def read_alter_table(cursor: Cursor, types: Types = FIRST_TYPES) -> AlterTable:
    """Read ALTER TABLE with exactly one operation; a column that is added has one of these types."""
    cursor.expect("ALTER")
    any(cursor.accept(word) for word in _KINDS)
    cursor.expect("TABLE")
    namespace, name = cursor.qualified()
    start = cursor.place
    action, column, definition, argument = _operation(cursor, types)
    words = [token.text for token in cursor.tokens[start : cursor.place]]
    if cursor.at(","):
        raise SyntaxError("Only one ALTER TABLE operation is supported per statement")
    cursor.end()
    text = _repeated(action, words, definition, argument)
    return AlterTable(namespace, name, action, column, definition, argument, text)


_Operation = tuple[str, str | None, ColumnDef | None, str | None]


def _operation(cursor: Cursor, types: Types) -> _Operation:
    if cursor.accept("ADD"):
        if cursor.at("CONSTRAINT"):
            raise SyntaxError("Unsupported ALTER TABLE operation")
        cursor.accept("COLUMN")
        column, _ = read_column(cursor, types)
        return "add", column.name, column, None
    if (index := _index(cursor)) is not None:
        return index
    # DROP, MODIFY and RENAME compare the name with the stored one letter by letter (protocol/sql.md#names).
    if cursor.accept("DROP"):
        cursor.accept("COLUMN")
        return "drop", cursor.spelled(), None, None
    if cursor.accept("MODIFY"):
        cursor.accept("COLUMN")
        return _modify(cursor)
    if cursor.accept("ALTER"):
        cursor.accept("COLUMN")
        return _alter_column(cursor)
    if cursor.accept("RENAME", "COLUMN"):
        old = cursor.spelled()
        cursor.expect("TO")
        return "rename", old, None, cursor.spelled()
    return _access_level(cursor)


def _index(cursor: Cursor) -> _Operation | None:
    """Read CREATE or DROP [VECTOR] INDEX, None for anything else."""
    verb = next(
        (word for word in ("CREATE", "DROP") if cursor.at(word, "INDEX") or cursor.at(word, "VECTOR", "INDEX")), ""
    )
    if not verb:
        return None
    cursor.expect(verb)
    cursor.accept("VECTOR")
    cursor.expect("INDEX")
    column = cursor.identifier()
    if verb == "DROP":
        return "drop_index", column, None, None
    metric = cursor.identifier() if cursor.accept("USING") else "cosine"
    if metric not in _METRICS:
        raise SyntaxError(f"Unsupported vector metric '{metric}'. Supported: COSINE, L2, DOT")
    return "index", column, None, metric.title()


def _modify(cursor: Cursor) -> _Operation:
    name = cursor.spelled()
    kind, _ = read_type(cursor)
    nullable = not cursor.accept("NOT", "NULL")
    cursor.accept("NULL")
    return "modify", name, ColumnDef(name, kind, nullable), None


def _alter_column(cursor: Cursor) -> _Operation:
    name = cursor.identifier()
    if cursor.accept("SET", "NOT", "NULL"):
        return "set_not_null", name, None, None
    if cursor.accept("DROP", "NOT", "NULL"):
        return "drop_not_null", name, None, None
    if cursor.accept("DROP", "DEFAULT"):
        return "drop_default", name, None, None
    if cursor.accept("SET", "DEFAULT"):
        kind = ColumnDef(name, read_type(Cursor("TEXT"))[0], default=read_default(cursor))
        return "set_default", name, kind, None
    raise SyntaxError("Unsupported ALTER TABLE operation")


def _access_level(cursor: Cursor) -> _Operation:
    level = None
    if cursor.accept("SET", "ACCESS", "LEVEL"):
        level = cursor.identifier()
    elif cursor.accept("SET", "TBLPROPERTIES", "("):
        cursor.expect("ACCESS_LEVEL", "=")
        level = cursor.string()
        cursor.expect(")")
    if level is None or level.upper() not in ("PUBLIC", "PRIVATE", "RESTRICTED"):
        raise SyntaxError("Unsupported ALTER TABLE operation")
    return "access", None, None, level.title()


def _repeated(action: str, words: list[str], definition: ColumnDef | None, argument: str | None) -> str:
    """Return the operation as the answer repeats it, the column as it was written."""
    if action == "access":
        return f"SET ACCESS LEVEL {argument}"
    name = words[2] if words[1].upper() == "COLUMN" else words[1]
    if action in ("add", "modify") and definition is not None:
        return f"{action.upper()} COLUMN {name} {definition.type.sql}"
    if action == "set_default" and definition is not None and definition.default is not None:
        return f"ALTER COLUMN {name} SET DEFAULT {definition.default.sql}"
    if action == "rename":
        return f"RENAME COLUMN {name} TO {argument}"
    if action == "drop":
        return f"DROP COLUMN {name}"
    return f"ALTER COLUMN {name} {action.replace('_', ' ').upper()}"
