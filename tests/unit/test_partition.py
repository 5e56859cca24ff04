"""One partition of a topic under answers that get lost, other consumers of the group, and a server that forgets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.errors import ConnectError, NotFoundError, ServerError, TopicError, TransportError
from kalam_notebook.topics.consumer import Consumer
from kalam_notebook.topics.offsets import Offsets
from kalam_notebook.topics.partition import TopicPartition
from kalam_notebook.wire.topics import Consumed, TopicMessage


def message(offset, *, timestamp_ms=None, payload=b"{}"):
    at = offset if timestamp_ms is None else timestamp_ms
    return TopicMessage("app.ev", 0, offset, "Insert", None, None, at, payload)


class Log:
    """One partition and one group on a server, by the rules of protocol/http.md#topics."""

    def __init__(self, count=0):
        self.messages = [message(n) for n in range(count)]
        self.first = 0
        self.committed = None
        self.forget()
        # What the next requests of the group end with: None, "before" it is carried out, or "after".
        self.losses = []
        self.peeks = 0

    def publish(self, count):
        self.messages += [message(len(self.messages) + n) for n in range(count)]

    def forget(self):
        """Claims live in memory."""
        self.cursor, self.claims = None, []

    def expire(self):
        if self.claims:
            self.cursor, self.claims = min(first for first, _ in self.claims), []

    def consume(self, partition_id, start, limit):
        loss = self.losses.pop(0) if self.losses else None
        if loss == "before":
            raise TransportError("lost before")
        begin = self._begin(start)
        if self.cursor is None:
            self.cursor = begin
        found = self._read(self.cursor, limit)
        if found:
            self.claims.append((found[0].offset, found[-1].offset))
            self.cursor = found[-1].offset + 1
        if loss == "after":
            raise TransportError("lost after")
        return Consumed(tuple(found), self.cursor if found else begin)

    def next_offset(self, partition_id, start):
        return self._begin(start)

    def end_offset(self, partition_id):
        return len(self.messages)

    def peek(self, partition_id, offset, limit):
        self.peeks += 1
        return Consumed(tuple(self._read(offset, limit)), 0)

    def ack(self, partition_id, upto_offset):
        self.committed = max(self.committed or 0, upto_offset)
        self.cursor = max(self.cursor or 0, upto_offset + 1)
        self.claims = [claim for claim in self.claims if claim[1] > upto_offset]

    def _begin(self, start):
        if self.committed is not None:
            return self.committed + 1
        return start if isinstance(start, int) else len(self.messages) if start == "latest" else 0

    def _read(self, offset, limit):
        at = max(offset, self.first)
        return self.messages[at : at + limit]


class Reader:
    """A consumer of the log: takes what comes at once."""

    def __init__(self, log, *, start="earliest", limit=3):
        self.partition = TopicPartition(log, 0, start, limit)
        self.got = []

    def fetch(self):
        self.partition.ask()
        if self.partition.is_ready:
            self.got += [one.offset for one in self.partition.take()]

    def drain(self):
        before = None
        while before != self.got:
            before = list(self.got)
            self.fetch()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 5)),
        st.sampled_from([("fetch", None), ("fetch", "before"), ("fetch", "after"), ("commit",), ("expire",)]),
        st.just(("forget",)),
    ),
    max_size=40,
)


def play(log, reader, step):
    match step:
        case ("publish", count):
            log.publish(count)
        case ("fetch", loss):
            log.losses = [loss] if loss else []
            try:
                reader.fetch()
            except TransportError:
                assert loss
        case ("commit",):
            reader.partition.commit()
        case ("expire",):
            log.expire()
        case ("forget",):
            log.forget()


@given(steps)
def test_a_consumer_alone_gets_each_message_once_and_in_order(steps):
    log = Log()
    reader = Reader(log)
    for step in steps:
        play(log, reader, step)
        assert reader.got == list(range(len(reader.got)))
        assert (log.committed if log.committed is not None else -1) < len(reader.got)
    reader.drain()
    reader.partition.commit()
    assert reader.got == list(range(len(log.messages)))
    assert log.committed == (len(log.messages) - 1 if log.messages else None)


