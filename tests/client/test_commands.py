"""The commands of ``%kalam`` in an IPython shell."""

import logging
import re
import uuid
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from IPython.utils.capture import capture_output
from servers import sandbox

import kalam_notebook as kalam
from kalam_notebook import cli
from kalam_notebook.client import doctor
from kalam_notebook.client.doctor import examine
from kalam_notebook.errors import AuthError, ConfigError, ConnectError, KalamError
from kalam_notebook.notebook import commands, magics
from kalam_notebook.notebook.options import COMMANDS, CONNECT_OPTIONS

pytestmark = pytest.mark.contract


@pytest.fixture
def shell(magic_shell, server):
    with capture_output():
        magic_shell.run_line_magic("kalam", f"connect {server.url} --name first")
    return magic_shell


@pytest.fixture
def orders(client, namespace):
    columns = "id BIGINT PRIMARY KEY, customer TEXT"
    client.execute_query(f"CREATE TABLE {namespace}.orders ({columns}) WITH (TYPE = 'SHARED')")
    client.execute_query(f"INSERT INTO {namespace}.orders (id, customer) VALUES (1, 'Ada'), (2, 'Grace')")
    return f"{namespace}.orders"


def run(shell, cell):
    """What a cell shows, as text."""
    with capture_output() as captured:
        shell.run_cell(cell).raise_error()
    return "".join(output.data["text/plain"] for output in captured.outputs) + captured.stdout


def fails(shell, cell):
    with capture_output():
        error = shell.run_cell(cell).error_in_exec
    assert isinstance(error, ConfigError)
    return str(error)


def test_what_the_server_has_for_everybody(magic_shell, server, client, orders):
    """From 0.5 on an ordinary user may neither list nor describe, and finds it otherwise."""
    name, password = f"u{uuid.uuid4().hex[:8]}", f"Passw0rd!{uuid.uuid4().hex}"
    namespace = orders.split(".")[0]
    client.execute_query(f"CREATE TABLE {namespace}.own (id BIGINT PRIMARY KEY, note TEXT) WITH (TYPE = 'USER')")
    client.execute_query(f"CREATE USER '{name}' WITH PASSWORD '{password}' ROLE 'user'")
    with kalam.connect(server.url, user=name, password=password):
        assert namespace in run(magic_shell, "%kalam namespaces")
        told = run(magic_shell, f"%kalam describe {namespace}.own")
    assert "note" in told
    assert "_deleted" not in told
    assert "0 rows in the table" in told


def test_what_the_server_has(shell, orders):
    namespace = orders.split(".")[0]
    assert namespace in run(shell, "%kalam namespaces")
    assert "orders" in run(shell, f"%kalam tables {namespace}")
    told = run(shell, f"%kalam describe {orders}")
    assert re.search(r"id\s+BIGINT", told)
    assert "customer" in told
    assert "_seq" not in told
    assert "NaN" not in told
    assert "2 rows in the table" in told
    assert "SHARED table" in told
    assert "takes TABLE" in fails(shell, "%kalam describe a b")
    assert "no table's name" in fails(shell, "%kalam describe 'a'")
    assert "takes a table" in fails(shell, "%kalam describe")
    assert "physical_plan" in run(shell, f"%kalam explain SELECT id FROM {orders}")


def test_what_a_command_gives_can_be_taken(shell, orders, tmp_path):
    """A frame, which is not shown; typed alone it is shown once, and the last result stays what it was."""
    namespace = orders.split(".")[0]
    (tmp_path / "note.txt").write_text("a")
    files = f"CREATE TABLE {namespace}.files (name TEXT PRIMARY KEY, body FILE) WITH (TYPE = 'SHARED')"
    kalam.execute_query(files)
    first = {
        f"tables {namespace}": ["namespace", "table", "columns"],
        f"describe {orders}": ["column_name", "data_type"],
        "namespaces": ["name"],
        "connections": ["name", "url"],
        "history": ["started", "sql"],
        "live": ["name", "rows"],
        f"upload {tmp_path / 'note.txt'} {namespace}.files": ["key"],
    }
    for line, columns in first.items():
        assert run(shell, f"taken = %kalam {line}") == ""
        taken = shell.user_ns["taken"]
        assert isinstance(taken, pd.DataFrame), line
        assert list(taken.columns)[: len(columns)] == columns

    shell.run_cell("1 + 1", store_history=True)
    assert run(shell, f"%kalam tables {namespace}").count("files") == 1
    assert run(shell, f"%kalam tables {namespace}\n%kalam connections").count("files") == 1
    assert shell.user_ns["_"] == 2
    assert run(shell, "%kalam live") == "No table is live."


