"""The words of the server's SQL, as completion offers them (protocol/sql.md)."""

from __future__ import annotations

__all__ = ["CLAUSES", "COLUMN_TYPES", "FIRST_WORDS", "OPERATORS", "STATEMENTS", "TABLE_OPTIONS"]

#: What a statement begins with.
STATEMENTS = (
    "SELECT", "INSERT INTO", "UPDATE", "DELETE FROM", "WITH", "CREATE TABLE", "CREATE NAMESPACE", "CREATE TOPIC",
    "CREATE USER", "CREATE VIEW", "ALTER TABLE", "ALTER TOPIC", "ALTER USER", "DROP TABLE", "DROP NAMESPACE",
    "DROP TOPIC", "DROP USER", "DESCRIBE TABLE", "SHOW NAMESPACES", "SHOW TABLES", "SHOW STORAGES",
    "SHOW STATS FOR TABLE",
    "EXPLAIN", "EXPLAIN ANALYZE", "BEGIN", "COMMIT", "ROLLBACK", "EXECUTE AS USER", "CONSUME FROM", "ACK",
    "STORAGE FLUSH TABLE", "STORAGE COMPACT TABLE", "USE",
)  # fmt: skip
#: The first words of those.
FIRST_WORDS = frozenset(phrase.split()[0] for phrase in STATEMENTS)

#: What follows an operand: it ends an expression, or goes on with one.
CLAUSES = (
    "FROM", "WHERE", "AND", "OR", "AS", "ON", "USING", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "INNER JOIN",
    "CROSS JOIN", "GROUP BY", "ORDER BY", "HAVING", "LIMIT", "OFFSET", "UNION", "UNION ALL", "EXCEPT", "INTERSECT",
    "IN",
    "NOT IN", "IS NULL", "IS NOT NULL", "IS DISTINCT FROM", "LIKE", "ILIKE", "NOT LIKE", "BETWEEN", "ASC", "DESC",
    "NULLS FIRST", "NULLS LAST", "OVER", "PARTITION BY", "FILTER", "WITHIN GROUP", "SET", "VALUES", "THEN", "WHEN",
    "ELSE",
    "END", "SELECT", "BY", "TO", "WINDOW",
)  # fmt: skip

#: What stands where an operand begins.
OPERATORS = (
    "CASE", "CAST", "TRY_CAST", "DISTINCT", "ALL", "NOT", "EXISTS", "NULL", "TRUE", "FALSE", "INTERVAL", "DATE",
    "TIMESTAMP", "VALUES", "BY", "SET", "WHEN", "CURRENT_DATE", "CURRENT_TIMESTAMP",
)  # fmt: skip

#: Types of columns.
COLUMN_TYPES = (
    "BOOLEAN", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL", "TEXT", "JSON", "BYTES", "DATE", "TIME",
    "TIMESTAMP", "DATETIME", "UUID", "EMBEDDING", "FILE",
)  # fmt: skip

#: What CREATE TABLE and ALTER TABLE hold besides.
TABLE_OPTIONS = (
    "PRIMARY KEY", "NOT NULL", "DEFAULT", "IF NOT EXISTS", "IF EXISTS", "WITH", "TYPE", "TTL_SECONDS", "FLUSH_POLICY",
    "STORAGE_ID", "USE_USER_STORAGE", "ACCESS_LEVEL", "ADD COLUMN", "DROP COLUMN", "MODIFY COLUMN", "RENAME COLUMN",
    "ALTER COLUMN", "SET TBLPROPERTIES", "ADD SOURCE",
)  # fmt: skip
