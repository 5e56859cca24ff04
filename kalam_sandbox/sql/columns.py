"""Reading column definitions: type names, NOT NULL, DEFAULT, keys (protocol/sql.md#column-types, #create-table)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from kalam_sandbox.sql.tokens import NUMBER, STRING, WORD, Cursor, Token
from kalam_sandbox.store.schema import ColumnDef, Default
from kalam_sandbox.store.types import ColumnType

_TYPES = {
    "Boolean": "BOOLEAN BOOL",
    "SmallInt": "SMALLINT INT2 SMALLSERIAL SERIAL2",
    "Int": "INT INTEGER INT4 MEDIUMINT SERIAL SERIAL4",
    "BigInt": "BIGINT INT8 INT64 BIGSERIAL SERIAL8",
    "Float": "FLOAT REAL FLOAT4",
    "Double": "DOUBLE FLOAT8 FLOAT64",
    "Decimal": "DECIMAL",
    "Text": "TEXT STRING VARCHAR CHAR CHARACTER NVARCHAR CLOB ENUM ARRAY",
    "Json": "JSON JSONB",
    "Bytes": "BYTES BYTEA BLOB BINARY VARBINARY",
    "Date": "DATE",
    "Time": "TIME",
    "Timestamp": "TIMESTAMP TIMESTAMPTZ",
    "DateTime": "DATETIME",
    "Uuid": "UUID",
    "Embedding": "EMBEDDING",
    "File": "FILE",
}
_LONGEST_VECTOR = 8192
_NAMES = {alias: name for name, aliases in _TYPES.items() for alias in aliases.split()}
_SERIAL = re.compile(r"^(BIG|SMALL)?SERIAL\d?$")
_ENGINE_NAMES = {
    "TINYINT": "Unsupported Arrow type: Int8",
    "INTERVAL": "Unsupported Arrow type: Interval(MonthDayNano)",
}
_DEFAULT_FUNCTIONS = {
    "SNOWFLAKE_ID": "SNOWFLAKE_ID",
    "UUID_V7": "UUID_V7",
    "ULID": "ULID",
    "NOW": "NOW",
    "CURRENT_TIMESTAMP": "NOW",
    "CURRENT_USER": "CURRENT_USER",
}
_CONSTRAINT_WORDS = {
    "NOT", "NULL", "DEFAULT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "COMMENT", "AUTO_INCREMENT", "GENERATED",
    "CONSTRAINT", "COLLATE",
}  # fmt: skip
SNOWFLAKE = Default(function="SNOWFLAKE_ID")


#: Names that newer servers have for types of before.
_LATER_NAMES = {"NUMERIC": "Decimal", "TINYINT": "SmallInt"}


@dataclass(frozen=True, slots=True)
class Types:
    """Which types a server has.

    Attributes:
        arrays: Whether ``INT[]`` is a type of its own; else it is text.
        more: Whether NUMERIC and TINYINT are types.
    """

    arrays: bool = False
    more: bool = False


#: Those of KalamDB 0.4.3.
FIRST_TYPES = Types()


def read_type(cursor: Cursor, types: Types = FIRST_TYPES) -> tuple[ColumnType, Default | None]:
    """Read a type name; a serial type brings its default.

    Args:
        cursor: The statement.
        types: Those that there are.

    Raises:
        SyntaxError: The type does not exist; the text is the server's.
    """
    token = cursor.peek()
    if token is None or token.kind != WORD:
        raise SyntaxError(f"Expected: a data type name, found: {cursor.found}")
    word = cursor.next().text.upper()
    name = _NAMES.get(word) or (_LATER_NAMES.get(word) if types.more else None)
    if name is None:
        raise SyntaxError(_unknown_type(token.text, cursor))
    kind = _with_arguments(name, word, cursor)
    if cursor.accept("[", "]"):
        kind = replace(kind, is_list=True) if types.arrays else ColumnType("Text")
    return kind, SNOWFLAKE if _SERIAL.match(word) else None


def _with_arguments(name: str, word: str, cursor: Cursor) -> ColumnType:
    if word == "DOUBLE":
        cursor.accept("PRECISION")
    if word == "CHARACTER":
        cursor.accept("VARYING")
    arguments = _arguments(cursor)
    if name in ("Timestamp", "Time"):
        cursor.accept("WITH", "TIME", "ZONE") or cursor.accept("WITHOUT", "TIME", "ZONE")
    if name == "Decimal":
        return _decimal(arguments)
    if name == "Embedding":
        return ColumnType(name, _dimension(arguments))
    return ColumnType(name)


def _dimension(arguments: list[str]) -> int:
    """Return the length of the vectors of an EMBEDDING."""
    if len(arguments) != 1 or not arguments[0].isdigit():
        raise SyntaxError("EMBEDDING type requires exactly one dimension parameter, e.g., EMBEDDING(384)")
    dimension = int(arguments[0])
    if dimension < 1:
        raise SyntaxError("EMBEDDING dimension must be at least 1")
    if dimension > _LONGEST_VECTOR:
        raise SyntaxError(f"EMBEDDING dimension must be at most {_LONGEST_VECTOR} (found {dimension})")
    return dimension


def _decimal(arguments: list[str]) -> ColumnType:
    if not arguments:
        return ColumnType("Decimal", 38, 10)
    precision, scale = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 0
    if not 1 <= precision <= 38:
        raise SyntaxError(f"DECIMAL precision must be between 1 and 38, got {precision}")
    if scale > precision:
        raise SyntaxError(f"DECIMAL scale ({scale}) cannot exceed precision ({precision})")
    return ColumnType("Decimal", precision, scale)


def _arguments(cursor: Cursor) -> list[str]:
    """Return what stands in parentheses or angle brackets behind a type name."""
    for opening, closing in (("(", ")"), ("<", ">")):
        if cursor.accept(opening):
            found = []
            while not cursor.accept(closing):
                token = cursor.next()
                if token.text != ",":
                    found.append(token.text)
            return found
    return []


def _unknown_type(word: str, cursor: Cursor) -> str:
    upper = word.upper()
    if upper in _ENGINE_NAMES:
        return _ENGINE_NAMES[upper]
    if upper in ("NUMERIC", "DEC"):
        arguments = _arguments(cursor)
        kinds = ("None", "Precision({})", "PrecisionAndScale({}, {})")
        return f"Unsupported data type: {upper.title()}({kinds[len(arguments)].format(*arguments)})"
    return f"Unsupported custom data type '{word.lower()}'"


def read_column(cursor: Cursor, types: Types = FIRST_TYPES) -> tuple[ColumnDef, bool]:
    """Read ``name type [constraints]``; the flag says whether PRIMARY KEY stood there."""
    name = cursor.identifier().lower()
    kind, default = read_type(cursor, types)
    column = ColumnDef(name, kind, default=default)
    is_key = False
    while (token := cursor.peek()) is not None and token.upper in _CONSTRAINT_WORDS:
        if cursor.accept("NOT", "NULL"):
            column = replace(column, nullable=False)
        elif cursor.accept("NULL"):
            column = replace(column, nullable=True)
        elif cursor.accept("PRIMARY", "KEY"):
            is_key = True
        elif cursor.accept("DEFAULT"):
            column = replace(column, default=read_default(cursor))
        elif cursor.accept("AUTO_INCREMENT"):
            column = replace(column, default=SNOWFLAKE)
        elif cursor.accept("GENERATED"):
            _skip_identity(cursor)
            column = replace(column, default=SNOWFLAKE)
        else:
            _skip_ignored(cursor)
    return column, is_key


def read_default(cursor: Cursor) -> Default:
    """Read the expression behind DEFAULT: a known function, a literal, or else its text as a literal."""
    tokens = _expression(cursor)
    words = [token.upper for token in tokens]
    if words and words[0] in _DEFAULT_FUNCTIONS and words[1:] in ([], ["(", ")"]):
        return Default(function=_DEFAULT_FUNCTIONS[words[0]])
    if len(tokens) == 1 and tokens[0].is_plain_string:
        return Default(value=tokens[0].value)
    if words in (["TRUE"], ["FALSE"]):
        return Default(value=words == ["TRUE"])
    if words == ["NULL"]:
        return Default(value=None)
    if tokens and tokens[-1].kind == NUMBER and words[:-1] in ([], ["-"]):
        text = "".join(token.text for token in tokens)
        return Default(value=int(text) if re.fullmatch(r"-?\d+", text) else float(text))
    return Default(value=cursor.sql[tokens[0].start : tokens[-1].end] if tokens else "")


def _expression(cursor: Cursor) -> list[Token]:
    found: list[Token] = []
    depth = 0
    while (token := cursor.peek()) is not None:
        if depth == 0 and (token.text in (",", ")") or (found and token.upper in _CONSTRAINT_WORDS)):
            break
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        found.append(cursor.next())
    return found


def _skip_identity(cursor: Cursor) -> None:
    cursor.accept("ALWAYS") or cursor.accept("BY", "DEFAULT")
    cursor.expect("AS", "IDENTITY")
    skip_parentheses(cursor)


def _skip_ignored(cursor: Cursor) -> None:
    """Step over UNIQUE, CHECK, REFERENCES, COMMENT and CONSTRAINT names: the server ignores them, too."""
    word = cursor.next().upper
    token = cursor.peek()
    if word in ("CONSTRAINT", "COLLATE") or (word == "COMMENT" and token is not None and token.kind == STRING):
        cursor.next()
    elif word == "REFERENCES":
        cursor.qualified()
        skip_parentheses(cursor)
        while cursor.accept("ON"):
            cursor.next()
            cursor.next()
    elif word == "CHECK":
        skip_parentheses(cursor)
    elif word not in ("UNIQUE", "COMMENT"):
        raise SyntaxError(f"Expected: ',' or ')' after column definition, found: {word}")


def skip_parentheses(cursor: Cursor) -> None:
    """Step over a parenthesised text, if one comes."""
    if not cursor.accept("("):
        return
    depth = 1
    while depth:
        depth += {"(": 1, ")": -1}.get(cursor.next().text, 0)