def test_a_table_is_shown_in_the_page(shell, orders):
    told = run(shell, f"%kalam show {orders}")
    assert re.search(r"2\s+Grace", told)
    assert "takes a table" in fails(shell, "%kalam show")
    with capture_output():
        assert isinstance(shell.run_cell("%kalam show no.such_table").error_in_exec, KalamError)


def test_the_log_tells_what_was_sent_and_no_secret(shell, orders, server):
    run(shell, f"%kalam SELECT id FROM {orders}")
    with capture_output():
        shell.run_cell("%kalam SELECT nope FROM nothing.at_all")
        shell.run_cell("%kalam ALTER USER 'nobody' SET PASSWORD 'Very-secret-1!'")
        shell.run_cell(f"%kalam SELECT '{server.token}' AS token")
    logging.getLogger("kalam_notebook.live").warning("something of live tables")
    told = run(shell, "%kalam log")
    assert re.search(rf"\d\d:\d\d:\d\d POST /v1/api/sql +200 +[\d,]+ ms  SELECT .*{orders}", told)
    assert re.search(r" 4\d\d +[\d,]+ ms  SELECT nope", told)
    assert "SET PASSWORD '…'" in told
    assert "Very-secret" not in told
    assert server.token[:16] not in told
    assert "WARNING: something of live tables" in told
    frame = kalam.connections()["first"].recent_requests()
    assert list(frame.columns) == ["at", "request", "answer", "seconds", "sql", "error"]


def test_the_log_tells_the_rest_of_a_shortened_error(magic_shell, monkeypatch, closed_port, caplog):
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", "Very-secret-1!")
    with kalam.Client(f"http://127.0.0.1:{closed_port}", token="very-secret-token-of-one", max_retries=0) as client:
        monkeypatch.setattr(commands.default, "existing", lambda: client)
        with caplog.at_level(logging.INFO, "kalam_notebook"), pytest.raises(ConnectError) as caught:
            client.query("ALTER USER 'nobody' SET PASSWORD 'Very-secret-2!'")
        (told,) = [text for text in run(magic_shell, "%kalam log").splitlines() if " ← " in text]
        assert re.search(r"^ +ConnectError: Cannot reach .* ← ConnectError: .*refused.* ← ", told)
    logged = [record.getMessage() for record in caplog.records if record.name == "kalam_notebook"]
    assert any("ConnectError: Cannot reach" in text and "ConnectionRefusedError" in text for text in logged)
    assert "ConnectionRefusedError" not in str(caught.value)
    assert "ery-secret" not in told + "".join(logged)


def test_warnings_are_still_written_where_nobody_set_up_logging(shell, monkeypatch, capsys):
    monkeypatch.setattr(logging.root, "handlers", [])
    logging.getLogger("kalam_notebook.live").warning("seen by somebody")
    assert "seen by somebody" in capsys.readouterr().err


