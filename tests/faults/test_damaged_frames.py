"""Frames that no server should send, put between those of one that works: the connection is left, and all is well."""

import gzip
import json

import pytest
from scene import DEADLINE
from tcp_proxy import BINARY, TEXT, frame

from kalam_notebook.wire.live import MAX_MESSAGE_BYTES

pytestmark = pytest.mark.contract

PACKED = gzip.compress(b"{}")


@pytest.fixture
def live(scene, caplog):
    caplog.set_level("INFO", logger="kalam_notebook.live")
    scene.insert(range(3))
    return scene.live()


def wire_id(scene):
    """The name under which the server knows the live table."""
    return json.loads(next(text for text in scene.sent if '"type":"subscribe"' in text))["subscription"]["id"]


def follows_again(scene, live, caplog, reason):
    """The connection is left for this reason, and afterwards the table is as it should be."""
    live.wait_for(lambda t: t.stats.reconnects, timeout=DEADLINE)
    assert reason in caplog.text
    scene.settle(live)
    scene.insert([10])
    scene.delete("id = 1")
    scene.settle(live)


def test_a_gzip_bomb(scene, live, caplog):
    scene.proxy.inject(frame(BINARY, gzip.compress(bytes(MAX_MESSAGE_BYTES + 1), 1)))
    follows_again(scene, live, caplog, "unpacks to more than 67,108,864 bytes")


def test_a_frame_of_more_than_64_mb(scene, live, caplog):
    """Its head is enough; nobody waits for the rest."""
    scene.proxy.inject(frame(TEXT, b" " * 1000, announced=MAX_MESSAGE_BYTES + 1))
    follows_again(scene, live, caplog, "a frame was refused")


@pytest.mark.parametrize("payload", [b'{"type":"\xff\xfe"}', b"\xc3"], ids=["inside", "cut"])
def test_text_that_is_not_utf_8(scene, live, caplog, payload):
    scene.proxy.inject(frame(TEXT, payload))
    follows_again(scene, live, caplog, "a frame was refused")


@pytest.mark.parametrize(
    "payload",
    [b"", b"not json", b"[]", b"{}", b'{"type":5}', b'{"type":"change"}', b'{"type":"error","code":5}', b"[" * 10_000],
    ids=["empty", "text", "list", "no type", "number", "no fields", "code", "deep"],
)
def test_json_of_the_wrong_shape(scene, live, caplog, payload):
    scene.proxy.inject(frame(TEXT, payload))
    follows_again(scene, live, caplog, "The server sent a")


@pytest.mark.parametrize(
    "change",
    [
        {"change_type": "insert", "rows": 5},
        {"change_type": "insert", "rows": [5]},
        {"change_type": "insert", "rows": []},
        {"change_type": "merge", "rows": [{}]},
        {"change_type": "delete"},
    ],
    ids=["number", "list of numbers", "empty", "unknown kind", "no old values"],
)
def test_changes_of_the_wrong_shape(scene, live, caplog, change):
    message = {"type": "change", "subscription_id": wire_id(scene), **change}
    scene.proxy.inject(frame(TEXT, json.dumps(message).encode()))
    follows_again(scene, live, caplog, "The server sent a bad change message")


@pytest.mark.parametrize("packed", [b"{}", PACKED[:-4], PACKED + b"more"], ids=["none", "cut", "more"])
def test_binary_frames_that_are_not_one_gzip_member(scene, live, caplog, packed):
    scene.proxy.inject(frame(BINARY, packed))
    follows_again(scene, live, caplog, "gzip")


def test_errors_of_the_connection(scene, live, caplog):
    message = b'{"type":"error","subscription_id":"rate_limit","code":"RATE_LIMIT_EXCEEDED","message":"Too many"}'
    scene.proxy.inject(frame(TEXT, message))
    follows_again(scene, live, caplog, "RATE_LIMIT_EXCEEDED: Too many")


@pytest.mark.parametrize(
    "message",
    [
        {"type": "weather", "subscription_id": "live-1", "rows": 5},
        {"type": "change", "subscription_id": "nobody", "change_type": "insert", "rows": [{"id": "7"}]},
        {"type": "error", "subscription_id": "nobody", "code": "NEW_CODE", "message": "?"},
        {"type": "subscription_ack", "subscription_id": "nobody", "batch_control": {}},
        {"type": "auth_success", "user": "mallory", "role": "system", "new": {"field": [1]}},
    ],
    ids=["unknown type", "change", "error", "ack", "auth"],
)
def test_messages_that_concern_nobody_are_passed_over(scene, live, message):
    if message["type"] == "subscription_ack":
        control = {"batch_num": 0, "has_more": False, "status": "ready", "last_seq_id": None}
        message = {**message, "batch_control": control, "schema": []}
    scene.proxy.inject(frame(TEXT, json.dumps(message).encode()))
    scene.insert([10])
    scene.settle(live)
    assert live.stats.reconnects == 0
