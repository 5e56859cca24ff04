"""Recorded sessions of a real server, sent to the sandbox frame by frame.

Answers must be equal but for what no two runs share: row versions, generated keys, the order of rows that
nothing orders, and whether a frame was compressed. Sessions run in the order of the recording, since later
ones need the rows that earlier ones wrote.
"""

import asyncio
import gzip
import json

import pytest
import websockets
from recorded import SNOWFLAKE, comparable, exceptions, load
from serving import serving

RECORDING = "ws.jsonl"
DEADLINE = 5.0
MOST = 0.95
# The recorded server waited three seconds for a token.
AUTH_TIMEOUT = 0.5


def as_text(kind, value):
    kind = "text" if kind == "binary+gzip" else kind
    text = json.dumps(comparable(value, ordered=False), ensure_ascii=False, sort_keys=True)
    return f"{kind} {text.replace(f'within {AUTH_TIMEOUT} seconds', 'within 3 seconds')}"


class Replay:
    """Sends one recorded session and counts the answers that are equal."""

    def __init__(self, served):
        self.served = served
        self.url = served.url.replace("http", "ws", 1) + "/v1/ws"
        self.token = served.token()
        self.equal = self.total = 0
        self.differences = []

    async def run(self, session):
        headers = {"header": f"Bearer {self.token}", "bad": "Bearer bad.token.here"}
        header = headers.get(session.get("auth"))
        if session["name"] == "setup":
            for frame in session["frames"]:
                await self.sql(frame["data"])
            return
        async with websockets.connect(
            self.url + session["query"],
            additional_headers={"Authorization": header} if header else {},
            proxy=None,
            compression=None,
            ping_interval=None,
            max_size=None,
            # A client that stops reading would wait for its own close.
            max_queue=None,
        ) as socket:
            # What the server called a row version when it was recorded, and what it calls it now.
            names = {}
            for frames in grouped(session["frames"]):
                if frames[0]["dir"] == "out":
                    await self.send(socket, frames[0]["data"], names)
                elif frames[0]["dir"] == "http":
                    await self.sql(frames[0]["data"])
                elif frames[0]["dir"] == "in":
                    await self.compare(socket, session["name"], frames, names)

    async def sql(self, body):
        await asyncio.to_thread(self.served.sql, body["sql"], body.get("params"))

    async def send(self, socket, data, names):
        if isinstance(data, dict) and data.get("type") == "authenticate":
            data = {**data, "token": self.token}
        text = data if isinstance(data, str) else json.dumps(data)
        for recorded, present in names.items():
            text = text.replace(recorded, present)
        await socket.send(text)

    async def compare(self, socket, name, wanted, names):
        received = [await receive(socket) for _ in wanted]
        left = [as_text(*frame) for frame in received]
        self.total += len(wanted)
        for want, (_, got) in zip(wanted, received, strict=True):
            recorded, present = (SNOWFLAKE.findall(json.dumps(data)) for data in (want["data"], got))
            names.update(zip(recorded, present, strict=False))
            text = as_text(want["kind"], want["data"])
            if text in left:
                left.remove(text)
                self.equal += 1
            else:
                self.differences.append((name, text[:300], left[0][:300]))


def grouped(frames):
    """Put changes that follow each other together; rows of one statement come in any order."""
    groups = []
    for frame in frames:
        is_change = frame["dir"] == "in" and isinstance(frame["data"], dict) and frame["data"].get("type") == "change"
        if is_change and groups and groups[-1][1]:
            groups[-1][0].append(frame)
        else:
            groups.append(([frame], is_change))
    return [group for group, _ in groups]


async def receive(socket):
    try:
        frame = await asyncio.wait_for(socket.recv(), DEADLINE)
    except TimeoutError:
        return "nothing", None
    except websockets.ConnectionClosed as closed:
        received = closed.rcvd
        return "close", {"code": received.code if received else None, "reason": received.reason if received else None}
    return "text", json.loads(frame if isinstance(frame, str) else gzip.decompress(frame))


@pytest.fixture(scope="module")
def replay():
    left_out = exceptions(RECORDING)
    with serving(auth_timeout=AUTH_TIMEOUT, heartbeat_interval=0.1) as served:
        replay = Replay(served)
        for session in load(RECORDING):
            if session["name"] not in left_out:
                asyncio.run(replay.run(session))
    return replay


@pytest.mark.slow
def test_recorded_frames_are_equal(replay):
    print(f"{RECORDING}: {replay.equal} of {replay.total} frames equal")
    assert replay.total > 100
    assert replay.equal >= MOST * replay.total, replay.differences
    assert not replay.differences


def test_every_exception_names_a_session():
    assert set(exceptions(RECORDING)) <= {session["name"] for session in load(RECORDING)}
