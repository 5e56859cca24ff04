"""How many lines a failure costs the reader: in IPython, in a kernel and in a script."""

import os
import re
import socket
import subprocess
import sys
import textwrap

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient

from kalam_notebook.errors import ConnectError, KalamError

#: Kernels start slowly on a busy machine.
pytestmark = pytest.mark.timeout(600)

TYPO = "SELECT 1 FRO app.t"

#: Two lines of a cell that interrupt what comes behind them.
SOON = "import os, signal, threading\nthreading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()"


def lines_of(text):
    """The lines without colours and empty ones."""
    return [line for line in re.sub(r"\x1b\[[\d;]*m", "", text).splitlines() if line.strip()]


@pytest.fixture
def connect(sandbox_server):
    """A line of code that connects."""
    return f"kalam.connect({sandbox_server.url!r}, user='root', password={sandbox_server.root_password!r})"


@pytest.fixture
def unheard():
    """The URL of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def kernel():
    """Runs cells in a real kernel, and gives what each one shows."""
    notebook = nbformat.v4.new_notebook()
    client = NotebookClient(notebook, timeout=100, kernel_name="python3", allow_errors=True)

    def run(*cells):
        notebook.cells = [nbformat.v4.new_code_cell(textwrap.dedent(cell)) for cell in cells]
        client.execute()
        shown = []
        for cell in notebook.cells:
            texts = ["\n".join(output.traceback) for output in cell.outputs if output.output_type == "error"]
            shown.append(lines_of("\n".join(texts)))
        return shown

    return run


@pytest.mark.slow
def test_a_kernel_shows_the_readers_lines_and_the_message(kernel, connect):
    first, *shown = kernel(
        f"import asyncio\nimport kalam_notebook as kalam\nclient = {connect}\n%load_ext kalam_notebook",
        f"frame = kalam.query('{TYPO}')",
        f"def load(sql):\n    return client.query(\n        sql\n    )\n\nload('{TYPO}')",
        f"other = kalam.AsyncClient(client.url, user='nobody', password='wrong')\nawait other.query('{TYPO}')",
        f"%%kalam\n{TYPO}",
        "x = 1\n%kalam nope",
        f"%%time\nkalam.query('{TYPO}')",
        "client.execute_query('CREATE NAMESPACE IF NOT EXISTS short')\n"
        "client.execute_query('CREATE TABLE IF NOT EXISTS short.t (id INT PRIMARY KEY)')\n"
        "live = client.live('SELECT * FROM short.t')\n"
        "live.wait_for(3, timeout=0.01)",
        "list(live)",
        "live.close()\nlive.verify()",
        "client.live('SELECT * FROM short.nope')",
        "kalam.Client('http://127.0.0.1:9', token='x', max_retries=0).query('SELECT 1')",
    )
    assert first == []
    query, load, awaited, cell, line, timed, wait, loop, verify, live, dead = shown
    assert query[:2] == ["Cell In[2], line 1", f"----> 1 frame = kalam.query('{TYPO}')"]
    assert query[2].startswith("QueryError: SQL_EXECUTION_ERROR: ")
    assert load[:4] == [
        "Cell In[3], line 6",
        f"----> 6 load('{TYPO}')",
        "Cell In[3], line 2, in load",
        "----> 2 return client.query(",
    ]
    assert awaited[:2] == ["Cell In[4], line 2", f"----> 2 await other.query('{TYPO}')"]
    assert awaited[2].startswith("AuthError: ")
    assert cell[0].startswith("QueryError: ")
    assert line[0].startswith("ConfigError: %kalam has no command 'nope'")
    assert timed[0].startswith("QueryError: ")
    assert wait[1:3] == [
        "----> 4 live.wait_for(3, timeout=0.01)",
        "RequestTimeoutError: The condition did not hold within 0.01 s: 0 rows, live.",
    ]
    assert loop[2:] == [
        "NotIterableError: A live table cannot be looped over.",
        "Type live.df(), live.polars() or live.arrow() for its rows, live.batches() for its changes.",
    ]
    assert dead[2].startswith("ConnectError: Cannot reach http://127.0.0.1:9")
    for lines in (query, awaited, wait, loop, verify, live, dead):
        assert 3 <= len(lines) <= 6
    for lines in (cell, line, timed):
        assert 1 <= len(lines) <= 4


@pytest.mark.slow
def test_a_kernel_shows_an_interrupt_as_shortly(kernel, unheard):
    shown = kernel(
        f"import asyncio\nimport kalam_notebook as kalam\nclient = kalam.Client({unheard!r}, token='x')",
        f"{SOON}\nclient.query('SELECT 1')",
        f"{SOON}\nclient.execute_query('SELECT 1')",
        f"""\
        waiting = asyncio.ensure_future(kalam.AsyncClient({unheard!r}, token='x', max_retries=0).query('SELECT 1'))
        asyncio.get_running_loop().call_later(0.5, waiting.cancel)
        await waiting""",
    )
    _, query, execute, awaited = shown
    assert query[:3] == ["Cell In[2], line 3", "----> 3 client.query('SELECT 1')", "KeyboardInterrupt"]
    assert query[3] == "No row had been read. The server may go on with the query."
    assert execute[2:] == ["KeyboardInterrupt", "The server may carry out the statement all the same."]
    assert awaited == ["Cell In[4], line 3", "----> 3 await waiting", "CancelledError"]


@pytest.fixture
def shell():
    """An IPython shell in this process."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    yield shell
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


