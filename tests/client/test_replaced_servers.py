"""A server that another one takes the place of while a client is away: what was found out about it holds no longer."""

import contextlib
import math

import pytest
from profiled import playing
from scan_counter import scan_counter
from serving import ROOT_PASSWORD
from tcp_proxy import TcpProxy

import kalam_notebook as kalam
from kalam_notebook.live_queries.connection.backoff import backoff
from kalam_notebook.live_queries.events.messages import LiveNotice
from kalam_notebook.live_queries.following import follower

COLUMNS = "id BIGINT PRIMARY KEY, x DOUBLE, d DECIMAL(6, 2)"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setitem(backoff.__kwdefaults__, "first", 0.1)
    monkeypatch.setitem(backoff.__kwdefaults__, "most", 0.3)
    monkeypatch.setattr(follower, "SPREAD", 0.3)


@pytest.fixture(params=["SHARED", "USER"])
def kind(request):
    return request.param


@contextlib.contextmanager
def serving(version, kind, *rows):
    """A server with one table."""
    with playing(version) as served:
        served.sql(f"CREATE TABLE app.t ({COLUMNS}) WITH (TYPE = '{kind}')")
        insert(served, *rows)
        yield served


def insert(served, *rows):
    for row in rows:
        served.sql(f"INSERT INTO app.t (id, x, d) VALUES ({', '.join(map(str, row))})")


@pytest.fixture
def proxy():
    with TcpProxy("http://127.0.0.1:1") as proxy:
        yield proxy


@pytest.fixture
def away(proxy):
    """A client that knows of servers by the proxy alone."""
    with kalam.Client(proxy.url, user="root", password=ROOT_PASSWORD) as client:
        yield client


def replaced_by(proxy, server):
    """Another server stands where one was; nothing of the client's is on its way."""
    proxy.go_down()
    proxy.wait_until(lambda: not proxy.num_links)
    proxy.retarget(server.url)
    proxy.come_up()


def held(live):
    return {row["id"]: (row["x"], str(row["d"])) for row in live.arrow().to_pylist()}


NAN = "CAST('NaN' AS DOUBLE)"


def test_a_live_table_is_true_of_the_server_that_came(proxy, away, kind):
    """0.8 sends NULL for NaN, and the sign of decimals, both unlike 0.7."""
    with (
        serving("0.7", kind, (1, 1.5, "'0.50'")) as old,
        serving("0.8", kind, (1, NAN, "'-0.50'")) as new,
    ):
        proxy.retarget(old.url)
        with away.live("SELECT * FROM app.t") as live:
            assert live.verify(timeout=20)
            replaced_by(proxy, new)
            live.wait_for(lambda t: held(t)[1][1] == "-0.50", timeout=30)
            assert math.isnan(held(live)[1][0])
            insert(new, (2, NAN, "'-0.25'"), (3, "NULL", "NULL"))
            live.wait_for(lambda t: 3 in held(t) and not t.notice, timeout=20)
            assert live.verify(timeout=20)
            assert math.isnan(held(live)[2][0])
            assert (held(live)[2][1], held(live)[3]) == ("-0.25", (None, "None"))


def test_exact_reading_goes_on(proxy, away, kind):
    sql = "SELECT id, x FROM app.t"
    with (
        serving("0.7", kind, (1, "NULL", "NULL"), (2, 1.5, "NULL")) as old,
        serving("0.8", kind, (1, NAN, "NULL")) as new,
    ):
        proxy.retarget(old.url)
        for _ in range(2):  # The second time it is known to be short.
            assert away.query_arrow(sql).to_pylist() == [{"id": 1, "x": None}, {"id": 2, "x": 1.5}]
        assert away.query_arrow(sql, engine="local").num_rows == 2
        replaced_by(proxy, new)
        for options in ({}, {"engine": "local"}):
            (row,) = away.query_arrow(sql, strict=True, **options).to_pylist()
            assert math.isnan(row["x"])


def test_versions_of_another_table_prove_nothing(proxy, away):
    """Two servers that were set up by one script: their rows have equal versions."""
    with serving("0.8", "SHARED", (1, 1.5, "1")) as old, serving("0.8", "SHARED", (1, 2.5, "1")) as new:
        proxy.retarget(old.url)
        with away.live("SELECT * FROM app.t") as live:
            assert live.verify(timeout=20)
            replaced_by(proxy, new)
            live.wait_for(lambda t: held(t)[1][0] == 2.5, timeout=30)
            assert live.verify(timeout=20)


@pytest.mark.parametrize(("before", "after"), [("0.4.3", "0.8"), ("0.8", "0.4.3")])
def test_events_go_on_where_the_place_is_read_in_another_form(proxy, away, kind, before, after):
    """A number ends the connection of 0.8, a text that of 0.4.3; so does each attempt to come back."""
    with serving(before, kind, (1, 1.5, "1")) as old, serving(after, kind, (7, 1.5, "1")) as new:
        proxy.retarget(old.url)
        with away.live_events("SELECT * FROM app.t") as events:
            while events.last_seq is None:
                events.next(timeout=20)
            replaced_by(proxy, new)
            told, ids = [], []
            while ids != ["7", "8"]:
                event = events.next(timeout=30)
                told += [event.code] if isinstance(event, LiveNotice) else []
                ids += [row["id"] for row in getattr(event, "rows", ())]
                if ids == ["7"]:
                    insert(new, (8, 1.5, "1"))
            assert "ROWS_COME_AGAIN" in told


@pytest.mark.slow
def test_copies_of_another_table_are_not_read_on(proxy, away):
    sql = "SELECT id, x FROM app.t"
    with (
        serving("0.8", "SHARED", (1, 1.5, "1"), (2, 1.5, "1")) as old,
        serving("0.8", "SHARED", (8, 2.5, "1"), (9, 2.5, "1")) as new,
    ):
        proxy.retarget(old.url)
        assert away.query_arrow(sql, engine="local")["id"].to_pylist() == [1, 2]
        replaced_by(proxy, new)
        assert away.query_arrow(sql, engine="local", strict=True)["id"].to_pylist() == [8, 9]


def test_a_server_that_stays_is_asked_two_cheap_questions_at_most(proxy, away):
    with serving("0.8", "SHARED", *((i, "NULL" if i == 3 else 1.5, "1.5") for i in range(10))) as server:
        proxy.retarget(server.url)
        with scan_counter(server.url, ROOT_PASSWORD) as counter:

            def asked():
                counter.reset()
                away.query_arrow("SELECT id, x FROM app.t", strict=True)
                away.query_arrow("SELECT id, x FROM app.t WHERE id = 3", strict=True)
                return [one["sql"] for one in counter.statements()]

            asked(), asked()  # By then it is known how each is read.
            usual = asked()
            assert not any("generate_series" in sql for sql in usual)
            ended = away._http.epoch()
            proxy.cut()
            proxy.wait_until(lambda: away._http.epoch() is not ended)
            after = asked()
            assert asked() == usual
        more = [sql for sql in after if sql not in usual]
        assert sum("generate_series" in sql for sql in more) == 2
        assert sum("AS TEXT" in sql for sql in more) == 1
        # The table is looked at, and not scanned.
        looks = [sql for sql in more if "app.t" in sql]
        assert all(sql.endswith(("LIMIT 0", "LIMIT 1")) for sql in looks)
        assert len(looks) <= 3
