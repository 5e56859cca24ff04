"""What happens to rows while nobody is told: outages, flushes in between, and servers that come back as others."""

import pytest
from scene import DEADLINE, Scene, ids, is_lost

from kalam_notebook.errors import KalamError


@pytest.mark.contract
@pytest.mark.parametrize("flush", [False, True], ids=["unflushed", "flushed"])
@pytest.mark.parametrize("where", ["", "WHERE room = 'a'"], ids=["all", "filtered"])
def test_changes_while_away(scene, flush, where):
    """Deletes, updates and rows that leave or enter the filter; a flush makes the server forget its tombstones."""
    scene.insert(range(10))
    scene.insert(range(10, 20), room="b")
    live = scene.live(where)
    scene.go_away(live)
    scene.delete("id = 1")
    scene.update("n = -1", "id = 2")
    scene.update("room = 'b'", "id = 3")
    scene.update("room = 'a'", "id = 13")
    scene.update("room = NULL", "id = 4")
    scene.insert([20, 21])
    if flush:
        scene.flush()
    scene.proxy.come_up()
    scene.settle(live)
    assert 1 not in ids(live)
    # And it goes on following.
    scene.delete("id = 5")
    scene.insert([22])
    scene.settle(live)


@pytest.mark.contract
def test_everything_is_deleted_while_away(scene):
    scene.insert(range(50))
    live = scene.live()
    scene.go_away(live)
    scene.delete("id >= 0")
    scene.flush()
    scene.proxy.come_up()
    scene.settle(live)
    assert live.num_rows == 0


@pytest.mark.contract
def test_a_key_is_deleted_and_written_anew_while_away(scene):
    scene.insert(range(3))
    live = scene.live()
    scene.go_away(live)
    scene.delete("id = 1")
    scene.near.execute_query(f"INSERT INTO {scene.table} (id, room, n) VALUES (1, 'new', 100)")
    scene.proxy.come_up()
    scene.settle(live)


# Servers that are started anew. The sandbox keeps its rows in memory, so what the new one holds is written into it.


@pytest.fixture
def ended(start_server):
    """A scene with twenty rows and a live table, whose server has stopped; and an empty server with the same login."""
    # In one argument: the random password may begin with a dash.
    with start_server() as old, start_server(f"--root-password={old.root_password}") as new, Scene(old) as scene:
        scene.insert(range(20))
        live = scene.live()
        old.stop()
        live.wait_for(is_lost, timeout=DEADLINE)
        scene.use(new)
        yield scene, live, new


@pytest.mark.parametrize(
    ("numbers", "flush"), [(range(20), False), (range(5, 30), True)], ids=["same rows", "other rows, flushed"]
)
def test_a_server_that_is_started_anew(ended, numbers, flush):
    """It says 1001 as it stops; the new one has another secret for tokens, so that a login is needed as well."""
    scene, live, server = ended
    scene.make_table()
    scene.insert(numbers)
    scene.delete("id = 7")
    if flush:
        scene.flush()
    scene.proxy.retarget(server.url)
    scene.settle(live)
    assert live.stats.reconnects >= 1
    scene.delete("id = 10")
    scene.settle(live)


def test_a_server_that_has_lost_the_table(ended):
    """The live query ends with the table as the reason, and keeps its rows."""
    scene, live, server = ended
    scene.near.execute_query(f"CREATE NAMESPACE {scene.namespace}")
    scene.proxy.retarget(server.url)
    with pytest.raises(KalamError, match="messages"):
        live.wait_for(100, timeout=DEADLINE)
    assert live.status.startswith("stopped: ")
    assert live.num_rows == 20