@given(st.lists(st.tuples(st.sampled_from([0, 1]), steps.map(lambda many: many[:4])), max_size=15))
@pytest.mark.slow
def test_nothing_is_acknowledged_that_no_consumer_of_the_group_has(rounds):
    log = Log()
    readers = [Reader(log), Reader(log)]
    for who, some in rounds:
        for step in some:
            play(log, readers[who], step)
            known = {*readers[0].got, *readers[1].got}
            assert all(offset in known for offset in range((log.committed if log.committed is not None else -1) + 1))
    for _ in range(3):
        for reader in readers:
            log.expire()
            reader.drain()
            reader.partition.commit()
    assert {*readers[0].got, *readers[1].got} == set(range(len(log.messages)))
    for reader in readers:
        assert len(set(reader.got)) == len(reader.got)
    assert log.committed == (len(log.messages) - 1 if log.messages else None)


@given(steps, st.lists(st.tuples(st.integers(0, 30), steps.map(lambda many: many[:3])), max_size=6))
def test_what_is_sought_comes_again_and_the_group_goes_on_behind_it(first, seeks):
    log = Log()
    reader = Reader(log)
    for step in first:
        play(log, reader, step)
    for offset, some in seeks:
        offset = min(offset, reader.partition.end)
        reader.partition.seek(offset)
        assert reader.partition.position == offset
        reader.got = []
        for step in some:
            play(log, reader, step)
        log.losses = []
        reader.drain()
        assert reader.got == list(range(offset, len(log.messages)))
        assert log.committed is None or log.committed < reader.partition.end
    reader.drain()
    reader.partition.commit()
    assert log.committed == (len(log.messages) - 1 if log.messages else None)


def test_an_interrupt_loses_nothing_that_was_sought():
    log = Log(3)
    reader = Reader(log)
    reader.drain()
    reader.partition.seek(1)
    reader.partition.ask()
    state = reader.partition.state()
    assert [one.offset for one in reader.partition.take()] == [1, 2]
    reader.partition.restore(state)
    assert [one.offset for one in reader.partition.take(1)] == [1]
    assert reader.partition.position == 2


@given(st.lists(st.one_of(st.integers(0, 30).map(lambda n: ("add", n)), st.integers(0, 30).map(lambda n: ("fill", n)))))
def test_offsets_are_a_set(changes):
    offsets, model = Offsets(5), set(range(5))
    for kind, number in changes:
        before, held = offsets, {n for n in range(40) if n in offsets}
        if kind == "add":
            offsets = offsets.plus([number])
            model.add(number)
        else:
            offsets = offsets.filled_to(number)
            model |= set(range(number))
        assert {n for n in range(40) if n in offsets} == model
        assert {n for n in range(40) if n in before} == held
        assert offsets.frontier == next(n for n in range(40) if n not in model)
        assert offsets.end == max(model) + 1
        assert offsets.beyond == len([n for n in model if n > offsets.frontier])


def test_a_lost_answer_is_made_up_for_before_anything_newer():
    log = Log(8)
    reader = Reader(log)
    reader.fetch()
    log.losses = ["after"]
    with pytest.raises(TransportError):
        reader.fetch()
    assert log.cursor == 6
    reader.fetch()
    assert reader.got == list(range(8))


def test_a_lost_answer_with_the_last_messages_is_made_up_for():
    log = Log(2)
    reader = Reader(log)
    log.losses = ["after"]
    with pytest.raises(TransportError):
        reader.fetch()
    reader.fetch()
    assert reader.got == [0, 1]
    assert log.peeks == 1


def test_making_up_that_fails_loses_nothing():
    log = Log(8)
    reader = Reader(log)
    log.losses = ["after"]
    with pytest.raises(TransportError):
        reader.fetch()
    whole, log.peek = log.peek, lambda *_: (_ for _ in ()).throw(TransportError("gone again"))
    with pytest.raises(TransportError, match="gone again"):
        reader.fetch()
    log.peek = whole
    reader.fetch()
    assert reader.got == list(range(8))


