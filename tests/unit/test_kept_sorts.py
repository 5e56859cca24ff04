"""Which answers tell that a server keeps the sort of a query."""

import pyarrow as pa
import pytest

from kalam_notebook.reading.kept_sorts import KeptSorts, is_at_risk, table_to_prove
from kalam_notebook.sql.shape import shape_of
from kalam_notebook.wire.types import Column

ID = Column("id", "BigInt", flags=("pk", "nn", "uq"))
N = Column("n", "Int")
VERSIONS = (Column("_seq", "BigInt"), Column("_deleted", "Boolean"))
SHOWN = "SELECT id, n FROM a.t ORDER BY n LIMIT 5"
HIDDEN = "SELECT id FROM a.t ORDER BY n LIMIT 5"


def proves(sql, ids, columns=(ID, N)):
    rows = pa.table([pa.chunked_array([ids])] * len(columns), names=[column.name for column in columns])
    return table_to_prove(shape_of(sql), columns, rows)


@pytest.mark.parametrize("ids", [[2, 1], [1, 3, 2], ["b", "a"]])
def test_rows_that_are_not_in_the_order_of_the_key(ids):
    assert proves(SHOWN, ids) == "a.t"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, n FROM a.t ORDER BY n",  # The sort stands last.
        "SELECT id, n FROM t ORDER BY n LIMIT 5",
        "SELECT id, n FROM system.t ORDER BY n LIMIT 5",
        "SELECT id AS k, n FROM a.t ORDER BY n LIMIT 5",
        "SELECT a.t.id, n FROM a.t JOIN a.u ON true ORDER BY n LIMIT 5",
        "SELECT id, n FROM (SELECT * FROM a.t) q ORDER BY n LIMIT 5",
        "SELECT id, n + 1 FROM a.t ORDER BY n LIMIT 5",
        "SELECT id, n FROM a.t ORDER BY n + 1 LIMIT 5",
        "SELECT id, n FROM a.t LIMIT 5",
    ],
)
def test_of_other_queries_they_tell_nothing(sql):
    assert proves(sql, [2, 1]) is None


def test_rows_in_the_order_of_the_key_tell_nothing():
    assert proves(SHOWN, [1, 2, 2, 3]) is None
    assert proves(SHOWN, [2, 1], (Column("id", "BigInt"), N)) is None


def test_a_view_and_another_name_tell_nothing():
    for source in ((ID, N), (Column("k", "BigInt", flags=("pk",)), N, *VERSIONS)):
        sorts = KeptSorts(lambda *, looks=True: None)
        sorts.note(shape_of(SHOWN), (ID, N), source)
        assert not sorts.keeps(shape_of(SHOWN), (ID, N))


def test_what_was_seen_holds_for_one_server_and_no_more_than_was_seen():
    server = [object()]
    sorts = KeptSorts(lambda *, looks=True: server[0])
    hidden = (shape_of(HIDDEN), (ID,))
    shown = (shape_of(SHOWN), (ID, N))
    assert is_at_risk(*hidden)
    assert is_at_risk(*shown)
    sorts.note(*shown, (ID, N, *VERSIONS))
    assert sorts.keeps(*shown)
    assert not sorts.keeps(*hidden)
    sorts.note(*hidden, (ID, N, *VERSIONS))
    assert sorts.keeps(*shown)
    assert sorts.keeps(*hidden)
    server[0] = object()
    assert not sorts.keeps(*shown)