def test_connections_by_name(shell, server, orders):
    run(shell, f"%kalam connect {server.url} --name second --namespace {orders.split('.')[0]}")
    assert list(kalam.connections()) == ["first", "second"]
    assert "second" in run(shell, "%kalam connections")
    assert shell.run_cell("%kalam SELECT count(*) AS n FROM orders").result.row_count == 1
    run(shell, "%kalam use first")
    assert kalam.connections()["first"].namespace is None
    with capture_output():
        there = shell.run_cell("%%kalam --connection second\nSELECT id FROM orders").result
        assert (there.row_count, there.footer[-1]) == (2, "on second")
        assert shell.run_cell("%kalam SELECT id FROM orders").error_in_exec is not None
    shell.user_ns["kalam"] = kalam
    plain = f"kalam.query_result('SELECT id FROM {orders}')"
    assert re.search(
        r"complete.* · \d+ requests? · [\d.,]+ m?s · as root · on first$", run(shell, plain).splitlines()[-1]
    )
    assert "Did you mean 'first'?" in fails(shell, "%kalam use frist")
    assert "Did you mean 'second'?" in fails(shell, "%%kalam --connection secnd\nSELECT 1")
    run(shell, "%kalam close")
    assert kalam.connections() == {}


def test_a_saved_login_by_its_name(shell, tmp_path, monkeypatch, server):
    path = tmp_path / "credentials.toml"
    path.write_text(f'[instances.staging]\njwt_token = "{server.token}"\nuser = "root"\nserver_url = "{server.url}"\n')
    monkeypatch.setenv("KALAMDB_CREDENTIALS_PATH", str(path))
    assert "as root" in run(shell, "%kalam connect staging")
    assert "staging" in kalam.connections()
    assert "'prod' is not in" in fails(shell, "%kalam connect prod")


def test_a_login_is_saved_and_used(shell, tmp_path, monkeypatch, server):
    path = tmp_path / "credentials.toml"
    monkeypatch.setenv("KALAMDB_CREDENTIALS_PATH", str(path))
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", server.root_password)
    told = run(shell, f"%kalam connect {server.url} --name here --save")
    assert f"saved as 'here' in {path}: %kalam connect here" in told
    assert server.root_password not in path.read_text()
    monkeypatch.delenv("KALAMDB_ROOT_PASSWORD")
    run(shell, "%kalam close")
    assert "as root" in run(shell, "%kalam connect here")
    run(shell, "%kalam close")
    assert "saved as 'local'" in run(shell, f"%kalam connect {server.url} --save")
    run(shell, "%kalam close")
    path.write_text("not toml")
    assert "damaged" in fails(shell, f"%kalam connect {server.url} --profile here --save")


@pytest.fixture
def new_server():
    """A server that waits for its first set-up."""
    with kalam.sandbox(options=("--root-password", "")) as server:
        yield server


@pytest.mark.slow
def test_a_new_server_is_set_up(magic_shell, new_server, monkeypatch):
    url, asked = new_server.url, []
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", "guessed")
    with capture_output():
        error = magic_shell.run_cell(f"%kalam connect {url}").error_in_exec
    assert isinstance(error, AuthError)
    assert f"%kalam setup {url}" in str(error)
    assert len(str(error).splitlines()) == 2

    def typed(*answers):
        replies = iter(answers)
        monkeypatch.setattr(commands, "ask_password", lambda text: asked.append(text) or next(replies))

    typed("Root-secret-1", "Root-secret-2")
    assert "two passwords" in fails(magic_shell, f"%kalam setup {url}")
    typed("Root-secret-1", "Root-secret-1", "Adas-secret-1", "Adas-secret-1")
    monkeypatch.setattr("builtins.input", lambda text: "ada")
    told = run(magic_shell, f"%kalam setup {url}")
    assert "with root and the administrator ada" in told
    assert "as root" in told
    assert "secret" not in told + "".join(asked)
    assert kalam.connect(url, user="ada", password="Adas-secret-1").query("SELECT 1 AS one")["one"].tolist() == [1]
    assert "is set up already" in fails(magic_shell, f"%kalam setup {url}")


