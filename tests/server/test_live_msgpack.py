"""MessagePack on the socket: the bytes themselves, and which messages are written so.

Source: protocol/live.md#connecting, #frames.
"""

import asyncio
import contextlib
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_doubles import DEADLINE, on_server

from kalam_sandbox.live import msgpack

PACKED = {"Authorization": "Bearer root-token"}
QUERY = "?serialization=msgpack"
SUBSCRIBE = {"type": "subscribe", "subscription": {"id": "s", "sql": "SELECT * FROM ws.t", "options": {}}}


# Value and bytes as the format's specification gives them.
@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "c0"),
        (False, "c2"),
        (True, "c3"),
        (0, "00"),
        (127, "7f"),
        (128, "cc80"),
        (256, "cd0100"),
        (65_536, "ce00010000"),
        (2**64 - 1, "cfffffffffffffffff"),
        (-1, "ff"),
        (-32, "e0"),
        (-33, "d0df"),
        (-129, "d1ff7f"),
        (-32_769, "d2ffff7fff"),
        (-(2**63), "d38000000000000000"),
        (1.5, "cb3ff8000000000000"),
        ("", "a0"),
        ("é", "a2c3a9"),
        ("x" * 31, "bf" + "78" * 31),
        ("x" * 32, "d920" + "78" * 32),
        ("x" * 256, "da0100" + "78" * 256),
        ([], "90"),
        ([1, [2]], "92019102"),
        ([0] * 16, "dc0010" + "00" * 16),
        ({}, "80"),
        ({"a": None}, "81a161c0"),
        ({str(n): n for n in range(16)}, None),
    ],
)
def test_the_bytes_of_a_value(value, told):
    data = msgpack.pack(value)
    assert told is None or data.hex() == told
    assert msgpack.unpack(data) == value


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner, max_size=20),
    max_leaves=40,
)


@given(_JSON)
@pytest.mark.slow
def test_what_is_packed_comes_back(value):
    assert msgpack.unpack(msgpack.pack(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xa5abc",
        b"\x92\x01",
        b"\x81\x01\x02",
        b"\xc4\x01x",
        b"\xc1",
        b"\x01\x02",
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 60_000,
    ],
)
def test_broken_bytes_are_refused(data):
    with pytest.raises(ValueError, match=r"MessagePack|utf-8"):
        msgpack.unpack(data)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(data):
    with contextlib.suppress(ValueError):
        msgpack.unpack(data)


async def receive(client):
    """Return the kind of the next frame and what it holds."""
    frame = await asyncio.wait_for(client.socket.recv(), DEADLINE)
    if isinstance(frame, str):
        return "json", json.loads(frame)
    if frame.startswith(b"\x1f\x8b"):
        return "gzip", msgpack.unpack(gzip.decompress(frame))
    return "msgpack", msgpack.unpack(frame)


@on_server()
async def test_messages_behind_a_header_are_packed(server):
    server.backend.write("t", {"id": "1", "room": "a", "n": 2**40})
    async with server.connect(token=None, headers=PACKED, query=QUERY) as client:
        kind, greeting = await receive(client)
        assert (kind, greeting["protocol"]["serialization"]) == ("json", "msgpack")
        await client.send(SUBSCRIBE)
        kind, ack = await receive(client)
        assert (kind, ack["type"], ack["batch_control"]["last_seq_id"]) == ("msgpack", "subscription_ack", 1001)
        kind, batch = await receive(client)
        assert (kind, batch["rows"][0]["n"], batch["rows"][0]["_seq"]) == ("msgpack", 2**40, "1001")
        await client.send({"type": "subscribe", "subscription": {"id": "x" * 600, "sql": "SELECT id FROM ws.t"}})
        assert (await receive(client))[0] == "gzip"
        await client.send({"type": "subscribe", "subscription": {"id": "", "sql": ""}})
        assert (await receive(client))[0] == "json"


@on_server()
async def test_a_message_may_ask_for_it_too(server):
    async with server.connect(token=None, query="?compress=false&serialization=msgpack") as client:
        protocol = {"serialization": "msgpack", "compression": "gzip"}
        await client.send({"type": "authenticate", "method": "jwt", "token": "root-token", "protocol": protocol})
        assert (await receive(client))[1]["protocol"] == protocol
        await client.send(SUBSCRIBE)
        assert (await receive(client))[0] == "msgpack"


@pytest.mark.parametrize("wrap", [bytes, gzip.compress])
@on_server()
async def test_clients_may_pack_as_well(server, wrap):
    async with server.connect(token=None, headers=PACKED, query=QUERY) as client:
        await receive(client)
        await client.send(wrap(msgpack.pack(SUBSCRIBE)))
        assert (await receive(client))[1]["type"] == "subscription_ack"


@pytest.mark.parametrize("data", [b"\xc1", b"\x1f\x8bnothing", gzip.compress(b"\xc0" * (2 << 20))])
@on_server()
async def test_what_cannot_be_unpacked_is_told(server, data):
    async with server.connect(token=None, headers=PACKED, query=QUERY) as client:
        await receive(client)
        await client.send(data)
        kind, answer = await receive(client)
        assert (kind, answer["subscription_id"], answer["code"]) == ("json", "protocol", "UNSUPPORTED_DATA")
