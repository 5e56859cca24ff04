"""The log of row versions, against a simple model of what it must show."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalam_sandbox.store.schema import ColumnDef, TableDef, hidden_columns
from kalam_sandbox.store.types import BIGINT, INT, TEXT, ColumnType
from kalam_sandbox.store.versions import ConversionError, VersionLog, Window, aligned

TABLE = TableDef("app", "t", "shared", (ColumnDef("id", BIGINT, False, True), ColumnDef("v", TEXT), *hidden_columns(3)))


def batch(rows):
    ids, values, seqs, deleted = zip(*rows, strict=True)
    arrays = [pa.array(ids, pa.int64()), pa.array(values), pa.array(seqs, pa.int64()), pa.array(deleted)]
    return pa.RecordBatch.from_arrays(arrays, schema=TABLE.schema)


def filled(*rows):
    log = VersionLog(TABLE.schema, "id")
    for row in rows:
        log.append(batch([row]), [row[0]])
    return log


def shown(batches):
    return sorted((row["id"], row["v"]) for part in batches for row in part.to_pylist())


def test_newest_version_hides_older_ones():
    log = filled((1, "a", 10, False), (2, "b", 11, False), (1, "c", 12, False))
    assert shown(log.scan(Window())) == [(1, "c"), (2, "b")]
    assert log.last_seq == 12


def test_tombstones_show_on_request_only():
    log = filled((1, "a", 10, False), (2, "b", 11, False), (1, "a", 12, True))
    assert shown(log.scan(Window())) == [(2, "b")]
    assert shown(log.scan(Window(after=11, tombstones=True))) == [(1, "a")]
    assert log.find(1) is None
    assert log.find(2) is not None


def test_reinserted_key_hides_its_tombstone():
    log = filled((1, "a", 10, False), (1, "a", 11, True), (1, "b", 12, False))
    assert shown(log.scan(Window(tombstones=True))) == [(1, "b")]


def test_scan_window_reads_oldest_versions_and_shows_stale_values():
    log = filled(*[(n, "old", 10 + n, False) for n in range(4)], (0, "new", 20, False), (9, "late", 21, False))
    assert shown(log.scan(Window(limit=4))) == [(0, "old"), (1, "old"), (2, "old"), (3, "old")]
    assert shown(log.scan(Window(limit=4, after=13))) == [(0, "new"), (9, "late")]


def test_flushed_rows_do_not_count_for_the_window():
    log = filled(*[(n, "cold", 10 + n, False) for n in range(5)])
    log.flushed = 5
    log.append(batch([(7, "hot", 30, False)]), [7])
    assert log.unflushed == 1
    assert len(shown(log.scan(Window(limit=1)))) == 6


def test_fork_leaves_the_log_alone():
    log = filled((1, "a", 10, False), (2, "b", 11, False))
    copy = log.fork(log.last_seq)
    copy.append(batch([(1, "private", 50, False)]), [1])
    assert shown(copy.scan(Window())) == [(1, "private"), (2, "b")]
    assert shown(log.scan(Window())) == [(1, "a"), (2, "b")]


def test_staged_rows_show_sequence_zero_but_keep_their_place():
    log = filled((1, "a", 10, False))
    log.stage(batch([(2, "s", 0, False)]), [2], [11])
    rows = [row for part in log.scan(Window()) for row in part.to_pylist()]
    assert sorted((row["id"], row["_seq"]) for row in rows) == [(1, 10), (2, 0)]


def test_appending_single_rows_keeps_few_chunks():
    log = filled(*[(n, "x", n + 1, False) for n in range(2_000)])
    assert len(log._chunks) < 20
    assert len(log) == 2_000


def test_scans_share_the_filtered_rows_until_something_changes():
    log = filled(*[(n, "x", n + 1, False) for n in range(100)])
    first = log.scan(Window())
    assert [id(part) for part in first] == [id(part) for part in log.scan(Window())]
    log.append(batch([(5, "y", 500, False)]), [5])
    assert len(shown(log.scan(Window()))) == 100


def test_scan_order_means_nothing():
    log = filled(*[(n, "x", n + 1, False) for n in range(64)])
    assert [row["id"] for part in log.scan(Window()) for row in part.to_pylist()] != list(range(64))


def test_take_returns_rows_in_the_order_asked_for():
    log = filled(*[(n, str(n), n + 1, False) for n in range(300)])
    rows = [log.find(key) for key in (250, 3, 120, 3)]
    assert log.take(rows).column("v").to_pylist() == ["250", "3", "120", "3"]
    assert log.take([]).num_rows == 0


def test_stored_rows_follow_a_changed_schema_by_name():
    stored = batch([(1, "7", 10, False)])
    columns = (
        ColumnDef("id", BIGINT, False, True),
        ColumnDef("v", INT),
        ColumnDef("w", TEXT),
        ColumnDef("must", ColumnType("Double"), nullable=False),
    )
    schema = TableDef("app", "t", "shared", columns).schema
    assert aligned(stored, schema).to_pylist() == [{"id": 1, "v": 7, "w": None, "must": 0.0}]


def test_value_that_no_longer_fits_is_an_error():
    schema = pa.schema([pa.field("v", pa.int32())])
    with pytest.raises(ConversionError):
        aligned(batch([(1, "seven", 10, False)]), schema)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=5, unique_by=lambda op: op[0]),
        max_size=30,
    ),
    st.none() | st.integers(0, 40),
    st.none() | st.integers(0, 40),
)
def test_every_snapshot_equals_the_model(commits, upto, after):
    log = VersionLog(TABLE.schema, "id")
    history, seq = [], 0
    for commit in commits:
        rows = []
        for key, deleted in commit:
            seq += 1
            rows.append((key, f"v{seq}", seq, deleted))
        log.append(batch(rows), [row[0] for row in rows])
        history += rows
    newest = {row[0]: row for row in history if upto is None or row[2] <= upto}
    seen = [row for row in newest.values() if after is None or row[2] > after]
    living = sorted((row[0], row[1]) for row in seen if not row[3])
    everything = sorted((row[0], row[1]) for row in seen)
    assert shown(log.scan(Window(upto=upto, after=after))) == living
    assert shown(log.scan(Window(upto=upto, after=after, tombstones=True))) == everything
