"""Which tests of SQLAlchemy's suite for dialects run, and why the others do not.

``OPEN`` and ``CLOSED`` are what SQLAlchemy calls requirements, ``LEFT_OUT`` classes and single tests. A plugin of the
pytest that runs ``suite.py``, which ``tests/client/test_sqlalchemy_suite.py`` starts.
"""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable
from sqlalchemy.testing import exclusions, provision
from sqlalchemy.testing.requirements import SuiteRequirements

#: What SQLAlchemy does not take for granted, and the server can do.
OPEN = [
    "boolean_col_expressions", "ctes", "ctes_with_values", "date_historic", "datetime_historic", "datetime_literals",
    "datetime_timezone", "datetime_timezone_historic", "except_", "expression_server_defaults",
    "float_or_double_precision_behaves_generically", "intersect", "json_type", "legacy_unconditional_json_extract",
    "nullsordering", "order_by_label_with_expression", "precision_numerics_enotation_small",
    "precision_numerics_many_significant_digits", "precision_numerics_retains_significant_digits", "regexp_match",
    "regexp_replace", "sane_multi_rowcount", "sane_rowcount", "schemas", "server_defaults", "supports_bitwise_and",
    "supports_bitwise_or", "supports_bitwise_shift", "supports_bitwise_xor", "supports_distinct_on",
    "supports_is_distinct_from", "table_ddl_if_exists", "table_value_constructor", "timestamp_microseconds", "tuple_in",
    "uuid_data_type", "window_functions", "window_range", "window_range_numeric",
]  # fmt: skip

_NAMES = "Names hold letters of ASCII, digits and underscores, and begin with no underscore (protocol/sql.md#names)."
_KEYS = "A table has one key column and no other constraint (protocol/sql.md#create-table)."
_INDEXES = "There are no indexes."
_COMMENTS = "Comments are not written."
_FETCH = "There is no FETCH FIRST (protocol/sql.md#select)."

#: What the server cannot do, of all that the tests ask for.
CLOSED: dict[str, str] = {
    "autoincrement_insert": "The server counts no keys; SNOWFLAKE_ID() fills a BIGINT key, which nobody is told.",
    "autoincrement_without_sequence": "As autoincrement_insert.",
    "binary_literals": "Bytes cannot be stored exactly (truth L10).",
    "check_constraint_reflection": _KEYS,
    "comment_reflection": _COMMENTS,
    "create_table_as": "There is no CREATE TABLE … AS.",
    "ctes_with_update_delete": "WITH stands before a SELECT alone.",
    "delete_from": "There is no DELETE … USING.",
    "duplicate_names_in_cursor_description": "The engine refuses two columns of one name in a SELECT.",
    "fetch_expression": _FETCH,
    "fetch_first": _FETCH,
    "fetch_no_order_by": _FETCH,
    "fetch_offset_with_options": _FETCH,
    "fetch_percent": _FETCH,
    "fetch_ties": _FETCH,
    "fk_constraint_option_reflection_ondelete_noaction": _KEYS,
    "fk_constraint_option_reflection_ondelete_restrict": _KEYS,
    "fk_constraint_option_reflection_onupdate_restrict": _KEYS,
    "foreign_key_constraint_option_reflection_ondelete": _KEYS,
    "foreign_key_constraint_option_reflection_onupdate": _KEYS,
    "foreign_key_constraint_reflection": _KEYS,
    "foreign_keys": _KEYS,
    "implements_get_lastrowid": "As autoincrement_insert.",
    "index_ddl_if_exists": _INDEXES,
    "index_reflection": _INDEXES,
    "index_reflects_included_columns": _INDEXES,
    "indexes_check_column_order": _INDEXES,
    "indexes_with_expressions": _INDEXES,
    "infinity_floats": "An infinity cannot be read again (truth L8).",
    "inline_check_constraint_reflection": _KEYS,
    "like_escapes": "LIKE … ESCAPE takes the backslash alone.",
    "order_by_collation": "There are no collations.",
    "percent_schema_names": _NAMES,
    "supports_bitwise_not": "The engine has no operator ~ of one number.",
    "temp_table_reflection": "There are no temporary tables.",
    "temporary_tables": "There are no temporary tables.",
    "unicode_ddl": _NAMES,
    "unique_constraint_reflection": _KEYS,
    "unusual_column_name_characters": _NAMES,
    "standalone_binds": "A parameter that stands alone has no type (protocol/sql.md#parameters).",
    "update_from": "There is no UPDATE … FROM.",
    "window_range_non_numeric": "An interval is no parameter.",
}

_COUNTED = "Rows whose values do not change are not counted (protocol/sql.md#update-delete)."
_UUIDS = "A UUID is written as a parameter alone, never as a literal; test_sqlalchemy.py compares them."
_YEARS = "The engine compares times with a text in nanoseconds, which end in 1677."

