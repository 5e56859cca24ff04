"""``%kalam`` and ``%%kalam`` in a real IPython shell."""

import html
import io
import json
import re
import socket
import threading
import time
from itertools import count

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import kalam_notebook as kalam
from kalam_notebook.client import default
from kalam_notebook.errors import (
    AuthError,
    ConfigError,
    KalamError,
    QueryError,
    RequestTimeoutError,
    UnsafeStatementError,
)

pytestmark = pytest.mark.contract


class Shell:
    """A shell that shows what a person would see, and raises what IPython swallows."""

    def __init__(self):
        self.ip = InteractiveShell.instance()
        self.ip.run_line_magic("load_ext", "kalam_notebook")

    def run(self, cell):
        with capture_output() as captured:
            done = self.ip.run_cell(cell)
        self.text = captured.stdout
        self.shown = "".join(text for output in captured.outputs for text in output.data.values())
        return done

    def value(self, cell):
        done = self.run(cell)
        done.raise_error()
        return done.result

    def error(self, cell):
        done = self.run(cell)
        assert done.error_in_exec is not None, self.text
        return done.error_in_exec


@pytest.fixture
def shell(server, monkeypatch):
    monkeypatch.setenv("KALAMDB_SERVER_URL", server.url)
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", server.root_password)
    InteractiveShell.clear_instance()
    shell = Shell()
    yield shell
    kalam.close()
    shell.ip.history_manager.end_session()
    shell.ip.run_line_magic("unload_ext", "kalam_notebook")
    assert "kalam" not in shell.ip.magics_manager.magics["cell"]
    InteractiveShell.clear_instance()


@pytest.fixture
def people(shell, server):
    """A table with three rows, one of them hostile."""
    with kalam.Client(server.url, token=server.token) as client:
        name = "m" + pd.util.hash_array(pd.Series([id(shell)]).to_numpy()).tobytes().hex()[:10]
        client.execute_query(f"CREATE NAMESPACE {name}")
        client.execute_query(f"CREATE TABLE {name}.people (id INT PRIMARY KEY, name TEXT) WITH (TYPE = 'SHARED')")
        rows = [[1, "Ada"], [2, "<script>alert(1)</script>"], [3, None]]
        for row in rows:
            client.execute_query(f"INSERT INTO {name}.people (id, name) VALUES ($1, $2)", row)
        yield f"{name}.people"
        client.execute_query(f"DROP NAMESPACE {name}")


def test_a_select_is_shown_as_a_preview(shell, people):
    result = shell.value(f"%%kalam\nSELECT * FROM {people} -- all of them\n")
    page = result._repr_html_()
    assert "<script>" not in page
    assert html.escape("<script>alert(1)</script>") in page
    assert "3 rows" in page
    assert "INT" in page
    assert "complete" in page
    assert "3 rows" in str(result)


def test_a_terminal_shows_rows(shell, people):
    shell.run(f"%%kalam\nSELECT id, name FROM {people}")
    *rows, foot = [line.strip() for line in shell.text.splitlines()[-4:]]
    assert rows == ["1  Ada", "2  <script>alert(1)</script>", "3  NULL"]
    assert re.fullmatch(r"3 rows · complete · \d requests? · [\d.]+ m?s · as root", foot)
    assert "INT PK  TEXT" in shell.text
    shell.run(f"%kalam tables {people.split('.')[0]}")
    assert "people" in shell.shown
    assert "1 row · complete · " in shell.shown
    assert "<QueryResult" not in shell.shown


def test_a_live_table_shows_its_query_without_the_values(shell, people):
    shell.value(f'%%kalam --live --params ["Ada", 4711]\nSELECT id, name FROM {people} WHERE name = $1 AND id < $2')
    assert "WHERE name = $1 AND id &lt; $2" in shell.shown
    assert "1 row" in shell.shown
    assert "4711" not in shell.shown


def test_a_variable_gets_a_frame(shell, people):
    shell.value(f"%%kalam them <<\nSELECT id, name FROM {people};")
    frame = shell.ip.user_ns["them"]
    assert isinstance(frame, pd.DataFrame)
    assert frame["id"].tolist() == [1, 2, 3]
    shell.value(f"%%kalam them << --format arrow\nSELECT id FROM {people}")
    assert isinstance(shell.ip.user_ns["them"], pa.Table)
    shell.value(f"%%kalam them << --format polars\nSELECT id FROM {people}")
    assert isinstance(shell.ip.user_ns["them"], pl.DataFrame)


