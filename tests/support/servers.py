"""The server that tests talk to."""

import time
from dataclasses import dataclass
from functools import cached_property

import httpx


@dataclass(frozen=True)
class Server:
    """A server and its root user."""

    url: str
    root_password: str

    @cached_property
    def token(self) -> str:
        """A token of root for the whole run: a login costs the server a fifth of a second."""
        login = {"user": "root", "password": self.root_password}
        answer = httpx.post(f"{self.url}/v1/api/auth/login", json=login, timeout=60, trust_env=False)
        return answer.raise_for_status().json()["access_token"]


def wait_for_jobs(client, *, timeout: float = 30.0) -> None:
    """Wait until the server has done its work in the background: what a drop cleans up may be a table made anew."""
    running = "SELECT job_id FROM system.jobs WHERE status NOT IN ('completed', 'failed', 'cancelled')"
    until = time.monotonic() + timeout
    while client.query_arrow(running).num_rows:
        assert time.monotonic() < until, "the server's jobs do not end"
