"""``--params``: JSON or the names of variables; nothing is evaluated, nothing arrives changed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.errors import ConfigError
from kalam_notebook.notebook.values import Variable, look_up, read_values


@pytest.mark.parametrize(
    ("text", "values", "rest"),
    [
        ("[]", (), ""),
        ("[ ] --live", (), "--live"),
        ('["a", 1, 1.5, true, false, null]', ("a", 1, 1.5, True, False, None), ""),
        ('[[1, [2]], {"a": [null]}]x <<', ([1, [2]], {"a": [None]}), "x <<"),
        (r'["\"] --live [", "\u00e9"]', ('"] --live [', "é"), ""),
        ('["$name", "{name}", "cost: $5"]', ("$name", "{name}", "cost: $5"), ""),
        ("[limit, größe]", (Variable("limit"), Variable("größe")), ""),
        ("wanted --live", Variable("wanted"), "--live"),
        ("null", (None,), ""),
        ('"open" --live', ("open",), "--live"),
        ("[12345678901234567890123, 1e5, -0.0, 0.1]", (12345678901234567890123, 1e5, -0.0, 0.1), ""),
    ],
)
def test_what_is_read(text, values, rest):
    assert read_values(text) == (values, rest)


@given(st.lists(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5,
)), st.booleans())  # fmt: skip
@pytest.mark.slow
def test_any_json_arrives_as_it_is(values, ascii_only):
    assert read_values(json.dumps(values, ensure_ascii=ascii_only) + " --live") == (tuple(values), "--live")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[open(1)]", "Python is not evaluated"),
        ("open(1)", "Python is not evaluated"),
        ("[limit * 2]", "Python is not evaluated"),
        ("[limit.real]", "Python is not evaluated"),
        ("f'{x}'", "Python is not evaluated"),
        ("['open']", "Write JSON"),
        ("(1,)", "Write JSON"),
        ("[$limit]", "write the name alone"),
        ("$limit", "write the name alone"),
        ("[{limit}]", "write the name alone"),
        ("{limit}", "write the name alone"),
        ("[1 2]", "cannot be read at '2]'"),
        ("[1, 2", "does not end"),
        ('["a', "cannot be read"),
        ("[", "does not end"),
        ("[NaN]", "NaN is no JSON"),
        ("[0.12345678901234567890]", "more digits than a number keeps"),
        ("[1e400]", "more digits than a number keeps"),
        ("[1e-99999999999999999999]", "more digits than a number keeps"),
        ("9" * 5_000 + ".5", "more digits than a number keeps"),
        ("9" * 5_000, "Put the value into a variable"),
        ("[" * 100_000, "Put the value into a variable"),
        ('{"a":' * 100_000, "Put the value into a variable"),
    ],
    ids=lambda text: text[:30],
)
def test_what_is_no_value(text, words):
    with pytest.raises(ConfigError) as caught:
        read_values(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400
    assert len(str(caught.value).splitlines()) <= 3


def test_variables_are_looked_up():
    variables = {"one": "x", "several": [1, 2], "pair": (3, 4), "none": None}
    assert look_up(Variable("one"), variables) == ["x"]
    assert look_up(Variable("several"), variables) == [1, 2]
    assert look_up(Variable("pair"), variables) == [3, 4]
    assert look_up((1, Variable("several"), Variable("none")), variables) == [1, [1, 2], None]


@pytest.mark.parametrize(
    ("name", "words"),
    [("limt", "Did you mean limit?"), ("None", "in JSON it is null"), ("open", "no variable 'open'"), ("_x", '["_x"]')],
)
def test_a_variable_that_is_not_there(name, words):
    with pytest.raises(ConfigError) as caught:
        look_up((Variable(name),), {"limit": 3, "_limt": 4})
    assert words in str(caught.value)
