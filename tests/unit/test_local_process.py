"""The process of ``engine="local"``: no query ends anything but it, and what is asked next is answered."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pytest

from kalam_notebook.errors import KalamError, MissingDependencyError, QueryError
from kalam_notebook.reading.local_bounds import DEEPEST, LONGEST, refusal
from kalam_notebook.reading.local_process import EngineProcess

TABLES = {("default", "t"): pa.table({"id": pa.array(range(10))})}
#: A query that takes longer than any test.
ENDLESS = "SELECT count(*) AS n FROM " + ", ".join(f"t AS t{i}" for i in range(20)) + " WHERE t0.id + t19.id > 99"

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them"),
    pytest.mark.timeout(60),
]


@pytest.fixture(scope="module")
def kept():
    """One process for the tests that let it live."""
    process = EngineProcess()
    yield process
    process.close()


@pytest.fixture
def engine():
    """A process of the test's own."""
    process = EngineProcess()
    yield process
    process.close()


def answers(engine):
    return engine.query("SELECT sum(id) AS n FROM t WHERE id > $1", {"1": 7}, TABLES).to_pylist() == [{"n": 17}]


def is_alive(pid):
    return os.path.exists(f"/proc/{pid}")


def wait_until(is_so, what):
    until = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until, what
        time.sleep(0.01)


def ask_in_a_thread(engine, sql=ENDLESS):
    """Ask for what has no end; returns the thread and the list in which its error will be."""
    caught = []

    def ask():
        try:
            engine.query(sql, {}, TABLES)
        except KalamError as exc:
            caught.append(exc)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread, caught


def wait_until_busy(engine):
    """Until the engine computes: it has used a tenth of a second of CPU since it was asked."""

    def ticks():
        with open(f"/proc/{engine.pid}/stat") as stat:
            return sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))

    before = ticks()
    wait_until(lambda: ticks() > before + 20, "the query does not run")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT id FROM t WHERE " + " OR ".join(f"id = {i}" for i in range(1_000)), 10),
        (" UNION ALL ".join(f"SELECT {i} AS v" for i in range(500)), 500),
        (" EXCEPT ".join(f"SELECT {i} AS v" for i in range(300)), 1),
        ("SELECT " + " + ".join(["id"] * 1_000) + " AS v FROM t", 10),
        ("SELECT id" + "::BIGINT" * 2_000 + " AS v FROM t", 10),
        ("SELECT CASE " + " ".join(f"WHEN id = {i} THEN {i}" for i in range(5_000)) + " END AS v FROM t", 10),
        ("SELECT id FROM t WHERE id IN (" + ", ".join(str(-i) for i in range(30_000)) + ")", 1),
        ("SELECT " + "abs(" * 24 + "id" + ")" * 24 + " AS v FROM t", 10),
    ],
    ids=["or", "union", "except", "plus", "cast", "case", "in", "calls"],
)
def test_what_is_deep_or_long_is_answered(kept, sql, rows):
    assert refusal(sql) == ""
    assert kept.query(sql, {}, TABLES).num_rows == rows


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 60 + "1" + ")" * 60,
        "SELECT * FROM " + "(SELECT * FROM " * 60 + "t" + ")" * 60,
        "SELECT " + "- " * 1_000 + "1",
        "SELECT CAST(NULL AS " + "ARRAY<" * 1_000 + "INT" + ">" * 1_000 + ")",
        "SELECT 'a' ~ '" + "(" * 100_000 + "a" + ")" * 100_000 + "' AS v",
        "SELECT repeat('a', 10000000000)",
        "SELECT '\0'",
        'SELECT 1 AS "a\0b"',
        'SELECT x.* FROM (SELECT id AS "\0" FROM t) AS x',
        'SELECT struct(1 AS "a\0") AS v',
        "COPY (SELECT 1) TO '/dev/null'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '/dev/null'",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/dev/null'",
        "SELECT * FROM '/etc/hostname'",
        "SET datafusion.execution.batch_size = 1",
        "SELECT '\ud800'",
    ],
)
def test_what_the_engine_refuses_leaves_it_alive(kept, sql):
    kept.start()
    before = kept.pid
    with pytest.raises(QueryError, match="LOCAL_ENGINE"):
        kept.query(sql, {}, TABLES)
    assert answers(kept)
    assert kept.pid == before


def test_a_nul_in_a_value_is_a_value(kept):
    assert kept.query("SELECT 'a\0b' AS v", {}, {}).to_pylist() == [{"v": "a\0b"}]
    assert kept.query("SELECT $1 AS v", {"1": "\0"}, {}).to_pylist() == [{"v": "\0"}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + " + ".join(["1"] * 20_000),
        "SELECT id FROM t WHERE " + " OR ".join(f"id = {i}" for i in range(DEEPEST)),
        " UNION ".join(f"SELECT {i}" for i in range(DEEPEST + 1)),
        "SELECT 1 FROM " + ", ".join(f"t AS t{i}" for i in range(DEEPEST + 1)),
        "SELECT (1" + " + 1" * 6_000 + ")" + " * 1" * 6_000,
    ],
)
def test_what_is_too_deep_is_told_before_it_is_planned(sql):
    assert "levels deep; the local engine takes 10,000" in refusal(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM t WHERE id IN (" + ", ".join(f"-{i} + 1" for i in range(15_000)) + ")",
        "SELECT " + ", ".join(f"id + {i}" for i in range(15_000)) + " FROM t",
        "SELECT CASE " + " ".join(f"WHEN id = {i} THEN id + {i}" for i in range(15_000)) + " END FROM t",
        "SELECT '" + "+" * 50_000 + "' AS v -- " + "+" * 50_000,
        "SELECT coalesce(" + ", ".join(["(id + 1)"] * 15_000) + ") FROM t",
    ],
)
def test_what_is_long_and_flat_is_not_deep(sql):
    assert refusal(sql) == ""


