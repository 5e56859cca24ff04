"""Every recorded HTTP request of a real server, sent to a fresh sandbox, and the answers compared."""

import re

import pytest
from recorded import Player, comparable, exceptions, load, without_list_order
from serving import ROOT_PASSWORD, serving

#: Of the answers that are known; those that are not compared count as different.
LEAST_EQUAL = {"http-surface.jsonl": 0.94, "http-truth.jsonl": 0.97}


def wanted(exchange):
    response = exchange.get("response")
    return ("cut", None) if response is None else (response["status"], response["body"])


def is_equal(exchange, status, body):
    sql = str((exchange["request"].get("json") or {}).get("sql", "")).lower()
    ordered = "order by" in sql and "array_agg" not in sql
    want_status, want_body = wanted(exchange)
    left, right = comparable(want_body, ordered=ordered), comparable(body, ordered=ordered)
    if "array_agg" in sql:
        left, right = without_list_order(left), without_list_order(right)
    return status == want_status and left == right


def learn_from(player, exchange, exchanges, body):
    """Learn the identifiers that later requests of the recording name."""
    if exchange["name"] == "select_files":
        player.learn(exchange["response"]["body"], body)
    if exchange["name"] == "changes_fill":
        later = next(item for item in exchanges if item["name"] == "changes_upserts")
        recorded = re.search(r"_seq > (\d+)", later["request"]["json"]["sql"])[1]
        player.learned[recorded] = player.query("SELECT max(_seq) AS s FROM tr.chg")[0][0]


@pytest.mark.parametrize("name", LEAST_EQUAL)
def test_answers_equal_the_recorded_ones(name):
    exchanges, excepted = load(name), exceptions(name)
    known, compared, different = 0, 0, {}
    with serving() as served:
        player = Player(served.url, ROOT_PASSWORD)
        for exchange in exchanges:
            status, body = player.send(exchange)
            learn_from(player, exchange, exchanges, body)
            # Withheld answers are unknown; the request is sent, since later ones need its effect.
            if exchange.get("withheld"):
                continue
            known += 1
            if exchange["name"] in excepted:
                continue
            compared += 1
            if not is_equal(exchange, status, body):
                different[exchange["name"]] = (wanted(exchange), (status, body))
        player.close()
    equal = compared - len(different)
    print(f"{name}: {equal} of {known} answers equal")
    assert equal >= LEAST_EQUAL[name] * known
    assert not different


def test_every_exception_names_an_exchange():
    for name in LEAST_EQUAL:
        names = {exchange["name"] for exchange in load(name)}
        assert set(exceptions(name)) <= names


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ({"rows": [["1"], ["2"]]}, {"rows": [["2"], ["1"]]}, True),
        ({"rows": [["1"]]}, {"rows": [[1]]}, False),
        ({"took": 1.5, "status": "ok"}, {"took": 9.0, "status": "ok"}, True),
        ({"message": "a"}, {"message": "b"}, False),
        ({"s": "383403783666794496"}, {"s": "383462264365121541"}, True),
    ],
)
def test_comparison_sees_differences_that_matter(left, right, same):
    assert (comparable(left, ordered=False) == comparable(right, ordered=False)) is same
