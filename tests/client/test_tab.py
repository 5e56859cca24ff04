"""Tab in a real IPython shell and a real kernel, on a server's own tables."""

import queue
import threading
import time

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from jupyter_client.manager import start_new_kernel
from servers import sandbox

import kalam_notebook as kalam
from kalam_notebook.client import default
from kalam_notebook.errors import ConfigError
from kalam_notebook.notebook import magics

pytestmark = [pytest.mark.contract, pytest.mark.timeout(600)]


@pytest.fixture
def tables(client, namespace):
    client.execute_query(f"CREATE TABLE {namespace}.orders (id BIGINT PRIMARY KEY, customer TEXT, paid BOOLEAN)")
    return namespace


@pytest.fixture
def shell(magic_shell, server):
    magic_shell.run_line_magic("kalam", f"connect {server.url}")
    magics._schemas.wait(default.current(), 30)
    return magic_shell


def offered(shell, text):
    """What Tab offers at ``|``, as a terminal asks for it."""
    with provisionalcompleter():
        return [found.text for found in shell.Completer.completions(text.replace("|", "", 1), text.index("|"))]


def test_a_terminal_offers_what_the_server_has(tables, shell):
    assert offered(shell, f"%%kalam\nSELECT * FROM {tables}.|") == ["orders"]
    assert offered(shell, f"%%kalam\nSELECT | FROM {tables}.orders")[:3] == ["id", "customer", "paid"]
    assert offered(shell, f"%%kalam --namespace {tables}\nSELECT o.cu|\nFROM orders o") == ["customer"]
    assert offered(shell, f"x = 1\ny = %kalam SELECT cust| FROM {tables}.orders") == ["customer"]
    assert f"{tables}" in offered(shell, "%kalam tables |")
    assert "date_trunc(" in offered(shell, "%%kalam\nSELECT date_t|")
    assert offered(shell, f"%%kalam\nINSERT INTO {tables}.or|") == ["orders"]
    assert offered(shell, f"%%kalam --namespace {tables}\nUPDATE or|") == ["orders"]
    assert offered(shell, "%%kalam --form|") == ["--format"]
    names = list(kalam.connections())
    assert offered(shell, "%kalam use |") == names
    assert offered(shell, "%%kalam --connection |") == names
    assert offered(shell, "%kalam conn|") == ["connect", "connections"]


def test_the_logins_that_are_saved_are_offered(shell, monkeypatch, tmp_path):
    path = tmp_path / "credentials.toml"
    monkeypatch.setenv("KALAMDB_CREDENTIALS_PATH", str(path))
    assert offered(shell, "%kalam connect s|") == ["sandbox"]
    path.write_text('[instances.staging]\njwt_token = "x"\n[instances.prod]\njwt_token = "y"\n')
    assert offered(shell, "%kalam connect s|") == ["sandbox", "staging"]
    assert offered(shell, "%kalam connect --profile |") == ["prod", "staging"]
    path.write_text("not what the CLI writes")
    assert offered(shell, "%kalam connect s|") == ["sandbox"]


def test_columns_of_the_cell_are_offered_on_its_line(tables, shell):
    sql = f"SELECT customer, paid AS done FROM {tables}.orders WHERE id > 1"
    assert offered(shell, f"%%kalam --live --key |\n{sql}") == ["customer", "done"]
    assert offered(shell, f"%%kalam --live --chart customer,d|\n{sql}") == ["done"]
    assert offered(shell, f"%%kalam --live --key |\nSELECT * FROM {tables}.orders;") == ["id", "customer", "paid"]
    assert offered(shell, "%%kalam --live --key |\nSELECT * FROM nowhere") == []
    for condition in ("pa|", '"pa|', "'id = 1 AND pa|"):
        assert offered(shell, f"%%kalam --live --where {condition}\n{sql}") == ["paid"]
    assert "customer" in offered(shell, f'%%kalam --live --where "|\n{sql}')


