"""Coming back to a server that does not take one back at once: tokens, passwords, limits."""

import threading
from functools import partial

import pytest
from scene import DEADLINE, Scene, ids

import kalam_notebook as kalam
from kalam_notebook.errors import AuthError, SubscriptionError
from kalam_notebook.live_queries.connection.states import Timing


@pytest.fixture(scope="module")
def short_tokens(start_server):
    """A server whose tokens are good for three to four seconds: it accepts them for 60 s after their end."""
    with start_server("--access-token-seconds=-56") as server:
        yield server


def wait_until_refused(scene, token):
    """Wait until the server says of a token that it has expired."""

    def is_refused():
        with kalam.Client(scene.server.url, token=token) as client:
            try:
                client.check_login()
            except AuthError:
                return True
        return False

    scene.proxy.wait_until(is_refused, timeout=DEADLINE)


def token_of(scene):
    return scene.near.login("root", scene.server.root_password).access_token


def test_a_token_that_has_expired_at_the_reconnect_is_renewed(short_tokens):
    """The provider gives an old one until the server has refused it, at the socket or, if that comes first, by HTTP."""
    with Scene(short_tokens) as scene:
        old = token_of(scene)
        is_forgetful = threading.Event()

        def was_refused():
            by_http = "401" in set(client.recent_requests()["answer"])
            return by_http or any("auth_error" in text for text in scene.received)

        def provide():
            return old if is_forgetful.is_set() and not was_refused() else token_of(scene)

        with scene.client(token_provider=provide) as client:
            scene.insert(range(3))
            live = scene.live(client=client)
            scene.go_away(live)
            scene.delete("id = 1")
            wait_until_refused(scene, old)
            is_forgetful.set()
            scene.proxy.come_up()
            scene.settle(live)
            assert ids(live) == [0, 2]
            assert was_refused()


def test_a_bare_token_that_has_expired_at_the_reconnect_ends_it(short_tokens):
    with Scene(short_tokens) as scene:
        scene.insert(range(3))
        token = token_of(scene)
        with scene.client(token=token) as client:
            live = scene.live(client=client)
            scene.go_away(live)
            wait_until_refused(scene, token)
            scene.proxy.come_up()
            with pytest.raises(AuthError, match="Connect again"):
                live.wait_for(100, timeout=DEADLINE)
            assert live.status.startswith("stopped: ")
            assert isinstance(live.error, AuthError)
            assert live.num_rows == 3


@pytest.fixture
def alice(scene):
    """A user of her own for one test, with her password."""
    name, password = f"alice_{scene.namespace}", "Correct-Horse-9"
    scene.near.execute_query(f"CREATE USER '{name}' WITH PASSWORD '{password}' ROLE dba")
    yield {"user": name, "password": password}
    scene.near.execute_query(f"DROP USER '{name}'")


@pytest.mark.contract
def test_a_password_that_is_changed_disturbs_nobody_with_a_token(scene, alice):
    with scene.client(**alice) as client:
        live = scene.live(client=client)
        scene.near.execute_query(f"ALTER USER '{alice['user']}' SET PASSWORD 'Battery-Staple-8'")
        scene.insert([1])
        scene.settle(live)
        scene.proxy.cut()
        live.wait_for(lambda t: t.stats.reconnects, timeout=DEADLINE)
        scene.insert([2])
        scene.settle(live)
        live.close()


def test_a_changed_password_ends_it_when_a_new_token_is_needed(short_tokens):
    with Scene(short_tokens) as scene:
        alice = {"user": f"alice_{scene.namespace}", "password": "Correct-Horse-9"}
        scene.near.execute_query(f"CREATE USER '{alice['user']}' WITH PASSWORD 'Correct-Horse-9' ROLE dba")
        with scene.client(**alice) as client:
            scene.insert(range(3))
            live = scene.live(client=client)
            scene.near.execute_query(f"ALTER USER '{alice['user']}' SET PASSWORD 'Battery-Staple-8'")
            scene.proxy.cut()
            with pytest.raises(AuthError):
                live.wait_for(100, timeout=DEADLINE)
            assert live.status.startswith("stopped: ")
            assert live.num_rows == 3


# The number of live queries of one user.


@pytest.fixture(scope="module")
def narrow(start_server):
    """A server that lets a user have two live queries."""
    with start_server("--subscriptions-per-user", "2") as server:
        yield server


@pytest.fixture
def crowded(narrow, monkeypatch, request):
    """Two live tables that are away, and two of another connection of the same user in their places."""
    timing = partial(Timing, retry_delay=0.2, retry_for=request.param)
    monkeypatch.setattr("kalam_notebook.live_queries.connection.socket.Timing", timing)
    with Scene(narrow) as scene:
        scene.insert(range(3))
        lives = [scene.live(), scene.live("WHERE n > 1")]
        scene.go_away(*lives)
        sql = f"SELECT live_id FROM system.live WHERE namespace_id = '{scene.namespace}'"
        scene.proxy.wait_until(lambda: not scene.near.query_arrow(sql).num_rows, timeout=DEADLINE)
        others = [scene.live(client=scene.near), scene.live("WHERE n > 0", client=scene.near)]
        scene.delete("id = 2")
        scene.proxy.come_up()
        scene.proxy.wait_until(lambda: any("SUBSCRIPTION_LIMIT_EXCEEDED" in text for text in scene.received))
        yield scene, lives, others


@pytest.mark.parametrize("crowded", [DEADLINE], indirect=True)
def test_places_that_are_taken_at_the_reconnect_are_waited_for(crowded):
    scene, lives, others = crowded
    assert not any(live.status == "live" for live in lives)
    for other in others:
        other.close()
    scene.settle(*lives)
    scene.insert([10])
    scene.settle(*lives)


@pytest.mark.parametrize("crowded", [1.0], indirect=True)
def test_places_that_stay_taken_end_it(crowded):
    _, lives, _ = crowded
    for live in lives:
        with pytest.raises(SubscriptionError, match="Close some") as caught:
            live.wait_for(100, timeout=DEADLINE)
        assert caught.value.code == "SUBSCRIPTION_LIMIT_EXCEEDED"
        assert live.status.startswith("stopped: ")
        # The rows stay: those from before the outage, or what was read over HTTP since.
        assert ids(live) in ([0, 1, 2], [0, 1], [2], [])
