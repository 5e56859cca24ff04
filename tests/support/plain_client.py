"""A plain client, and the servers that it is compared with ours on."""

import contextlib
import os
import uuid

import httpx
from servers import Server, sandbox

import kalam_notebook as kalam

IS_REAL = "KALAM_TEST_URL" in os.environ


class Plain:
    """A client that believes what it reads: httpx and JSON, as a careful reader of the API would write it."""

    def __init__(self, server):
        self.server = server
        self.http = httpx.Client(base_url=server.url, timeout=60, trust_env=False)
        self.http.headers["Authorization"] = f"Bearer {server.token}"

    def results(self, sql, params=None, **more):
        body = {"sql": sql, **({} if params is None else {"params": params}), **more}
        answer = self.http.post("/v1/api/sql", json=body).json()
        assert answer["status"] == "success", answer
        return answer["results"]

    def rows(self, sql, params=None, **more):
        return self.results(sql, params, **more)[0]["rows"]


@contextlib.contextmanager
def plain_client(server):
    plain = Plain(server)
    with contextlib.closing(plain.http):
        yield plain


@contextlib.contextmanager
def server_with(*flags):
    """The real server, or a sandbox with flags of its own: its namespace, the plain client and ours."""
    with contextlib.ExitStack() as stack:
        if IS_REAL:
            server = Server(os.environ["KALAM_TEST_URL"], os.environ["KALAM_TEST_ROOT_PASSWORD"])
        else:
            started = stack.enter_context(sandbox(*flags))
            server = Server(started.url, started.root_password)
        client = stack.enter_context(kalam.Client(server.url, token=server.token))
        name = f"t{uuid.uuid4().hex[:12]}"
        client.execute_query(f"CREATE NAMESPACE {name}")
        yield name, stack.enter_context(plain_client(server)), client
        client.execute_query(f"DROP NAMESPACE {name}")
