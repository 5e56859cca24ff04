"""Pairs on KalamDB from 0.7.1 on, as the sandbox plays it: what stops or deceives who knows 0.4.3 alone, and ours.

None of these servers was at hand; what each habit rests on is told in docs/sandbox.md.
"""

import contextlib

import pytest
from later_servers import later_client, later_server, make_table, plain_later  # noqa: F401

from kalam_notebook import dbapi
from kalam_notebook.errors import QueryError

# Codes of errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("INSERT INTO {} (id, n) VALUES (2, NULL)", "NOT_NULL_VIOLATION"),
        ("UPDATE {} SET n = 2 WHERE id = 1", "MISSING_COLUMN"),
    ],
)
def test_a_refusal_has_a_code_of_its_own(later, plain, client, make, sql, code):
    table = make((1, 1), columns="id BIGINT PRIMARY KEY, n INT NOT NULL")
    if code == "MISSING_COLUMN":  # Rows from before have no value for it.
        client.execute_query(f"ALTER TABLE {table} ADD COLUMN m INT NOT NULL DEFAULT 0")
    sql = sql.format(table)
    assert plain.http.post("/v1/api/sql", json={"sql": sql}).json()["error"]["code"] == code
    with pytest.raises(QueryError, match="NOT NULL") as refused:
        client.execute_query(sql)
    assert refused.value.code == code
    with contextlib.closing(dbapi.connect(client=client)) as connection, pytest.raises(dbapi.IntegrityError):
        connection.cursor().execute(sql)
