"""The server that tests talk to."""

import os
import time
import uuid
from dataclasses import dataclass
from functools import cached_property

import httpx

import kalam_notebook as kalam

#: The KalamDB that the sandboxes of tests of the clients play, by the name of its profile.
PROFILE = os.environ.get("KALAM_TEST_SANDBOX", "0.4.3")


def sandbox(*flags, **options):
    """Start a sandbox of that profile, with flags of its own."""
    return kalam.sandbox(options=["--server", PROFILE, *flags], **options)


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


def _row_version() -> str:
    """The name of the column that holds the version of a row; a server that somebody named is asked."""
    url = os.environ.get("KALAM_TEST_URL")
    if url is None:
        return "_version" if PROFILE in {"0.7", "0.8"} else "_seq"
    with kalam.Client(url, user="root", password=os.environ["KALAM_TEST_ROOT_PASSWORD"]) as client:
        space = f"t{uuid.uuid4().hex[:12]}"
        client.execute_query(f"CREATE NAMESPACE {space}")
        client.execute_query(f"CREATE TABLE {space}.t (id INT PRIMARY KEY) WITH (TYPE = 'SHARED')")
        columns = client.execute_query(f"SELECT * FROM {space}.t LIMIT 0").rows.columns
        client.execute_query(f"DROP NAMESPACE {space}")
    return next(column.name for column in columns if column.name in {"_version", "_seq"})


ROW_VERSION = _row_version()


def wait_for_jobs(client, *, timeout: float = 30.0) -> None:
    """Wait until the server has done its work in the background: what a drop cleans up may be a table made anew."""
    running = "SELECT job_id FROM system.jobs WHERE status NOT IN ('completed', 'failed', 'cancelled')"
    until = time.monotonic() + timeout
    while client.query_arrow(running).num_rows:
        assert time.monotonic() < until, "the server's jobs do not end"