def test_values_are_bound_and_never_pasted(shell, people):
    shell.ip.user_ns["wanted"] = ["Ada' OR '1'='1"]
    assert shell.value(f"%%kalam --params wanted\nSELECT id FROM {people} WHERE name = $1").row_count == 0
    assert shell.value(f'%%kalam --params ["Ada"]\nSELECT id FROM {people} WHERE name = $1').row_count == 1
    assert shell.value(f"%%kalam --params [null]\nSELECT id FROM {people} WHERE $1 IS NULL").row_count == 3


def rows(result):
    return result.arrow().to_pylist()


def test_values_have_names(shell, people):
    shell.ip.user_ns.update(who="Ada' OR '1'='1", ids=[1, 3], given={"who": "Ada"})
    query = f"SELECT id FROM {people} WHERE name = $who"
    assert rows(shell.value(f"%%kalam\n{query}")) == []
    assert rows(shell.value(f'%%kalam --params {{"who": "Ada"}}\n{query}')) == [{"id": 1}]
    assert rows(shell.value(f"%%kalam --params given\n{query}")) == [{"id": 1}]
    found = shell.value(f"%%kalam\nSELECT id, $who AS w FROM {people} WHERE id IN ($ids) AND $who <> 'x'")
    assert rows(found) == [{"id": 1, "w": "Ada' OR '1'='1"}, {"id": 3, "w": "Ada' OR '1'='1"}]
    assert "$who, $ids from variables" in found._repr_html_()
    assert "from variables" not in shell.value(f"%%kalam --params given\n{query}")._repr_html_()
    shell.value(f"%%kalam\nINSERT INTO {people} (id, name) VALUES (7, $who); SELECT 1 AS one")
    assert rows(shell.value(f"%kalam SELECT name FROM {people} WHERE id = 7")) == [{"name": "Ada' OR '1'='1"}]


def test_a_live_table_takes_names(shell, people):
    shell.ip.user_ns["who"] = "Ada"
    live = shell.value(f"%%kalam --live\nSELECT id FROM {people} WHERE name = $who")
    assert live.df()["id"].tolist() == [1]
    live.close()


def test_a_live_table_is_drawn(shell, people):
    error = shell.error(f"%%kalam --live --chart id,nme\nSELECT id, name FROM {people}")
    assert "There is no column 'nme'. Did you mean name?" in str(error)
    chart = shell.value(f"%%kalam x << --live --chart id,id\nSELECT id, name FROM {people}")
    assert chart.table is shell.ip.user_ns["x"]
    assert chart.drawn.y == ("id",)
    chart.close()


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%%kalam\nSELECT $wo AS a", "$wo has no value: there is no such variable. Did you mean $who?"),
        ('%%kalam --params {"who": 1}\nSELECT $wo AS a', "--params has no value for it. Did you mean $who?"),
        ('%%kalam --params {"who": 1, "n": 2}\nSELECT $who AS a', "the SQL has no $n"),
        ("%%kalam --params [1]\nSELECT $who AS a", 'Write --params {"who": …}'),
        ("%%kalam\nSELECT $who AS a, $1 AS b", "names and numbers"),
        ("%%kalam\nSELECT $frame AS a", "Parameter $frame: a DataFrame cannot be sent"),
    ],
)
def test_what_is_wrong_with_names_is_told(shell, people, cell, words):
    shell.ip.user_ns.update(who="Ada", frame=pd.DataFrame())
    assert isinstance(shell.error(cell), KalamError)
    assert words in shell.text
    assert len(shell.text.strip().splitlines()) <= 3


def test_one_line(shell, people):
    assert "Did you mean SELECT?" in str(shell.error("%kalam Selec 1"))
    assert "Did you mean tables?" in str(shell.error("%kalam tabel"))
    assert rows(shell.value(f"%kalam SELECT id FROM {people} WHERE name = 'Ada'")) == [{"id": 1}]
    shell.value(f"found = %kalam select count(*) as n from {people}")
    assert rows(shell.ip.user_ns["found"]) == [{"n": 3}]


