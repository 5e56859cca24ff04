"""The table of protocol/live.md#queries, line by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_sandbox.live.evaluate import passes
from kalam_sandbox.live.predicate import parse_predicate

TYPES = {
    "id": "BigInt", "n": "Int", "m": "Int", "d": "Double", "room": "Text", "body": "Text", "b": "Boolean",
    "ts": "Timestamp", "dt": "Date", "ti": "Time", "dec": {"Decimal": {"precision": 10, "scale": 2}},
    "u": "Uuid", "j": "Json", "_seq": "BigInt", "_deleted": "Boolean",
}  # fmt: skip
ROW = {
    "id": "9007199254740992", "n": 3, "m": 3, "d": 1.5, "room": "a", "body": None, "b": True,
    "ts": 1704067200000000, "dt": 19723, "ti": 0, "dec": "1.50",
    "u": "00000000-0000-0000-0000-000000000001", "j": "{}", "_seq": "383403833178296320", "_deleted": False,
}  # fmt: skip


def is_sent(where, **cells):
    return passes(parse_predicate(where), ROW | cells, TYPES)


@pytest.mark.parametrize(
    "where",
    [
        "room = 'a'", "'a' = room", "room <> 'b'", "n = 3", "n = 3.0", "d = 1.5", "b = true", "b <> false",
        "n = m", "n >= 3", "n > 2", "n <= m", "d < 2", "n < 4 AND (room = 'b' OR d > 1)", "NOT n = 4",
        "1 = 1", "'x' = 'x'", '"room" = \'a\'', "T.ROOM = 'a'", "ws.t_user.room = 'a'", "_seq > 383403833178000000",
        "room LIKE 'a'", "room LIKE '%'", "room ILIKE 'A'", "room NOT LIKE 'b%'", "j = '{}'", "_deleted = false",
        "room = 'it''s' OR room = 'a'", "((((n = 3))))",
    ],
)  # fmt: skip
def test_what_the_evaluator_gets_right(where):
    assert is_sent(where)


@pytest.mark.parametrize(
    "where",
    ["room = 'b'", "n > 3", "n = 4 OR d > 2", "NOT room = 'a'", "room LIKE 'b%'", "room NOT LIKE 'a'", "1 = 2"],
)
def test_what_it_rightly_leaves_out(where):
    assert not is_sent(where)


@pytest.mark.parametrize(
    "where",
    [
        # Negative numbers and arithmetic.
        "n > -1", "n <> -5", "n > +1", "n = 2 + 1", "n + 0 = 3", "n * 2 > 1", "-n < 0",
        # No order for text, times, dates; nothing at all for decimals.
        "room > 'A'", "room <= 'z'", "ts > '2023-01-01'", "ts < 9", "dt > '2020-01-01'", "dec = 1.50",
        "dec > 0", "dec <> 7", "NOT dec = 7", "u > '0'", "b < true",
        # Predicates it does not know.
        "n IN (3, 4)", "n NOT IN (5)", "n BETWEEN 0 AND 5", "n NOT BETWEEN 7 AND 9", "body IS NULL",
        "room IS NOT NULL", "b IS TRUE", "b", "NOT b", "true", "NOT false", "b = (n = 3)", "lower(room) = 'a'",
        "room = lower('A')", "CAST(n AS TEXT) = '3'", "n::text = '3'", "room ~ 'a'", "room SIMILAR TO 'a'",
        "j ->> 'a' = 'b'", "n = (SELECT 3)", "(SELECT 3) = n", "EXISTS (SELECT 1)", "room = E'a'",
        "CASE WHEN n = 3 AND b = true THEN true ELSE false END", "room LIKE 'a' ESCAPE 'x'",
        "n IS DISTINCT FROM 4", "dt = DATE '2024-01-01'", "n = ANY(ARRAY[3])", "(n, m) = (3, 3)", "n == 3",
        "room = CURRENT_USER", "room = CURRENT_USER()", "room || 'b' = 'ab'", "(n) = 3",
        # Times and UUIDs equal no text.
        "ts = '2024-01-01T00:00:00Z'", "dt = '2024-01-01'", "ti = '00:00:00'", "n = '3'", "room = 3",
        "u = '00000000-0000-0000-0000-000000000001'",
        "nowhere = 1",
    ],
)  # fmt: skip
def test_what_gives_no_events_although_sql_says_yes(where):
    assert not is_sent(where)


@pytest.mark.parametrize("where", ["ts <> '2024-01-01T00:00:00Z'", "n <> '3'", "NOT n = '3'", "u <> 'x'"])
def test_values_of_different_types_are_never_equal_so_unequal_sends_all(where):
    assert is_sent(where)


@pytest.mark.parametrize("where", ["n <> 3", "n != 3", "NOT n = 3", "NOT (n = 3 AND room = 'a')"])
def test_a_null_cell_is_unequal_to_everything(where):
    assert is_sent(where, n=None)


@pytest.mark.parametrize("where", ["n > 0", "NOT n > 0", "room LIKE 'a'", "room NOT LIKE 'a'", "n = 3"])
def test_a_null_cell_ends_comparisons_by_size_and_like(where):
    assert not is_sent(where, n=None, room=None)


def test_or_saves_only_what_stands_to_its_right():
    assert not is_sent("(n > 0 OR room = 'a')", n=None)
    assert is_sent("(room = 'a' OR n > 0)", n=None)
    assert is_sent("room = 'a' OR n BETWEEN 0 AND 1 AND b")
    assert not is_sent("n BETWEEN 0 AND 5 OR room = 'a'")
    assert is_sent("NOT (room = 'b' AND n IN (1))")


def test_line_breaks_do_not_match_the_wildcards_of_like():
    assert not is_sent("body LIKE '%b%'", body="a\nb")
    assert is_sent("body NOT LIKE '%b%'", body="a\nb")
    assert is_sent("body LIKE 'a.b_'", body="a.bc")
    assert not is_sent("body LIKE 'a.b_'", body="axbc")


def test_big_integers_are_compared_as_doubles():
    assert is_sent("id = 9007199254740993")
    assert not is_sent("id > 9007199254740991.9")


@pytest.mark.parametrize(
    "where",
    ["KDB_CURRENT_USER() = 'x'", "room = KDB_CURRENT_USER()", "(" * 66 + "n = 9" + ")" * 66, "NOT " * 9000 + "b"],
)
def test_what_breaks_the_parser_sends_every_row(where):
    assert is_sent(where)


def test_stream_deletes_have_no_columns_to_compare():
    predicate = parse_predicate("NOT v = 1")
    assert not passes(predicate, {"row_id": "root:1"}, {"v": "Int"})
    assert passes(parse_predicate("1 = 1"), {"row_id": "root:1"}, {"v": "Int"})


def test_no_events_of_deletes_for_rows_that_are_not_deleted():
    assert not is_sent("_deleted = false", _deleted=True)


def test_long_chains_of_or_are_no_recursion():
    assert is_sent(" OR ".join(["n = 9"] * 9000 + ["n = 3"]))


WORDS = ["n", "=", "3", "AND", "OR", "NOT", "(", ")", "BETWEEN", "CASE", "END", "IN", "'a'", "room", ".", "LIKE"]


@given(st.text(alphabet="nb =<>'()1-+, ", max_size=30) | st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_any_text_gives_an_answer(where):
    assert is_sent(where) in (True, False)
