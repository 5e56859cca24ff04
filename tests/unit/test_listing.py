"""Finding a table in the server's list of tables."""

import pyarrow as pa
import pytest

from kalam_notebook.errors import PermissionDeniedError
from kalam_notebook.http.endpoint import Answer
from kalam_notebook.reading.listing import Listed, find_listed, listed_table
from kalam_notebook.wire.body import RawResult

ROWS = pa.table(
    {
        "namespace_id": ["app", "app", "default", "app"],
        "table_name": ["notes", "notes", "t", "ticks"],
        "table_type": ["user", "user", "Stream", "stream"],
        "options": ["{}", "{}", None, '{"ttl_seconds": 60}'],
    }
)


class Endpoint:
    def __init__(self, answer):
        self.answer = answer

    def execute(self, sql, params=()):
        assert sql == "SHOW TABLES"
        if isinstance(self.answer, Exception):
            raise self.answer
        result = RawResult((), self.answer.num_rows, True, None, None)
        return Answer((result,), (self.answer,), 1.0)


@pytest.mark.parametrize(
    ("table", "listed"),
    [
        ("app.notes", Listed("user")),
        ("t", Listed("stream")),
        ('"app"."ticks"', Listed("stream", 60_000)),
        ("app.nope", None),
        ("ticks", None),
    ],
)
def test_a_table_is_found_by_its_name_in_sql(table, listed):
    assert listed_table(Endpoint(ROWS), table) == listed


def test_a_user_who_may_not_list_tables_is_told_nothing():
    assert listed_table(Endpoint(PermissionDeniedError("PERMISSION_DENIED", "no", 403)), "app.notes") is None


def test_options_of_other_kinds_are_not_read():
    assert find_listed(ROWS.set_column(3, "options", pa.array(["not json"] * 4)), "app", "notes") == Listed("user")