def test_one_line_takes_what_a_cell_takes(shell, people):
    shell.value(f"%kalam count << --format arrow SELECT count(*) AS n FROM {people} WHERE id < 100")
    assert shell.ip.user_ns["count"].to_pylist() == [{"n": 3}]
    query = f"select id from {people} where name = $1"
    assert rows(shell.value(f'%kalam --params ["Ada"] {query}')) == [{"id": 1}]
    shell.value(f"%kalam --explain SELECT id FROM {people} WHERE name <> 'with  select'")
    assert 'Utf8("with  select")' in shell.text

    live = shell.value(f"%kalam --live SELECT id FROM {people} WHERE id = 1")
    assert live.df().to_dict("records") == [{"id": 1}]
    live.close()
    assert f"%kalam --live SELECT id FROM {people}" in str(shell.error(f"%kalam live SELECT id FROM {people}"))
    assert "not a single SELECT" in str(shell.error("%kalam --live"))
    assert "Did you mean SELECT?" in str(shell.error("%kalam Selec 1 << 2"))


def test_a_file_holds_the_query(shell, people, tmp_path):
    path = tmp_path / "a query.sql"
    path.write_text(f"SELECT id FROM {people} WHERE name = $who;\nSELECT 'Grüße' AS t", encoding="utf-8")
    shell.ip.user_ns["who"] = "Ada"
    assert rows(shell.value(f"%kalam --file '{path}'")) == [{"t": "Grüße"}]
    shell.value(f"%kalam texts << --file '{path}'")
    assert shell.ip.user_ns["texts"]["t"].tolist() == ["Grüße"]
    named = tmp_path / "all with select.sql"
    named.write_text("SELECT 2 AS n", encoding="utf-8")
    assert rows(shell.value(f"%kalam --file '{named}'")) == [{"n": 2}]
    assert "A variable is written" in str(shell.error(f"%kalam texts --file '{path}'"))
    assert "Take one away" in str(shell.error(f"%%kalam --file '{path}'\nSELECT 1"))
    assert "No such file" in str(shell.error(f"%kalam --file '{tmp_path}/b.sql'"))


def test_a_plan_is_readable_and_changes_nothing(shell, people):
    shell.value(f"%%kalam --explain\nSELECT name FROM {people} WHERE id = 1")
    assert "physical_plan\n" in shell.text
    assert "|" not in shell.text.splitlines()[0]
    shell.value(f"%kalam EXPLAIN SELECT name FROM {people} WHERE id = 1")
    assert "physical_plan\n" in shell.text
    shell.value(f"%%kalam plan <<\nEXPLAIN SELECT name FROM {people} WHERE id = 1")
    assert list(shell.ip.user_ns["plan"].columns) == ["plan_type", "plan"]
    assert "would carry it out" in str(shell.error(f"%%kalam --explain\nDELETE FROM {people} WHERE id = 1"))
    assert shell.value(f"%kalam SELECT id FROM {people}").row_count == 3


