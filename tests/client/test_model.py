"""Random writes, flushes and reads against a plain model: after each step the client says what the model says.

The sandbox has all its silent habits but L27: that deleted rows come back is no fault of reading. Where the client says
that a result is not certain, it may differ; on tables within the scan window it must never say so.

CI draws the same 500 steps for each kind of table each time, half of them beyond the scan window. For more, and others
each time:
``KALAM_MODEL_STEPS=20000 pytest tests/client/test_model.py``.
"""

import os
import uuid
import warnings
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from servers import sandbox

import kalam_notebook as kalam
from kalam_notebook.http.pacing import Bucket
from kalam_notebook.results.results import IncompleteResultWarning

STEPS = int(os.environ.get("KALAM_MODEL_STEPS", "500"))
STEPS_OF_ONE_TABLE = 50
TEXTS = (None, "", "O'Neil; --", "naïve 🎌", "NULL", "-0.50")
KEYS = st.integers(0, 160)
SALTS = st.integers(0, 50)
COLUMNS = "id, n, d, t"
WINDOW = 60


def row(key, salt):
    """A row whose decimals are often between -1 and 0."""
    n = None if (key + salt) % 9 == 4 else (key * 3 + salt) % 5
    return (key, n, Decimal((key * 37 + salt * 11) % 400 - 200) / 100, TEXTS[(key + salt) % len(TEXTS)])


def literal(value):
    return (
        "NULL" if value is None else str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
    )


