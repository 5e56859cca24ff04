"""SQL cells of others: JupySQL's magic and those of marimo, over SQLAlchemy and over DB-API."""

import decimal

import marimo
import pytest
import sqlalchemy as sa
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from servers import sandbox

import kalam_notebook as kalam
from kalam_notebook import dbapi

ROWS = 120
SQL = "SELECT * FROM cells.t ORDER BY id"


@pytest.fixture(scope="module")
def doors():
    """An engine of SQLAlchemy and a connection of DB-API; the server cuts the table, and changes its values."""
    with sandbox() as server, kalam.Client(server.url, user="root", password=server.root_password) as client:
        client.execute_query("CREATE NAMESPACE cells")
        client.execute_query("CREATE TABLE cells.t (id INT PRIMARY KEY, d DECIMAL(8, 2)) WITH (TYPE = 'SHARED')")
        values = ", ".join(f"({i}, '-0.{i % 90 + 10}')" for i in range(ROWS))
        client.execute_query(f"INSERT INTO cells.t (id, d) VALUES {values}")
        url = sa.make_url(server.url.replace("http", "kalamdb", 1))
        engine = sa.create_engine(url.set(username="root", password=server.root_password, database="cells"))
        with dbapi.connect(client=client) as connection:
            yield {"sqlalchemy": engine, "dbapi": connection}, server
        engine.dispose()


@pytest.fixture
def shell(monkeypatch, tmp_path):
    monkeypatch.setenv("PLOOMBER_STATS_ENABLED", "false")  # Tells nobody that it runs.
    monkeypatch.setenv("HOME", str(tmp_path))
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "sql")
    shell.run_line_magic("config", "SqlMagic.feedback = 0")
    yield shell
    InteractiveShell.clear_instance()


def run(shell, *lines):
    with capture_output() as captured:
        done = shell.run_cell("\n".join(lines))
    assert done.success, captured.stderr
    return captured.stdout


@pytest.mark.filterwarnings("ignore")  # Of JupySQL itself.
@pytest.mark.parametrize("door", ["sqlalchemy", "dbapi"])
def test_the_magic_of_jupysql(doors, shell, door):
    connections, server = doors
    shell.user_ns["door"] = connections[door]
    shown = run(shell, "%sql door", f"result = %sql {SQL}", "first = 5")
    rows = list(shell.user_ns["result"])
    assert [row[0] for row in rows] == list(range(ROWS))
    assert rows[0][1] == decimal.Decimal("-0.10")
    shown += run(shell, "some = %sql SELECT id FROM cells.t WHERE id < {{first}}", "print(some.DataFrame().shape)")
    assert "(5, 1)" in shown
    if door == "sqlalchemy":
        assert "t" in run(shell, "%sqlcmd tables")
        assert "DECIMAL(8, 2)" in run(shell, "%sqlcmd columns --table t")
    assert server.root_password not in shown


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("door", ["sqlalchemy", "dbapi"])
def test_the_cells_of_marimo(doors, door):
    frame = marimo.sql(SQL, engine=doors[0][door], output=False)
    assert frame["id"].to_list() == list(range(ROWS))
    assert frame["d"][0] == decimal.Decimal("-0.10")