@pytest.mark.parametrize("error", [ConnectError("x"), NotFoundError("NOT_FOUND", "x", 404)])
def test_a_refused_request_took_nothing(error):
    log = Log(2)
    reader = Reader(log)
    whole, log.consume = log.consume, lambda *_: (_ for _ in ()).throw(error)
    with pytest.raises(type(error)):
        reader.fetch()
    log.consume = whole
    reader.drain()
    assert reader.got == [0, 1]
    assert log.peeks == 0


@pytest.mark.parametrize("error", [ServerError("INTERNAL_ERROR", "x", 500), KeyboardInterrupt()])
def test_a_request_that_failed_otherwise_may_have_taken_messages(error):
    log = Log(4)
    reader = Reader(log)
    whole = log.consume

    def fail(*asked):
        whole(*asked)
        raise error

    log.consume = fail
    with pytest.raises(type(error)):
        reader.fetch()
    log.consume = whole
    reader.fetch()
    assert reader.got == [0, 1, 2, 3]


def test_what_comes_again_is_dropped_and_acknowledged_ones_too():
    log = Log(3)
    reader = Reader(log)
    reader.fetch()
    reader.partition.commit(0)
    log.expire()
    reader.drain()
    assert (reader.got, log.committed) == ([0, 1, 2], 0)


def test_a_log_that_begins_anew_is_told_from_a_repetition():
    log = Log(3)
    reader = Reader(log)
    reader.fetch()
    log.messages = [message(n, timestamp_ms=100 + n) for n in range(2)]
    log.expire()
    reader.fetch()
    assert reader.got == [0, 1, 2, 0, 1]


def test_a_server_that_forgot_claims_goes_on_where_the_reader_is():
    log = Log(3)
    reader = Reader(log, start="latest")
    log.publish(2)
    reader.fetch()
    log.forget()
    log.publish(2)
    reader.drain()
    assert reader.got == [3, 4, 5, 6]


def test_an_acknowledgement_stops_before_what_another_consumer_has():
    log = Log(6)
    first, second = Reader(log), Reader(log)
    first.fetch()
    second.fetch()
    second.partition.commit()
    second.partition.commit()
    assert (log.committed, second.partition.held_back, log.peeks) == (None, 3, 1)
    first.partition.commit()
    second.partition.commit()
    assert (log.committed, second.partition.held_back) == (5, 0)


def test_an_acknowledgement_passes_over_messages_that_do_not_exist_any_more():
    log = Log(6)
    Reader(log).fetch()
    reader = Reader(log)
    reader.fetch()
    log.first = 2
    reader.partition.commit()
    assert (log.committed, reader.partition.held_back) == (1, 3)
    log.first = 3
    log.publish(1)
    reader.fetch()
    reader.partition.commit()
    assert log.committed == 6


def test_a_group_that_stands_beyond_the_end():
    log = Log(3)
    log.ack(0, 10)
    with pytest.raises(TopicError, match=r"acknowledged offset 10 of partition 0, which ends at 3"):
        TopicPartition(log, 0, "latest", 3)
    with pytest.raises(TopicError, match=r"start=7 is beyond the end of partition 0, 3\."):
        TopicPartition(Log(3), 0, 7, 3)


def test_a_consumer_that_begins_at_the_end_gets_what_another_left():
    log = Log(3)
    Reader(log).fetch()
    reader = Reader(log, start="latest")
    log.expire()
    log.publish(1)
    reader.drain()
    assert reader.got == [0, 1, 2, 3]
    log.expire()
    reader.drain()
    assert reader.got == [0, 1, 2, 3]


def test_what_another_consumer_has_acknowledged_is_not_given_again():
    log = Log(10)
    first, second = Reader(log, limit=10), Reader(log, limit=10)
    first.fetch()
    first.partition.commit(5)
    log.expire()
    second.fetch()
    assert second.got == [6, 7, 8, 9]


def test_messages_that_wait_here_are_given_whatever_others_acknowledge():
    log = Log(6)
    partition = TopicPartition(log, 0, "earliest", 3)
    partition.ask()
    partition.take(1)
    log.ack(0, 5)
    partition.commit()
    partition.ask()
    assert [one.offset for one in partition.take()] == [1, 2]


