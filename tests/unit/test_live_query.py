"""The shape of live queries: what is taken apart, what is refused and with which advice."""

from __future__ import annotations

import pytest

from kalam_notebook.errors import SubscriptionError
from kalam_notebook.live_queries.following.query import parse_live_query
from kalam_notebook.wire.types import Column

COLUMNS = (
    Column("id", "BigInt", flags=("pk", "nn", "uq")),
    Column("room", "Text"),
    Column("Odd Name", "Text"),
    Column("_seq", "BigInt", flags=("nn",)),
    Column("_deleted", "Boolean", flags=("nn",)),
)


def test_star():
    query = parse_live_query("  select * from Chat.Messages ; ")
    assert (query.table_name, query.projection, query.filter_sql) == ("chat.messages", None, "")
    assert query.subscription_sql() == "SELECT * FROM chat.messages"
    assert query.visible_names(COLUMNS) == ("id", "room", "Odd Name")


def test_projection_filter_and_comments():
    query = parse_live_query(
        'SELECT room, -- the room\n messages.id, chat.messages."Odd Name" FROM chat.messages\n'
        "WHERE room = 'a' /* or */ OR id = 5 -- the end; of it"
    )
    assert query.projection == ("room", "id", "Odd Name")
    assert query.filter_sql == "room = 'a' /* or */ OR id = 5"
    assert query.subscription_sql() == "SELECT * FROM chat.messages WHERE (room = 'a' /* or */ OR id = 5)"
    assert query.read_sql(COLUMNS[1:4]) == (
        'SELECT room, "Odd Name", "_seq" FROM chat.messages WHERE (room = \'a\' /* or */ OR id = 5)'
    )


def test_quoted_names_keep_their_case():
    query = parse_live_query('SELECT * FROM "Chat"."My Table"')
    assert query.table_name == "Chat.My Table"
    assert query.subscription_sql() == 'SELECT * FROM "Chat"."My Table"'


def test_hidden_columns_are_shown_when_selected_by_name():
    assert parse_live_query("SELECT id, _seq FROM a.b").visible_names(COLUMNS) == ("id", "_seq")


def test_words_inside_strings_and_parentheses_are_no_clauses():
    query = parse_live_query("SELECT * FROM a.b WHERE body = 'ORDER BY; LIMIT (' AND room IS NOT DISTINCT FROM 'x'")
    assert query.filter_sql.startswith("body = 'ORDER BY; LIMIT (' AND room")
    query = parse_live_query("SELECT * FROM a.b WHERE id IN (SELECT id FROM a.c ORDER BY id LIMIT 3)")
    assert query.table_name == "a.b"


def test_unknown_column_is_refused_with_the_columns_there_are():
    with pytest.raises(SubscriptionError) as caught:
        parse_live_query("SELECT id, rom FROM chat.messages").visible_names(COLUMNS)
    assert caught.value.code == "SUBSCRIPTION_FAILED"
    assert "no column 'rom'" in str(caught.value)
    assert "id, room, Odd Name" in caught.value.hint


@pytest.mark.parametrize(
    ("sql", "code", "words"),
    [
        ("", "INVALID_SQL", "not a SELECT"),
        ("DELETE FROM a.b", "INVALID_SQL", "not a SELECT"),
        ("WITH q AS (SELECT 1) SELECT * FROM a.q", "INVALID_SQL", "not a SELECT"),
        ("SELECT 1", "INVALID_SQL", "no FROM"),
        ("SELECT * FROM b", "INVALID_SQL", "namespace.table"),
        ("SELECT * FROM a.b.c", "INVALID_SQL", "namespace.table"),
        ("SELECT * FROM (SELECT * FROM a.b)", "INVALID_SQL", "namespace.table"),
        ("SELECT * FROM a.", "INVALID_SQL", "namespace.table"),
        ("SELECT * FROM a.b x", "INVALID_SQL", "'x'"),
        ("SELECT * FROM a.b AS x", "INVALID_SQL", "'AS'"),
        ("SELECT * FROM a.b, a.c", "INVALID_SQL", "','"),
        ("SELECT * FROM a.b JOIN a.c ON true", "INVALID_SQL", "JOIN"),
        ("SELECT * FROM a.b ORDER BY id", "INVALID_SQL", "ORDER"),
        ("SELECT * FROM a.b WHERE id = 1 LIMIT 5", "INVALID_SQL", "LIMIT"),
        ("SELECT DISTINCT room FROM a.b", "INVALID_SQL", "DISTINCT"),
        ("SELECT * FROM a.b UNION ALL SELECT * FROM a.c", "INVALID_SQL", "UNION"),
        ("SELECT * FROM a.b WHERE", "INVALID_SQL", "nothing behind WHERE"),
        ("SELECT * FROM a.b; SELECT 1", "INVALID_SQL", "more than one statement"),
        ("SELECT * FROM a.b WHERE id = $1", "INVALID_SQL", "$1"),
        ("SELECT * FROM a.b WHERE id = 1) OR (id = 2", "INVALID_SQL", "closed that was not opened"),
        ("SELECT * FROM a.b WHERE (id = 1", "INVALID_SQL", "not closed"),
        ("SELECT * FROM a.b WHERE room = 'x", "INVALID_SQL", "does not end"),
        ("SELECT count(*) FROM a.b", "UNSUPPORTED", "names of columns"),
        ("SELECT id AS x FROM a.b", "UNSUPPORTED", "names of columns"),
        ("SELECT id + 1 FROM a.b", "UNSUPPORTED", "names of columns"),
        ("SELECT id, FROM a.b", "UNSUPPORTED", "names of columns"),
        ("SELECT FROM a.b", "UNSUPPORTED", "names of columns"),
        ("SELECT b.* FROM a.b", "UNSUPPORTED", "names of columns"),
        ("SELECT c.id FROM a.b", "UNSUPPORTED", "names of columns"),
        ("SELECT extract(year FROM t) FROM a.b", "UNSUPPORTED", "names of columns"),
        ("SELECT id, true FROM a.b", "UNSUPPORTED", "names of columns"),
        ("SELECT current_date FROM a.b", "UNSUPPORTED", "names of columns"),
        ("SELECT id, room, id FROM a.b", "UNSUPPORTED", "'id' is selected twice"),
        ("SELECT * FROM system.users", "UNSUPPORTED", "system.users"),
    ],
)
def test_refusals(sql, code, words):
    with pytest.raises(SubscriptionError) as caught:
        parse_live_query(sql)
    assert caught.value.code == code
    assert words in str(caught.value)
    assert caught.value.sql == sql