def test_what_is_longer_than_the_server_takes_is_told():
    assert refusal("x" * LONGEST) == ""
    assert "1,048,577 characters" in refusal("x" * (LONGEST + 1))


def test_memory_that_is_not_there_is_an_error(engine):
    engine.start()
    resource.prlimit(engine.pid, resource.RLIMIT_AS, (3 * 1024**3, 3 * 1024**3))
    with pytest.raises(QueryError, match=r"(?s)died of this query \(SIGABRT\): .*\nThe notebook is unharmed"):
        engine.query("SELECT range(0, 1000000000000) AS v", {}, {})
    assert answers(engine)


@pytest.mark.slow
def test_a_process_that_is_killed_under_a_query_is_an_error(engine):
    assert answers(engine)
    thread, caught = ask_in_a_thread(engine)
    wait_until_busy(engine)
    os.kill(engine.pid, signal.SIGKILL)
    thread.join(10)
    assert "died of this query (SIGKILL)" in str(caught[0])
    assert answers(engine)


@pytest.mark.slow
def test_a_process_that_was_killed_before_is_started_anew(engine):
    assert answers(engine)
    before = engine.pid
    os.kill(before, signal.SIGKILL)
    os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
    assert answers(engine)
    assert engine.pid != before


@pytest.mark.slow
def test_an_interrupt_ends_the_query_and_not_the_engine_behind_it(engine):
    assert answers(engine)
    before = engine.pid

    def interrupt():
        wait_until_busy(engine)
        os.kill(os.getpid(), signal.SIGINT)

    # A process that runs tests beside others ignores interrupts.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.query(ENDLESS, {}, TABLES)
    finally:
        signal.signal(signal.SIGINT, usual)
    assert not is_alive(before)
    assert answers(engine)


def test_closing_ends_a_query_of_another_thread(engine):
    assert answers(engine)
    before = engine.pid
    thread, caught = ask_in_a_thread(engine)
    wait_until_busy(engine)
    began = time.monotonic()
    engine.close()
    assert time.monotonic() - began < 1
    thread.join(10)
    assert "closed under this query" in str(caught[0])
    assert not is_alive(before)


@pytest.mark.slow
def test_closing_leaves_no_process_thread_or_descriptor():
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        engine = EngineProcess()
        assert answers(engine)
        pid = engine.pid
        engine.close()
        engine.close()
        assert engine.pid is None
        assert not is_alive(pid)
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == (threads, descriptors)


def test_an_engine_that_is_forgotten_ends():
    engine = EngineProcess()
    engine.start()
    pid = engine.pid
    del engine
    assert not is_alive(pid)


def test_the_process_ends_with_its_owner_also_while_a_query_runs():
    script = f"""
import os, threading
from kalam_notebook.reading.local_process import EngineProcess
import pyarrow as pa
engine = EngineProcess()
tables = {{("default", "t"): pa.table({{"id": pa.array(range(10))}})}}
engine.query("SELECT 1", {{}}, tables)
threading.Thread(target=engine.query, args=({ENDLESS!r}, {{}}, tables), daemon=True).start()
print(engine.pid, flush=True)
os.read(0, 1)
os._exit(0)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        pid = int(owner.stdout.readline())
        assert is_alive(pid)
    wait_until(lambda: not is_alive(pid), "the process outlives its owner")


@pytest.mark.slow
def test_a_forked_process_has_an_engine_of_its_own(engine):
    assert answers(engine)
    before = engine.pid
    # Only the thread that forks is in the child.
    child = os.fork()
    if child == 0:
        is_own = answers(engine) and engine.pid != before
        engine.close()
        os._exit(0 if is_own else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert engine.pid == before
    assert answers(engine)


def test_the_process_is_given_no_login(engine, monkeypatch):
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", "a-known-secret")
    engine.start()
    with open(f"/proc/{engine.pid}/environ") as environment:
        assert "a-known-secret" not in environment.read()


def test_a_module_beside_the_notebook_is_not_taken_for_another(engine, tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('not me')")
    monkeypatch.chdir(tmp_path)
    assert answers(engine)


def test_a_missing_package_is_told_with_its_command(engine, monkeypatch):
    monkeypatch.setattr("kalam_notebook.reading.local_process.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'kalam-notebook\[local\]'"):
        engine.start()


def test_many_threads_wait_for_each_other(engine):
    found = []
    threads = [threading.Thread(target=lambda: found.append(answers(engine))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [True] * 8
