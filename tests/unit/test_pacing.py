"""How often statements are sent: a burst, then no faster than the rate, whatever the number of threads."""

import threading

import httpx
import pytest

from kalam_notebook.http.client import HttpTransport, Request
from kalam_notebook.http.pacing import STATEMENTS_PER_SECOND, Bucket
from kalam_notebook.settings import Timeouts


def test_a_burst_goes_at_once_and_the_rest_at_the_rate():
    bucket = Bucket(10)
    assert [bucket.take(5.0) for _ in range(10)] == [0.0] * 10
    assert [bucket.take(5.0) for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3])
    assert bucket.take(5.4) == 0.0
    assert bucket.take(5.4) == pytest.approx(0.1)
    assert [bucket.take(100.0) for _ in range(10)] == [0.0] * 10  # No more than a burst is saved up.
    assert bucket.take(100.0) > 0


@pytest.mark.parametrize("steps", [1, 7, 1000])
def test_never_more_than_the_server_takes(steps):
    """At any moment at most burst + rate * time have been let through."""
    bucket, now, sent = Bucket(), 0.0, []
    for _ in range(3000):
        pause = bucket.take(now)
        sent.append(now + pause)
        now += pause if len(sent) % steps == 0 else 0.0
    assert all(count <= 100 + 100 * at for count, at in enumerate(sorted(sent), 1))
    assert sent[-1] == pytest.approx((3000 - STATEMENTS_PER_SECOND) / STATEMENTS_PER_SECOND, rel=0.1)


def test_threads_wait_and_other_routes_do_not():
    waits = []
    transport = HttpTransport(
        "http://server:1",
        timeouts=Timeouts(),
        max_retries=0,
        transport=httpx.MockTransport(lambda request: httpx.Response(200, content=b"{}")),
        wait=waits.append,
    )
    other = Request("GET", "/v1/api/healthcheck")
    for _ in range(200):
        transport.send(other)
    assert waits == []
    statement = Request("POST", "/v1/api/sql", b"{}", sql="SELECT 1")
    threads = [threading.Thread(target=lambda: [transport.send(statement) for _ in range(30)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # What came back while the threads ran may save some of them the wait.
    assert len(waits) >= 240 - STATEMENTS_PER_SECOND * 2
    transport.close()