def test_a_time_for_the_whole_cell(shell, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = kalam.Client(f"http://127.0.0.1:{silent.getsockname()[1]}", token="x", max_retries=0)
        monkeypatch.setattr(default, "_client", client)
        started = time.monotonic()
        error = shell.error("%%kalam --timeout 0.3\nSELECT 1")
        assert isinstance(error, RequestTimeoutError)
        assert time.monotonic() - started < 5
        assert "--timeout" in shell.text
        client.close()


def test_sql_with_braces_and_arrows_is_left_alone(shell, people):
    sql = "SELECT 1 << 2 AS shifted, '{id} {{x}} $name' AS text"
    (row,) = shell.value(f"%%kalam\n{sql}").arrow().to_pylist()
    assert row == {"shifted": 4, "text": "{id} {{x}} $name"}


@pytest.mark.parametrize("line", ["[$name]", "[{name}]", "$name", "{name}", "[name()]", "{name!r}"])
def test_what_a_variable_holds_never_runs(shell, tmp_path, line):
    mark = tmp_path / "ran"
    shell.ip.user_ns["name"] = f"open({str(mark)!r}, 'w')"
    assert isinstance(shell.error(f"%%kalam --params {line}\nSELECT $1 AS t"), ConfigError)
    (row,) = shell.value("%%kalam --params [name]\nSELECT $1 AS t").arrow().to_pylist()
    assert row == {"t": shell.ip.user_ns["name"]}
    assert not mark.exists()


@pytest.mark.parametrize("text", ["cost: $5", "$HOME {0} {name}", "--live x <<", "a<<b", "'); DROP TABLE t; --", "\\"])
def test_a_value_arrives_as_it_is_written(shell, text):
    shell.ip.user_ns.update(name="wrong", held=[text])
    for values in (json.dumps([text]), json.dumps(text), "held"):
        assert shell.value(f"%%kalam --params {values}\nSELECT $1 AS t").arrow().to_pylist() == [{"t": text}]


def test_what_a_variable_holds_is_no_option(shell, people):
    shell.ip.user_ns["space"] = f"{people.split('.')[0]} --allow-unsafe"
    cell = "%%kalam --namespace {space}\nDELETE FROM people WHERE id = (SELECT max(id) FROM people)"
    assert "not pasted" in str(shell.error(cell))
    assert "not pasted" in str(shell.error("%kalam connect $space"))
    assert "not pasted" in str(shell.error("%kalam tables {space}"))
    assert shell.value(f"%%kalam\nSELECT id FROM {people}").row_count == 3


@pytest.mark.parametrize(
    "text",
    ["\n>>> x\n... y\n", "a\n   \nb", "\n    In [1]: x", "{name} $name ! %time ?", "a\r\nb", "a\x0bb\x0cc"],
)
def test_ipython_changes_nothing_in_a_text_of_the_cell(shell, text):
    (row,) = shell.value(f"\n%%kalam\nSELECT '{text}' AS t").arrow().to_pylist()
    assert row == {"t": text}


def test_prompts_are_taken_from_a_pasted_cell(shell):
    (row,) = shell.value("In [1]: %%kalam\n   ...: SELECT 1\n   ...: AS t").arrow().to_pylist()
    assert row == {"t": 1}
    shell.run("%%kalam\nSELECT '\n>>> x' AS t")
    called = shell.ip.run_cell_magic("kalam", "", "SELECT 3 AS t")  # From elsewhere: that cell is not meant.
    assert called.arrow().to_pylist() == [{"t": 3}]


def test_several_statements_have_their_own_results(shell, people):
    last = shell.value(
        f"%%kalam\nINSERT INTO {people} (id, name) VALUES (4, 'Eve');\nSELECT count(*) AS n FROM {people};"
    )
    assert last.arrow().to_pylist() == [{"n": 4}]
    assert "Inserted 1 row(s)" in shell.shown
    done = shell.value(f"%%kalam\nBEGIN; DELETE FROM {people} WHERE id = 4; SELECT count(*) AS n FROM {people}; COMMIT")
    assert done.message == "Deleted 1 row(s)"  # The server adds such results up and sends them last.


def test_a_server_error_is_four_lines_without_a_traceback(shell, people):
    namespace = people.split(".")[0]
    error = shell.error(f"%%kalam\nSELECT * FROM {namespace}.peopel")
    assert isinstance(error, QueryError)
    lines = shell.text.strip().splitlines()
    assert len(lines) <= 4
    assert lines[0].startswith("QueryError: SQL_EXECUTION_ERROR")
    assert f"Did you mean {people}?" in shell.text
    assert "Traceback" not in shell.text


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%%kalam --lve\nSELECT 1", "Did you mean --live?"),
        ("%%kalam\n-- nothing\n", "holds no SQL"),
        ("%%kalam\nSELECT 'open", "cannot be read"),
        ("%%kalam x <<\nSHOW", "QueryError"),
        ("%%kalam --params [nobody]\nSELECT $1", "nobody"),
        ("%%kalam --params [1]\nSELECT $1; SELECT 2", "one statement"),
        ("%kalam nope", "There are: connect, "),
        ("%%kalam --live\nSELECT count(*) FROM nope.t", "Error"),
    ],
)
def test_mistakes_are_named(shell, people, cell, words):
    assert isinstance(shell.error(cell), KalamError)
    assert words in shell.text
    assert "Traceback" not in shell.text


@pytest.mark.slow
def test_the_traceback_can_be_asked_for_afterwards(shell, people):
    shell.error(f"%%kalam\nSELECT nope FROM {people}")
    assert "Traceback" not in shell.text
    shell.run("%tb")
    assert "Traceback" in shell.text


def test_a_variable_for_a_statement_without_rows(shell, people):
    error = shell.error(f"%%kalam x <<\nDELETE FROM {people} WHERE id = 99")
    assert isinstance(error, ConfigError)
    assert "x" not in shell.ip.user_ns