def test_offsets_of_a_log_that_is_no_more_are_not_acknowledged():
    log = Log(13)
    reader = Reader(log, limit=20)
    reader.fetch()
    log.messages = []
    log.forget()
    reader.fetch()
    with pytest.raises(TopicError, match="made anew; nothing was acknowledged"):
        reader.partition.commit()
    assert log.committed is None


def test_a_log_made_anew_is_read_from_its_beginning():
    log = Log(13)
    reader = Reader(log, start="latest")
    log.messages = [message(n, timestamp_ms=100) for n in range(3)]
    log.forget()
    reader.fetch()
    assert (reader.got, reader.partition.begins_anew()) == ([], True)
    log.forget()
    reader.drain()
    assert (reader.got, reader.partition.begins_anew()) == ([0, 1, 2], False)


class Topic(Log):
    """The log as the only partition of a topic."""

    topic_id, group_id = "app.ev", "g"

    def count_partitions(self):
        return 1


def test_marks_of_a_log_that_is_no_more_acknowledge_nothing_of_the_next():
    topic = Topic(4)
    consumer = Consumer(
        topic, start="earliest", partitions=topic.count_partitions(), max_poll_records=10, columns_of=lambda table: ()
    )
    for one in consumer.poll(0):
        consumer.mark_processed(one)
    consumer.commit_sync()
    assert topic.committed == 3
    topic.messages = [message(n, timestamp_ms=100 + n) for n in range(3)]
    topic.committed = None
    topic.forget()
    found = consumer.poll(5)
    assert [one.offset for one in found] == [0, 1, 2]
    consumer.commit_sync()
    assert topic.committed is None
    consumer.mark_processed(found[0])
    consumer.commit_sync()
    assert topic.committed == 0


def test_an_interrupt_while_messages_are_taken_can_be_taken_back():
    partition = TopicPartition(Log(3), 0, "earliest", 5)
    partition.ask()
    state = partition.state()
    partition.take(2)
    partition.restore(state)
    assert [one.offset for one in partition.take()] == [0, 1, 2]


def test_holes_of_several_lost_answers_are_all_filled():
    log = Log(20)
    reader = Reader(log, limit=5)
    for loss in ("after", "after"):
        log.losses = [loss]
        with pytest.raises(TransportError):
            reader.fetch()
    whole, log.peek = log.peek, lambda *_: (_ for _ in ()).throw(TransportError("peek"))
    with pytest.raises(TransportError):
        reader.fetch()
    log.peek, log.losses = whole, ["after"]
    with pytest.raises(TransportError):
        reader.fetch()
    reader.drain()
    assert reader.got == list(range(20))


def test_what_was_acknowledged_is_told_only_when_it_is_known():
    log = Log(3)
    reader = Reader(log, start="latest")
    reader.partition.commit()
    assert reader.partition.acknowledged is None
    log.publish(1)
    reader.fetch()
    reader.partition.commit()
    assert reader.partition.acknowledged == 3


def test_messages_are_taken_one_by_one_or_all():
    partition = TopicPartition(Log(3), 0, "earliest", 5)
    partition.ask()
    assert [one.offset for one in partition.take(1)] == [0]
    partition.commit()
    assert partition.acknowledged == 0
    assert [one.offset for one in partition.take()] == [1, 2]
    assert not partition.is_ready


def test_messages_that_another_consumer_has_can_be_found():
    log = Log(3)
    other, reader = Reader(log), Reader(log)
    other.fetch()
    reader.fetch()
    assert (reader.got, reader.partition.missing()) == ([], 0)
    assert reader.partition.is_held_elsewhere(0)
    other.partition.commit()
    assert not reader.partition.is_held_elsewhere(0)


def test_messages_that_came_after_all_are_not_missing():
    log = Log(3)
    Reader(log).fetch()
    reader = Reader(log)
    log.expire()
    reader.fetch()
    assert reader.partition.missing() is None
    assert not reader.partition.is_held_elsewhere(0)
