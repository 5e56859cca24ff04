"""Which table was probably meant."""

import pytest

from kalam_notebook.hints import table_hint

KNOWN = {("app", "orders"), ("app", "people"), ("default", "log")}


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELECT * FROM app.orderz", "There is no table app.orderz. Did you mean app.orders?"),
        ("SELECT * FROM orders", "There is no table default.orders. Did you mean app.orders?"),
        ("SELECT * FROM zzz.qqq", "There is no table zzz.qqq. See"),
        ("SELECT * FROM app.orders JOIN app.peple ON true", "Did you mean app.people?"),
        ("SELECT nofn(1) FROM log", ""),
        ("CREATE TABLE app.top (id INT)", ""),
        ("SELECT 'open", ""),
    ],
)
def test_hints(sql, hint):
    assert table_hint(sql, KNOWN).startswith(hint) if hint.startswith("There") else hint in table_hint(sql, KNOWN)
    assert bool(table_hint(sql, KNOWN)) is bool(hint)
