"""Which column holds the row version of a table, and what its numbers tell."""

import pytest

from kalam_notebook.wire.row_version import COMMIT, OVERLAP_MS, SEQ, VERSION, row_version_of, tells_gaps, version_name
from kalam_notebook.wire.types import Column

DELETED = Column("_deleted", "Boolean")


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ([Column("id", "BigInt"), Column("_seq", "BigInt"), DELETED], SEQ),
        ([Column("id", "BigInt"), Column("_version", "BigInt"), DELETED, Column("_timestamp", "BigInt")], VERSION),
        ([Column("id", "BigInt")], None),
        ([Column("_seq", "BigInt")], None),
        ([Column("_seq", "Text"), DELETED], None),
        ([Column("_version", "BigInt"), Column("_deleted", "Text")], None),
        ([], None),
    ],
)
def test_the_columns_tell_which_it_is(columns, found):
    assert row_version_of(columns) is found


def test_a_snowflake_holds_its_time():
    ms = 1_795_000_000_123
    seq = SEQ.at(ms)
    assert SEQ.ms(seq) == SEQ.ms(seq + 1) == ms
    assert SEQ.at(ms + 1) - seq == SEQ.span(1)
    assert SEQ.overlap == SEQ.span(OVERLAP_MS) > 0


def test_a_place_in_a_log_holds_none():
    assert (VERSION.at(1_795_000_000_123), VERSION.ms(5 * COMMIT)) == (None, None)
    assert (VERSION.span(2_000), VERSION.overlap) == (0, 0)


def test_conditions_have_bare_numbers():
    assert SEQ.behind(5) == "_seq > 5"
    assert VERSION.behind(5, 7) == "_version > 5 AND _version <= 7"


@pytest.mark.parametrize(("version", "told"), [(SEQ, False), (VERSION, True), (None, False)])
def test_only_servers_with_places_in_a_log_tell_of_gaps(version, told):
    assert tells_gaps(version) is told


def test_the_column_of_rows_by_their_names():
    assert version_name({"id", "_seq"}) == version_name([]) == "_seq"
    assert version_name(["id", "_version", "_deleted"]) == "_version"