def test_options_of_reading(shell, people):
    cut = shell.value(f"%%kalam --max-rows 2\nSELECT id FROM {people}")
    assert (cut.row_count, cut.footer[0]) == (2, "cut at max_rows")
    assert "more than 2 rows" in cut._repr_html_()
    assert "cut at max_rows" in str(shell.error(f"%%kalam --max-rows 2 --strict\nSELECT id FROM {people}"))
    local = shell.value(f"%%kalam --engine local\nSELECT id FROM {people}")
    assert local.completeness.method == "local"
    note = shell.value(f"%%kalam few << --max-rows 1\nSELECT id FROM {people}")
    assert "cut at max_rows: there are more than 1 rows" in repr(note)


def test_commands_and_another_users_rows_are_read_as_queries_are(shell, people):
    times = shell.value("%%kalam\nSHOW NAMESPACES").arrow().column("created_at").to_pylist()
    assert all(time.year > 2000 for time in times)
    assert shell.value(f"%%kalam\nDESCRIBE TABLE {people}").completeness.is_complete
    space = people.split(".")[0]
    shell.value(f"%%kalam\nCREATE TABLE {space}.own (id INT PRIMARY KEY) WITH (TYPE = 'USER')")
    values = ", ".join(f"({i})" for i in range(60))
    shell.value(f"%%kalam\nEXECUTE AS USER 'bob' (INSERT INTO {space}.own (id) VALUES {values})")
    assert shell.value(f"%%kalam\nEXECUTE AS USER 'bob' (SELECT id FROM {space}.own)").row_count == 60


def test_a_cell_runs_as_another_user(shell, people):
    space = people.split(".")[0]
    shell.value(f"%%kalam\nCREATE TABLE {space}.own (id INT PRIMARY KEY) WITH (TYPE = 'USER')")
    insert = f"INSERT INTO {space}.own (id) VALUES"
    shell.value(f"%%kalam --as bob\n{insert} (1), (2); {insert} (3)")
    assert shell.value(f"%%kalam\nSELECT id FROM {space}.own").row_count == 0
    shell.ip.user_ns["least"] = 2
    found = shell.value(f"%%kalam --as bob\nSELECT id FROM {space}.own WHERE id >= $least ORDER BY id")
    assert rows(found) == [{"id": 2}, {"id": 3}]
    assert "as bob" in found.footer
    assert shell.value(f"%kalam SELECT count(*) AS n FROM {space}.own").footer[3] == "as root"
    shell.value(f"%%kalam --as bob --explain\nSELECT id FROM {space}.own")
    assert "physical_plan" in shell.text
    assert "no transaction" in str(shell.error("%%kalam --as bob\nBEGIN; SELECT 1; COMMIT"))
    failed = shell.error(f"%%kalam --as bob\nSELECT nope FROM {space}.own")
    assert "nope" in str(failed)
    assert isinstance(shell.error("%%kalam --as bob\nSELEC 1"), QueryError)


def test_all_rows_are_browsed_and_kept(shell, people):
    shell.value(f"%%kalam them << --browse\nSELECT id, name FROM {people} ORDER BY id")
    assert "Ada" in shell.text + shell.shown
    assert shell.ip.user_ns["them"]["id"].tolist() == [1, 2, 3]
    assert "nothing to browse" in str(shell.error(f"%%kalam --browse\nDELETE FROM {people} WHERE id = 99"))


def test_pasting_is_asked_for_and_told(shell, people):
    space, table = people.split(".")
    shell.ip.user_ns.update(space=space, table=table, n=2, who="Ada", nothing=None)
    query = "SELECT id, '{{n}}' AS t FROM {{space}}.{{ table }} WHERE id < {{n}} AND name = $who"
    found = shell.value(f"%%kalam --template\n{query}")
    assert rows(found) == [{"id": 1, "t": "2"}]
    assert found.footer[-2:] == ("$who from variables", "{{n}}, {{space}}, {{table}} pasted into the SQL")
    assert rows(shell.value("%%kalam\nSELECT '{{n}}' AS t")) == [{"t": "{{n}}"}]
    assert "no such variable. Did you mean table?" in str(shell.error("%%kalam --template\nSELECT {{tabel}}"))
    assert "evaluates nothing" in str(shell.error("%%kalam --template\nSELECT {{n + 1}}"))
    assert "Write $nothing" in str(shell.error("%%kalam --template\nSELECT {{nothing}}"))