def test_a_query_of_one_line_is_completed_behind_its_options(tables, shell):
    orders = f"FROM {tables}.orders"
    assert offered(shell, f"%kalam --live SELECT cust| {orders}") == ["customer"]
    assert offered(shell, f"%kalam --live --for 5s SELECT id {orders} WHERE pa|") == ["paid"]
    assert "paid" in offered(shell, f"%kalam --live SELECT id {orders} WHERE |")
    assert offered(shell, f"%kalam --live --key cus| SELECT * {orders}") == ["customer"]
    assert offered(shell, f"%kalam --live --forma| SELECT * {orders}") == ["--format"]
    assert offered(shell, f"found = %kalam --format arrow SELECT cust| {orders}") == ["customer"]


def test_columns_of_a_variable_are_offered_for_its_files(tables, shell):
    shell.user_ns["found"] = kalam.query_result(f"SELECT id, customer FROM {tables}.orders")
    shell.user_ns["frame"], shell.user_ns["table"] = shell.user_ns["found"].df(), shell.user_ns["found"].arrow()
    assert offered(shell, "%kalam download fra|") == ["frame"]
    for name in ("found", "frame", "table"):
        assert offered(shell, f"%kalam download {name} |") == ["id", "customer"]
        assert offered(shell, f"x = %kalam download {name} cu|") == ["customer"]
    assert offered(shell, "%kalam download nothing |") == []


def test_files_are_offered_where_a_file_stands(tables, shell, monkeypatch, tmp_path):
    (tmp_path / "queries").mkdir()
    (tmp_path / "quarter.sql").touch()
    (tmp_path / "queer file.sql").touch()
    monkeypatch.chdir(tmp_path)
    both = ["quarter.sql", "queries/"]
    assert offered(shell, "%%kalam --file qu|") == both
    assert offered(shell, "%kalam --file=qu|") == both
    assert offered(shell, "%kalam export qu|") == both
    assert offered(shell, "%kalam upload quarter.sql qu|") == both
    assert f"{tables}.orders" in offered(shell, f"%kalam upload quarter.sql {tables}|")
    assert offered(shell, "%kalam download found body qu|") == both
    assert offered(shell, f"%kalam export {tmp_path}/quar|") == [f"{tmp_path}/quarter.sql"]
    assert offered(shell, "%kalam export quarter.sql --over|") == ["--overwrite"]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert offered(shell, "%%kalam --file ~/quart|") == ["~/quarter.sql"]


@pytest.mark.slow
def test_python_has_no_word_in_sql_and_sql_none_in_python(shell):
    shell.user_ns["room"], shell.user_ns["selection"] = "general", print
    assert offered(shell, "%%kalam\nSELECT * FROM t WHERE room = $ro|") == ["$room"]
    for sql in ("SELECT 'pri|", "sele|", "SELECT * FROM app.o WHERE print|", "import o|"):
        text = f"%%kalam\n{sql}"
        assert not {"print", "selection", "import", "os", "pri"} & set(offered(shell, text))
    assert "print" in offered(shell, "pri|")
    assert "selection" in offered(shell, "selec|")
    assert "SELECT" not in offered(shell, "SEL|")


@pytest.mark.slow
def test_a_cell_on_another_connection_is_offered_what_that_one_has(tables, shell):
    with sandbox() as server:
        here = default.current()
        with kalam.connect(server.url, user="root", password=server.root_password, name="other") as other:
            other.execute_query("CREATE NAMESPACE elsewhere")
            other.execute_query("CREATE TABLE elsewhere.boats (id BIGINT PRIMARY KEY, mast TEXT)")
            kalam.use(next(name for name, client in kalam.connections().items() if client is here))
            offered(shell, "%%kalam --connection other\nSEL|")  # Begins to read.
            magics._schemas.wait(other, 30)

            assert offered(shell, "%%kalam --connection other\nSELECT mas| FROM elsewhere.boats") == ["mast"]
            assert offered(shell, "%%kalam --connection='other' --namespace elsewhere\nSELECT mas| FROM boats") == [
                "mast"
            ]
            assert offered(shell, "%%kalam --connection other --namespace else|") == ["elsewhere"]
            assert offered(shell, "%kalam --connection other --namespace else|") == ["elsewhere"]
            assert offered(shell, f"%%kalam --connection other\nSELECT * FROM {tables}.|") == []
            assert offered(shell, f"%%kalam\nSELECT * FROM {tables}.|") == ["orders"]
            assert offered(shell, "%%kalam --connection none\nSELECT * FROM elsewhere.|") == []


