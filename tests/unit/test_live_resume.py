"""What a stream of events says that goes on behind a version, as the first batch shows how the server went on."""

import pytest

from kalam_notebook.live_queries.connection.states import Loaded, Subscribed
from kalam_notebook.live_queries.events.messages import InitialBatch, LiveNotice
from kalam_notebook.live_queries.events.streaming import EventStream
from kalam_notebook.wire.live import BatchControl, InitialDataBatch, SubscribeOptions, SubscriptionAck

FROM = 7


def codes(last_seq_id, *versions, options):
    """The notices and batches of a stream, with the codes of the former."""
    control = BatchControl(0, False, "ready", last_seq_id)
    rows = tuple({"id": str(version), "_version": str(version)} for version in versions)
    stream = EventStream(is_whole_row=False)
    events = [
        *stream.take(Subscribed(1, SubscriptionAck("w", control, ()), options)),
        *stream.take(Loaded(1, InitialDataBatch("w", rows, control))),
    ]
    told = [item.code for item in events if isinstance(item, LiveNotice)]
    return told, [type(item) for item in events].index(InitialBatch) == len(events) - 1


@pytest.mark.parametrize(
    ("last_seq_id", "versions", "is_told"),
    [
        (str(FROM), (), True),  # The log has all that was missed: changes follow.
        ("9", (8, 9), False),  # Rows since then, and no deletes.
        ("9", (), False),
        (None, (), False),
    ],
)
def test_only_an_empty_batch_at_the_version_asked_for_tells_all(last_seq_id, versions, is_told):
    asked = SubscribeOptions(9, from_seq=FROM, is_text=True)
    assert codes(last_seq_id, *versions, options=asked) == ([] if is_told else ["DELETES_NOT_TOLD"], True)


def test_who_asks_for_rows_alone_misses_no_delete():
    assert codes("9", 8, 9, options=SubscribeOptions(9, is_text=True)) == ([], True)