def test_live_tables_by_their_variables(shell, orders):
    for name in ("a", "b"):
        run(shell, f"%%kalam {name} << --live\nSELECT * FROM {orders}")
    told = run(shell, "%kalam live")
    assert re.search(r"a\s+2", told)
    assert "a, b" in fails(shell, "%kalam stop")
    assert "Did you mean" not in fails(shell, "%kalam stop zzz")
    assert run(shell, "%kalam stop a").startswith("Stopped: a.")
    assert shell.user_ns["a"].is_closed
    assert not shell.user_ns["b"].is_closed
    assert run(shell, "%kalam freeze").startswith("Frozen: b.")
    assert "b" in run(shell, "%kalam live").split()
    assert run(shell, "%kalam stop").startswith("Stopped: b.")
    assert "No table is live." in run(shell, "%kalam stop --all")
    assert "No table is live." in run(shell, "%kalam live")


def test_history_tells_what_ran(shell, orders, monkeypatch):
    magics._history._ran.clear()  # That of this process, in which other tests ran cells.
    run(shell, f"%kalam SELECT id FROM {orders}")
    with capture_output():
        shell.run_cell("%kalam SELECT nope FROM nothing.at_all")
    run(shell, "found = 1")
    told = run(shell, "%kalam history")
    assert "QueryError" in told
    assert "SELECT nope FROM nothing.at_all" in told
    for module in (magics, commands):
        monkeypatch.setattr(module, "readers_width", lambda: 50)
    told = run(shell, "%kalam history")
    assert "QueryError" in told
    assert max(map(len, told.splitlines())) <= 50
    good, bad = magics._history.frame().tail(2).to_dict("records")
    assert (good["sql"], good["rows"], good["error"]) == (f"SELECT id FROM {orders}", 2, "")
    assert (bad["sql"], pd.isna(bad["rows"]), bad["error"]) == ("SELECT nope FROM nothing.at_all", True, "QueryError")
    assert good["seconds"] > 0


def test_export(shell, orders, tmp_path):
    run(shell, f"%kalam SELECT id, customer FROM {orders} ORDER BY id")
    path = tmp_path / "rows.parquet"
    assert "2 rows × 2 columns" in run(shell, f"%kalam export {path}")
    assert pq.read_table(path).to_pydict() == {"id": [1, 2], "customer": ["Ada", "Grace"]}
    assert "exists" in fails(shell, f"%kalam export {path}")
    shell.user_ns["frame"] = pd.DataFrame({"x": [1]})
    run(shell, f"%kalam export {path} frame --overwrite")
    assert pq.read_table(path).to_pydict() == {"x": [1]}
    run(shell, f"%kalam export {tmp_path}/rows.csv frame")
    assert (tmp_path / "rows.csv").read_text() == '"x"\n1\n'
    assert ".parquet, .arrow, .csv or .jsonl" in fails(shell, f"%kalam export {tmp_path}/rows.xls frame")
    assert "Did you mean frame?" in fails(shell, f"%kalam export {tmp_path}/a.csv fram")
    assert "holds no rows" in fails(shell, f"x = 1\n%kalam export {tmp_path}/a.csv x")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["rows.csv", "rows.parquet"]


def test_export_of_a_query(shell, orders, tmp_path):
    path = tmp_path / "rows.jsonl"
    assert "2 rows" in run(shell, f"%kalam export {path} SELECT id, customer FROM {orders} WHERE id > 0")
    assert len(path.read_text().splitlines()) == 2
    assert "exists" in fails(shell, f"%kalam export {path} SELECT id FROM {orders}")
    run(shell, f"%kalam export {path} --overwrite SELECT id FROM {orders} WHERE id = 2")
    assert path.read_text() == '{"id":2}\n'


