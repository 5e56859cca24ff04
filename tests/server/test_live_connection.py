"""Handshake, authentication, frames, limits and the end of a connection, over a real socket."""

import asyncio
import json

import httpx
import pytest
from live_doubles import DEADLINE, on_server

PROTOCOL = {"serialization": "json", "compression": "gzip"}
BARRIER = {"type": "next_batch", "subscription_id": "barrier"}


def authenticate(token, **changes):
    return {"type": "authenticate", "method": "jwt", "token": token, "protocol": PROTOCOL, **changes}


async def barrier(client):
    """Wait until the server has worked off everything sent so far, and check that it said nothing else."""
    await client.send(BARRIER)
    assert (await client.receive())["subscription_id"] == "barrier"


@on_server()
async def test_a_plain_request_is_refused_with_an_empty_answer(server):
    url = server.url.replace("ws", "http", 1)

    answer = await asyncio.to_thread(httpx.get, url, timeout=DEADLINE, trust_env=False)
    assert (answer.status_code, answer.content) == (400, b"")


@on_server()
async def test_a_header_is_answered_without_being_asked(server):
    async with server.connect(token=None, headers={"Authorization": "Bearer alice-token"}) as client:
        greeting = {"type": "auth_success", "user": "alice", "role": "user", "protocol": PROTOCOL}
        assert await client.receive() == greeting


@on_server()
async def test_a_bad_header_is_told_after_the_upgrade(server):
    async with server.connect(token=None, headers={"Authorization": "Bearer bad.token.here"}) as client:
        assert await client.receive() == {"type": "auth_error", "message": "Invalid credentials"}
        assert await client.receive_close() == (1008, "Authentication failed")


@pytest.mark.parametrize("header", ["bearer root-token", "Basic cm9vdDp4", "Bearer"])
@on_server()
async def test_other_headers_leave_the_socket_waiting_for_a_message(server, header):
    async with server.connect(token=None, headers={"Authorization": header}) as client:
        await client.send(authenticate("root-token"))
        assert (await client.receive())["user"] == "root"


@on_server()
async def test_a_second_authentication_succeeds_whatever_its_token(server):
    async with server.connect() as client:
        await client.send(authenticate("junk"))
        assert (await client.receive())["user"] == "root"


@on_server()
async def test_a_bad_token_in_a_message_closes(server):
    async with server.connect(token=None) as client:
        await client.send(authenticate("junk"))
        assert (await client.receive())["type"] == "auth_error"
        assert await client.receive_close() == (1008, "Authentication failed")


@on_server()
async def test_compression_none_is_an_echo(server):
    async with server.connect(token=None, query="?compression=none&compress=FALSE",
                              headers={"Authorization": "Bearer root-token"}) as client:  # fmt: skip
        assert (await client.receive())["protocol"]["compression"] == "none"


@on_server()
async def test_before_authentication_only_subscribe_is_answered(server):
    async with server.connect(token=None) as client:
        await client.send({"type": "ping"})
        await client.send({"type": "unsubscribe", "subscription_id": "s"})
        await client.send(BARRIER)
        answer = await client.subscribe(options={})
        assert (answer["subscription_id"], answer["code"]) == ("subscribe", "AUTH_REQUIRED")


@on_server(auth_timeout=0.05, heartbeat_interval=0.02)
async def test_no_token_in_time_closes(server):
    async with server.connect(token=None) as client:
        text = "Authentication timeout - no auth message received within 0.05 seconds"
        assert await client.receive() == {"type": "auth_error", "message": text}
        assert await client.receive_close() == (1008, "Authentication timeout")


@on_server(client_timeout=0.15, heartbeat_interval=0.02)
async def test_silence_closes_with_code_1000(server):
    async with server.connect() as client:
        assert await client.receive_close() == (1000, "Heartbeat timeout")


@on_server(client_timeout=0.6, heartbeat_interval=0.02)
async def test_pings_keep_a_connection_alive_and_are_answered(server):
    async with server.connect() as client:
        began = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < began + 1.2:
            pong = await client.socket.ping()
            await asyncio.wait_for(pong, DEADLINE)
        await barrier(client)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json", "Invalid message: expected ident at line 1 column 2"),
        (
            '{"type":"zzz"}',
            "Invalid message: unknown variant `zzz`, expected one of `authenticate`, `subscribe`, `next_batch`, "
            "`unsubscribe`, `ping` at",
        ),
        ("ü" * 70, "Invalid message: expected value at line 1 column 2"),
        ('{"type":"' + "ü" * 70 + '"}', "Invalid message: unknown variant `" + "ü" * 44),
    ],
)
@on_server()
async def test_unreadable_text_closes_with_a_reason_of_at_most_123_bytes(server, text, reason):
    async with server.connect() as client:
        await client.send(text)
        assert await client.receive_close() == (1011, reason)


@on_server()
async def test_binary_is_refused_and_the_connection_stays(server):
    async with server.connect() as client:
        await client.send(b"\x01")
        answer = await client.receive()
        assert (answer["subscription_id"], answer["code"], answer["message"]) == (
            "protocol", "UNSUPPORTED_DATA", "Binary not supported",
        )  # fmt: skip
        await barrier(client)


@on_server()
async def test_a_frame_of_65536_bytes_is_read(server):
    async with server.connect() as client:
        await client.send(json.dumps({"type": "ping"}).ljust(65_536))
        await barrier(client)


@pytest.mark.parametrize("frame", ["x" * 65_537, "ü" * 32_769, b"x" * 65_537])
@on_server()
async def test_a_larger_frame_cuts_the_connection_without_a_close_frame(server, frame):
    async with server.connect() as client:
        await client.send(frame)
        assert await client.receive_close() == (None, None)


@on_server()
async def test_the_clients_close_frame_is_echoed(server):
    async with server.connect() as client:
        await client.socket.close(3001, "enough")
        assert await client.receive_close() == (3001, "enough")


@on_server(messages_per_second=5)
async def test_too_many_messages_are_dropped_one_error_each(server):
    async with server.connect() as client:
        for _ in range(5):
            await client.send({"type": "ping"})
        await client.send({"type": "zzz"})
        assert await client.receive() == {
            "type": "error", "subscription_id": "rate_limit", "code": "RATE_LIMIT_EXCEEDED",
            "message": "Too many messages",
        }  # fmt: skip


@on_server()
async def test_long_messages_are_compressed_where_that_is_shorter(server):
    async with server.connect() as client:
        await client.subscribe("short", "SELECT id FROM ws.t")
        await client.subscribe("x" * 600, "SELECT id FROM ws.t")
        assert client.kinds[1:] == ["text", "binary"]


@on_server()
async def test_nothing_is_compressed_where_the_client_says_so(server):
    async with server.connect(query="?a=b&COMPRESS=False") as client:
        await client.subscribe("x" * 600, "SELECT id FROM ws.t")
        assert set(client.kinds) == {"text"}


@on_server()
async def test_a_stopping_server_closes_with_1001(server):
    async with server.connect() as client:
        stopping = asyncio.create_task(server.stop())
        assert await client.receive_close() == (1001, "Server shutting down")
        await stopping
