"""Tables that are dropped, altered or created anew under a live query, and rows that cannot be read."""

import json

import pytest
from scene import DEADLINE
from servers import ROW_VERSION
from tcp_proxy import TEXT, frame

from kalam_notebook.errors import KalamError

pytestmark = pytest.mark.contract


def test_a_table_that_is_dropped(scene):
    """The server says nothing to those who follow it; whoever asks learns why it ended, and the rows stay."""
    scene.insert(range(3))
    live = scene.live()
    scene.near.execute_query(f"DROP TABLE {scene.table}")
    with pytest.raises(KalamError, match="messages"):
        live.verify(timeout=DEADLINE)
    assert live.status.startswith("stopped: ")
    assert live.num_rows == 3


def test_a_table_that_is_created_anew(scene):
    """The subscription has died without a word; the table is followed again."""
    scene.insert(range(3))
    live = scene.live()
    scene.near.execute_query(f"DROP TABLE {scene.table}")
    scene.make_table()
    scene.insert(range(2, 6))
    assert live.verify(timeout=DEADLINE)
    scene.settle(live)
    scene.delete("id = 3")
    scene.insert([10])
    assert live.verify(timeout=DEADLINE)
    scene.settle(live)


@pytest.mark.parametrize("told", [False, True], ids=["quiet", "with an event"])
def test_a_column_that_is_added(scene, told):
    """``SELECT *`` has it, from a round of checks on."""
    scene.insert(range(3))
    live = scene.far.live(f"SELECT * FROM {scene.table}")
    scene.near.execute_query(f"ALTER TABLE {scene.table} ADD COLUMN extra TEXT")
    if told:
        scene.near.execute_query(f"INSERT INTO {scene.table} (id, room, n, extra) VALUES (5, 'a', 5, 'new')")
    assert live.verify(timeout=DEADLINE)
    scene.settle(live)
    assert live.schema.names == ["id", "room", "n", "extra"]
    live.close()


def test_a_column_that_is_added_while_away(scene):
    live = scene.far.live(f"SELECT * FROM {scene.table}")
    scene.go_away(live)
    scene.near.execute_query(f"ALTER TABLE {scene.table} ADD COLUMN extra TEXT")
    scene.near.execute_query(f"INSERT INTO {scene.table} (id, extra) VALUES (5, 'new')")
    scene.proxy.come_up()
    scene.settle(live)
    assert live.schema.names == ["id", "room", "n", "extra"]
    live.close()


def test_a_column_that_is_dropped(scene):
    """A query that names it cannot go on; one that does not is not disturbed."""
    scene.insert(range(3))
    lost, kept = scene.live(), scene.far.live(f"SELECT id, n FROM {scene.table}")
    scene.near.execute_query(f"ALTER TABLE {scene.table} DROP COLUMN room")
    scene.near.execute_query(f"INSERT INTO {scene.table} (id, n) VALUES (5, 5)")
    with pytest.raises(KalamError, match="room"):
        lost.verify(timeout=DEADLINE)
    assert kept.verify(timeout=DEADLINE)
    scene.settle(kept)
    kept.close()


def wire_id(scene):
    return json.loads(next(text for text in scene.sent if '"type":"subscribe"' in text))["subscription"]["id"]


@pytest.mark.parametrize(
    "row",
    [
        {"id": "not a number", "room": "a", "n": 1, ROW_VERSION: "1"},
        {"id": "1", "room": "a", "n": 1, ROW_VERSION: "soon"},
        {"id": "1", "room": "a", "n": "many", ROW_VERSION: "99999999999999999"},
        {"id": "1", "room": {"a": 1}, "n": 1, ROW_VERSION: "99999999999999999"},
        {"room": "a", "n": 1, ROW_VERSION: "99999999999999999"},
        {"id": "1", "room": "a", "n": 1},
        {"id": None, "room": "a", "n": 1, ROW_VERSION: "99999999999999999"},
    ],
    ids=["key", "bad _seq", "cell", "object", "no key", "no _seq", "null key"],
)
def test_rows_that_do_not_fit(scene, row):
    """An event that cannot be applied is not applied in part, and does not end the live query."""
    scene.insert(range(3))
    live = scene.live()
    message = {"type": "change", "subscription_id": wire_id(scene), "change_type": "insert", "rows": [row]}
    scene.proxy.inject(frame(TEXT, json.dumps(message).encode()))
    scene.insert([10])
    live.wait_for(lambda t: 10 in t.arrow()["id"].to_pylist(), timeout=DEADLINE)
    assert live.verify(timeout=DEADLINE)
    scene.settle(live)


def test_a_row_that_was_never_there(scene):
    """A well-formed event of a row that the server does not have."""
    scene.insert(range(3))
    live = scene.live()
    seq = scene.near.query_arrow(f"SELECT max({ROW_VERSION}) AS s FROM {scene.table}")["s"][0].as_py()
    row = {"id": "77", "room": "ghost", "n": 1, ROW_VERSION: str(seq + 1), "_deleted": False}
    message = {"type": "change", "subscription_id": wire_id(scene), "change_type": "insert", "rows": [row]}
    scene.proxy.inject(frame(TEXT, json.dumps(message).encode()))
    live.wait_for(4, timeout=DEADLINE)
    assert live.verify(timeout=DEADLINE)
    scene.settle(live)


@pytest.mark.parametrize("code", ["CURSOR_EXPIRED", "NEW_CODE"])
def test_errors_of_an_established_live_query(scene, code):
    """Codes that this client does not know, or that newer servers use for a gap: subscribe and read again."""
    scene.insert(range(3))
    live = scene.live()
    message = {"type": "error", "subscription_id": wire_id(scene), "code": code, "message": "There is a gap"}
    scene.proxy.inject(frame(TEXT, json.dumps(message).encode()))
    live.wait_for(lambda t: t.stats.reconnects + t.stats.gaps, timeout=DEADLINE)
    scene.insert([10])
    scene.settle(live)