def test_a_namespace_on_the_line_is_that_of_names_without_one(shell, people):
    space, table = people.split(".")
    assert rows(shell.value(f"%%kalam --namespace {space}\nSELECT count(*) AS n FROM {table}")) == [{"n": 3}]
    shell.value(f"%%kalam --namespace {space}\nINSERT INTO {table} (id, name) VALUES (4, 'Bo')")
    assert rows(shell.value(f"%kalam SELECT count(*) AS n FROM {people}")) == [{"n": 4}]
    assert isinstance(shell.error(f"%%kalam\nSELECT count(*) AS n FROM {table}"), KalamError)


def test_a_live_table_keeps_its_last_rows(shell, people):
    live = shell.value(f"%%kalam --live --last 2\nSELECT id, name FROM {people}")
    assert live.num_rows == 2
    default.current().execute_query(f"INSERT INTO {people} (id, name) VALUES (4, 'Bo')")
    live.wait_for(lambda table: 4 in table.arrow()["id"].to_pylist(), timeout=10)
    assert live.num_rows == 2
    live.close()


def test_variables_in_the_sql_are_told_whatever_the_cell_shows(shell, people):
    shell.ip.user_ns.update(who="Ada", number=9)
    query = f"SELECT id FROM {people} WHERE name = $who"
    shell.value(f"%%kalam found <<\n{query}")
    assert shell.text.rstrip().endswith("· $who from variables")
    done = shell.value(f"%%kalam\nINSERT INTO {people} (id, name) VALUES ($number, $who)")
    assert str(done).endswith(" · $number, $who from variables")
    assert done._repr_html_().count("$number, $who from variables") == 1
    shell.value(f"%%kalam seen << --live\n{query}")
    assert "$who from variables" in shell.text + shell.shown
    shell.ip.user_ns["seen"].close()
    shell.value(f'%%kalam found << --params {{"who": "Ada"}}\n{query}')
    assert "from variables" not in shell.text + shell.shown


def test_a_preview_that_leaves_rows_out_names_the_option_that_shows_them(shell):
    found = shell.value("%%kalam\nSELECT * FROM generate_series(1, 30)")
    assert "20 of 30 rows shown" in found._repr_html_()
    assert "--browse shows all<" in found._repr_html_()


def written_once_live(*statements):
    """A thread that runs statements when a live table of the connection in use is live."""
    client = default.current()

    def write():
        while not any(live.status == "live" for live in client.live_tables):
            time.sleep(0.01)  # A live table that a cell is about to make offers nothing to wait for.
        for statement in statements:
            client.execute_query(statement)

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    return writing


def test_a_live_table_until_so_many_changes_have_come(shell, people):
    client = default.current()
    writing = written_once_live(*(f"UPDATE {people} SET name = 'Ada {number}' WHERE id = 1" for number in range(3)))
    shell.value(f"%%kalam happened << --live --changes 3 --for 1m\nSELECT id, name FROM {people} WHERE id < 3")
    writing.join(10)
    changes = shell.ip.user_ns["happened"]
    assert changes["name"].tolist() == ["Ada 0", "Ada 1", "Ada 2"]
    assert not client.live_tables


def test_a_live_table_for_a_while(shell, people):
    line = "%%kalam happened << --live --for 2 --changes --last 2 --where \"name LIKE 'A%'\""
    client = default.current()
    writing = written_once_live(f"UPDATE {people} SET name = 'Ada L.' WHERE id = 1")
    began = time.monotonic()
    shell.value(f"{line}\nSELECT id, name FROM {people} WHERE id < 3")
    assert time.monotonic() - began >= 2
    writing.join(10)
    changes = shell.ip.user_ns["happened"]
    assert changes[["_change", "id", "name"]].to_numpy().tolist() == [["updated", 1, "Ada L."]]
    assert not client.live_tables
    live = shell.value(f"%%kalam --live --key id\nSELECT id, name FROM {people}")
    assert live.key == ("id",)
    live.close()
    both = shell.value(f'%%kalam --live --where "n > 1"\nSELECT count(*) AS n FROM {people}')
    assert both.df()["n"].tolist() == [3]
    both.close()


