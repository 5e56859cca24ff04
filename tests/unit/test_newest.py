"""The newest version of each key, out of pages that overlap."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.reading.newest import NewestVersions


def page(rows, kind):
    keys = pa.array([key if pa.types.is_integer(kind) else str(key) for key, _ in rows], kind)
    return pa.table({"key": keys, "seq": pa.array([seq for _, seq in rows], pa.int64())})


@pytest.mark.parametrize("kind", [pa.int64(), pa.int16(), pa.string()], ids=str)
@given(keys=st.lists(st.integers(-40, 40), max_size=120), size=st.integers(1, 30), more=st.integers(0, 5))
def test_each_key_once_in_the_order_of_its_last_version(kind, keys, size, more):
    versions = list(zip(keys, range(1, len(keys) + 1), strict=True))
    newest = NewestVersions()
    for start in range(0, len(versions), size):
        # A page may reach beyond what counts as read, in any order, and in two tables.
        some = versions[start : start + size + more][::-1]
        newest.add([page(some[::2], kind), page(some[1::2], kind)], upto=min(start + size, len(versions)))
    found = newest.finish()
    last = dict(versions)
    if not last:
        assert found is None
        return
    pairs = sorted((seq, key if pa.types.is_integer(kind) else str(key)) for key, seq in last.items())
    assert list(zip(found[1].tolist(), found[0].to_pylist(), strict=True)) == pairs
