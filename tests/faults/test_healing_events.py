"""A server that does not tell what it should: events lost, doubled, out of order, late, or never sent at all.

Nothing here breaks a connection, so nobody learns of the loss unless somebody asks; at the end the table is right.
"""

import pytest
from scene import DEADLINE, PATIENT, Scene, is_lost

LIES = {
    "dropped": ("--drop-events", "0.1"),
    "doubled": ("--double-events", "0.2"),
    "reordered": ("--swap-events", "0.2"),
    "late": ("--late-events", "0.1", "--late-by-events", "20", "--late-by-ms", "300"),
    "all": ("--drop-events", "0.1", "--double-events", "0.1", "--swap-events", "0.1", "--late-events", "0.05"),
}


#: No server from 0.7.1 on drops an event without a word.
SILENT = pytest.mark.servers("0.4.3", "0.5")


@pytest.fixture(
    scope="module",
    params=[pytest.param(lie, marks=SILENT) if "--drop-events" in flags else lie for lie, flags in LIES.items()],
)
def liar(request, start_server):
    with start_server(*LIES[request.param], "--fault-seed", "7") as server:
        yield server


@pytest.fixture
def lied_to(liar):
    with Scene(liar) as scene:
        yield scene


def write(scene):
    """Some 300 events: rows that come, change, leave the filter, come back under their key, and go."""
    for start in range(0, 200, 10):
        scene.insert(range(start, start + 10))
        scene.update("n = n + 1000", f"id = {start}")
        scene.update("room = 'b'", f"id = {start + 1}")
        scene.delete(f"id = {start + 2}")
        scene.insert([start + 2], room="c")
        scene.delete(f"id = {start + 3}")


@pytest.mark.parametrize("where", ["", "WHERE room = 'a'"], ids=["all", "filtered"])
def test_lies_are_found_out(lied_to, where):
    live = lied_to.live(where)
    write(lied_to)
    lied_to.settle(live)
    assert live.stats.reconnects == 0
    assert live.verify(timeout=DEADLINE)


def test_verify_heals_what_no_event_told(start_server):
    """Not one event arrives, so that only the question brings the rows."""
    with start_server("--drop-events", "1.0") as server, Scene(server) as scene:
        scene.insert(range(3))
        live = scene.live()
        scene.delete("id = 1")
        scene.update("n = 5", "id = 2")
        scene.insert([10])
        assert live.verify(timeout=DEADLINE)
        scene.settle(live)
        assert live.stats.healed == 3
        assert live.stats.events == 0


@pytest.mark.contract
def test_a_burst_of_5000_rows_in_one_statement(server):
    """The server's queue holds 128 events; the rest is not sent (truth L14).

    While it works one INSERT, the server answers on no connection of the same thread, not even a ping, and ends those
    that it has not read from for ten seconds. So the rows come in several; an UPDATE lets others have their turn.
    """
    with Scene(server, timeouts=PATIENT) as scene:
        live = scene.live()
        for start in range(0, 5000, 1000):
            scene.insert(range(start, start + 1000))
        scene.settle(live)
        scene.update("n = -1", "id >= 0")
        scene.settle(live)
        scene.delete("id >= 10")
        scene.settle(live)
        assert live.num_rows == 10
        assert live.stats.events < 15_000
        assert live.stats.reconnects == 0
        assert live.verify(timeout=DEADLINE)


@pytest.mark.contract
@pytest.mark.parametrize(
    "where", ["WHERE room = 'a'", "WHERE room IN ('a', 'c')", "WHERE n BETWEEN 0 AND 20", "WHERE room IS NULL"]
)
def test_rows_that_enter_and_leave_the_filter(scene, where):
    """Leaving is never told, and some filters get no events at all (truth L15, L16)."""
    scene.insert(range(10))
    live = scene.live(where)
    scene.update("room = 'b', n = 100", "id = 1")
    scene.update("room = NULL", "id = 2")
    scene.insert([20], room="c")
    scene.insert([21], room="b")
    assert live.verify(timeout=DEADLINE)
    scene.settle(live)
    scene.update("room = 'a', n = 3", "id = 1")
    scene.delete("id = 2")
    assert live.verify(timeout=DEADLINE)
    scene.settle(live)


@pytest.mark.contract
def test_deletes_that_the_server_has_forgotten(scene):
    """After a flush no tombstone is left, and no delta can tell what went."""
    scene.insert(range(20))
    live = scene.live()
    scene.proxy.go_down()
    live.wait_for(is_lost, timeout=DEADLINE)
    scene.delete("id < 10")
    scene.flush()
    scene.proxy.come_up()
    scene.settle(live)
    assert live.verify(timeout=DEADLINE)
    assert live.num_rows == 10


def test_a_table_beyond_the_scan_window(start_server):
    """A server that reads only a part of the table may say what it likes (truth L3)."""
    with start_server("--scan-window", "200") as server, Scene(server) as scene:
        for start in range(0, 600, 100):
            scene.insert(range(start, start + 100))
        live = scene.live()
        scene.settle(live)
        assert live.num_rows == 600
        scene.go_away(live)
        scene.update("n = -1", "id >= 500")
        scene.delete("id = 0")
        scene.proxy.come_up()
        scene.settle(live)
        assert live.num_rows == 599


FORMS = {
    "direct": "SELECT id, room, n FROM {table}",
    "delta": "SELECT id, n FROM {table} WHERE room IN ('a', 'c')",
    "re-run": "SELECT room, count(*) AS rows, sum(n) AS total FROM {table} GROUP BY room",
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_right_after_outages_and_lies(start_server, form):
    """However a query is followed: events are lost, the network is cut, and the result is the server's."""
    with start_server("--drop-events", "0.3") as server, Scene(server) as scene:
        scene.insert(range(10))
        with scene.far.live(FORMS[form].format(table=scene.table)) as live:
            assert live.form == form
            for number in (100, 200):
                write_a_little(scene, number)
                scene.proxy.cut()
                write_a_little(scene, number + 50)
                scene.settle(live)
            assert live.stats.reconnects >= 1
            write_a_little(scene, 300)
            assert live.verify(timeout=DEADLINE)
            scene.settle(live)


def write_a_little(scene, number):
    scene.insert([number, number + 1, number + 2])
    scene.update("room = 'b'", f"id = {number}")
    scene.delete(f"id = {number + 1}")


@pytest.mark.contract
def test_a_silent_server_stays_unproved(scene):
    """While the server cannot be asked, verify does not say that all is well."""
    scene.insert(range(3))
    live = scene.live()
    scene.go_away(live)
    with pytest.raises(TimeoutError):
        live.verify(timeout=0.5)
    scene.insert([3])
    scene.proxy.come_up()
    assert live.verify(timeout=DEADLINE)
    scene.settle(live)
