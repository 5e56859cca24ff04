"""What stays of live tables in a real kernel: of cells that run again, are deleted, or close what they have shown."""

import time
import uuid

import pytest
from jupyter_client.manager import start_new_kernel

pytestmark = [pytest.mark.contract, pytest.mark.slow]


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

    def say(self, model, content):
        """Send what the page of a widget says."""
        message = {"comm_id": model, "data": {"method": "custom", "content": content}}
        self._client.shell_channel.send(self._client.session.msg("comm_msg", message))


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
    shown = kernel.run("from kalam_notebook.notebook.page.freeze import _views\nprint(len(_views))")
    assert shown == "2\n"


COUNTS = """
import ipywidgets
from kalam_notebook.live_queries.table import LiveTable
from kalam_notebook.notebook.page.live_view import LiveTableWidget, LiveView

def held(*kinds):
    gc.collect()
    return sum(isinstance(item, kinds) for item in gc.get_objects())

def models():
    return [model for model, widget in ipywidgets.widget._instances.items() if isinstance(widget, LiveTableWidget)]
"""


@pytest.fixture
def tables(client, namespace):
    """Eight tables: live queries of one table may share a subscription."""
    names = [f"{namespace}.t{number}" for number in range(8)]
    for name in names:
        client.execute_query(f"CREATE TABLE {name} (id INT PRIMARY KEY)")
    return names


@pytest.fixture
def subscriptions(client, namespace):
    """Count the live queries that the server knows."""

    def count():
        sql = f"SELECT live_id FROM system.live WHERE namespace_id = '{namespace}'"
        return client.query_result(sql).row_count

    return count


@pytest.mark.parametrize(
    "code",
    ["%%kalam --live\nSELECT * FROM {table}", "live = kalam.live('SELECT * FROM {table}')\nlive"],
    ids=["magic", "variable"],
)
def test_deleted_cells_give_their_subscriptions_back(kernel, tables, subscriptions, code):
    kernel.run(COUNTS)
    for number, table in enumerate(tables):
        kernel.run(code.format(table=table), cell=str(number))
    kernel.run("live = kept = None" if "%%" in code else "kept = live")
    assert subscriptions() == 8
    models = kernel.run(
        "from kalam_notebook.notebook.page import live_view; live_view.GRACE = 0.0; print(*models())"
    ).split()
    assert len(models) == 8
    for _ in range(2):
        for model in models:
            kernel.say(model, {"kind": "unseen", "page": "p"})
    # What the reader has a name for goes on.
    named = 0 if "%%" in code else 1
    assert kernel.run("print(held(LiveTable), held(LiveTableWidget, LiveView), len(models()))") == f"{named} 0 0\n"
    deadline = time.monotonic() + 30
    while subscriptions() != named and time.monotonic() < deadline:
        pass  # The server takes them out when it has read the messages.
    assert subscriptions() == named
    assert kernel.run("print(kept and kept.status)") == ("live\n" if named else "None\n")


#: Cells that close what they or others have shown, one after the other.
CLOSED = [
    ["live = kalam.live('SELECT * FROM {table}')\nlive", "live.close()"],
    ["live = kalam.live('SELECT * FROM {table}')\nlive.close()\nlive"],
    ["with kalam.live('SELECT * FROM {table}') as live:\n    display(live)"],
    ["kalam.live('SELECT * FROM {table}')", "_.close()"],
    ["live = kalam.live('SELECT * FROM {table}')\nlive", "live", "kalam.close(); kalam.connect()"],
]


def test_closed_tables_leave_nothing_in_memory(kernel, table):
    kernel.run(COUNTS)
    for cells in CLOSED:
        for _ in range(4):
            for cell in cells:
                kernel.run(cell.format(table=table))
        # The last one has a name.
        assert kernel.run("print(held(LiveTable) < 2, held(LiveTableWidget, LiveView))") == "True 0\n", cells
        assert kernel.run("live = None; print(held(LiveTable), len(ipywidgets.widget._instances))") == "0 0\n", cells
