"""Topics behind a network that fails: each message once, none lost, and no acknowledgement too many.

The first three are scenario 27 of upstream's client (protocol/live.md#outages).
"""

from contextlib import contextmanager

import pytest
from scene import DEADLINE, PATIENT, Scene

import kalam_notebook as kalam
from kalam_notebook.errors import TransportError

pytestmark = pytest.mark.contract


@pytest.fixture
def events(scene):
    """A topic with everything that happens to the scene's table."""
    with topic_of(scene) as name:
        yield name


@contextmanager
def topic_of(scene):
    name = f"{scene.namespace}.events"
    scene.near.execute_query(f"CREATE TOPIC {name}")
    try:
        for operation in ("INSERT", "UPDATE", "DELETE"):
            scene.near.execute_query(f"ALTER TOPIC {name} ADD SOURCE {scene.table} ON {operation}")
        yield name
    finally:
        scene.near.execute_query(f"DROP TOPIC {name}")


def consumer(scene, events, group="g", **options):
    return scene.far.consumer(events, group_id=group, start="earliest", **options)


def offsets(messages):
    return [message.offset for message in messages]


def drain(one):
    """Poll until nothing comes."""
    found = []
    while messages := one.poll(0):
        found += messages
    return found


def test_fragmented_consume_and_commit(scene, events):
    """27: an insert, an update and a delete come in pieces of three bytes, and so does their acknowledgement."""
    scene.insert([1])
    scene.update("room = 'b', n = 7", "id = 1")
    scene.delete("id = 1")
    scene.proxy.fragment = 3
    one = consumer(scene, events)
    messages = one.poll(DEADLINE)
    assert [(message.offset, message.op, message.key) for message in messages] == [
        (0, "Insert", "1"),
        (1, "Update", "1"),
        (2, "Delete", "1"),
    ]
    assert [(message.row["room"], message.row["n"]) for message in messages[:2]] == [("a", 1), ("b", 7)]
    assert one.commit_sync().acknowledged_offsets == {0: 2}
    assert consumer(scene, events).poll(0.3) == []


def test_bandwidth_collapse_during_poll(scene, events):
    """27: eight bytes a second while an answer is on its way. The same consumer gets its messages afterwards."""
    scene.insert([0])
    one = consumer(scene, events)
    for number in range(1, 5):
        scene.insert([number])
    scene.proxy.bytes_per_second = 8
    with pytest.raises(TransportError):
        one.poll(0)
    scene.proxy.bytes_per_second = 0
    scene.proxy.cut()
    assert offsets(drain(one)) == [0, 1, 2, 3, 4]
    assert one.commit_sync().acknowledged_offsets == {0: 4}


def test_a_commit_that_failed_can_be_made_again(scene, events):
    """27: the connection ends under the acknowledgement."""
    scene.insert([10, 11, 12])
    one = consumer(scene, events)
    assert offsets(one.poll(DEADLINE)) == [0, 1, 2]
    scene.proxy.go_down()
    with pytest.raises(TransportError):
        one.commit_sync()
    scene.proxy.come_up()
    assert one.commit_sync().acknowledged_offsets == {0: 2}
    assert one.poll(0.3) == []
    assert consumer(scene, events).poll(0.3) == []


def test_an_answer_that_was_lost_is_made_up_for_in_order(scene, events):
    """The server has given the messages away when the network cuts their answer, and newer ones follow."""
    for number in range(6):
        scene.insert([number])
    one = consumer(scene, events, max_poll_records=2)
    assert offsets(one.poll(0)) == [0, 1]
    scene.proxy.before(b"/v1/api/topics/consume", lambda: scene.proxy.after_bytes(60, scene.proxy.cut))
    with pytest.raises(TransportError):
        one.poll(0)
    assert scene.proxy.fired == 2
    scene.insert([6])
    assert offsets(drain(one)) == [2, 3, 4, 5, 6]
    assert one.commit_sync().acknowledged_offsets == {0: 6}


def test_a_lost_acknowledgement_was_made_all_the_same(scene, events):
    """The server has acknowledged when the network cuts its answer; the request is sent again by itself."""
    scene.insert([1, 2])
    one = consumer(scene, events)
    one.poll(DEADLINE)
    scene.proxy.before(b"/v1/api/topics/ack", lambda: scene.proxy.after_bytes(10, scene.proxy.cut))
    assert one.commit_sync().acknowledged_offsets == {0: 1}
    assert scene.proxy.fired == 2
    assert consumer(scene, events).poll(0.3) == []


def test_iterating_outlasts_an_outage(scene, events):
    """A loop over messages goes on when the network comes back."""
    scene.insert([1])
    one = consumer(scene, events)
    assert next(one).offset == 0
    scene.proxy.go_down()
    following = scene.begin(lambda: next(one))
    scene.proxy.wait_until(lambda: scene.proxy.refused >= 2, timeout=DEADLINE)
    scene.insert([2])
    assert not following.done()
    scene.proxy.come_up()
    assert following.result(DEADLINE).offset == 1


def test_messages_of_a_consumer_that_died_come_to_another(start_server):
    """After the visibility time-out all come again, and nothing was acknowledged for them meanwhile."""
    with (
        start_server("--topic-visibility-seconds", "1") as server,
        Scene(server, timeouts=PATIENT) as scene,
        topic_of(scene) as events,
    ):
        scene.insert([0, 1, 2])
        consumer(scene, events).poll(DEADLINE)
        scene.insert([3])
        second = consumer(scene, events)
        assert offsets(second.poll(0)) == [3]
        assert second.commit_sync() == kalam.CommitResult({}, 1)
        assert offsets(second.poll(DEADLINE)) == [0, 1, 2]
        assert second.commit_sync() == kalam.CommitResult({0: 3}, 0)
