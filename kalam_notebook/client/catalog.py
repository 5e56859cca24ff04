"""The calls that tell what the server has: namespaces, tables, and what a table is made of."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace

from kalam_notebook.callers import short_failures
from kalam_notebook.client.reading import ReadingCalls
from kalam_notebook.errors import ConfigError, KalamError, PermissionDeniedError
from kalam_notebook.results.results import QueryResult
from kalam_notebook.sql.hidden import HIDDEN_COLUMNS, HIDDEN_LIST
from kalam_notebook.sql.statement import quote_name
from kalam_notebook.sql.tables import named_alone
from kalam_notebook.texts import in_line

__all__ = ["CatalogCalls", "named_table"]

_TABLES = f"""
SELECT table_schema AS namespace, table_name AS "table", count(*) AS columns FROM information_schema.columns
WHERE table_schema NOT IN ('information_schema', 'system', 'dba') AND column_name NOT IN ({HIDDEN_LIST}) {{where}}
GROUP BY table_schema, table_name ORDER BY namespace, "table"
"""

#: What anybody may ask in the place of SHOW NAMESPACES and DESCRIBE TABLE.
_NAMESPACES = (
    "SELECT DISTINCT table_schema AS name FROM information_schema.tables "
    "WHERE table_schema NOT IN ('information_schema', 'system', 'dba') ORDER BY name"
)
_COLUMNS = (
    "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
    "WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position"
)

#: What is told of a namespace and of a column, as far as the server tells it.
_OF_NAMESPACE = ("name", "created_at")
_OF_COLUMN = ("column_name", "data_type", "is_nullable", "is_primary_key", "column_default")


@short_failures
class CatalogCalls(ReadingCalls):
    """Namespaces, tables and columns."""

    def namespaces(self) -> QueryResult:
        """List the namespaces that this user may see.

        Returns:
            A row for each: ``name``, and ``created_at`` where the server tells it. Servers from 0.5 on tell an ordinary
            user of those namespaces alone that have tables.

        Raises:
            KalamError: The request fails.
        """
        try:
            return _only(_OF_NAMESPACE, self.query_result("SHOW NAMESPACES"))
        except PermissionDeniedError:
            return self.query_result(_NAMESPACES)

    def tables(self, namespace: str | None = None) -> QueryResult:
        """List the tables that this user may see, those of the server itself left out.

        Args:
            namespace: Only those in this one.

        Returns:
            A row for each: ``namespace``, ``table`` and the number of its ``columns``.

        Raises:
            KalamError: The request fails.
        """
        sql = _TABLES.format(where="AND table_schema = $1" if namespace else "")
        return self.query_result(sql, [namespace] if namespace else None)

    def describe(self, table: str) -> QueryResult:
        """Tell what a table is made of. The number of its rows costs the server a scan.

        Args:
            table: ``namespace.table``, or the name alone with the client's namespace.

        Returns:
            A row for each column: ``column_name``, ``data_type``, ``is_nullable``, and ``is_primary_key`` and
            ``column_default`` where the server tells them to this user. ``footer`` has what is shown below it: the
            kind of the table, its options, its row policies and how many rows it has.

        Raises:
            ConfigError: ``table`` is no table's name.
            QueryError: There is no such table.
        """
        space, name = named_table(table, self.namespace)
        quoted = f"{quote_name(space)}.{quote_name(name)}"
        try:
            described = self.query_result(f"DESCRIBE TABLE {quoted}")
        except PermissionDeniedError:
            described = self.query_result(_COLUMNS, [space, name])

        shown = _only(_OF_COLUMN, described)
        rows = shown.arrow()
        rows = rows.filter([column not in HIDDEN_COLUMNS for column in rows["column_name"].to_pylist()])
        (count,) = self.query_result(f"SELECT count(*) AS n FROM {quoted}").arrow()["n"].to_pylist()
        counted = f"{count:,} {'row' if count == 1 else 'rows'} in the table"
        facts = (*self._kind_of(space, name), *self._policies_of(space, name), counted)
        return replace(shown, row_count=rows.num_rows, _table=rows, _foot=facts)

    def _kind_of(self, space: str, table: str) -> list[str]:
        """The kind of a table and its options; nothing where the server tells them to others only."""
        sql = "SELECT table_type, options FROM system.tables WHERE namespace_id = $1 AND table_name = $2"
        try:
            rows = self.query_result(sql, [space, table]).arrow().to_pylist()
        except KalamError:
            return []
        facts = []
        for row in rows:
            options = json.loads(row["options"] or "{}")
            told = [f"{key} {value}" for key, value in options.items() if value is not None and key != "table_type"]
            facts += [f"{row['table_type'].upper()} table", *(in_line(one.replace("_", " "), 60) for one in told)]
        return facts

    def _policies_of(self, space: str, table: str) -> list[str]:
        """The row policies of a table; nothing where the server has none, or tells them to others only."""
        sql = "SELECT policy_name, command, using_sql FROM system.table_policies WHERE table_id = $1"
        try:
            rows = self.query_result(sql, [f"{space}.{table}"]).arrow().to_pylist()
        except KalamError:
            return []
        told = []
        for row in rows:
            condition = f" where {row['using_sql']}" if row["using_sql"] else ""
            told.append(in_line(f"policy {row['policy_name']} for {json.loads(row['command'])}{condition}", 120))
        return told


def named_table(table: str, namespace: str | None) -> tuple[str, str]:
    """The namespace and the name of a table; one without a namespace is in that of the client, or the server's own.

    Raises:
        ConfigError: The text is no table's name.
    """
    named = named_alone(table) if isinstance(table, str) else None
    if named is None:
        raise ConfigError(f"{table!r} is no table's name. Write namespace.table: kalam.tables() has all.")
    return named.namespace or namespace or "default", named.table


def _only(wanted: Collection[str], result: QueryResult) -> QueryResult:
    """Of a result the columns with these names."""
    columns = tuple(column for column in result.columns if column.name in wanted)
    return replace(result, columns=columns, _table=result.arrow().select([column.name for column in columns]))
