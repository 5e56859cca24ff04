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
    ("sql", "message", "who"),
    [
        ("CREATE TABLE a.t (id INT)", "", "Tables are made and changed by the roles service, dba and system"),
        ("CREATE USER TABLE a.t (id INT)", "", "Tables "),
        ("drop table a.t", "", "Tables "),
        ("ALTER TABLE a.t RENAME COLUMN user TO topic", "", "Tables "),
        (
            "CREATE USER 'bob' WITH PASSWORD 'x' ROLE 'user'",
            "",
            "Users are made and changed by the roles dba and system.",
        ),
        ("ALTER USER 'bob' SET ROLE 'dba'", "", "Users "),
        ("DROP NAMESPACE IF EXISTS a", "", "Namespaces "),
        ("CREATE OR REPLACE VIEW a.v AS SELECT 1", "", "Views "),
        ("CREATE POLICY p ON a.t USING (true)", "", "Row policies are made and changed by the roles service, dba"),
        ("DROP TOPIC a.t", "", "Topics "),
        ("CREATE STORAGE s TYPE filesystem", "", "Storages "),
        ("CREATE PROCEDURE p() AS 1", "", ""),
        ("SELECT 1", "", ""),
        ("INSERT INTO table_of_users VALUES (1)", "", ""),
        ("", "", ""),
        ("SELECT 'x", "", ""),
        ("CREATE NAMESPACE a; CREATE TABLE a.t (id INT)", "Statement 2 failed: no", "Tables "),
        ("CREATE NAMESPACE a; CREATE TABLE a.t (id INT)", "Admin privileges required", ""),
        ("SELECT 1; DROP USER 'bob'", "Admin privileges required", "Users "),
    ],
)
def test_who_may_do_what_was_refused(sql, message, who):
    hint = rights_hint(sql, message)
    assert hint.startswith(who)
    assert bool(hint) is bool(who)
