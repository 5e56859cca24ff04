"""A script that forks while a live table follows; run by test_this_process with URL and password of a server."""

import os
import sys
import uuid

import kalam_notebook as kalam
from kalam_notebook.errors import ConfigError, LiveError


def child(client, live):
    """What the child finds; a return value of 0 means that all is as it should be."""
    for call, expected in ((live.arrow, LiveError), (lambda: client.query("SELECT 1"), ConfigError)):
        try:
            call()
        except expected:
            continue
        return 1
    live.close()
    client.close()
    print("child done", flush=True)
    return 0


def main(url, password):
    namespace = f"fork{uuid.uuid4().hex[:12]}"
    with kalam.Client(url, user="root", password=password) as client:
        client.execute_query(f"CREATE NAMESPACE {namespace}")
        client.execute_query(f"CREATE TABLE {namespace}.t (id BIGINT PRIMARY KEY) WITH (TYPE = 'SHARED')")
        with client.live(f"SELECT * FROM {namespace}.t") as live:
            pid = os.fork()
            if pid == 0:
                os._exit(child(client, live))
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            client.execute_query(f"INSERT INTO {namespace}.t (id) VALUES (1)")
            live.wait_for(1)
            print("parent follows")
        client.execute_query(f"DROP NAMESPACE {namespace}")
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
