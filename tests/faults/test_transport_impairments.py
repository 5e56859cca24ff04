"""Networks that are slow, silent or damaged: upstream's 8 and 19 to 24 (protocol/live.md#outages), and ours."""

import pytest
from scene import DEADLINE, PATIENT, Scene, is_lost

pytestmark = pytest.mark.contract


@pytest.fixture
def patient(server):
    """A scene whose far client takes nobody for dead, so that each loss of connection is a mistake."""
    with Scene(server, timeouts=PATIENT) as scene:
        yield scene


def test_latency_during_snapshot(patient):
    """8: every chunk is late while the rows are read, and nobody is taken for dead."""
    patient.insert(range(300))
    patient.proxy.stall = 0.1
    live = patient.live()
    patient.proxy.stall = 0.0
    patient.settle(live)
    assert (live.num_rows, live.stats.reconnects, patient.connections()) == (300, 0, 1)


def test_blackhole(scene):
    """19: the socket is open and nothing comes: missed within the pong timeout."""
    live = scene.live()
    scene.proxy.freeze()
    live.wait_for(is_lost, timeout=DEADLINE)
    scene.insert([1])
    scene.proxy.thaw()
    scene.settle(live)
    assert live.stats.reconnects >= 1


def test_latency_of_300_ms(patient):
    """20: slow, and not dead."""
    live = patient.live()
    patient.proxy.delay = 0.3
    for number in range(3):
        patient.insert([number])
        patient.settle(live)
    assert (live.stats.reconnects, patient.connections()) == (0, 1)


def test_chunk_stalls(scene):
    """21: pauses as of lost packets, longer than the pong timeout."""
    live = scene.live()
    scene.proxy.stall = 3 * DEADLINE
    scene.insert([1])
    live.wait_for(is_lost, timeout=DEADLINE)
    scene.proxy.stall = 0.0
    scene.insert([2])
    scene.settle(live)
    assert live.stats.reconnects >= 1


def test_fragments_of_three_bytes(patient):
    """22: a stream in small pieces is the same stream."""
    patient.insert(range(50))
    patient.proxy.fragment = 3
    live = patient.live()
    patient.insert(range(100, 120))
    patient.update("room = 'b'", "id = 3")
    patient.settle(live)
    assert (live.num_rows, live.stats.reconnects) == (70, 0)


def test_eight_bytes_a_second(scene):
    """23: so slow that it is as good as dead, and back at once when it is not."""
    live = scene.live()
    scene.proxy.bytes_per_second = 8
    scene.insert(range(10))
    live.wait_for(is_lost, timeout=DEADLINE)
    scene.proxy.bytes_per_second = 0
    scene.settle(live)
    assert live.stats.reconnects >= 1


def test_terminated_connection(scene):
    """24: the connection is ended from outside."""
    live = scene.live()
    scene.proxy.cut()
    scene.insert([1])
    live.wait_for(lambda t: t.stats.reconnects, timeout=DEADLINE)
    scene.settle(live)


def test_a_port_that_refuses(scene):
    """Ours: nobody listens."""
    live = scene.live()
    scene.proxy.stop_listening()
    live.wait_for(lambda t: t.status.startswith("reconnecting"), timeout=DEADLINE)
    scene.insert([1])
    scene.proxy.listen()
    scene.settle(live)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_half_open(scene, direction):
    """Ours: only one direction works."""
    live = scene.live()
    scene.proxy.freeze(direction)
    live.wait_for(is_lost, timeout=DEADLINE)
    scene.insert([1])
    scene.proxy.thaw()
    scene.settle(live)


def test_cut_inside_a_frame(scene):
    """Ours: the first bytes of an event, and nothing more."""
    live = scene.live()
    scene.proxy.after_bytes(10, scene.proxy.cut_sockets)
    scene.insert([1], room="x" * 300)
    live.wait_for(lambda t: t.stats.reconnects, timeout=DEADLINE)
    scene.settle(live)
