"""A sandbox server on a free port inside the test process, and a small client for it."""

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import httpx
from aiohttp import web

from kalam_sandbox.app import create_app
from kalam_sandbox.options import Options
from kalam_sandbox.routes.answers import SANDBOX

ROOT_PASSWORD = "Root-Pass-123"
# Tests send faster than any person.
FAST = Options(
    host="127.0.0.1",
    port=0,
    root_password=ROOT_PASSWORD,
    queries_per_second=100_000,
    auth_per_second=100_000,
)
DEADLINE = 30.0


@dataclass
class Served:
    """A running server with clients by user."""

    url: str
    app: web.Application
    client: httpx.Client
    tokens: dict = field(default_factory=dict, repr=False)

    @property
    def sandbox(self):
        return self.app[SANDBOX]

    def token(self, user="root", password=ROOT_PASSWORD):
        if user not in self.tokens:
            answer = self.client.post("/v1/api/auth/login", json={"user": user, "password": password})
            self.client.cookies.clear()
            assert answer.status_code == 200, answer.text
            self.tokens[user] = answer.json()["access_token"]
        return self.tokens[user]

    def post(self, sql, params=None, *, user="root", namespace=None):
        """Send SQL and return the HTTP answer."""
        body = {"sql": sql}
        if params is not None:
            body["params"] = params
        if namespace is not None:
            body["namespace_id"] = namespace
        headers = {"Authorization": f"Bearer {self.token(user)}"}
        return self.client.post("/v1/api/sql", json=body, headers=headers)

    def sql(self, sql, params=None, **where):
        """Send SQL that must succeed and return its results."""
        answer = self.post(sql, params, **where)
        assert answer.status_code == 200, answer.text
        return answer.json()["results"]

    def rows(self, sql, params=None, **where):
        """Send one SELECT and return its rows."""
        return self.sql(sql, params, **where)[-1]["rows"]

    def message(self, sql, params=None, **where):
        """Send one statement and return its message."""
        return self.sql(sql, params, **where)[-1]["message"]

    def failure(self, sql, params=None, **where):
        """Send SQL that must fail and return its code and message."""
        answer = self.post(sql, params, **where)
        assert answer.status_code >= 400, answer.text
        error = answer.json()["error"]
        return error["code"], error["message"]

    def add_user(self, name, role):
        self.sql(f"CREATE USER '{name}' WITH PASSWORD 'Correct-Horse-9' ROLE {role}")
        self.token(name, "Correct-Horse-9")
        return name


@contextmanager
def serving(**changes):
    """Run a server with changed options until the block ends."""
    app = create_app(replace(FAST, **changes))
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    address = []

    async def start():
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address.append(runner.addresses[0][1])
        ready.set()
        return runner

    def run():
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(DEADLINE)
    url = f"http://127.0.0.1:{address[0]}"
    # To read certificates takes longer than most tests, and there are none here.
    with httpx.Client(base_url=url, timeout=DEADLINE, trust_env=False, verify=False) as client:
        yield Served(url, app, client)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(DEADLINE)
    assert not thread.is_alive()
