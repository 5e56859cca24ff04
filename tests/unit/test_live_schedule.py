"""When checks ask, and what: every rule by times that are given."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.live_queries.following.schedule import BURST, ProofBudget, Question, Rhythm, TruthSchedule, told

DELTA, PROOF = Question.DELTA, Question.PROOF

RHYTHM = Rhythm(settle=0.3, gap=5.0, rest=200.0, calm=2.0, usual=30.0)

#: Where events only ring.
DOORBELL = Rhythm(settle=0.0, rest=100.0, longest=1.5)


def schedule(*delays: float, rhythm: Rhythm = RHYTHM, budget: ProofBudget | None = None) -> TruthSchedule:
    return TruthSchedule(rhythm, lambda: iter([*delays, *repeat(9.0, 99)]), budget)


def after_a_proof(at: float = 10.0, took: float = 0.0, **options) -> TruthSchedule:
    made = schedule(**options)
    made.wish(at - took)
    assert made.start(at - took) is PROOF
    made.finish(at, PROOF)
    return made


def after_a_delta(at: float = 10.0, took: float = 0.0, **options) -> TruthSchedule:
    made = after_a_proof(at - took - 1.0, took=5.0, **options)  # The next proof is far away.
    made.wish(at - took, DELTA)
    assert made.start(at - took) is DELTA
    made.finish(at, DELTA)
    return made


def test_nothing_is_due_before_there_is_a_reason():
    assert schedule().due == math.inf


@pytest.mark.parametrize("question", [DELTA, PROOF])
def test_a_wish_is_due_at_once_and_once(question):
    made = schedule()
    made.wish(5.0, question)
    assert made.due == 5.0
    assert made.start(5.0) is question
    assert (made.due, made.is_running) == (math.inf, True)
    made.finish(5.1, question)
    assert made.due > 6.0


# Deltas.


def test_a_delta_follows_when_events_pause():
    made = after_a_proof(10.0)
    made.event(20.0)
    assert made.due == 20.3
    made.event(20.2)
    assert made.due == 20.5
    assert made.start(20.5) is DELTA


def test_a_delta_follows_now_and_then_while_events_flow_on():
    made = after_a_proof(10.0)
    for number in range(100):
        made.event(20.0 + number * 0.2)
    assert made.due == 25.0


def test_a_delta_rests_in_proportion_to_its_length():
    made = after_a_delta(10.0, took=0.01)
    made.event(10.1)
    assert made.due == pytest.approx(12.0)


@pytest.mark.parametrize(("took", "due"), [(0.001, 10.25), (0.005, 10.5), (0.05, 11.5), (0.5, 20.0)])
def test_where_events_only_ring_a_delta_rests_no_longer_than_it_has_to(took, due):
    made = after_a_delta(10.0, took=took, rhythm=DOORBELL)
    made.event(10.1)
    assert made.due == pytest.approx(due)


def test_the_first_ring_is_answered_at_once():
    made = after_a_delta(10.0, took=0.01, rhythm=DOORBELL)
    made.event(20.0)
    assert made.due == 20.0


def test_a_long_reading_does_not_hold_up_deltas():
    made = after_a_proof(10.0, took=60.0, rhythm=DOORBELL)
    made.event(11.0)
    assert (made.due, made.start(11.0)) == (11.0, DELTA)


def test_a_burst_is_looked_after_when_it_is_over():
    made = after_a_delta(10.0, took=0.05)
    made.event(10.1)
    assert made.due == pytest.approx(20.0)
    made.event(10.2, BURST)
    assert made.due == pytest.approx(11.0)  # Twenty times its length, not two hundred.


def test_events_that_come_one_after_the_other_are_no_burst():
    made = after_a_delta(10.0, took=0.05)
    for number in range(1000):
        made.event(10.1 + number * 0.01)
    assert made.due == pytest.approx(20.0)


def test_rows_that_are_wrong_until_a_delta_comes_do_not_wait_for_a_pause():
    made = after_a_delta(10.0)
    made.event(20.0, is_urgent=True)
    assert made.due == 20.0


# Proofs.


def test_it_is_proved_when_it_has_got_quiet():
    made = after_a_proof(10.0)
    made.event(20.0)
    made.start(20.3)
    made.finish(20.31, DELTA)
    assert made.due == 22.0
    assert made.start(22.0) is PROOF
    made.finish(22.0, PROOF)
    assert made.due > 35.0


def test_events_that_flow_on_are_proved_by_time_only():
    made, proofs = after_a_proof(10.0), []
    for number in range(1000):
        now = 10.0 + number * 0.2
        made.event(now)
        if made.due <= now:
            question = made.start(now)
            made.finish(now + 0.01, question)
            if question is PROOF:
                proofs.append(now)
    assert len(proofs) == pytest.approx(200 / 30, abs=1)


@pytest.mark.parametrize("reason", ["burst", "missing events", "reconnect"])
def test_what_speaks_for_loss_is_proved(reason):
    made = after_a_proof(10.0)
    if reason == "burst":
        made.event(20.0, BURST)
    elif reason == "missing events":
        made.suspect(20.0)
    else:
        made.returned(20.0, spread=7.0)
    asked = {}
    while made.due < 30.0:
        now = made.due
        asked.setdefault(made.start(now), now)
        made.finish(now, DELTA if PROOF not in asked else PROOF)
    assert asked[PROOF] == {"burst": 20.3, "missing events": 20.0, "reconnect": 27.0}[reason]


def test_a_burst_that_does_not_end_is_proved_all_the_same():
    made = after_a_proof(10.0)
    for number in range(50):
        made.event(20.0 + number * 0.1, BURST)
    assert made.due <= 22.0
    assert made.start(22.0) is PROOF


def test_after_a_reconnect_a_delta_is_asked_at_once_and_a_scan_when_its_time_has_come():
    made = after_a_delta(10.0, took=0.01)
    made.returned(20.0, spread=7.0)
    assert (made.due, made.start(20.0)) == (20.0, DELTA)
    slow = after_a_delta(10.0, took=0.5)
    slow.returned(20.0, spread=7.0)
    assert slow.due == 27.0
    whole = after_a_delta(10.0)
    whole.returned(20.0, spread=7.0, scans=True)
    assert whole.due == 27.0


def test_proofs_of_all_live_queries_share_what_they_may_cost():
    budget = ProofBudget()
    first, second = after_a_proof(10.0, budget=budget), after_a_proof(10.0, took=0.5, budget=budget)
    for made in (first, second):
        made.event(11.0)
        made.start(made.due)
        made.finish(11.4, DELTA)
    assert (first.due, second.due) == (60.0, 60.0)  # A hundred times half a second.
    assert first.start(60.0) is PROOF
    first.finish(61.0, PROOF)
    assert second.due == 161.0


def test_a_wish_waits_for_no_rest():
    made = after_a_proof(10.0, took=5.0)
    made.wish(10.01)
    assert (made.due, made.start(10.01)) == (10.01, PROOF)


def test_a_large_table_is_proved_less_often():
    made = after_a_proof(1000.0, took=2.0)
    assert 1000 + 200 <= made.due <= 1000 + 3 * 400


def test_live_tables_of_one_process_are_proved_together_when_nothing_happens():
    first, second = after_a_proof(91.0), after_a_proof(104.0)
    assert first.due == second.due == 120.0


# Rounds.


def test_what_comes_during_a_round_is_due_after_it():
    made = after_a_proof(10.0)
    made.wish(20.0, DELTA)
    made.start(20.0)
    made.event(20.1)
    assert made.due == math.inf
    made.finish(20.2, DELTA, took=0.001)
    assert made.due == 20.45
    made.start(20.45)
    made.wish(20.5)
    made.finish(20.6, DELTA)
    assert made.due == 20.5


def test_another_round_at_once_or_after_a_while():
    made = schedule()
    made.wish(1.0)
    made.start(1.0)
    made.finish(1.2, PROOF, again=PROOF)
    assert (made.due, made.start(1.2)) == (1.2, PROOF)
    made.finish(1.3, PROOF, took=0.01, again=DELTA, again_in=5.0)
    assert (made.due, made.start(6.3)) == (6.3, DELTA)
    made.finish(7.3, DELTA, took=1.0, again=PROOF, again_in=2.0)
    assert made.due == 27.3  # What costs much is not asked every two seconds.


def test_failures_are_followed_by_growing_delays_until_a_round_ends_well():
    made = schedule(0.5, 4.0)
    for delay in (0.5, 4.0):
        made.wish(1.0)
        made.start(1.0)
        assert made.fail(2.0) == delay
        made.event(2.1)
        assert made.due == 2.0 + delay
    assert made.start(7.0) is PROOF
    made.finish(7.1, PROOF)
    made.wish(40.0)
    made.start(40.0)
    assert made.fail(41.0) == 0.5


@given(st.lists(st.tuples(st.sampled_from(["event", "burst", "round"]), st.floats(0, 2)), max_size=60))
def test_at_most_four_rounds_a_second_while_events_flow(steps):
    made, now, begun = after_a_proof(0.0), 0.0, []
    for kind, pause in steps:
        now += pause
        if kind != "round":
            made.event(now, BURST if kind == "burst" else 1)
        elif made.due <= now:
            question = made.start(now)
            made.finish(now, question)
            begun.append((now, question))
    deltas = [at for at, _ in begun]
    assert all(later - earlier >= 0.25 or question is PROOF for (earlier, _), (later, question) in pairwise(begun))
    assert deltas == sorted(deltas)


@pytest.mark.slow
@given(st.floats(0.001, 5.0), st.floats(0.02, 3.0), st.booleans())
def test_the_share_of_a_core_does_not_depend_on_what_a_question_takes(proof_took, pause, is_lossy):
    """Proofs cost at most a hundredth of the time, whatever the table and however much is changed in it."""
    made, now, spent = after_a_proof(0.0, took=proof_took), 0.0, 0.0
    until = 400 * proof_took + 400
    while now < until:
        now += pause
        made.event(now, BURST if is_lossy else 1)
        if made.due <= now:
            question = made.start(now)
            took = proof_took if question is PROOF else 0.001
            made.finish(now, question, took=took)
            spent += took if question is PROOF else 0.0
    assert spent <= 0.01 * now + proof_took


@given(st.lists(st.tuples(st.booleans(), st.floats(0.01, 3)), min_size=1, max_size=40), st.floats(0.001, 3.0))
def test_a_loss_stays_unseen_no_longer_than_the_docs_say(steps, proof_took):
    """Behind the last event: a delta when it has settled, a proof two seconds and a hundred of its lengths later."""
    made, now, delta_took = after_a_proof(0.0, took=proof_took), 0.0, 0.002

    def round_at(now):
        question = made.start(now)
        took = proof_took if question is PROOF else delta_took
        made.finish(now + took, question, took=took)
        return question, now + took

    for is_burst, pause in steps:
        # What is due before the next event is asked before it.
        event_at = now + pause
        while made.due <= event_at:
            _, now = round_at(made.due)
        now = max(now, event_at)
        made.event(now, BURST if is_burst else 1)
    last, asked = now, {}
    while PROOF not in asked:
        due = max(made.due, now)
        question, now = round_at(due)
        asked.setdefault(question, due)
    assert asked[PROOF] <= last + RHYTHM.calm + 100 * proof_took + delta_took
    assert min(asked.values()) <= last + RHYTHM.settle + RHYTHM.rest_after(delta_took) + proof_took


# A server that tells when it drops events.


def rounds_in(made, seconds, *, now=0.0):
    """The times of all rounds, each of a hundredth of a second."""
    times = []
    while made.due <= now + seconds:
        at = made.due
        times.append(at)
        asked = made.start(at)
        made.finish(at + 0.01, asked)
    return times


def test_where_gaps_are_told_a_quiet_table_is_looked_at_every_five_minutes():
    made = schedule(rhythm=told(Rhythm()))
    made.wish(0.0)
    assert len(rounds_in(made, 1.0)) == 1
    assert len(rounds_in(made, 600.0)) == 2


def test_where_gaps_are_told_changes_are_looked_after_once_they_end():
    made = schedule(rhythm=told(Rhythm()))
    made.wish(0.0)
    rounds_in(made, 0.0)
    for tenth in range(10, 200):
        made.event(tenth / 10)
    assert made.due == pytest.approx(19.9 + 30.0)


def test_where_gaps_are_told_a_flow_is_proved_every_minute():
    made = schedule(rhythm=told(Rhythm()))
    made.wish(0.0)
    rounds_in(made, 0.0)
    times = []
    for second in range(1, 241):
        made.event(float(second), 100, most=10**9)
        times += rounds_in(made, 1.0, now=float(second) - 1.0)
    assert 3 <= len(times) <= 4


def test_where_gaps_are_told_a_lost_connection_is_looked_after_at_once():
    made = schedule(rhythm=told(Rhythm()))
    made.wish(0.0)
    rounds_in(made, 0.0)
    made.returned(100.0, spread=1.0)
    assert rounds_in(made, 3.0, now=100.0) == [100.0, 101.0]  # A delta, and the proof.
    assert rounds_in(made, 60.0, now=103.0) == []


def test_a_bell_rings_as_before():
    rhythm = Rhythm(settle=0.0, rest=100.0, longest=1.5)
    assert told(rhythm) == replace(rhythm, usual=300.0)
