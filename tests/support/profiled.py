"""Sandbox servers that play later versions of KalamDB, and sockets to them."""

import contextlib

import websockets
from live_doubles import Client
from serving import serving

from kalam_sandbox.profiles import PROFILES


@contextlib.contextmanager
def playing(version, **changes):
    """Run a server with the habits of a version, and the namespace ``app``."""
    with serving(**{**PROFILES[version], **changes}) as served:
        served.sql("CREATE NAMESPACE app")
        yield served


@contextlib.asynccontextmanager
async def connected(served, user="root"):
    """Open an authenticated socket."""
    headers = {"Authorization": f"Bearer {served.token(user)}"}
    url = served.url.replace("http", "ws", 1) + "/v1/ws"
    async with websockets.connect(
        url, additional_headers=headers, proxy=None, compression=None, max_size=None, max_queue=None
    ) as socket:
        client = Client(socket)
        assert (await client.receive())["type"] == "auth_success"
        yield client