def run_cell(shell, capsys, code):
    shell.run_cell(code)
    return lines_of(capsys.readouterr().out)


@pytest.mark.slow
def test_more_is_there_for_whom_asks(shell, capsys, connect):
    shell.run_cell(f"import kalam_notebook as kalam\nclient = {connect}")
    query = f"kalam.query('{TYPO}')"
    short = run_cell(shell, capsys, query)
    assert len(short) == 5
    whole = run_cell(shell, capsys, "%tb")
    assert len(whole) > 50
    assert any("http/client.py" in line for line in whole)
    assert run_cell(shell, capsys, query) == short
    shell.run_line_magic("xmode", "Verbose")
    assert len(run_cell(shell, capsys, query)) > 50
    shell.run_cell("kalam.close()")


def test_the_libraries_between_are_left_out(shell, capsys, tmp_path):
    module = tmp_path / "helping.py"
    module.write_text(
        "import contextlib\nfrom kalam_notebook import Client\n\n\n"
        "def help_me():\n    with contextlib.ExitStack() as stack:\n"
        "        stack.enter_context(Client('http://127.0.0.1:9', token='x', max_retries=0)).query('SELECT 1')\n"
    )
    shell.run_cell(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from helping import help_me")
    lines = run_cell(shell, capsys, "import functools\nfunctools.reduce(lambda x, y: help_me(), [1, 2])")
    assert lines[4:6] == [
        f"File {module}:7, in help_me",
        "----> 7 stack.enter_context(Client('http://127.0.0.1:9', token='x', max_retries=0)).query('SELECT 1')",
    ]
    assert len(lines) == 8


@pytest.fixture
def script(tmp_path):
    """Runs a script in a process of its own, and gives the lines that it shows."""

    def run(code, **environ):
        path = tmp_path / "work.py"
        path.write_text(f"import kalam_notebook as kalam\n{code}\n")
        environ = {name: value for name, value in os.environ.items() if name != "KALAM_TRACEBACK"} | environ
        done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, env=environ, check=False)
        return lines_of(done.stderr)

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "message"),
    [
        (f"frame = kalam.query('{TYPO}')", "QueryError: SQL_EXECUTION_ERROR"),
        ("kalam.connect('http://127.0.0.1:9', user='root', password='x', max_retries=0)", "ConnectError: Cannot reach"),
        ("kalam.connect(client.url, user='root', password='wrong')", "AuthError: unauthorized"),
        ("kalam.Client(unheard, token='x', max_retries=0, timeout=0.1).query('SELECT 1')", "did not answer in time"),
        ("kalam.Client('http://127.0.0.1:9', token='x', max_retries=0).live_events('SELECT * FROM a.b')", "127.0.0.1"),
        (f"{SOON}\nkalam.Client(unheard, token='x').query('SELECT 1')", "KeyboardInterrupt\nNo row had been read."),
        ("import asyncio\nother = kalam.AsyncClient('http://127.0.0.1:9', token='x', max_retries=0)\n"
         "async def ask():\n    await other.query('SELECT 1')\nasyncio.run(ask())", "ConnectError: Cannot reach"),
    ],
)  # fmt: skip
def test_a_script_shows_the_readers_lines_and_the_message(script, connect, unheard, code, message):
    lines = script(f"client, unheard = {connect}, {unheard!r}\n{code}")
    assert lines[0] == "Traceback (most recent call last):"
    assert message in "\n".join(lines)
    readers = [line for line in lines if line.strip().startswith("File ") and "asyncio" not in line]
    assert all("work.py" in line for line in readers)
    if "asyncio" not in code:
        assert len(lines) <= 8, lines


