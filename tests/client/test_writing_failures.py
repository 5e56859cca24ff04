"""``write`` when something fails: what of it was written, and what is said of that."""

import pyarrow as pa
import pytest
from written import Passing, counts, held, make_table, rows, ten_rows  # noqa: F401

from kalam_notebook.errors import RequestTimeoutError, WriteError
from kalam_notebook.sql.statement import Statement
from kalam_notebook.writing.writer import Writer

pytestmark = pytest.mark.contract


def test_a_chunk_in_the_middle_fails(client, make):
    table = make("id BIGINT PRIMARY KEY, t TEXT")
    frame = pa.table({"id": range(30), "t": ["x" * 100_000] * 30})
    client.write(frame.slice(15, 1), table)
    with pytest.raises(WriteError, match="Primary key violation: value '15'") as caught:
        client.write(frame, table)
    error = caught.value
    first, behind = error.rows
    assert 0 < first <= 15 < behind < 30
    assert error.kept is False
    assert f"Rows {first} to {behind - 1} were not written; the {first} rows before them were." in str(error)
    assert error.advice.endswith(
        f"write the frame from row {first} on (frame.iloc[{first}:], or frame.slice({first}))."
    )
    assert held(client, table, "id") == [(number,) for number in (*range(first), 15)]
    client.write(frame.slice(15, 1), table, mode="delete")
    assert counts(client.write(frame.slice(first), table)) == {"inserted": 30 - first}
    assert held(client, table, "id") == [(number,) for number in range(30)]


class Losing(Passing):
    """Loses the answer to the second request that inserts."""

    seen = 0

    def execute(self, sql, params=()):
        answer = super().execute(sql, params)
        if "INSERT INTO" in sql:
            self.seen += 1
            if self.seen == 2:
                raise RequestTimeoutError("no answer")
        return answer


def test_a_lost_answer_to_a_request_that_was_carried_out(client, make):
    table = make("id BIGINT PRIMARY KEY, t TEXT")
    frame = pa.table({"id": range(30), "t": ["x" * 100_000] * 30})
    endpoint = Losing(client)
    report = Writer(endpoint).write(frame, table)
    assert (counts(report), report.notices, endpoint.seen > 2) == ({"inserted": 30}, (), True)
    assert held(client, table, "id") == [(number,) for number in range(30)]


class Breaking(Losing):
    """Carries out a part of the second request that inserts, and loses the answer."""

    parts = 2

    def execute(self, sql, params=()):
        statements = Statement.of(sql).statements
        if "INSERT INTO" in sql and self.seen == 1:
            sql = ";".join(statements[: self.parts])
        return super().execute(sql, params)


def test_a_lost_answer_to_a_request_that_was_cut_short(client, make):
    table = make("id BIGINT PRIMARY KEY, t TEXT")
    frame = rows(range(3000), t=["x" * 100] * 3000).drop_columns(["n"])
    with pytest.raises(WriteError, match="no answer") as caught:
        Writer(Breaking(client)).write(frame, table, chunk_rows=50)
    error = caught.value
    first, behind = error.rows
    assert error.kept is False
    assert first < behind < 3000
    assert f"Rows {first} to {behind - 1} were not written; the {first:,} rows before them were." in str(error)
    assert sorted(held(client, table, "id")) == [(number,) for number in range(first)]
    assert counts(client.write(frame.slice(first), table)) == {"inserted": 3000 - first}


class Gone(Losing):
    """Does not come back after the answer that it loses."""

    def execute(self, sql, params=()):
        if self.seen >= 2:
            raise RequestTimeoutError("no answer")
        return super().execute(sql, params)

    def execute_lists(self, sql, params, types):
        if self.seen >= 2:
            raise RequestTimeoutError("no answer")
        return super().execute_lists(sql, params, types)


@pytest.mark.slow
def test_a_server_that_is_gone(client, make):
    table = make("id BIGINT PRIMARY KEY, t TEXT")
    frame = pa.table({"id": range(30), "t": ["x" * 100_000] * 30})
    with pytest.raises(WriteError) as caught:
        Writer(Gone(client)).write(frame, table)
    first, behind = caught.value.rows
    assert caught.value.kept is None
    assert f"Rows {first} to {behind - 1} may have been written or not" in str(caught.value)
    assert "mode='upsert' writes none of them twice" in caught.value.advice
    report = client.write(frame.slice(first), table, mode="upsert")
    assert counts(report) == {"unchanged": behind - first, "inserted": 30 - behind}
    assert held(client, table, "id") == [(number,) for number in range(30)]


@pytest.mark.parametrize("kind", ["SHARED", "USER"])
@pytest.mark.parametrize("bad", [0, 49, 50, 777, 2999])
def test_a_statement_in_the_middle_of_a_request_fails(client, make, kind, bad):
    """What stands before it is in, and nothing else is."""
    table = make("id BIGINT PRIMARY KEY, n INT, t TEXT", kind=kind)
    client.write(rows([bad], n=[-1]), table)
    with pytest.raises(WriteError, match=f"Primary key violation: value '{bad}'") as caught:
        client.write(rows(range(3000)), table, chunk_rows=50)
    first, behind = caught.value.rows
    assert (caught.value.kept, first) == (False, bad // 50 * 50)
    assert bad < behind <= 3000
    assert held(client, table, "count(*)") == [(first + 1,)]
    assert sorted(held(client, table, "id")) == sorted({(number,) for number in (*range(first), bad)})


def test_inserts_are_no_transaction_unless_they_shall_be(client, make):
    table = make("id BIGINT PRIMARY KEY, n INT, t TEXT")
    endpoint = Passing(client)
    writer = Writer(endpoint)
    report = writer.write(rows(range(300)), table, chunk_rows=100)
    assert (report.inserted, report.requests) == (300, 1)
    writer.write(rows(range(300, 600)), table, chunk_rows=100, atomic=True)
    sent = [text for text in endpoint.texts if "INSERT INTO" in text]
    assert [(text.startswith("BEGIN"), text.count("INSERT INTO")) for text in sent] == [(False, 3), (True, 3)]


class Unreachable(Passing):
    """Is gone when the rows are to be compared."""

    def execute_lists(self, sql, params, types):
        raise RequestTimeoutError("no answer")


def test_nothing_is_written_when_the_table_cannot_be_read(client, table):
    with pytest.raises(WriteError) as caught:
        Writer(Unreachable(client)).write(rows([1], n=[5]), table, mode="upsert")
    assert caught.value.kept is False
    assert caught.value.advice == "When the server can be reached again, write it again."


class Interrupted(Passing):
    def execute(self, sql, params=()):
        if "INSERT INTO" in sql:
            raise KeyboardInterrupt
        return super().execute(sql, params)


def test_an_interrupt_says_how_far_it_came(client, table):
    with pytest.raises(KeyboardInterrupt) as caught:
        Writer(Interrupted(client)).write(rows([20]), table)
    assert caught.value.__notes__ == [f"{table}: rows 0 to 0 may have been written or not."]
