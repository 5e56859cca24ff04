"""Networks that fail during the very first reading: upstream's 7, 10, 15 and 18 (protocol/live.md#outages)."""

import pytest
from scene import DEADLINE, Scene, ids
from servers import ROW_VERSION


@pytest.mark.contract
def test_large_snapshot_repeated_outages(scene):
    """7: the network is cut again and again in the middle of the reading."""
    for start in range(0, 3000, 500):
        scene.insert(range(start, start + 500))
    scene.cut_readings(2, after_bytes=20_000)
    live = scene.live()
    assert scene.proxy.fired >= 3  # Of later servers the first question is for types, and not cut.
    scene.settle(live)
    assert live.num_rows == 3000


@pytest.mark.contract
def test_loading_resume_with_live_writes(scene):
    """10: cut while the rows are read, with writes going on."""
    scene.insert(range(500))
    scene.cut_readings(1, after_bytes=2_000)
    writing = scene.begin(lambda: [scene.insert([number]) for number in range(1000, 1030)])
    live = scene.live()
    assert scene.proxy.fired
    writing.result(DEADLINE)
    scene.settle(live)
    assert ids(live) == [*range(500), *range(1000, 1030)]


def test_cut_between_two_pages(start_server):
    """Ours: a table beyond the scan window is read in pages, and the network is cut between them."""
    with start_server("--scan-window", "100") as server, Scene(server) as scene:
        for start in range(0, 500, 100):
            scene.insert(range(start, start + 100))
        for times in (2, 4):
            scene.proxy.before(f"{ROW_VERSION} >".encode(), scene.proxy.cut, times=times)
        live = scene.live()
        assert scene.proxy.fired == 2
        scene.settle(live)
        assert live.num_rows == 500


@pytest.mark.contract
def test_server_down_initial_load(scene):
    """15: the server goes away between the acknowledgement and the rows."""
    scene.insert(range(5))
    scene.proxy.after(b'"subscription_ack"', scene.proxy.go_down)
    beginning = scene.begin_live()
    scene.proxy.wait_until(lambda: scene.proxy.refused, timeout=DEADLINE)
    scene.proxy.come_up()
    live = beginning.result(DEADLINE)
    scene.settle(live)
    assert live.num_rows == 5


@pytest.mark.contract
def test_subscribe_during_reconnect(scene):
    """18: a live query that is begun while the network is away stands in the end, and so do the old ones."""
    first = scene.live()
    scene.go_away(first)
    beginning = scene.begin_live("WHERE n > 5")
    refused = scene.proxy.refused
    scene.proxy.wait_until(lambda: scene.proxy.refused > refused, timeout=DEADLINE)
    scene.insert(range(10))
    scene.proxy.come_up()
    second = beginning.result(DEADLINE)
    scene.settle(first, second)
    scene.insert([10])
    scene.settle(first, second)
    assert (first.num_rows, second.num_rows) == (11, 5)