def test_a_callback_of_the_reader_is_shown(script, connect):
    code = f"def token():\n    return {connect}.query('{TYPO}')\n"
    lines = script(f"{code}kalam.Client('http://127.0.0.1:9', token_provider=token).query('SELECT 1')")
    assert [line.split(", ")[-1] for line in lines if line.strip().startswith("File ")] == ["in <module>", "in token"]


@pytest.mark.slow
def test_a_script_shows_the_frames_of_the_package_to_whom_asks(script):
    lines = script("kalam.connect('http://127.0.0.1:9', token='x', max_retries=0)", KALAM_TRACEBACK="whole")
    assert any("http/client.py" in line for line in lines)


def test_what_is_behind_an_error_can_be_reached():
    import httpx

    from kalam_notebook import Client

    with Client("http://127.0.0.1:9", token="x", max_retries=0) as client, pytest.raises(ConnectError) as caught:
        client.query("SELECT 1")
    assert isinstance(caught.value.__context__, httpx.ConnectError)
    assert caught.value.__cause__ is None
    assert caught.value._render_traceback_()[0].startswith("Traceback")  # Without IPython's shell.
    assert KalamError("x")._render_traceback_() == ["kalam_notebook.errors.KalamError: x\n"]


FAILURES = {
    "a typing error": ("kalam.query('SELECT id,\\n  nme FROM short.t')", "SELECT id,\n  nme FROM short.t"),
    "a missing table": ("kalam.query('SELECT * FROM short.nope')", "SELECT * FROM short.nope"),
    "an unclosed quote": ('kalam.query("SELECT \'open")', "SELECT 'open"),
    "double quotes": ("kalam.query('SELECT \"a\" FROM short.t')", 'SELECT "a" FROM short.t'),
}


@pytest.mark.slow
def test_no_failure_takes_more_than_eight_lines(kernel, connect, unheard, sandbox_server):
    python = [cell for cell, _ in FAILURES.values()]
    magic = [f"%%kalam\n{sql}" for _, sql in FAILURES.values()]
    dead = "http://127.0.0.1:9"
    _, *shown = kernel(
        f"import os\nimport kalam_notebook as kalam\n%load_ext kalam_notebook\n{connect}\n"
        "kalam.execute_query('CREATE NAMESPACE IF NOT EXISTS short')\n"
        "kalam.execute_query('CREATE TABLE IF NOT EXISTS short.t (id INT PRIMARY KEY)')",
        *python,
        *magic,
        f"kalam.connect({dead!r}, user='root', password='x', max_retries=0)",
        f"os.environ['KALAMDB_ROOT_PASSWORD'] = 'wrong'\n%kalam connect {dead}",
        f"%kalam connect {sandbox_server.url}",  # With the wrong password that the cell before has left.
        f"{connect.replace('password=', 'password=' + repr('wrong') + ' or ')}",
        f"kalam.connect({unheard!r}, token='x', max_retries=0)" + " if False else None",
        f"{SOON}\nget_ipython().run_cell_magic('kalam', '--live --for 50', 'SELECT * FROM short.t')",
        f"from kalam_notebook.client import default\ndefault._client = kalam.Client({unheard!r}, token='x')",
        f"{SOON}\nkalam.query('SELECT 1')",
        f"{SOON}\n%kalam SELECT 1",
        f"{SOON}\nkalam.execute_query('SELECT 1')",
    )
    failed = [lines for lines in shown if lines]
    assert len(failed) == len(python) + len(magic) + 8
    for lines in failed:
        assert len(lines) <= 8, lines
    for lines, cell in zip(failed, python, strict=False):
        assert lines[1].endswith(cell.splitlines()[0])
    for lines in (failed[0], failed[4]):
        at = next(number for number, line in enumerate(lines) if line.strip() == "^")
        assert lines[at - 1][lines[at].index("^") :].startswith("nme")
    assert "short has: t." in "".join(failed[1])
    assert "single ones: 'a'" in "".join(failed[3])
