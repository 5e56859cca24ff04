"""The outages that upstream's client is tested with, each by the name of its scenario (protocol/live.md#outages).

Upstream cuts while its consumer is part-way; here the wire itself is cut. 8 and 19 to 24 are in
test_transport_impairments; 7, 10, 15 and 18 in test_first_readings; 27 in test_topic_outages.
"""

import pytest
from scene import DEADLINE, ids, is_lost

pytestmark = pytest.mark.contract


def test_ack_before_first_batch(scene):
    """1: cut after the acknowledgement. The rows come over HTTP, and what was written in the gap as well."""
    scene.insert(range(12))
    scene.proxy.after(b'"subscription_ack"', lambda: scene.proxy.go_down(only_sockets=True))
    beginning = scene.begin_live()
    scene.proxy.wait_until(lambda: scene.proxy.fired)
    scene.insert(range(100, 105))
    scene.proxy.come_up()
    live = beginning.result(DEADLINE)
    scene.settle(live)
    assert live.stats.reconnects >= 1
    scene.insert([200])
    scene.settle(live)
    assert ids(live) == [*range(12), *range(100, 105), 200]


def test_blackhole_during_subscribe(scene):
    """2: the socket stays open and silent while subscribing."""
    scene.insert(range(5))
    scene.proxy.after(b'"auth_success"', scene.proxy.freeze)
    beginning = scene.begin_live()
    scene.proxy.wait_until(lambda: scene.proxy.sockets >= 2, timeout=DEADLINE)
    assert not beginning.done()
    scene.proxy.thaw()
    live = beginning.result(DEADLINE)
    scene.insert([5])
    scene.settle(live)


def test_double_outage(scene):
    """3: the server goes away again while the client comes back."""
    scene.insert(range(3))
    live = scene.live()
    scene.go_away(live)
    scene.insert([10])
    scene.proxy.after(b'"auth_success"', scene.proxy.go_down)
    scene.proxy.come_up()
    scene.proxy.wait_until(lambda: scene.proxy.fired, timeout=DEADLINE)
    live.wait_for(is_lost)
    scene.insert([11])
    scene.proxy.come_up()
    scene.settle(live)
    assert ids(live) == [0, 1, 2, 10, 11]


def test_event_counter_integrity(scene):
    """4: after three outages each connection, event and row has been counted once."""
    live = scene.live()
    for number in range(3):
        scene.go_away(live)
        scene.insert([10 * number])
        scene.proxy.come_up()
        scene.settle(live)
        scene.insert([10 * number + 1])
        scene.settle(live)
    assert scene.connections() == live.stats.reconnects + 1 >= 4
    assert live.stats.events == sum('"type":"change"' in text for text in scene.received)
    assert live.stats.rows == live.num_rows == 6


def test_gradual_degradation(scene):
    """5: latency grows until the server is taken for dead."""
    live = scene.live()
    for number, delay in enumerate((0.05, 0.1, 0.2)):
        scene.proxy.delay = delay
        scene.insert([number])
        scene.settle(live)
    scene.proxy.delay = 3 * DEADLINE
    live.wait_for(is_lost)
    scene.proxy.delay = 0.0
    scene.insert([10])
    scene.settle(live)
    assert live.stats.reconnects >= 1


def test_heavy_write_burst_recovery(scene):
    """6: fifty rows written while away are each there once."""
    live = scene.live()
    scene.go_away(live)
    for number in range(50):
        scene.insert([number])
    scene.proxy.come_up()
    scene.settle(live)
    assert ids(live) == list(range(50))


def test_live_updates_resume(scene):
    """9: rows from before the outage are not told again, those of the gap and later ones are there."""
    live = scene.live()
    scene.insert([1])
    scene.settle(live)
    scene.go_away(live)
    scene.insert([2])
    scene.proxy.come_up()
    scene.settle(live)
    scene.insert([3])
    scene.settle(live)
    assert ids(live) == [1, 2, 3]
    told = [text for text in scene.received if '"type":"change"' in text]
    assert sum('"id":"1"' in text for text in told) == 1


