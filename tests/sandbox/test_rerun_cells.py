"""Cells that show a live table and are run again and again, in a real kernel, as a front end does it."""

import uuid

import pytest
from jupyter_client.manager import start_new_kernel

pytestmark = pytest.mark.contract


class Kernel:
    """A kernel that is told the names of the cells that it runs."""

    def __init__(self, client):
        self._client = client

    def run(self, code, *, cell=None):
        """Run a cell to its end; what it raises fails the test. Return what it printed."""
        session = self._client.session
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        metadata = {} if cell is None else {"cellId": cell}
        request = session.msg("execute_request", content, metadata=metadata)
        self._client.shell_channel.send(request)
        printed = []
        while True:
            message = self._client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
                continue
            if message["msg_type"] == "error":
                pytest.fail("\n".join(message["content"]["traceback"]))
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return "".join(printed)


@pytest.fixture
def kernel(server, monkeypatch):
    monkeypatch.setenv("KALAMDB_SERVER_URL", server.url)
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", server.root_password)
    manager, client = start_new_kernel()
    try:
        kernel = Kernel(client)
        kernel.run("%load_ext kalam_notebook\nimport gc, kalam_notebook as kalam\nkalam.connect()")
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


@pytest.fixture
def table(client, namespace):
    client.execute_query(f"CREATE TABLE {namespace}.t (id INT PRIMARY KEY)")
    return f"{namespace}.t"


@pytest.mark.parametrize(
    "code",
    [
        "%%kalam --live\nSELECT * FROM {table}",
        "live = kalam.live('SELECT * FROM {table}')\nlive",
        "kalam.live('SELECT * FROM {table}')",
    ],
    ids=["magic", "variable", "no name"],
)
def test_a_cell_can_be_run_again_and_again(kernel, table, code):
    """A user may have ten live queries at a time."""
    cell = uuid.uuid4().hex
    for _ in range(12):
        kernel.run(code.format(table=table), cell=cell)


def test_what_has_a_name_is_not_ended(kernel, table):
    kernel.run(f"a, b = (kalam.live('SELECT * FROM {table}') for _ in range(2))")
    kernel.run("a", cell="1")
    kernel.run("b", cell="1")
    assert kernel.run("gc.collect(); print(a.status, b.status, Out[3] is a)") == "live live True\n"


def test_two_tables_of_one_execution_are_both_shown(kernel, table):
    code = f"for live in (kalam.live('SELECT * FROM {table}'), kalam.live('SELECT id FROM {table}')): display(live)"
    kernel.run(code, cell="1")
    shown = kernel.run("from kalam_notebook.notebook.freeze import _views\nprint(len(_views))")
    assert shown == "2\n"
