"""Where a loop runs already: cells of a real kernel, threads with a loop of their own, and pasted ``asyncio.run``."""

import asyncio
import concurrent.futures
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

import kalam_notebook as kalam

CONNECT = "import asyncio, kalam_notebook as kalam\nclient = kalam.AsyncClient()"
NESTED = """
async def inner():
    async with kalam.AsyncClient() as other:
        return (await other.query("SELECT 5 AS n"))["n"].tolist()
"""


@pytest.fixture
def named_server(sandbox_server, monkeypatch):
    """The sandbox, found by every client that names no server, also in processes begun by the test."""
    monkeypatch.setenv("KALAMDB_SERVER_URL", sandbox_server.url)
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", sandbox_server.root_password)
    return sandbox_server


def run_cells(folder, *sources):
    """Run cells in a new kernel and return what each printed."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=280, kernel_name="python3", resources=resources).execute()
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in notebook.cells]


@pytest.mark.slow
def test_cells_await_the_async_client(named_server, tmp_path):
    printed = run_cells(
        tmp_path,
        f"import warnings; warnings.simplefilter('error')\n{CONNECT}",
        'print((await client.query("SELECT $1 AS n", [2]))["n"].tolist())',
        'frames = await asyncio.gather(*(client.query("SELECT $1 AS n", [n]) for n in range(5)))\n'
        'print([int(frame["n"][0]) for frame in frames])',
        # The loop turns while a query is awaited, and the plain client works beside it.
        "turns = 0\n"
        "async def turn():\n"
        "    global turns\n"
        "    while True:\n"
        "        turns += 1\n"
        "        await asyncio.sleep(0)\n"
        "task = asyncio.create_task(turn())\n"
        'await client.query("SELECT 1 AS one")\n'
        "task.cancel()\n"
        'print(turns > 1, kalam.query("SELECT 3 AS n")["n"].tolist())',
        "try:\n"
        '    await client.query("SELECT nofn(1)")\n'
        "except kalam.errors.QueryError as error:\n"
        "    print(error.code)",
        "await client.close()\nprint(client)",
    )
    assert printed[1:5] == ["[2]\n", "[0, 1, 2, 3, 4]\n", "True [3]\n", "SQL_EXECUTION_ERROR\n"]
    assert "closed" in printed[5]


@pytest.mark.slow
def test_code_that_calls_asyncio_run_works_in_a_cell_after_allow_nested_run(named_server, tmp_path):
    attempt = "try:\n    print(asyncio.run(inner()))\nexcept RuntimeError as error:\n    print(error)"
    printed = run_cells(
        tmp_path,
        CONNECT + NESTED,
        f"import warnings; warnings.simplefilter('ignore')  # The coroutine that was not run.\n{attempt}",
        f"kalam.allow_nested_run()\n{attempt}",
        'print((await client.query("SELECT 6 AS n"))["n"].tolist())\nawait client.close()',
    )
    assert printed[1:] == ["asyncio.run() cannot be called from a running event loop\n", "[5]\n", "[6]\n"]


@pytest.mark.slow
def test_allow_nested_run_in_a_running_loop(named_server):
    code = (
        f"import asyncio, kalam_notebook as kalam\n{NESTED}\n"
        "async def outer():\n"
        "    kalam.allow_nested_run()\n"
        "    return asyncio.run(inner())\n"
        "print(asyncio.run(outer()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("[5]\n", 0), done.stderr


def test_threads_with_loops_of_their_own(named_server):
    async def own(number):
        async with kalam.AsyncClient() as client:
            return (await client.query("SELECT $1 AS n", [number]))["n"].tolist()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda number: asyncio.run(own(number)), range(4))) == [[0], [1], [2], [3]]


def test_one_async_client_in_the_loops_of_several_threads(named_server):
    client = kalam.AsyncClient()

    async def ask(number):
        frames = await asyncio.gather(*(client.query("SELECT $1 AS n", [number + step]) for step in (0, 10)))
        return [int(frame["n"][0]) for frame in frames]

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda number: asyncio.run(ask(number)), range(3))) == [[0, 10], [1, 11], [2, 12]]
    asyncio.run(client.close())


def test_a_thread_asks_while_the_loop_of_the_main_thread_runs(named_server):
    async def main():
        async with kalam.AsyncClient() as client:

            def in_thread():
                return asyncio.run(client.query("SELECT 1 AS n"))["n"].tolist()

            other, frame = await asyncio.gather(asyncio.to_thread(in_thread), client.query("SELECT 2 AS n"))
            return other, frame["n"].tolist()

    assert asyncio.run(main()) == ([1], [2])