class Machine(RuleBasedStateMachine):
    """One table and its model: the rows by key, for a STREAM table as a list."""

    client: kalam.Client
    kind: str
    is_cut: bool
    steps = 0

    @initialize()
    def create(self):
        self.table = f"m.t{uuid.uuid4().hex[:12]}"
        self.rows = []
        ttl = ", TTL_SECONDS = 3600" if self.kind == "STREAM" else ""
        self.client.execute_query(
            f"CREATE TABLE {self.table} (id BIGINT PRIMARY KEY, n INT, d DECIMAL(6, 2), t TEXT) "
            f"WITH (TYPE = '{self.kind}'{ttl})"
        )

    def teardown(self):
        if hasattr(self, "table"):
            self.client.execute_query(f"DROP TABLE {self.table}")

    # Writes -----------------------------------------------------------------------------------------------------

    @rule(first=KEYS, count=st.integers(1, 40), stride=st.integers(1, 3), salt=SALTS)
    def insert(self, first, count, stride, salt):
        taken = set() if self.kind == "STREAM" else {r[0] for r in self.rows}
        new = [row(key, salt) for key in range(first, first + count * stride, stride) if key not in taken]
        if new:
            values = ", ".join(f"({', '.join(map(literal, r))})" for r in new)
            self.client.execute_query(f"INSERT INTO {self.table} ({COLUMNS}) VALUES {values}")
            self.rows += new

    @rule(key=KEYS, salt=SALTS)
    def insert_with_parameters(self, key, salt):
        if self.kind == "STREAM" or all(r[0] != key for r in self.rows):
            new = row(key, salt)
            self.client.execute_query(f"INSERT INTO {self.table} ({COLUMNS}) VALUES ($1, $2, $3, $4)", list(new))
            self.rows.append(new)

    @rule(data=st.data(), salt=SALTS)
    def update_by_key(self, data, salt):
        if self.kind == "STREAM" or not self.rows:
            return
        key = data.draw(st.sampled_from([r[0] for r in self.rows]))
        _, n, d, t = row(key, salt)
        sql = f"UPDATE {self.table} SET n = $1, d = $2, t = $3 WHERE id = $4"
        self.client.execute_query(sql, [n, d, t, key])
        self.rows = [(key, n, d, t) if r[0] == key else r for r in self.rows]

    @rule(n=st.integers(0, 4), d=st.integers(-99, 99))
    def update_by_value(self, n, d):
        if self.kind != "STREAM":
            value = Decimal(d) / 100
            self.client.execute_query(f"UPDATE {self.table} SET d = '{value}' WHERE n = {n}")
            self.rows = [(r[0], r[1], value, r[3]) if r[1] == n else r for r in self.rows]

    @rule(data=st.data())
    def delete_by_key(self, data):
        if self.rows:
            key = data.draw(st.sampled_from([r[0] for r in self.rows]))
            self.client.execute_query(f"DELETE FROM {self.table} WHERE id = $1", [key])
            self.rows = [r for r in self.rows if r[0] != key]

    @rule(low=KEYS, count=st.integers(1, 15))
    def delete_a_range(self, low, count):
        self.client.execute_query(f"DELETE FROM {self.table} WHERE id >= {low} AND id < {low + count}")
        self.rows = [r for r in self.rows if not low <= r[0] < low + count]

    @rule()
    def flush(self):
        if self.kind != "STREAM":
            self.client.execute_query(f"STORAGE FLUSH TABLE {self.table}")

    # Reads ------------------------------------------------------------------------------------------------------

    def read(self, sql, params=None, *, may_be_uncertain=False, **options):
        """The rows as tuples; None where the client says that they are not certain."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IncompleteResultWarning)
            result = self.client.query_result(sql, params, **options)
        if not result.completeness.is_complete:
            assert may_be_uncertain, result.completeness
            return None
        return [tuple(values.values()) for values in result.arrow().to_pylist()]

    @invariant()
    def everything(self):
        if hasattr(self, "table"):
            type(self).steps += 1
            found = self.read(f"SELECT {COLUMNS} FROM {self.table}")
            assert [r[0] for r in found] == sorted(r[0] for r in self.rows)
            assert sorted(found, key=repr) == sorted(self.rows, key=repr)

    @rule(n=st.integers(0, 4), d=st.integers(-100, 100))
    def a_filter(self, n, d):
        found = self.read(f"SELECT t, id FROM {self.table} WHERE n = $1 AND d > $2", [n, Decimal(d) / 100])
        wanted = [(r[3], r[0]) for r in self.rows if r[1] == n and r[2] > Decimal(d) / 100]
        assert sorted(found, key=repr) == sorted(wanted, key=repr)

    @rule(limit=st.sampled_from([1, 7, 50, 55, 120]), offset=st.sampled_from([0, 0, 3]))
    def the_first_by_value(self, limit, offset):
        sql = f"SELECT id, d FROM {self.table} ORDER BY d DESC, id LIMIT {limit}" + (
            f" OFFSET {offset}" if offset else ""
        )
        found = self.read(sql, may_be_uncertain=self.is_cut)
        wanted = sorted(((r[0], r[2]) for r in self.rows), key=lambda r: (-r[1], r[0]))[offset : offset + limit]
        assert found is None or found == wanted

    def groups(self):
        parts = {n: [r[2] for r in self.rows if r[1] == n] for n in {r[1] for r in self.rows}}
        ordered = sorted(parts.items(), key=lambda part: (part[0] is None, part[0] or 0))
        return [(n, len(values), sum(values)) for n, values in ordered]

    @rule(engine=st.sampled_from(["server", "local"]))
    def an_aggregate(self, engine):
        sql = f"SELECT n, count(*) AS c, sum(d) AS s FROM {self.table} GROUP BY n ORDER BY n"
        found = self.read(sql, engine=engine, may_be_uncertain=self.is_cut and engine == "server")
        assert found is None or found == self.groups()

    @rule(most=st.sampled_from([0, 5, 50, 60, 200]))
    def at_most(self, most):
        found = self.read(f"SELECT id FROM {self.table}", max_rows=most, may_be_uncertain=len(self.rows) > most)
        assert found is None or [r[0] for r in found] == sorted(r[0] for r in self.rows)

    @rule(size=st.sampled_from([50, 1000]))
    def in_batches(self, size):
        batches = self.client.query_batches(f"SELECT {COLUMNS} FROM {self.table}", batch_rows=size, strict=True)
        found = [tuple(values.values()) for batch in batches for values in batch.to_pylist()]
        assert sorted(found, key=repr) == sorted(self.rows, key=repr)

    @rule()
    def locally(self):
        found = self.read(f"SELECT {COLUMNS} FROM {self.table} ORDER BY id", engine="local")
        assert sorted(found, key=repr) == sorted(self.rows, key=repr)


@pytest.fixture(scope="module", params=[False, True], ids=["whole", "cut"])
def client(request):
    """A client of a server that scans tables whole, or of one that scans few row versions of them."""
    flags = ["--no-return-deleted-rows", *(["--scan-window", str(WINDOW)] if request.param else [])]
    with (
        sandbox(*flags) as server,
        kalam.Client(server.url, user="root", password=server.root_password) as client,
    ):
        client.execute_query("CREATE NAMESPACE m")
        client._http._bucket = Bucket(1e6)  # The sandbox has no rate limit unless it is told so.
        yield client, request.param


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["SHARED", "USER", "STREAM"])
def test_the_client_says_what_the_model_says(client, kind):
    machine = type(
        f"{kind.title()}Machine", (Machine,), {"client": client[0], "kind": kind, "is_cut": client[1], "steps": 0}
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=STEPS // 2 // STEPS_OF_ONE_TABLE + 1,
            stateful_step_count=STEPS_OF_ONE_TABLE,
            derandomize="KALAM_MODEL_STEPS" not in os.environ,
            deadline=None,
            database=None,
            # Without shrinking: it takes minutes over a server, and the steps of the failure are printed anyway.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert machine.steps >= STEPS // 2
