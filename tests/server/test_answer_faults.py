"""Answers that a lone server never gives by itself: cut bodies, a follower's refusal, the small results of 0.5."""

import httpx
import pytest
from serving import serving

MANY = "SELECT value AS x FROM generate_series(1, 40)"


def test_cut_bodies_end_in_the_middle_with_status_200():
    with serving(cut_bodies=1.0) as served:
        headers = {"Authorization": f"Bearer {served.token()}"}
        with served.client.stream("POST", "/v1/api/sql", json={"sql": MANY}, headers=headers) as answer:
            assert answer.status_code == 200
            with pytest.raises(httpx.RemoteProtocolError):
                answer.read()
        served.sql("CREATE NAMESPACE app")


def test_a_follower_refuses_before_anything_has_run():
    with serving(not_leader=1.0) as served:
        answer = served.post("CREATE NAMESPACE app")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "NOT_LEADER")
        assert answer.json()["error"]["message"] == "Not leader for shard. Leader unknown"
        assert served.failure("SELEC 1")[0] == "INVALID_SQL"


def test_the_same_seed_hits_the_same_answers():
    hits = []
    for _ in range(2):
        with serving(not_leader=0.5, fault_seed=7) as served:
            hits.append([served.post("SELECT 1").status_code for _ in range(12)])
    assert hits[0] == hits[1]
    assert set(hits[0]) == {200, 503}


def test_small_results_are_buffered():
    with serving(buffer_small_results=True) as served:
        small = served.post("SELECT value AS x FROM generate_series(1, 32)")
        assert int(small.headers["Content-Length"]) == len(small.content)
        assert small.json()["error"] is None
        assert "Content-Length" not in served.post(MANY).headers
        assert served.failure("SELECT 1.0 / 0 AS x")[0] == "INTERNAL_ERROR"