@pytest.mark.parametrize(
    "cell",
    [
        "%%kalam\nCREATE TABLE {space}.fresh (id BIGINT PRIMARY KEY, brand TEXT)",
        "kalam.execute_query('CREATE TABLE {space}.fresh (id BIGINT PRIMARY KEY, brand TEXT)')",
        "kalam.write(pd.DataFrame({{'id': [1], 'brand': ['a']}}), '{space}.fresh', create=True, key='id')",
    ],
)
def test_a_new_table_is_known_after_the_cell_that_makes_it(client, namespace, shell, cell):
    assert offered(shell, f"%%kalam\nSELECT bra| FROM {namespace}.fresh") == []
    shell.user_ns.update(kalam=kalam, pd=pd)
    shell.run_cell(cell.format(space=namespace)).raise_error()
    magics._schemas.wait(default.current(), 30)
    assert offered(shell, f"%%kalam\nSELECT bra| FROM {namespace}.fresh") == ["brand"]


def test_nothing_is_sent_while_somebody_types(tables, shell, monkeypatch):
    asked = []

    def ask(self, sql, **options):
        asked.append(threading.current_thread())
        raise ConfigError("not now")

    monkeypatch.setattr(kalam.Client, "query_result", ask)
    client = default.current()
    magics._schemas._known[client].read_at = 0.0  # As after a minute.
    assert offered(shell, f"%%kalam\nSELECT * FROM {tables}.|") == ["orders"]
    magics._schemas.wait(client, 30)
    assert asked
    assert threading.main_thread() not in asked


def test_without_a_connection_there_are_keywords(shell):
    kalam.close()
    assert offered(shell, "%%kalam\nSEL|") == ["SELECT"]
    assert default.existing() is None


def test_a_server_that_is_gone_costs_nothing(shell, closed_port):
    client = kalam.Client(f"http://127.0.0.1:{closed_port}", token="x", max_retries=0)
    assert magics._schemas.of(client).tables == {}
    magics._schemas.wait(client, 30)
    assert magics._schemas.of(client).tables == {}
    client.close()


@pytest.mark.slow
def test_a_kernel_answers_as_a_terminal(tables, server):
    manager, kernel = start_new_kernel(kernel_name="python3", extra_arguments=["--IPKernelApp.log_level=ERROR"])
    try:
        connect = f"kalam.connect({server.url!r}, user='root', password={server.root_password!r})"
        setup = f"%load_ext kalam_notebook\nimport kalam_notebook as kalam\nc = {connect}"
        kernel.execute_interactive(setup, timeout=60)
        code = f"%%kalam\nSELECT cus FROM {tables}.orders"
        answer = {}
        deadline = time.monotonic() + 60
        # The first one begins to read.
        while "customer" not in answer.get("matches", []) and time.monotonic() < deadline:
            answer = complete(kernel, code, len("%%kalam\nSELECT cus"))
        assert answer["matches"] == ["customer"]
        assert code[answer["cursor_start"] : answer["cursor_end"]] == "cus"
        assert answer["metadata"]["_jupyter_types_experimental"][0]["type"] == "column Utf8"
    finally:
        kernel.stop_channels()
        manager.shutdown_kernel(now=True)


def complete(kernel, code, cursor):
    message = kernel.complete(code, cursor)
    while True:
        try:
            reply = kernel.get_shell_msg(timeout=30)
        except queue.Empty:
            raise AssertionError("the kernel does not answer") from None
        if reply["parent_header"].get("msg_id") == message:
            return reply["content"]
