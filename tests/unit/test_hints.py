"""Which table or column was probably meant."""

import pytest

from kalam_notebook.sql.hints import column_hint, rights_hint, table_hint

KNOWN = {("app", "orders"), ("app", "people"), ("default", "log")}


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELECT * FROM app.orderz", "There is no table app.orderz. Did you mean app.orders?"),
        ("SELECT * FROM orders", "There is no table default.orders. Did you mean app.orders?"),
        ("SELECT * FROM zzz.qqq", "There is no table zzz.qqq. There are no tables in zzz;"),
        ("SELECT * FROM app.orders JOIN app.peple ON true", "Did you mean app.people?"),
        ("SELECT nofn(1) FROM log", ""),
        ("CREATE TABLE app.top (id INT)", ""),
        ("SELECT 'open", ""),
    ],
)
def test_hints(sql, hint):
    assert table_hint(sql, KNOWN).startswith(hint) if hint.startswith("There") else hint in table_hint(sql, KNOWN)
    assert bool(table_hint(sql, KNOWN)) is bool(hint)


FIELDS = 'Valid fields are app.t.id, app.t.name, app.t."Big Name", app.t._seq, app.t._deleted.'


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (f"Schema error: No field named nme. {FIELDS}", "Did you mean name?"),
        (f"Schema error: No field named t.nme. {FIELDS}", "Did you mean name?"),
        (f'Schema error: No field named "Bigname". {FIELDS}', 'Did you mean "Big Name"?'),
        (f"Schema error: No field named seq. {FIELDS}", "Did you mean _seq?"),
        (f"Schema error: No field named colour. {FIELDS}", ""),
        ("Schema error: No field named x.", ""),
        ("table 'app.t' not found", ""),
    ],
)
def test_hints_for_columns(message, hint):
    assert column_hint(message) == hint


@pytest.mark.parametrize(
    ("sql", "is_of_tables"),
    [
        ("CREATE TABLE a.t (id INT)", True),
        ("drop table a.t", True),
        ("SELECT 1", False),
        ("", False),
        ("SELECT 'x", False),
    ],
)
def test_who_may_change_tables(sql, is_of_tables):
    assert ("roles service, dba and system" in rights_hint(sql)) == is_of_tables
