"""Faults of one's own side: no time, a blocked interpreter, a fork, a slow callback, many tables at once."""

import ctypes
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from scene import DEADLINE, PATIENT, SCALE, Scene, is_lost

from kalam_notebook.settings import Timeouts


@pytest.fixture(scope="module")
def impatient(start_server):
    """A server that hangs up after a second of silence."""
    with start_server("--client-timeout", str(SCALE), "--heartbeat-interval", "0.2") as server:
        yield server


def test_heartbeat_close(impatient, caplog):
    """The client's pings do not arrive, so the server hangs up, with the code of a normal end."""
    caplog.set_level("INFO", logger="kalam_notebook.live")
    with Scene(impatient, timeouts=PATIENT) as scene:
        live = scene.live()
        scene.proxy.freeze("up")
        live.wait_for(is_lost, timeout=DEADLINE)
        assert "1000 Heartbeat timeout" in caplog.text
        scene.insert([1])
        scene.proxy.thaw()
        scene.settle(live)


def test_a_client_that_never_pings(impatient):
    """It is thrown out again and again, and is right all the same."""
    with Scene(impatient, timeouts=Timeouts(keepalive=0.0)) as scene:
        live = scene.live()
        for number in range(2):
            reconnects = live.stats.reconnects
            live.wait_for(lambda t, seen=reconnects: t.stats.reconnects > seen, timeout=DEADLINE)
            scene.insert([number])
            scene.settle(live)


def test_the_interpreter_is_blocked_by_c_code(impatient):
    """Neither pings nor readings for longer than the server's patience; 30 s in the issue, scaled down."""
    with Scene(impatient, timeouts=PATIENT) as scene:
        scene.insert(range(3))
        live = scene.live()
        # PyDLL keeps the interpreter's lock during the call.
        ctypes.PyDLL(None).usleep(int(2.5 * SCALE * 1_000_000))
        scene.delete("id = 1")
        scene.insert([10])
        live.wait_for(lambda t: t.stats.reconnects, timeout=DEADLINE)
        scene.settle(live)


@pytest.mark.parametrize("days", [30, -30], ids=["forward", "back"])
def test_the_clock_jumps(scene, monkeypatch, days):
    """Of the wall only: nothing but the end of a token depends on it, and that is asked for anew."""
    live = scene.live()
    real = time.time

    def jumped():
        return real() + days * 86_400

    monkeypatch.setattr(time, "time", jumped)
    monkeypatch.setattr(scene.far._session, "_now", jumped)
    scene.insert([1])
    scene.settle(live)
    scene.go_away(live)
    scene.insert([2])
    scene.proxy.come_up()
    scene.settle(live)
    assert live.num_rows == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork.")
def test_fork(sandbox_server):
    """The child can do nothing with the table but is told so; the parent's goes on."""
    script = Path(__file__).parents[1] / "support" / "forking.py"
    command = [sys.executable, str(script), sandbox_server.url, sandbox_server.root_password]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "child done\nparent follows\n"), done.stderr


def test_a_slow_callback(scene):
    """What a callback does meanwhile holds up neither the table nor the connection."""
    release, entered = threading.Event(), threading.Event()

    def callback(_):
        entered.set()
        release.wait(DEADLINE)

    live = scene.live()
    live.on_change(callback)
    for number in range(30):
        scene.insert(range(10 * number, 10 * number + 10))
    assert entered.wait(DEADLINE)
    scene.settle(live)
    assert live.num_rows == 300
    release.set()


def test_100_live_queries_at_once(start_server):
    """They come back at the pace that the server accepts, and each is right."""
    with start_server("--subscriptions-per-user", "100") as server, Scene(server, timeouts=PATIENT) as scene:
        for room in range(5):
            scene.insert(range(10 * room, 10 * room + 10), room=f"r{room}")
        with ThreadPoolExecutor(4) as pool:
            lives = list(pool.map(lambda n: scene.live(f"WHERE room = 'r{n % 5}'"), range(100)))
        scene.insert([100], room="r1")
        scene.settle(*lives)
        scene.proxy.go_down()
        lives[-1].wait_for(lambda t: t.status.startswith("reconnecting"), timeout=DEADLINE)
        scene.delete("id = 20")
        scene.proxy.come_up()
        scene.settle(*lives)
        assert [live.num_rows for live in lives[:5]] == [10, 11, 9, 10, 10]
        assert not any("RATE_LIMIT_EXCEEDED" in text for text in scene.received)


@pytest.mark.contract
def test_two_clients_and_one_table(scene):
    """Each writes, and each sees what the other wrote, also what was written while both were away."""
    with scene.client() as other:
        first, second = scene.live(), scene.live("WHERE n >= 0", client=other)
        for number, writer in enumerate((scene.far, other)):
            writer.execute_query(
                f"INSERT INTO {scene.table} (id, room, n) VALUES ({number}, 'x', 1), (1{number}, 'x', 1)"
            )
            writer.execute_query(f"UPDATE {scene.table} SET n = 5 WHERE id = {number}")
        scene.settle(first, second)
        scene.go_away(first, second)
        scene.update("n = -1", "id = 0")
        scene.delete("id = 1")
        scene.proxy.come_up()
        scene.settle(first, second)
        assert (first.num_rows, second.num_rows) == (3, 2)
        second.close()
