"""Damage for what a server or a file says: seeded, so that what breaks something breaks it again."""

import json
import random
from copy import deepcopy

import orjson

#: What may stand where something else was expected.
VALUES = (
    None, True, False, 0, -1, 1, 0.5, 1e308, 2**63, -(2**63), 10**20, "", " ", "x", "-0.5", "1" * 5000, "NaN",
    "2024-13-45T99:99:99Z", "0001-01-01T00:00:00", "\x00", "\u202e", '"],["', "$1", "'; DROP TABLE t; --",
    [], [[]], [None], [1, "a"], {}, {"": {}}, {"type": "change"}, {"Decimal": {"precision": 99, "scale": -99}},
    {"Embedding": -1}, {"Embedding": 10**9}, {"Decimal": 5}, {"List": {"a": 1, "b": 2}},
)  # fmt: skip


def damaged(body: bytes, dice: random.Random) -> bytes:
    """A body with a few mistakes: in its values where it is JSON, else in its bytes."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError:
        return damaged_bytes(body, dice)
    if dice.random() < 0.15:
        return damaged_bytes(body, dice)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        raw = _damaged_value(raw, dice)
    return json.dumps(raw, separators=(",", ":"), ensure_ascii=False).encode()


def damaged_bytes(data: bytes, dice: random.Random) -> bytes:
    """Bytes that are changed, left out, doubled or put in at a few places, or end early."""
    found = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 5))):
        begin = dice.randrange(len(found) + 1)
        end = min(len(found), begin + dice.choice((1, 1, 4, 30)))
        match dice.randrange(5):
            case 0:
                found[begin:end] = dice.randbytes(end - begin)
            case 1:
                del found[begin:end]
            case 2:
                found[begin:begin] = found[begin:end]
            case 3:
                found[begin:begin] = dice.choice((b"\x00", b"{", b"]", b'"', b",", b"\xff", b"null", b"9" * 30))
            case 4:
                del found[dice.randrange(begin // 2, len(found) + 1) :]
    return bytes(found)


def _damaged_value(raw: object, dice: random.Random) -> object:
    """The value with a mistake at one place; each place of the tree is as likely as any other."""
    places = list(_places(raw))
    if not places:
        return deepcopy(dice.choice(VALUES))
    inside, key = dice.choice(places)
    match dice.randrange(6):
        case 0:
            del inside[key]
        case 1:
            inside[key] = [inside[key]]
        case 2:
            inside[key] = str(inside[key]) if not isinstance(inside[key], str) else 7
        case 3 if isinstance(inside, list):
            inside.insert(key, deepcopy(inside[key]))
        case 3:
            inside["another"] = inside.pop(key)
        case _:
            inside[key] = deepcopy(dice.choice(VALUES))
    return raw


def _places(raw: object):
    """Each container in a tree with each of its keys."""
    keys = raw.keys() if isinstance(raw, dict) else range(len(raw)) if isinstance(raw, list) else ()
    for key in keys:
        yield raw, key
        yield from _places(raw[key])