def test_mixed_stage_recovery(scene):
    """11: one live query follows and another is being read when the network is cut."""
    scene.insert(range(20))
    first = scene.live()
    scene.proxy.before(b"POST /v1/api/sql", scene.proxy.cut)
    second = scene.live("WHERE id >= 10")
    assert scene.proxy.fired
    scene.insert([30])
    scene.settle(first, second)
    assert (first.num_rows, second.num_rows) == (21, 11)


def test_multi_sub_bounce(scene):
    """12: three live queries come back, and each has its own rows only."""
    rooms = ["a", "b", "c"]
    for number, room in enumerate(rooms):
        scene.insert([number], room=room)
    lives = [scene.live(f"WHERE room = '{room}'") for room in rooms]
    scene.go_away(*lives)
    for number, room in enumerate(rooms):
        scene.insert([10 + number], room=room)
    scene.proxy.come_up()
    scene.settle(*lives)
    for number, room in enumerate(rooms):
        scene.insert([20 + number], room=room)
    scene.settle(*lives)
    for number, (live, room) in enumerate(zip(lives, rooms, strict=True)):
        assert ids(live) == [number, 10 + number, 20 + number]
        assert set(live.arrow()["room"].to_pylist()) == {room}


def test_rapid_flap(scene):
    """13: the network comes and goes several times a second."""
    live = scene.live()
    for number in range(5):
        refused, sockets = scene.proxy.refused, scene.proxy.sockets
        scene.proxy.go_down()
        scene.insert([number])
        scene.proxy.wait_until(lambda seen=refused: scene.proxy.refused > seen, timeout=DEADLINE)
        scene.proxy.come_up()
        scene.proxy.wait_until(lambda seen=sockets: scene.proxy.sockets > seen, timeout=DEADLINE)
    scene.settle(live)
    scene.insert([10])
    scene.settle(live)


def test_server_down_connecting(scene):
    """14: the server is away at first; the live query stands as soon as it is there."""
    scene.insert(range(3))
    scene.proxy.go_down()
    beginning = scene.begin_live()
    scene.proxy.wait_until(lambda: scene.proxy.refused)
    assert not scene.connections()
    scene.proxy.come_up()
    live = beginning.result(DEADLINE)
    assert scene.connections() >= 1
    scene.settle(live)


def test_socket_drop_resume(scene):
    """16: the socket alone is lost, which is said, and everything is there after the return."""
    scene.insert(range(3))
    live = scene.live()
    scene.go_away(live, only_sockets=True)
    scene.insert([10])
    scene.proxy.come_up()
    scene.settle(live)
    assert live.stats.reconnects >= 1


def test_staggered_outages(scene):
    """17: outages of different length, one after the other."""
    live = scene.live()
    for number, attempts in enumerate((1, 4, 2)):
        refused = scene.proxy.refused
        scene.go_away(live)
        scene.insert([10 * number])
        scene.proxy.wait_until(lambda least=refused + attempts: scene.proxy.refused >= least, timeout=DEADLINE)
        scene.proxy.come_up()
        scene.settle(live)
        scene.insert([10 * number + 1])
        scene.settle(live)
    assert ids(live) == [0, 1, 10, 11, 20, 21]


def test_unsubscribe_during_outage(scene):
    """25: a live query that is closed while away does not come back."""
    closed, kept = scene.live("WHERE n > 5"), scene.live()
    scene.go_away(kept)
    closed.close()
    before = len(scene.sent)
    scene.insert([1])
    scene.proxy.come_up()
    scene.settle(kept)
    subscribed = [text for text in scene.sent[before:] if '"type":"subscribe"' in text]
    assert subscribed
    assert not any("n > 5" in text for text in subscribed)
    assert (closed.status, closed.num_rows) == ("stopped: closed", 0)


def test_update_delete_resume(scene):
    """26: updates before and in the gap, a delete in the gap and one after it."""
    scene.insert(range(4))
    live = scene.live()
    scene.update("n = 100", "id = 0")
    scene.settle(live)
    scene.go_away(live)
    scene.update("n = 101, room = NULL", "id = 1")
    scene.delete("id = 2")
    scene.proxy.come_up()
    scene.settle(live)
    scene.delete("id = 0")
    scene.settle(live)
    assert sorted(live.arrow()["n"].to_pylist()) == [3, 101]
