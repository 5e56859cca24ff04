"""Arguments: numbers and texts that are none are told by name; every literal and name is spelled in one place."""

import re
from itertools import count
from pathlib import Path

import pytest
from frames_of_errors import frames_that_show

import kalam_notebook
from kalam_notebook.errors import ConfigError, ParameterError
from kalam_notebook.sql.params import literal, write_parameters_in
from kalam_notebook.sql.statement import quote_name, quote_text
from kalam_notebook.sql.tokens import tokenize
from kalam_notebook.wire.arguments import check_function, check_number, check_seconds, check_text

PACKAGE = Path(kalam_notebook.__file__).parent


@pytest.mark.parametrize("value", [0, -1, 2**63, 10**5000, True, 1.0, "1", None, b"1", [1]], ids=count())
def test_what_is_no_number(value):
    with pytest.raises(ConfigError, match="rows is "):
        check_number("rows", value)


def test_numbers():
    assert check_number("rows", 1) == 1
    assert check_number("rows", 0, least=0) == 0
    with pytest.raises(ConfigError, match=r"rows is 11\. Give a whole number from 1 to 10\."):
        check_number("rows", 11, most=10)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), 2**70, True, "1", b"1", [1]], ids=str)
def test_what_is_no_time_span(value):
    with pytest.raises(ConfigError, match="timeout is a number of seconds from 0 to 1,000,000,000, or None"):
        check_seconds("timeout", value)


def test_time_spans_and_functions():
    for value in (None, 0, 0.5, 30):
        check_seconds("timeout", value)
    for value in (None, print):
        check_function("on_send", value)
    with pytest.raises(ConfigError, match="on_send is a function, not str"):
        check_function("on_send", "print")


def test_texts_are_not_shown():
    assert check_text("user", "größe") == "größe"
    for value in ("hunter2\ud800", b"hunter2", "hunter2" * 100):
        with pytest.raises(ConfigError, match="password ") as caught:
            check_text("password", value, most=100)
        assert "hunter2" not in str(caught.value)
        assert frames_that_show(caught.value, "hunter2") == []


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", None, 1, b"a", ["a"], object()], ids=count())
def test_what_is_no_name(name):
    with pytest.raises(ConfigError, match="is no name in SQL"):
        quote_name(name)


@pytest.mark.parametrize("name", ['x"; DROP TABLE t; --', "a b", "A", "order", "not", "a;b", "--", "größe", "_a", "1"])
def test_a_name_is_one_token(name):
    (token,) = tokenize(quote_name(name))
    assert token.identifier == name
    assert quote_name(name).startswith('"')


def test_plain_names_stay():
    assert [quote_name(name) for name in ("id", "user", "status", "a1_b")] == ["id", "user", "status", "a1_b"]


@pytest.mark.parametrize("text", ["", "'", "''", "'; DROP TABLE t; --", "\\", "\\'", "/*", "--", "$$", "\n"])
def test_a_text_is_one_token(text):
    (token,) = tokenize(quote_text(text))
    assert token.text[1:-1].replace("''", "'") == text
    assert literal("$1", text) == quote_text(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [], {}, object(), b"x", "a\0b"])
def test_what_has_no_literal(value):
    with pytest.raises(ParameterError):
        literal("$1", value)


def test_a_number_that_shows_itself_otherwise():
    class Evil(int):
        def __repr__(self):
            return "1); DROP TABLE t"

        __str__ = __repr__

    assert literal("$1", Evil(5)) == "5"


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("a = $1 AND b IN ($1)", "a = 'x\\'' ' AND b IN ('x\\'' ')"),
        ("a = $1 AND b = E$1", "a = 'x\\'' ' AND b = E$1"),
        ("SELECT 'a'$1", "SELECT 'a' 'x\\'' '"),
        ("SELECT $1'a'", "SELECT 'x\\'' ' 'a'"),
        ("SELECT $1AND", "SELECT 'x\\'' ' AND"),
    ],
)
def test_a_value_does_not_become_one_with_its_neighbour(sql, written):
    assert write_parameters_in(sql, ["x\\' "]) == written


def test_quotes_are_doubled_in_one_place():
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if "sandbox" in path.parts:
            continue
        if re.search(r"""replace\((["'])(['"])\1, (["'])\2\2\3\)""", path.read_text(encoding="utf-8")):
            found.append(str(path.relative_to(PACKAGE)))
    assert found == ["sql/statement.py"]
