"""What tests of the clients share: a table beyond the scan window, which a real server takes half a minute to make."""

from dataclasses import dataclass

import pytest
from IPython.core.interactiveshell import InteractiveShell
from plain_client import IS_REAL, Plain, server_with

import kalam_notebook as kalam

#: Row versions that a scan reads (truth L3). KalamDB's own bound has no setting, the sandbox's is small.
SCAN_WINDOW = 100_000 if IS_REAL else 1_000


@dataclass(frozen=True)
class TableBeyond:
    """A table ``(id, n, t)`` that a scan reads only in part; tests leave it as they found it.

    Attributes:
        name: Its name with its namespace.
        count: Rows, with the keys from 0.
        changed: The first so many were set from ``n = 0`` to 1, which no scan sees.
        visible: Row versions that a scan reads.
        plain: The plain client of its server.
        client: Ours.
    """

    name: str
    count: int
    changed: int
    visible: int
    plain: Plain
    client: kalam.Client


@pytest.fixture(scope="session")
def beyond():
    """A table with more row versions than the server scans."""
    changed = 200
    count = SCAN_WINDOW + changed
    with server_with("--scan-window", str(SCAN_WINDOW)) as (space, plain, client):
        table = f"{space}.t"
        client.execute_query(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, n INT, t TEXT) WITH (TYPE = 'SHARED')")
        # Many rows in one statement cost the server more than the same rows in several (truth L20).
        for start in range(0, count, 2000):
            keys = range(start, min(start + 2000, count))
            client.execute_query("; ".join(_insert(table, keys[at : at + 100]) for at in range(0, len(keys), 100)))
        client.execute_query(f"UPDATE {table} SET n = 1 WHERE id < {changed}")
        yield TableBeyond(table, count, changed, SCAN_WINDOW, plain, client)


def _insert(table, keys):
    values = ", ".join(f"({key}, 0, 'x')" for key in keys)
    return f"INSERT INTO {table} (id, n, t) VALUES {values}"


@pytest.fixture
def magic_shell(server, monkeypatch):
    """IPython with our extension; the password of root is in the environment, and connections are closed in the end."""
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", server.root_password)
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "kalam_notebook")
    yield shell
    kalam.close()
    shell.history_manager.end_session()
    shell.run_line_magic("unload_ext", "kalam_notebook")
    InteractiveShell.clear_instance()