def test_files_go_up_and_down(shell, client, namespace, tmp_path):
    client.execute_query(f"CREATE TABLE {namespace}.photos (name TEXT PRIMARY KEY, photo FILE) WITH (TYPE = 'SHARED')")
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(name.encode())
    assert "uploaded" in run(shell, f"%kalam upload {folder} {namespace}.photos")
    files = f"{folder}/a.png {folder}/b.png"
    assert "already there" in run(shell, f"%kalam upload {files} {namespace}.photos --column photo")
    run(shell, f"%%kalam photos <<\nSELECT name, photo FROM {namespace}.photos")
    assert "downloaded" in run(shell, f"%kalam download photos photo {tmp_path}/back/")
    assert (tmp_path / "back" / "b.png").read_bytes() == b"b.png"
    shell.run_cell(f"fetched = %kalam download photos photo {tmp_path}/again/").raise_error()
    assert sorted(shell.user_ns["fetched"]["result"]) == ["downloaded", "downloaded"]
    assert (tmp_path / "again" / "a.png").read_bytes() == b"a.png"
    (folder / "a.png").write_bytes(b"another")
    with pytest.warns(kalam.FilesWarning, match="--replace puts this one in its place"):
        assert "--replace puts this one in its place" in run(shell, f"%kalam upload {folder} {namespace}.photos")
    assert "uploaded" in run(shell, f"%kalam upload {folder} {namespace}.photos --replace")
    assert "takes files and a table" in fails(shell, "%kalam upload photos")
    assert "Did you mean --column?" in fails(shell, "%kalam upload a b --colum c")
    assert "takes a variable and its column" in fails(shell, "%kalam download photos")
    assert "Did you mean photos?" in fails(shell, "%kalam download photo photo")
    assert "has no column 'foto'" in fails(shell, "%kalam download photos foto")


def test_the_doctor_tells_what_is_found(shell, server, closed_port, capsys, monkeypatch):
    told = run(shell, "%kalam doctor")
    for subject in (
        "pyarrow",
        "server",
        "login",
        "round trip",
        "clocks",
        "WebSocket",
        "caps",
        "limits",
        "values",
        "scan windows",
    ):
        assert re.search(rf"^{subject} ", told, re.M), subject
    findings = kalam.doctor()
    assert set(findings.columns) == {"subject", "found", "advice"}
    # Tables of other tests may be on this server, and read in pieces.
    advised = set(findings["subject"][findings["advice"].fillna("") != ""])
    assert advised <= {"scan windows"}
    assert cli.main(["doctor", server.url]) == len(advised)
    assert "round trip" in capsys.readouterr().out
    assert cli.main(["doctor", f"http://127.0.0.1:{closed_port}"]) == 1
    out = capsys.readouterr().out
    assert "Cannot reach" in out
    assert "→ Start the server" in out


@pytest.mark.slow
def test_the_doctor_names_what_it_asked_for():
    with (
        sandbox("--scan-window", "100", "--default-query-limit", "20", "--subscriptions-per-user", "7") as started,
        kalam.Client(started.url, user="root", password=started.root_password) as client,
    ):
        client.execute_query("CREATE NAMESPACE app")
        client.execute_query("CREATE TABLE app.short (id BIGINT PRIMARY KEY) WITH (TYPE = 'SHARED')")
        client.write(pa.table({"id": range(150)}), "app.long", create=True, key="id")
        found = {finding.subject: finding for finding in examine(client)}
        token, *_ = client._session.tokens()
        with kalam.Client(started.url, token=token.reveal()) as other:
            (login,) = (finding for finding in examine(other) if finding.subject == "login")
        client.execute_query("CREATE USER 'ada' WITH PASSWORD 'Passw0rd!ada' ROLE 'user'")
        with kalam.Client(started.url, user="ada", password="Passw0rd!ada") as other:
            (limits,) = (finding for finding in examine(other) if finding.subject == "limits")
    assert found["limits"].found.startswith("at most 1,000,000 statements a second of a user, 1,000,000 requests")
    assert found["limits"].found.endswith(", 7 live queries of a user, 10,485,760 bytes of a request")
    assert limits.found == "the server tells them to the roles dba and system only"
    assert "cut at 20 rows" in found["caps"].found
    assert found["scan windows"].found == "of all 2 tables 1 are longer than one scan reads: app.long"
    assert found["scan windows"].advice.endswith("STORAGE FLUSH TABLE app.long")
    assert found["login"].found.endswith(" more minutes, then it is renewed")
    assert "token_provider=" in login.advice


