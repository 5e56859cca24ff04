"""What to type next when a statement names what does not exist. Pure; called by the client after an error."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from kalam_notebook.sql.forms import form_hint
from kalam_notebook.sql.statement import Statement, quote_text
from kalam_notebook.sql.tables import table_names
from kalam_notebook.sql.tokens import Kind, Token, UnreadableSQL
from kalam_notebook.texts import did_you_mean
from kalam_notebook.wire.failed import failed_statement

__all__ = ["column_hint", "rights_hint", "statement_hint", "table_hint"]

#: Who makes, changes and drops what.
_RIGHTS = {
    "TABLE": "Tables are made and changed by the roles service, dba and system; up to KalamDB 0.4 users may make some.",
    "POLICY": "Row policies are made and changed by the roles service, dba and system. Connect as one of them.",
} | {
    what: f"{whom} are made and changed by the roles dba and system. Connect as one of them."
    for what, whom in {
        "NAMESPACE": "Namespaces",
        "USER": "Users",
        "TOPIC": "Topics",
        "STORAGE": "Storages",
        "VIEW": "Views",
    }.items()
}

#: The server's words for an unknown column. Only advice depends on them.
_UNKNOWN_COLUMN = re.compile(r"No field named (?P<name>.+?)\.(?: Valid fields are (?P<known>.+?)\.?)?$")
#: The server's words for rows of the wrong length, and for a table that is not shared with who asks.
_WRONG_LENGTH = re.compile(r"Inconsistent data length across values list")
_NOT_SHARED = re.compile(
    r"Role 'User' cannot access table '(?P<table>[\w.]+)'\. Shared table (?P<what>access|write) denied"
)
#: Tables that are named where none is similar.
_MOST_NAMED = 6


def statement_hint(sql: str, message: str) -> str:
    """What to write instead, for mistakes that the message does not name.

    Args:
        sql: The text.
        message: The server's text.

    Returns:
        A sentence or two; empty when it is none of them.
    """
    statement = Statement.of(sql)
    if not statement.is_readable:
        return ""
    field = _UNKNOWN_COLUMN.search(message)
    name = field["name"] if field else ""
    if name and any(token.kind is Kind.NAME and token.identifier == name.strip('"') for token in statement.tokens):
        return f"Double quotes are for names. A text stands in single ones: {quote_text(name.strip(chr(34)))}."
    if _WRONG_LENGTH.search(message) and statement.first_word == "INSERT":
        return "Name the columns, for the table has hidden ones, too: INSERT INTO table (id, name) VALUES …."
    if denied := _NOT_SHARED.search(message):
        if denied["what"] == "write":
            return "A user never writes into SHARED tables: log in as service or dba, or use a USER table."
        return f"Whoever may alter it shares it for reading with: ALTER TABLE {denied['table']} SET ACCESS LEVEL PUBLIC"
    if form := form_hint(statement, message):
        return form
    failed, count = failed_statement(message), len(statement.statements)
    if failed and count > 1 and not {"BEGIN", "START"} & {one.first_word for one in statement.statements}:
        return f"This was statement {failed} of {count}; those before it have taken effect."
    return ""


def column_hint(message: str) -> str:
    """Name the column that was probably meant.

    Args:
        message: The server's text; it lists the columns that there are.

    Returns:
        A question; empty when it is not about a column, or none is similar.
    """
    found = _UNKNOWN_COLUMN.search(message)
    if found is None or not found["known"]:
        return ""
    columns = [name.rpartition(".")[2] for name in found["known"].split(", ")]
    plain = {column.strip('"').lower(): column for column in columns}
    name = found["name"].rpartition(".")[2].strip('"').lower()
    return did_you_mean(name, plain, write=plain.__getitem__).strip()


def rights_hint(sql: str, message: str = "") -> str:
    """Say who may do what was refused, where that is to make, change or drop something.

    Args:
        sql: The text.
        message: The server's text; of several statements it may say which one it was.

    Returns:
        A sentence; empty where a role is not all that it takes.
    """
    statement = Statement.of(sql)
    if not statement.is_readable:
        return ""
    statements = statement.statements
    if (failed := failed_statement(message)) and failed <= len(statements):
        statements = statements[failed - 1 :][:1]
    said = {_RIGHTS.get(what, "") for one in statements if (what := _defined(one.tokens))}
    return said.pop() if len(said) == 1 else ""


def _defined(tokens: Sequence[Token]) -> str:
    """What a statement makes, changes or drops; empty for any other."""
    words = [token.word for token in tokens[:5]]
    if words[:1] not in (["CREATE"], ["ALTER"], ["DROP"]):
        return ""
    return next((word for word in words[1:] if word in _RIGHTS and (word != "USER" or "TABLE" not in words)), "OTHER")


def table_hint(sql: str, known: Collection[tuple[str, str]]) -> str:
    """Name the first table of a statement that does not exist, and the one that was probably meant.

    Args:
        sql: The statement.
        known: Namespace and name of every table of the server.

    Returns:
        A sentence or two; empty when all tables exist or the text cannot be read.
    """
    try:
        names = table_names(sql)
        creates = any(token.word == "CREATE" for token in Statement.of(sql).tokens)
    except UnreadableSQL:
        return ""
    if creates:  # What it names need not exist.
        return ""
    everywhere = {table: f"{namespace}.{table}" for namespace, table in known}
    for name in names:
        namespace = name.namespace or "default"
        if (namespace, name.table) in known:
            continue
        full = f"{namespace}.{name.table}"
        meant = did_you_mean(full, [f"{space}.{table}" for space, table in known], cutoff=0.75)
        if not meant and name.table in everywhere:
            meant = f" Did you mean {everywhere[name.table]}?"
        return f"There is no table {full}.{meant or f' {_named(namespace, known)}'}"
    return ""


def _named(namespace: str, known: Collection[tuple[str, str]]) -> str:
    """What a namespace has instead."""
    tables = sorted(table for space, table in known if space == namespace)
    more = f" and {len(tables) - _MOST_NAMED:,} more" if len(tables) > _MOST_NAMED else ""
    if tables:
        return f"{namespace} has: {', '.join(tables[:_MOST_NAMED])}{more}."
    return f"There are no tables in {namespace}; a table is written namespace.table."
