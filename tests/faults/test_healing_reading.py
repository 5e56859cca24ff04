"""Networks that are cut or fall silent while rows are read again."""

import pytest
from scene import DEADLINE

pytestmark = pytest.mark.contract


def test_cut_again_and_again_while_reading_after_a_reconnect(scene):
    """The network is cut inside of the readings with which an outage is made good."""
    for start in range(0, 2000, 500):
        scene.insert(range(start, start + 500))
    live = scene.live()
    scene.go_away(live)
    scene.update("n = -1", "id >= 0")
    scene.cut_readings(3, after_bytes=500)
    scene.proxy.come_up()
    scene.settle(live)
    assert scene.proxy.fired == 6


def test_a_reading_that_falls_silent(scene):
    """HTTP hangs in the middle of an answer while the WebSocket is fine."""
    scene.insert(range(1000))
    live = scene.live()
    scene.go_away(live)
    scene.update("n = -1", "id < 500")
    scene.proxy.before(scene.namespace.encode(), lambda: scene.proxy.after_bytes(100, scene.proxy.freeze))
    scene.proxy.come_up()
    scene.proxy.wait_until(lambda: scene.proxy.fired == 2, timeout=DEADLINE)
    assert live.status != "live"
    scene.proxy.cut()
    scene.proxy.thaw()
    scene.settle(live)