#: Classes and tests that no requirement takes out.
LEFT_OUT: dict[str, str] = {
    "BinaryTest": CLOSED["binary_literals"],
    "BizarroCharacterTest": _NAMES,
    "ComponentReflectionTest": "Its tables have foreign keys, checks, indexes and comments; see test_sqlalchemy.py.",
    "ComponentReflectionTestExtra.test_nullable_reflection": "Its table has no key, and is given one.",
    "ComponentReflectionTestExtra.test_numeric_reflection": "Its table has no key, and is given one.",
    "ComponentReflectionTestExtra.test_server_defaults": "Defaults are not reflected; DESCRIBE TABLE tells them.",
    "ComponentReflectionTestExtra.test_string_length_reflection": "Text has no length.",
    "CompositeKeyReflectionTest": _KEYS,
    "CTETest.test_insert_from_select_round_trip": CLOSED["ctes_with_update_delete"],
    "DateTimeHistoricTest.test_literal_years": _YEARS,
    "DateTimeTZHistoricTest.test_literal_years": _YEARS,
    "FutureTableDDLTest.test_underscore_names": _NAMES,
    "HasIndexTest": _INDEXES,
    "HasTableTest": "It makes views, which cannot be dropped (protocol/sql.md#views); see test_sqlalchemy.py.",
    "JSONTest.test_eval_none_flag_orm": CLOSED["autoincrement_insert"],
    "LongNameBlowoutTest": _KEYS,
    "NameDenormalizeTest": "Names are stored in small letters (protocol/sql.md#names).",
    "NativeUUIDTest.test_literal_text": _UUIDS,
    "NativeUUIDTest.test_literal_uuid": _UUIDS,
    "QuotedNameArgumentTest": _NAMES,
    "RowCountTest.test_multi_update_rowcount": _COUNTED,
    "RowCountTest.test_update_rowcount2": _COUNTED,
    "ServerSideCursorsTest": "It knows the cursors of SQLAlchemy's own dialects alone; see test_sqlalchemy.py.",
    "StringTest.test_concatenate_binary": CLOSED["standalone_binds"],
    "StringTest.test_concatenate_clauselist": CLOSED["standalone_binds"],
    "TableDDLTest.test_underscore_names": _NAMES,
    "TableViaSelectTest": CLOSED["create_table_as"],
    "TrueDivTest.test_truediv_divisor": "Numeric without a scale has ten digits behind the point; the test needs more.",
    "TrueDivTest.test_truediv_numeric": "What is computed of parameters alone is a double, since these have no type.",
    "UuidTest.test_literal_text": _UUIDS,
    "UuidTest.test_literal_uuid": _UUIDS,
}


class Requirements(SuiteRequirements):
    """What the server can do."""


for _name in OPEN:
    setattr(Requirements, _name, property(lambda self: exclusions.open()))
for _name, _reason in CLOSED.items():
    setattr(Requirements, _name, property(lambda self, reason=_reason: exclusions.closed(reason)))


_COUNTING = sa.text("SNOWFLAKE_ID()")


@compiles(CreateTable, "kalamdb")
def _with_a_key(element, compiler, **kw):
    """Give a table a key that fills itself, where the test has none or counts on one: the server makes no other."""
    table = element.element.to_metadata(sa.MetaData())
    if not table.primary_key.columns:
        table.append_column(sa.Column("kalam_key", sa.BigInteger, primary_key=True, server_default=_COUNTING))
    elif (counted := table.autoincrement_column) is not None and counted.server_default is None:
        counted.type, counted.server_default = sa.BigInteger(), sa.DefaultClause(_COUNTING)
    return compiler.visit_create_table(CreateTable(table, if_not_exists=element.if_not_exists), **kw)


@compiles(sa.Delete, "kalamdb")
def _of_all_rows(element, compiler, **kw):
    """Empty tables between tests, which the server refuses without a condition."""
    if not element._where_criteria:
        element = element.where(sa.text("_seq > 0"))
    return compiler.visit_delete(element, **kw)


@provision.update_db_opts.for_db("kalamdb")
def _patient(url, options):
    """Have time: a table that one test could not drop makes many others fail."""
    options["connect_args"] = {"timeout": 300.0}


def pytest_collection_modifyitems(config, items):
    """Take out what is left out, all of which has to be there."""
    names = [{_class(item), f"{_class(item)}.{item.originalname}"} & set(LEFT_OUT) for item in items]
    if unknown := set(LEFT_OUT).difference(*names):
        raise pytest.UsageError(f"left out, and not there: {', '.join(sorted(unknown))}")
    config.hook.pytest_deselected(items=[item for item, found in zip(items, names, strict=True) if found])
    items[:] = [item for item, found in zip(items, names, strict=True) if not found]


def _class(item):
    return item.cls.__name__.partition("_kalamdb")[0]
