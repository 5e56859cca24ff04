"""The magic's line: options, a variable, bound values; everything else is an error that says what there is."""

import re
from pathlib import Path

import pytest

from kalam_notebook.errors import ConfigError
from kalam_notebook.notebook.options import (
    CELL_OPTIONS,
    CellOptions,
    ConnectOptions,
    help_text,
    parse_cell_line,
    parse_connect_line,
)
from kalam_notebook.notebook.values import Variable


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("", CellOptions()),
        ("orders <<", CellOptions("orders")),
        ("orders<<", CellOptions("orders")),
        ("orders << --live", CellOptions("orders", live=True)),
        ('--live --params ["open", 3]', CellOptions(live=True, params=("open", 3))),
        ('--params [[1, 2], "]"] --namespace app', CellOptions(params=([1, 2], "]"), namespace="app")),
        ("--params values --format arrow", CellOptions(params=Variable("values"), format="arrow")),
        ('--params=[ "a b<<c --live", limit ] x <<', CellOptions("x", params=("a b<<c --live", Variable("limit")))),
        ("--params 5", CellOptions(params=(5,))),
        ('--params {"room": "a b", "n": limit} x<<', CellOptions("x", params={"room": "a b", "n": Variable("limit")})),
        ("--params {}", CellOptions(params={})),
        ("x = <<", CellOptions("x")),
        ("x=<< --limit 10", CellOptions("x", max_rows=10)),
        ("--timeout 2.5 --explain", CellOptions(timeout=2.5, explain=True)),
        ("--file 'my queries/a.sql'", CellOptions(file="my queries/a.sql")),
        ("orders<<--live", CellOptions("orders", live=True)),
        ("--namespace 'my ns'", CellOptions(namespace="my ns")),
        ("--max-rows 1_000 --engine local", CellOptions(max_rows=1000, engine="local")),
        ("--live --chart 'at, load,my price'", CellOptions(live=True, chart=("at", "load", "my price"))),
        ("x << --max-rows=all --strict --no-progress", CellOptions("x", max_rows=None, strict=True, progress=False)),
        ("--live --for 5m --changes 1_000", CellOptions(live=True, seconds=300, changes=True, count=1000)),
        ("x << --live --changes=10", CellOptions("x", live=True, changes=True, count=10)),
        ("--timeout 1.5h --live --for 90s", CellOptions(live=True, seconds=90, timeout=5400)),
        ("--as bob --browse --template", CellOptions(as_user="bob", browse=True, template=True)),
        (
            "x << --live --key a,b --last 1_000 --for 60 --changes --where \"paid = true AND name <> 'a b'\"",
            CellOptions(
                "x",
                live=True,
                key=("a", "b"),
                last=1000,
                seconds=60,
                changes=True,
                where="paid = true AND name <> 'a b'",
            ),
        ),
    ],
)
def test_cell_lines(line, options):
    assert parse_cell_line(line) == options


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--lve", r"no option --lve\. Did you mean --live\?"),
        ("--nope", "Options: --live, --chart, --key, --last, --where, --for, --changes, --params"),
        ("--lmit 5", r"Did you mean --limit\?"),
        ("--chart at,load", "--chart belongs to a live table: write --live --chart"),
        ("--live --chart at", "names columns, x first, as in --chart at,load; not 'at'"),
        ("--live --chart at,,load", "names columns, x first"),
        ("--timeout soon", "a number of seconds above 0"),
        ("--timeout 0", "a number of seconds above 0"),
        ("--params {name}", "not pasted here"),
        ('--params {"a" 1}', "cannot be read at"),
        ('--params {"a": 1', "does not end"),
        ("x == <<", "SQL begins on the next line"),
        ("--params", "needs a value"),
        ("--params --live", "needs a value"),
        ("--params [1, 2", "does not end"),
        ("--live=no", "takes no value"),
        ("class <<", "SQL begins on the next line"),
        ("--namespace $space", r"\$space is not pasted here"),
        ("--namespace {space}", "is not pasted here"),
        ("SELECT 1", "SQL begins on the next line"),
        ("1x <<", "SQL begins on the next line"),
        ("--format csv", "pandas, arrow or polars"),
        ("--max-rows -1", "a number of rows, or all"),
        ("--max-rows", "needs a value"),
        ("--engine remote", "server or local"),
        ("--password x", "notebooks are shared"),
        ("--key id", "--key belongs to a live table: write --live --key"),
        ("--live --limit 5", "A live table has no --limit. --last keeps"),
        ("--live --strict", "A live table has no --strict. Take it away"),
        ("--live --changes", "write --for 60"),
        ("--live --changes=x", "--changes takes a number"),
        ("--live --strict=1", "takes no value"),
        ("--live --for 0m", "--for is a number of seconds"),
        ("--live --for 5x", "or as 90s, 5m or 2h"),
        ("--live --last many", "--last is a number of rows; not 'many'"),
        ("--live --for ever", "--for is a number of seconds"),
        ("--brows", r"Did you mean --browse\?"),
    ],
)
def test_what_a_cell_line_cannot_hold(line, words):
    with pytest.raises(ConfigError, match=words) as caught:
        parse_cell_line(line)
    assert len(str(caught.value).splitlines()) <= 3


def test_connect_lines():
    with pytest.raises(ConfigError, match="with the variable"):
        parse_connect_line("$url")
    assert parse_connect_line("sandbox") == ConnectOptions("sandbox")
    assert parse_connect_line("") == ConnectOptions()
    line = "http://h:1 --user bob --namespace app"
    assert parse_connect_line(line) == ConnectOptions("http://h:1", "bob", None, "app")
    assert parse_connect_line("--save --name here") == ConnectOptions(name="here", save=True)
    with pytest.raises(ConfigError, match="one URL"):
        parse_connect_line("a b")
    with pytest.raises(ConfigError, match="KALAMDB_ROOT_PASSWORD"):
        parse_connect_line("http://h:1 --password hunter2")


def test_the_help_names_every_option():
    for name in (
        "--live",
        "--params",
        "--namespace",
        "--format",
        "--max-rows",
        "--engine",
        "--strict",
        "--user",
        "--profile",
        "%kalam tables",
    ):
        assert name in help_text()


def test_the_docs_name_every_option_of_a_cell():
    page = (Path(__file__).parents[2] / "docs" / "notebook.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(--[\w-]+)", page, re.M))
    assert named == set(CELL_OPTIONS)
