"""Faults of events that are switched on by an option: lost, doubled, swapped, late, and the same by the same seed."""

from collections import Counter
from dataclasses import replace

from live_doubles import on_server

from kalam_sandbox.__main__ import _options, _parser
from kalam_sandbox.live.faults import EventFaults
from kalam_sandbox.options import Options

NUMBERS = range(1000)


def sent(number=1, **options):
    """What is sent of a thousand events."""
    faults = EventFaults(replace(Options(), **options), number)
    events = [event for number in NUMBERS for event in faults.pass_on(number)]
    return events + faults.release_all()


def test_nothing_happens_by_default():
    assert sent() == list(NUMBERS)


def test_dropped_events_are_missing_and_the_rest_is_in_order():
    events = sent(drop_events=0.1)
    assert events == sorted(set(events))
    assert 850 < len(events) < 950


def test_doubled_events_come_twice_in_a_row():
    events = sent(double_events=0.1)
    assert events == sorted(events)
    twice = [number for number, count in Counter(events).items() if count == 2]
    assert set(events) == set(NUMBERS)
    assert 50 < len(twice) == len(events) - len(NUMBERS)


def test_swapped_events_change_places_with_the_next():
    events = sent(swap_events=0.1)
    assert sorted(events) == list(NUMBERS)
    moved = [number for place, number in enumerate(events) if place != number]
    assert len(moved) > 100
    assert max(abs(place - number) for place, number in enumerate(events)) == 1


def test_all_events_swapped_are_only_one_behind():
    assert sent(swap_events=1.0) == list(NUMBERS)


def test_late_events_let_others_pass():
    events = sent(late_events=0.05, late_by_events=5)
    assert sorted(events) == list(NUMBERS)
    delays = [place - number for place, number in enumerate(events)]
    assert 3 <= max(delays) <= 5


def test_the_seed_and_the_connection_decide():
    everything = {"drop_events": 0.1, "double_events": 0.1, "swap_events": 0.1, "late_events": 0.1}
    first = sent(**everything, fault_seed=7)
    assert first == sent(**everything, fault_seed=7)
    assert first != sent(**everything, fault_seed=8)
    assert first != sent(**everything, fault_seed=7, number=2)


def test_every_fault_is_a_flag():
    arguments = vars(_parser().parse_args(["--drop-events", "0.25", "--late-by-ms", "5", "--fault-seed", "3"]))
    del arguments["until_stdin_closes"]
    options = _options(arguments)
    assert (options.drop_events, options.late_by_ms, options.fault_seed) == (0.25, 5.0, 3)


@on_server(late_events=1.0, late_by_events=1000, late_by_ms=50.0)
async def test_what_is_held_back_is_sent_after_a_while(server):
    async with server.connect() as client:
        await client.subscribe()
        server.backend.write("t", {"id": "1"}, {"id": "2"})
        server.backend.write("t", {"id": "3"})
        assert [(await client.receive())["rows"][0]["id"] for _ in range(3)] == ["1", "2", "3"]


@on_server(drop_events=1.0)
async def test_lost_events_are_lost_without_a_sign(server):
    async with server.connect() as client:
        await client.subscribe()
        server.backend.write("t", {"id": "1"})
        await client.send({"type": "next_batch", "subscription_id": "unknown", "last_seq_id": None})
        assert (await client.receive())["subscription_id"] == "unknown"


@on_server(double_events=1.0, notification_queue=3)
async def test_doubled_events_take_two_places_in_the_queue(server):
    async with server.connect() as client:
        await client.subscribe()
        server.backend.write("t", {"id": "1"}, {"id": "2"})
        assert [(await client.receive())["rows"][0]["id"] for _ in range(3)] == ["1", "1", "2"]