def test_advice_is_written_for_the_line(shell, people):
    assert "--allow-unsafe sends it" in str(shell.error(f"%%kalam\nDELETE FROM {people} WHERE id = (SELECT 1)"))
    assert "Write --params […]" in str(shell.error("%%kalam\nSELECT $1 AS a"))
    cut = shell.value(f"%%kalam --limit 2\nSELECT id FROM {people}")
    assert "write --limit all for all" in cut._repr_html_() + str(cut)
    with pytest.raises(UnsafeStatementError, match="allow_unsafe=True sends it"):
        kalam.execute_query(f"DELETE FROM {people} WHERE id = (SELECT 1)")


def test_a_dangerous_statement_is_refused_unless_wanted(shell, people):
    cell = f"DELETE FROM {people} WHERE id = (SELECT max(id) FROM {people})"
    error = shell.error(f"%%kalam\n{cell}")
    assert isinstance(error, UnsafeStatementError)
    assert len(shell.text.strip().splitlines()) <= 3
    assert shell.value(f"%%kalam\nSELECT id FROM {people}").row_count == 3
    shell.value(f"%%kalam --allow-unsafe\n{cell}")
    assert shell.value(f"%%kalam\nSELECT id FROM {people}").row_count == 0  # The server drops the condition.


def test_a_failing_statement_says_that_earlier_ones_took_effect(shell, people):
    shell.error(f"%%kalam\nINSERT INTO {people} (id) VALUES (9); SELECT nofn(1)")
    assert "SQL_EXECUTION_ERROR: Statement 2 of 2 failed: " in shell.text
    assert "Those before it have taken effect." in shell.text
    assert shell.value(f"%%kalam\nSELECT id FROM {people} WHERE id = 9").row_count == 1


def test_results_before_a_failing_statement_are_shown(shell, people):
    shell.error(f"%%kalam\nSELECT 'first' AS a;\nSELECT 'second' AS a;\nSELECT * FROM {people}_nope")
    assert "first" in shell.shown
    assert "second" in shell.shown


@pytest.fixture
def run_as(shell, monkeypatch):
    """Run a cell under the name that a front end gives it; each time is another execution."""
    runs = count()

    def run(name, cell):
        metadata = {} if name is None else {"cellId": name}
        parent = {"metadata": metadata, "header": {"msg_id": str(next(runs))}}
        monkeypatch.setattr(shell.ip, "get_parent", lambda: parent, raising=False)
        return shell.run(cell)

    return run


def test_a_live_cell_that_runs_again_ends_its_former_table(run_as, people):
    tables = [
        run_as(name, f"%%kalam t{number} << --live\nSELECT * FROM {people}").result
        for number, name in enumerate(["a", "a", "b", None, None])
    ]
    assert [table.status.startswith("stopped") for table in tables] == [True, False, False, False, False]
    for table in tables:
        table.close()


def test_a_live_cell_that_fails_the_second_time_has_ended_its_former_table(run_as, people):
    table = run_as("c", f"%%kalam t << --live\nSELECT * FROM {people}").result
    assert run_as("c", "%%kalam t << --live\nSELECT nope").error_in_exec is not None
    assert table.status == "stopped: closed"


def test_connecting(shell, server, monkeypatch):
    shell.value(f"%kalam connect {server.url}")
    assert f"at {server.url} as root" in shell.shown
    assert server.root_password not in shell.shown
    shell.value("%kalam status")
    shell.value("%kalam close")
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", "wrong-hunter2")
    error = shell.error(f"%kalam connect {server.url}")
    assert isinstance(error, AuthError)
    assert "Check user and password" in shell.text
    assert "hunter2" not in shell.text


def test_a_server_that_is_gone(shell, monkeypatch):
    shell.error("%kalam connect http://127.0.0.1:9")
    assert "Cannot reach http://127.0.0.1:9" in shell.text
    assert len(shell.text.strip().splitlines()) <= 3


def test_tables(shell, people):
    namespace = people.split(".")[0]
    shell.value(f"%kalam tables {namespace}")
    assert "people" in shell.shown


def test_help_without_a_command(shell):
    shell.value("%kalam")
    assert "--params" in shell.shown


def test_the_password_is_asked_for_without_echo(shell, server, monkeypatch):
    monkeypatch.delenv("KALAMDB_ROOT_PASSWORD")
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("getpass.getpass", lambda prompt: server.root_password)
    shell.value(f"%kalam connect {server.url} --user root")
    assert shell.value("%%kalam\nSELECT 1 AS one").row_count == 1
