"""Live tables against a plain dict, over servers: 500 random writes for each kind of table.

Among them are bursts, of which servers drop events, cuts of the network, and servers that are started anew. After each
stretch the live table holds what the dict holds, within a few rounds. The same steps are drawn each time; for more, and
others each time: ``KALAM_MODEL_STEPS=20000 pytest tests/faults/test_live_models.py``.
"""

import os
import random

import pytest
from scene import DEADLINE, Scene

from kalam_notebook.http.pacing import Bucket
from kalam_notebook.live_queries.following import schedule

STEPS = int(os.environ.get("KALAM_MODEL_STEPS", "500"))
#: Steps between two looks at the live table, and between two starts of the server.
LOOK, RESTART = 20, 250
#: Rounds from the last write to a table that is true: a delta, another with a longer look back, a whole reading and its
#: proof; and the same once more where the connection was lost on the way.
ROUNDS = 8
#: Rows of a burst: more than wait for one connection.
BURST = 200


class Game:
    """One table, the live table that follows it, and the dict of what it holds: ``n`` by key."""

    def __init__(self, scene, kind, dice):
        self.scene, self.kind, self.dice = scene, kind, dice
        self.rows = {}
        self.next_key = 0
        self.unlimited()
        self.live = scene.live()

    def unlimited(self):
        self.scene.near._http._bucket = Bucket(1e6)  # The sandbox has no rate limit unless it is told so.

    # Writes.

    def insert(self, count=1):
        keys = range(self.next_key, self.next_key + count)
        self.next_key += count
        self.scene.insert(keys)
        self.rows.update({key: key for key in keys})

    def burst(self):
        self.insert(BURST)

    def some_key(self):
        return self.dice.choice(sorted(self.rows))

    def update(self):
        if self.rows:
            key, n = self.some_key(), self.dice.randrange(1000)
            self.scene.update(f"n = {n}", f"id = {key}")
            self.rows[key] = n

    def delete(self):
        if self.rows:
            key = self.some_key()
            self.scene.delete(f"id = {key}")
            del self.rows[key]

    def delete_many(self):
        keep = self.next_key - self.dice.randrange(40)
        self.scene.delete(f"id < {keep}")
        self.rows = {key: n for key, n in self.rows.items() if key >= keep}

    def write_anew(self):
        """A key that was deleted comes back."""
        key = self.dice.randrange(self.next_key + 1)
        if key < self.next_key and key not in self.rows:
            self.scene.insert([key])
            self.rows[key] = key

    # What happens to servers and networks.

    def cut(self):
        self.scene.proxy.cut()

    def away(self):
        """Writes that nobody tells of."""
        self.scene.go_away(self.live)
        for _ in range(5):
            self.step(["insert", "update", "delete", "delete_many", "flush"])
        self.scene.proxy.come_up()

    def start_anew(self, server):
        """The new server holds the same rows under other versions."""
        self.scene.use(server)
        self.unlimited()
        self.scene.make_table()
        if self.rows:
            self.scene.insert(self.rows)
            for key, n in self.rows.items():
                if n != key:
                    self.scene.update(f"n = {n}", f"id = {key}")
        self.scene.proxy.retarget(server.url)

    def flush(self):
        self.scene.flush()

    # Play.

    def step(self, names):
        if self.kind == "STREAM":
            names = [name for name in names if name not in {"update", "flush", "write_anew"}]
        getattr(self, self.dice.choice(names))()

    def look(self):
        """The table is what the dict is, within a few rounds."""
        before = self.live.stats.rounds
        self.live.wait_for(lambda t: t.status == "live" and self.held() == sorted(self.rows.items()), timeout=DEADLINE)
        assert self.live.stats.rounds - before <= ROUNDS
        assert self.live.notice is None

    def held(self):
        return sorted((row["id"], row["n"]) for row in self.live.arrow().to_pylist())


OFTEN = ["insert"] * 8 + ["update"] * 8 + ["delete"] * 5 + ["write_anew"] * 3
SELDOM = ["delete_many", "flush", "burst", "cut"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["SHARED", "USER", "STREAM"])
def test_a_live_table_is_what_the_dict_is(start_server, monkeypatch, kind):
    monkeypatch.setattr(schedule, "_SOON", 0.2)
    seed = None if "KALAM_MODEL_STEPS" in os.environ else 13
    dice = random.Random(seed)
    flag = "--no-return-deleted-rows"  # That a flush brings deleted rows back is no fault of a live table.
    with start_server(flag) as first, Scene(first, kind=kind) as scene:
        game = Game(scene, kind, dice)
        server = first
        for number in range(1, STEPS + 1):
            game.step(SELDOM if dice.random() < 0.06 else OFTEN)
            if number % 100 == 0:
                game.away()
            if number % RESTART == RESTART // 2:
                new = scene.start(start_server(flag, f"--root-password={first.root_password}"))
                server.stop()
                game.start_anew(new)
                server = new
            if number % LOOK == 0:
                game.look()
        assert game.live.verify(timeout=DEADLINE)
        assert game.held() == sorted(game.rows.items())
        assert game.live.stats.reconnects >= 2
