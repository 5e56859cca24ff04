"""What a notebook holds of live tables after it ran without a page, as nbclient, nbconvert and papermill run it."""

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = [pytest.mark.contract, pytest.mark.slow]

SETUP = """
import threading
import kalam_notebook as kalam

client = kalam.connect()
kalam.execute_query("CREATE TABLE {table} (id INT PRIMARY KEY, word TEXT)")
kalam.execute_query("INSERT INTO {table} (id, word) VALUES (1, 'none')")

def live():
    return kalam.live("SELECT * FROM {table}")

def change(table, word):
    kalam.execute_query("UPDATE {table} SET word = $1 WHERE id = 1", [word])
    table.wait_for(lambda table: table.df()["word"][0] == word)

def compute():
    while not done.is_set():
        sum(range(1000))

done = threading.Event()
"""
BUSY = "threading.Thread(target=compute, daemon=True).start()"
SHOW = "t = live()\nt"
#: How a cell ends what the one before it has shown.
ENDS = {
    "close": "change(t, {word!r})\nt.close()",
    "freeze": "change(t, {word!r})\nt.freeze()\nt.close()",
    "context": "with t:\n    change(t, {word!r})",
    "disconnect": "change(t, {word!r})\nclient.disconnect()",
}


@pytest.fixture
def run(server, namespace, monkeypatch):
    """Run cells; return the outputs of each that showed something."""
    monkeypatch.setenv("KALAMDB_SERVER_URL", server.url)
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", server.root_password)

    def run(*cells):
        sources = [SETUP.replace("{table}", f"{namespace}.t"), *cells, "done.set()"]
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
        NotebookClient(notebook, timeout=100, kernel_name="python3").execute()
        shown = [[output["data"] for output in cell.outputs if "data" in output] for cell in notebook.cells]
        return [outputs for outputs in shown if outputs]

    return run


def is_frozen(outputs, word):
    copy, widget = outputs
    return "live until " in copy["text/plain"] and word in copy["text/plain"] and not any(widget.values())


@pytest.mark.parametrize("machine", ["idle", pytest.param("busy", marks=pytest.mark.slow)])
def test_each_live_table_is_frozen_with_its_last_state(run, machine):
    cells = [BUSY] if machine == "busy" else []
    words = [f"{way}-{number}" for number in range(3) for way in ENDS]
    for word in words:
        cells += [SHOW, ENDS[word.split("-")[0]].format(word=word)]
    cells += [f"with live() as t:\n    display(t)\n    change(t, 'inside-{number}')" for number in range(3)]
    words += [f"inside-{number}" for number in range(3)]
    shown = run(*cells)
    assert len(shown) == len(words)
    assert [word for word, outputs in zip(words, shown, strict=True) if not is_frozen(outputs, word)] == []


def test_many_are_closed_in_one_cell(run):
    shown = run("tables = []", *["tables.append(live())\ntables[-1]"] * 6, "change(tables[0], 'last')\nkalam.close()")
    assert len(shown) == 6
    assert all("live until " in copy["text/plain"] and not any(widget.values()) for copy, widget in shown)
    assert is_frozen(shown[0], "last")


def test_a_table_that_the_kernel_ends_with_shows_the_state_of_the_last_cell(run):
    (shown,) = run(SHOW, "change(t, 'first')", "change(t, 'last')")
    assert "1 row · live, as of " in shown[0]["text/plain"]
    assert "last" in shown[0]["text/plain"]


def test_a_chart_is_a_picture_in_the_end(run):
    (shown,) = run("t = live()\nt.chart(x='word', y='id', kind='bar')", "change(t, 'last <b>')\nt.close()")
    assert is_frozen(shown, "last <b>")
    html = shown[0]["text/html"]
    assert html.count("<rect") == 1
    assert ">last &lt;b&gt;</text>" in html


def test_a_chart_that_nobody_closes_is_a_picture_of_the_last_cell(run):
    (unclosed,) = run("t = live()\nt.chart(x='word', y='id', kind='bar')", "change(t, 'other')")
    assert ">other</text>" in unclosed[0]["text/html"]


def test_a_derived_table_is_frozen_with_the_table_that_it_is_made_of(run):
    pipe = "t = live()\nt.pipe(lambda frame: frame.assign(word=frame['word'].str.upper()))"
    (shown,) = run(pipe, "change(t, 'end')\nt.close()")
    assert is_frozen(shown, "END")


ALTAIR = """
import altair

def draw(table):
    return altair.Chart(table.df()).mark_bar().encode(x="word:N", y="id:Q")

t = live()
shown = display(draw(t), display_id=True)
drawn = threading.Event()

def follow(table):
    shown.update(draw(table))
    if table.df()["word"][0] == "last":
        drawn.set()

stop = t.on_change(follow)
"""


def test_a_chart_of_altair_is_drawn_again(run):
    """The recipe of docs/live.md."""
    (shown,) = run(ALTAIR, "change(t, 'last')\nassert drawn.wait(20)\nt.close()")
    assert '"word": "last"' in shown[0]["text/html"]


def test_static_rows_are_shown_once(run, monkeypatch):
    monkeypatch.setenv("KALAM_LIVE", "static")
    cells = ("%load_ext kalam_notebook", SHOW, "change(t, 'next')", "t", "t.chart(x='id', y='id')")
    first, again, chart = run(*cells, "t.close()")
    for (output,), word in ((first, "none"), (again, "next"), (chart, "")):
        assert word in output["text/plain"]
        assert set(output) == {"text/html", "text/plain"}
    assert "none" not in again[0]["text/plain"]


def test_a_static_cell_waits_and_shows_the_end(run, namespace, monkeypatch):
    monkeypatch.setenv("KALAM_LIVE", "static")
    update = f"UPDATE {namespace}.t SET word = 'last' WHERE id = 1"
    later = f"%load_ext kalam_notebook\nthreading.Timer(0.3, kalam.execute_query, [{update!r}]).start()"
    outputs = run(later, f"%%kalam --live --for 1\nSELECT * FROM {namespace}.t")
    ((output,),) = outputs
    assert "last" in output["text/plain"]
    assert "none" not in output["text/plain"]
    assert set(output) == {"text/html", "text/plain"}
