"""Recorded frames and recordings with mistakes in them: what comes of them is rows, or an error of this package."""

import gzip
import json
import logging
import random

import pytest
from mutations import damaged, damaged_bytes
from test_live_replay import SESSIONS, follow
from test_recording_replay import make_file

from kalam_notebook.errors import KalamError, RecordingError
from kalam_notebook.live_queries.recording.player import play as play_file
from kalam_notebook.live_queries.table import LiveTable
from kalam_notebook.wire import live as wire

FOLLOWED = {
    "snapshot_and_changes": ("SELECT * FROM ws.t_user", "user"),
    "shared": ("SELECT * FROM ws.t_shared", "shared"),
    "stream": ("SELECT * FROM ws.st", "stream"),
}
#: Damaged sessions, and frames on their own.
ROUNDS = 150


def frames(session):
    """The frames that came in a session, as JSON text."""
    for frame in session["frames"]:
        if frame["dir"] == "in" and frame["kind"] in {"text", "binary+gzip"} and isinstance(frame["data"], dict):
            yield json.dumps(frame["data"], separators=(",", ":")).encode()


def escapes(seeds, play):
    """What came out of a round for each seed and is no error of this package."""
    found = {}
    for seed in seeds:
        try:
            play(random.Random(seed))
        except KalamError as exc:
            str(exc)
        except Exception as exc:
            found[seed] = repr(exc)
    return found


@pytest.mark.parametrize("name", FOLLOWED)
def test_damaged_frames_of_a_session(name):
    texts = list(frames(SESSIONS[name]))

    def play(dice):
        place = dice.randrange(len(texts))

        def received(_):
            for number, text in enumerate(texts):
                yield wire.parse_message(damaged(text, dice) if number == place else text)

        store, _ = follow(name, *FOLLOWED[name], received)
        if store is not None:  # It was subscribed.
            store.arrow().to_pylist()

    assert escapes(range(ROUNDS), play) == {}


def test_damaged_frames_on_their_own():
    texts = [text for session in SESSIONS.values() for text in frames(session)]

    def play(dice):
        text = dice.choice(texts)
        packed = damaged_bytes(gzip.compress(text), dice) if dice.random() < 0.3 else gzip.compress(damaged(text, dice))
        message = wire.parse_message(wire.unpack_frame(packed))
        wire.greatest_seq(getattr(message, "rows", ()))

    assert escapes(range(4 * ROUNDS), play) == {}


@pytest.mark.slow
@pytest.mark.parametrize("part", range(3))
def test_damaged_recordings(tmp_path, caplog, part):
    caplog.set_level(logging.ERROR, logger="kalam_notebook.live")  # Each says why it stopped.
    make_file(tmp_path / "whole.arrows", gap=True)
    whole = (tmp_path / "whole.arrows").read_bytes()
    path = tmp_path / "damaged.arrows"

    def play(dice):
        path.write_bytes(damaged_bytes(whole, dice))
        player = play_file(path, speed=float("inf"))
        with LiveTable(player, sql=player.origin.sql) as live:
            player._thread.join(20)
            assert not player._thread.is_alive()
            assert player.error is None or isinstance(player.error, RecordingError)
            live.arrow().to_pylist()
            if dice.random() < 0.05:
                assert f"{live.df()}{live!r}{live.stats}"

    assert escapes(range(1_000 * part, 1_000 * (part + 1)), play) == {}
