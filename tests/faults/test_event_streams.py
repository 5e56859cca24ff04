"""``live_events`` over networks that fail: after an outage the pages may not be complete, but nothing is hidden."""

import pytest
from scene import DEADLINE

from kalam_notebook.live_queries.events.messages import Ack, InitialBatch, Insert

pytestmark = pytest.mark.contract


def read_until(stream, condition):
    """Take events until one meets a condition, and return all of them."""
    taken = []
    for event in stream:
        taken.append(event)
        if condition(event):
            break
    return taken


def is_last_batch(event):
    return isinstance(event, InitialBatch) and not event.has_more


def keys(events):
    return sorted(
        {int(row["id"]) for event in events if isinstance(event, InitialBatch | Insert) for row in event.rows}
    )


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_cut_between_two_pages(scene, pages):
    """The page that was not asked for yet comes after the reconnect, which is told by a second acknowledgement."""
    scene.insert(range(30))
    scene.proxy.after(b'"initial_data_batch"', scene.proxy.cut_sockets, times=pages)
    with scene.far.live_events(scene.sql(), batch_size=7) as stream:
        events = read_until(stream, is_last_batch)
        assert keys(events) == list(range(30))
        assert [event.reconnects for event in events if isinstance(event, Ack)] == [0, 1]
        scene.insert([100])
        events = read_until(stream, lambda event: isinstance(event, Insert))
        assert keys(events) == [100]


def test_inserts_while_away(scene):
    with scene.far.live_events(scene.sql(), batch_size=7) as stream:
        read_until(stream, is_last_batch)
        scene.proxy.go_down()
        scene.insert(range(20))
        scene.proxy.wait_until(lambda: scene.proxy.refused, timeout=DEADLINE)
        scene.proxy.come_up()
        events = read_until(stream, is_last_batch)
        assert keys(events) == list(range(20))


def test_a_gap_is_told(scene):
    """A delete while away is never told by the server (truth L17), so the stream says that something may be missing."""
    scene.insert(range(3))
    with scene.far.live_events(scene.sql(), batch_size=7) as stream:
        read_until(stream, is_last_batch)
        scene.proxy.go_down()
        scene.delete("id = 1")
        scene.proxy.wait_until(lambda: scene.proxy.refused, timeout=DEADLINE)
        scene.proxy.come_up()
        events = read_until(stream, is_last_batch)
        assert any(hasattr(event, "code") for event in events)
