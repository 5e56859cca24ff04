"""SQLAlchemy's way to the server: ``create_engine("kalamdb://user@host:2900/namespace")``.

SQLAlchemy finds it by the entry point of the package. Statements go through the cursors of ``dbapi``, so results are
complete and exact.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from sqlalchemy import URL, Table, exc, type_coerce, types
from sqlalchemy.engine import default, reflection
from sqlalchemy.engine.interfaces import ReflectedColumn, ReflectedPrimaryKeyConstraint
from sqlalchemy.sql import compiler, operators

from kalam_notebook.client.client import Client
from kalam_notebook.errors import KalamError, ServerError
from kalam_notebook.sql.hidden import HIDDEN_COLUMNS
from kalam_notebook.sql.statement import quote_name
from kalam_notebook.wire.types import Column

__all__ = ["KalamDialect"]

_TABLES = """
SELECT table_schema, table_name, table_type FROM information_schema.tables
WHERE table_schema NOT IN ('information_schema', 'system', 'dba', 'pg_catalog') ORDER BY table_schema, table_name
"""


class KalamTypes(compiler.GenericTypeCompiler):
    """Types as the server spells them (protocol/sql.md#column-types)."""

    def visit_VARCHAR(self, type_: Any, **kw: Any) -> str:
        """Text has no length."""
        return "TEXT"

    visit_TEXT = visit_CHAR = visit_NCHAR = visit_NVARCHAR = visit_CLOB = visit_VARCHAR
    visit_string = visit_text = visit_unicode = visit_unicode_text = visit_VARCHAR

    def visit_INTEGER(self, type_: Any, **kw: Any) -> str:
        """32 bits."""
        return "INT"

    def visit_FLOAT(self, type_: Any, **kw: Any) -> str:
        """Python's floats have 64 bits."""
        return "DOUBLE"

    visit_REAL = visit_DOUBLE = visit_DOUBLE_PRECISION = visit_FLOAT

    def visit_NUMERIC(self, type_: Any, **kw: Any) -> str:
        """Exact, with ten digits behind the point unless told otherwise."""
        scale = 10 if type_.scale is None else type_.scale
        return f"DECIMAL({type_.precision or 38}, {scale})"

    visit_DECIMAL = visit_NUMERIC

    def visit_BLOB(self, type_: Any, **kw: Any) -> str:
        """Any bytes."""
        return "BYTES"

    visit_BINARY = visit_VARBINARY = visit_BLOB
    visit_large_binary = visit_BLOB

    def visit_DATETIME(self, type_: Any, **kw: Any) -> str:
        """A moment, in UTC."""
        return "TIMESTAMP"

    visit_TIMESTAMP = visit_DATETIME

    def visit_JSON(self, type_: Any, **kw: Any) -> str:
        """Text that is not checked."""
        return "JSON"


class KalamDateTime(types.DateTime):
    """Moments in UTC: with their zone where the type has ``timezone=True``, without it else."""

    def result_processor(self, dialect: Any, coltype: Any) -> Callable[[Any], Any]:
        """A parameter among the columns comes back as the text that was sent."""
        zone = dt.UTC if self.timezone else None

        def process(value: Any) -> Any:
            if isinstance(value, str):
                value = dt.datetime.fromisoformat(value)
            return None if value is None else value.replace(tzinfo=zone)

        return process


class KalamDate(types.Date):
    """Days."""

    def result_processor(self, dialect: Any, coltype: Any) -> Callable[[Any], Any]:
        """As of a moment."""
        return lambda value: dt.date.fromisoformat(value) if isinstance(value, str) else value


class KalamTime(types.Time):
    """Times of the day."""

    def result_processor(self, dialect: Any, coltype: Any) -> Callable[[Any], Any]:
        """As of a moment."""
        return lambda value: dt.time.fromisoformat(value) if isinstance(value, str) else value


class KalamUuid(types.Uuid[Any]):
    """UUIDs: parameters where they are written, and bytes where they are compared."""

    def literal_processor(self, dialect: Any) -> Callable[[Any], str]:
        """What a column is compared with (protocol/sql.md#literals), if it is no text by ``native_uuid=False``."""
        if not self.native_uuid:
            written: Callable[[Any], str] = super().literal_processor(dialect)  # type: ignore[no-untyped-call]
            return written
        return lambda value: f"X'{uuid.UUID(str(value)).hex}'"


class KalamJSONIndex(types.JSON.JSONIndexType):
    """A name or a number behind a document."""

    def literal_processor(self, dialect: Any) -> Callable[[Any], str]:
        """What the functions of JSON take: no parameters, since these have no type."""
        return lambda value: _steps(dialect, [value])


class KalamJSONPath(types.JSON.JSONPathType):
    """Several of them."""

    def literal_processor(self, dialect: Any) -> Callable[[Any], str]:
        """As of one."""
        return lambda value: _steps(dialect, value)


class KalamStatements(compiler.SQLCompiler):
    """LIMIT and OFFSET as numbers, since the server takes no values there; DISTINCT ON, regular expressions, JSON."""

    def visit_binary(self, binary: Any, *args: Any, **kw: Any) -> str:
        """Of UUIDs: compared with literals, since the server compares them with no parameter."""
        if operators.is_comparison(binary.operator) and isinstance(binary.left.type, types.Uuid):
            kw["literal_execute"] = True
        return str(super().visit_binary(binary, *args, **kw))  # type: ignore[no-untyped-call]

    def visit_json_getitem_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """``column["name"]``, and ``column[("name", 3)]``, as what ``as_string()`` and so on ask for."""
        parts = f"{self.process(binary.left, **kw)}, {self.process(binary.right, **{**kw, 'literal_execute': True})}"
        kind = binary.type._type_affinity
        if kind is types.JSON:
            return f"json_get_json({parts})"
        text = f"json_as_text({parts})"
        if kind is types.String:
            return text
        return f"CAST({text} AS {self.dialect.type_compiler_instance.process(binary.type)})"

    visit_json_path_getitem_op_binary = visit_json_getitem_op_binary

    def limit_clause(self, select: Any, **kw: Any) -> str:
        """LIMIT and OFFSET, each where there is one."""
        kw["literal_execute"] = True
        text = ""
        for word, clause in ("LIMIT", select._limit_clause), ("OFFSET", select._offset_clause):
            if clause is not None:
                text += f"\n {word} {self.process(type_coerce(clause, types.Integer()), **kw)}"
        return text

    def visit_frame_clause(self, frameclause: Any, **kw: Any) -> str:
        """Of a window: numbers too."""
        kw["literal_execute"] = True
        return str(super().visit_frame_clause(frameclause, **kw))  # type: ignore[no-untyped-call]

    def _format_frame_clause(self, range_: Any, **kw: Any) -> str:
        """The same in SQLAlchemy 2.0."""
        kw["literal_execute"] = True
        return str(super()._format_frame_clause(range_, **kw))  # type: ignore[misc]

    def get_select_precolumns(self, select: Any, **kw: Any) -> str:
        """DISTINCT, or DISTINCT ON columns."""
        if not select._distinct_on:
            return super().get_select_precolumns(select, **kw)
        return f"DISTINCT ON ({', '.join(self.process(column, **kw) for column in select._distinct_on)}) "

    def visit_regexp_match_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """``~``, or ``~*`` with the flag ``i``."""
        return self._generate_generic_binary(binary, f" ~{_star(binary)} ", **kw)

    def visit_not_regexp_match_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """The opposite."""
        return self._generate_generic_binary(binary, f" !~{_star(binary)} ", **kw)

    def visit_regexp_replace_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """The function of this name."""
        parts = [self.process(binary.left, **kw), self.process(binary.right, **kw)]
        if (flags := binary.modifiers["flags"]) is not None:
            parts.append(self.render_literal_value(flags, types.String()))
        return f"regexp_replace({', '.join(parts)})"


class KalamTables(compiler.DDLCompiler):
    """CREATE TABLE with the key at its column and the kind behind it (protocol/sql.md#create-table)."""

    def get_column_specification(self, column: Any, **kw: Any) -> str:
        """Name, type, key or NOT NULL, default."""
        text = f"{self.preparer.format_column(column)} {self.dialect.type_compiler_instance.process(column.type)}"
        if column.primary_key:
            text += " PRIMARY KEY"
        elif not column.nullable:
            text += " NOT NULL"
        default = self.get_column_default_string(column)
        return text if default is None else f"{text} DEFAULT {default}"

    def create_table_constraints(self, table: Any, _include_foreign_key_constraints: Any = None, **kw: Any) -> str:
        """Nothing: the key stands at its column, and the server has no others."""
        if len(table.primary_key.columns) > 1:
            raise exc.CompileError("A table of KalamDB has one key column; make one of several, for example a text.")
        return ""

    def post_create_table(self, table: Any) -> str:
        """The kind: SHARED, or that of ``Table(..., kalamdb_type="USER")``."""
        if not table.primary_key.columns:
            raise exc.CompileError(
                f"{table.name} has no primary key, and the server needs one. Mark a column primary_key=True; for a "
                "frame, client.write(frame, table, create=True, key='…') makes the table."
            )
        return f" WITH (TYPE = '{str(table.dialect_options['kalamdb']['type']).upper()}')"


class KalamNames(compiler.IdentifierPreparer):
    """Names that are quoted where the server reads them as something else."""

    def _requires_quotes(self, value: str) -> bool:
        return quote_name(value) != value


class KalamContext(default.DefaultExecutionContext):
    """One statement on its way."""

    def create_server_side_cursor(self) -> Any:
        """For ``execution_options(stream_results=True)``: rows are read as they are fetched."""
        return self._dbapi_connection.cursor(stream=True)


class KalamDialect(default.DefaultDialect):
    """The dialect ``kalamdb``."""

    name = "kalamdb"
    driver = "http"
    execution_ctx_cls = KalamContext
    statement_compiler = KalamStatements
    ddl_compiler = KalamTables
    type_compiler_cls = KalamTypes
    preparer = KalamNames
    construct_arguments = [(Table, {"type": "SHARED"})]
    colspecs = {
        types.DateTime: KalamDateTime,
        types.Date: KalamDate,
        types.Time: KalamTime,
        types.Uuid: KalamUuid,
        types.JSON.JSONIndexType: KalamJSONIndex,
        types.JSON.JSONPathType: KalamJSONPath,
    }

    supports_statement_cache = True
    supports_native_boolean = True
    supports_native_decimal = True
    supports_native_uuid = True
    supports_multivalues_insert = True
    supports_server_side_cursors = True
    supports_sane_rowcount = False  # Rows whose values do not change are not counted.
    supports_sane_multi_rowcount = False
    supports_empty_insert = False
    supports_default_values = False
    supports_alter = False
    postfetch_lastrowid = False
    max_identifier_length = 64

    def __init__(
        self,
        json_serializer: Callable[[Any], str] | None = None,
        json_deserializer: Callable[[str], Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(paramstyle="numeric_dollar", **options)
        # SQLAlchemy's JSON type looks for these.
        self._json_serializer = json_serializer
        self._json_deserializer = json_deserializer

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The module of PEP 249."""
        from kalam_notebook import dbapi

        return dbapi

    def create_connect_args(self, url: URL) -> tuple[list[Any], dict[str, Any]]:
        """``kalamdb://user:password@host:port/namespace``; ``?scheme=https`` for TLS, ``?token=`` is not taken."""
        query = dict(url.query)
        scheme = query.pop("scheme", "http")
        if query:
            raise exc.ArgumentError(f"kalamdb:// takes ?scheme=https, and not {', '.join(query)}.")
        host = f"[{url.host}]" if url.host and ":" in url.host else url.host
        given = {
            "url": None if host is None else f"{scheme}://{host}:{url.port or 2900}",
            "user": url.username,
            "password": url.password,
            "namespace": url.database,
        }
        return [], {name: value for name, value in given.items() if value is not None}

    def initialize(self, connection: Any) -> None:
        """Nothing is asked of the server before it has to be."""
        self.default_schema_name = _client(connection).namespace or "default"

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Nothing: SQLAlchemy calls it whenever a connection is given back, and the server takes nothing back."""

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Whether the server answers."""
        dbapi_connection.client.check_login()
        return True

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Never: a client connects again by itself."""
        return False

    # What there is.

    @reflection.cache
    def get_schema_names(self, connection: Any, **kw: Any) -> list[str]:
        """Namespaces that have tables, and the one of the connection."""
        return sorted({row[0] for row in _listed(connection)} | {str(self.default_schema_name)})

    @reflection.cache
    def get_table_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        """The tables of a namespace."""
        wanted = schema or self.default_schema_name
        return [name for space, name, kind in _listed(connection) if space == wanted and kind != "VIEW"]

    @reflection.cache
    def get_view_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        """The views of a namespace."""
        wanted = schema or self.default_schema_name
        return [name for space, name, kind in _listed(connection) if space == wanted and kind == "VIEW"]

    @reflection.cache
    def has_table(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> bool:
        """Whether a table or view can be read under this name."""
        wanted = schema or self.default_schema_name
        return any((space, name) == (wanted, table_name) for space, name, _ in _listed(connection))

    @reflection.cache
    def get_columns(
        self,
        connection: Any,
        table_name: str,
        schema: str | None = None,
        **kw: Any,
    ) -> list[ReflectedColumn]:
        """The columns, without those that the server adds."""
        return [
            ReflectedColumn(name=column.name, type=_type_of(column), nullable="nn" not in column.flags, default=None)
            for column in self._columns(connection, table_name, schema, **kw)
            if column.name not in HIDDEN_COLUMNS
        ]

    @reflection.cache
    def get_pk_constraint(
        self,
        connection: Any,
        table_name: str,
        schema: str | None = None,
        **kw: Any,
    ) -> ReflectedPrimaryKeyConstraint:
        """The one key column."""
        columns = self._columns(connection, table_name, schema, **kw)
        keys = [column.name for column in columns if column.is_primary_key]
        return ReflectedPrimaryKeyConstraint(constrained_columns=keys, name=None)

    def get_foreign_keys(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> list[Any]:
        """None: the server has no such thing."""
        return []

    get_indexes = get_unique_constraints = get_check_constraints = get_foreign_keys

    @reflection.cache
    def _columns(self, connection: Any, table: str, schema: str | None, **kw: Any) -> tuple[Column, ...]:
        name = f"{quote_name(schema or str(self.default_schema_name))}.{quote_name(table)}"
        try:
            return _client(connection).execute_query(f"SELECT * FROM {name} LIMIT 0").rows.columns
        except ServerError as error:
            if not self.has_table(connection, table, schema):
                raise exc.NoSuchTableError(f"{schema or self.default_schema_name}.{table}") from None
            raise error


def _steps(dialect: Any, steps: Sequence[str | int]) -> str:
    """Names and numbers as arguments of a function."""
    name = types.String().literal_processor(dialect)  # type: ignore[no-untyped-call]
    return ", ".join(str(step) if isinstance(step, int) else name(step) for step in steps)


def _star(binary: Any) -> str:
    """What makes a regular expression blind to case."""
    flags = binary.modifiers["flags"]
    if flags not in {None, "i"}:
        raise exc.CompileError(f"Regular expressions take the flag 'i' and no other, not {flags!r}.")
    return "*" if flags else ""


def _client(connection: Any) -> Client:
    client: Client = connection.connection.dbapi_connection.client
    return client


def _listed(connection: Any) -> list[tuple[str, str, str]]:
    """Namespace, name and kind of all tables and views."""
    try:
        rows = _client(connection).query_result(_TABLES, max_rows=None, progress=False).arrow()
    except KalamError as error:
        raise exc.DBAPIError(_TABLES, None, error) from error
    return [tuple(row.values()) for row in rows.to_pylist()]


def _type_of(column: Column) -> types.TypeEngine[Any]:
    if column.type_name == "Decimal":
        return types.DECIMAL(column.precision, column.scale)
    if column.type_name in {"Timestamp", "DateTime"}:
        return types.TIMESTAMP(timezone=True)
    kinds: dict[str, type[types.TypeEngine[Any]]] = {
        "Boolean": types.BOOLEAN, "SmallInt": types.SMALLINT, "Int": types.INTEGER, "BigInt": types.BIGINT,
        "Float": types.REAL, "Double": types.DOUBLE, "Text": types.TEXT, "Json": types.JSON, "Bytes": types.LargeBinary,
        "Date": types.DATE, "Time": types.TIME, "Uuid": types.UUID,
    }  # fmt: skip
    return kinds.get(column.type_name, types.NullType)()