class Kernel:
    """What the doctor asks a kernel."""

    def __init__(self, *subshells, supports=True):
        self._supports_kernel_subshells = supports
        self.shell_channel_thread = self.manager = self
        self.list_subshell = lambda: list(subshells)


@pytest.mark.parametrize(
    ("kernel", "found", "advised"),
    [
        (Kernel(supports=False), "between cells only", True),
        (Kernel(), "has opened no subshell", False),
        (Kernel("id"), "while a cell runs", False),
    ],
)
def test_the_doctor_tells_whether_the_page_is_answered(magic_shell, client, monkeypatch, kernel, found, advised):
    monkeypatch.setattr(doctor, "_LOOKING_S", 0)
    assert "page" not in {finding.subject for finding in examine(client)}  # No kernel, no page.
    monkeypatch.setattr(magic_shell, "kernel", kernel, raising=False)
    (page,) = [finding for finding in examine(client) if finding.subject == "page"]
    assert found in page.found
    assert bool(page.advice) is advised


@pytest.mark.parametrize(
    ("version", "is_deaf"), [("6.30.1", False), ("7.0.0", True), ("7.3.0", True), ("7.4.0", False)]
)
def test_the_doctor_knows_the_kernels_that_leave_cells_waiting(client, monkeypatch, version, is_deaf):
    monkeypatch.setattr(doctor, "_installed", lambda name: version)
    (kernel,) = [finding for finding in islice(examine(client), 20) if finding.subject == "ipykernel"]
    assert kernel.found == version
    assert ("7.4 or later" in kernel.advice) is is_deaf


def test_advice_is_typed_where_it_is_read(magic_shell, orders, server, monkeypatch, tmp_path):
    monkeypatch.setenv("KALAMDB_CREDENTIALS_PATH", str(tmp_path / "none.toml"))
    monkeypatch.delenv("KALAMDB_SERVER_URL", raising=False)
    assert "Type %kalam connect http://localhost:2900 --user root, set" in fails(magic_shell, "%kalam tables")
    with pytest.raises(ConfigError, match=r"Type kalam\.connect\('http"):
        kalam.query("SELECT 1")

    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", "not-the-password")
    with capture_output():
        refused = magic_shell.run_cell(f"%kalam connect {server.url}").error_in_exec
    assert "Check user and password: %kalam connect URL --user USER." in str(refused)
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", server.root_password)

    run(magic_shell, f"%kalam connect {server.url}")
    kalam.execute_query(f"INSERT INTO {orders} (id, customer) VALUES (3, 'Ada')")
    sql = f"SELECT customer, customer AS again FROM {orders} ORDER BY 1"
    run(magic_shell, f"%%kalam twins << --live --key customer\n{sql}")
    with kalam.live(sql, key=["customer"]) as live:
        assert "name the key with key=[…]" in live.notice
    assert "name the key with --key …" in magic_shell.user_ns["twins"].notice


def test_help_and_mistakes(shell):
    assert "Did you mean %kalam connect sandbox?" in fails(shell, "%kalam connect Sandbox")
    assert "Did you mean http://localhost:2900?" in fails(shell, "%kalam connect localhost:2900")
    assert run(shell, "%kalam help") == run(shell, "%kalam")
    told = run(shell, "%kalam help export")
    assert "--overwrite" in told
    assert "--params" not in told
    assert "Did you mean export?" in fails(shell, "%kalam help exprt")
    assert "Did you mean tables?" in fails(shell, "%kalam tabels")
    assert "takes nothing more" in fails(shell, "%kalam status now")


def test_the_docs_have_a_line_for_every_command():
    page = (Path(__file__).parents[2] / "docs" / "notebook.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| `%kalam (\w+) ?([^`]*)` \| ([^|;]+)", page, re.M)
    assert [name for name, _, _ in lines] == list(COMMANDS)
    for name, arguments, help in lines:
        assert arguments.replace("\\|", "|") == COMMANDS[name].arguments
        assert COMMANDS[name].help == help.strip()
    assert all(option in page for option in CONNECT_OPTIONS)
