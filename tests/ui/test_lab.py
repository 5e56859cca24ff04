"""A live table in JupyterLab: it changes while a cell blocks the kernel, and is still there when the kernel is not."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import LabServer, Notebook, lab_server, write_notebook
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

SETUP = """
import pathlib, threading, time
import kalam_notebook as kalam

client = kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE shop")
kalam.execute_query('''
    CREATE TABLE shop.orders (
        id BIGINT PRIMARY KEY, customer TEXT, total DECIMAL(10, 2), status TEXT, paid_at TIMESTAMP
    ) WITH (TYPE = 'SHARED')
''')
customers = CUSTOMERS

def order(i):
    client.execute_query(
        "INSERT INTO shop.orders (id, customer, total, status) VALUES ($1, $2, $3, $4)",
        [1000 + i, customers[i % len(customers)], f"{i * 137 % 400 + 12}.50", "open"],
    )

def pay(i):
    client.execute_query(
        "UPDATE shop.orders SET total = $1, paid_at = $2 WHERE id = $3",
        [f"{i * 53 % 700}.90", "2026-05-20 10:00:00", 1000 + i * 3 % len(customers)],
    )

def shoppers():
    for i in range(100_000):
        order(i) if i in (10, 40) else pay(i)
        time.sleep(0.1)

for i in range(len(customers)):
    order(i)
"""
SHOW = """
live = kalam.live("SELECT id, customer, total, status, paid_at FROM shop.orders")
live
"""
WRITE = "threading.Thread(target=shoppers, daemon=True).start()"
BLOCK = """
while not pathlib.Path("GO_ON").exists():  # A cell that computes: nothing else runs in the kernel.
    sum(range(100_000))
"done"
"""
CUSTOMERS = [
    "Ada Lovelace", "Grace Hopper", "Alan Turing", "Barbara Liskov", "Hedy Lamarr", "Edsger Dijkstra",
    "Radia Perlman", "Donald Knuth",
]  # fmt: skip
HOSTILE = ["<b>Ada</b> $5 and $6", "</style><img src=x>", "NULL"]
WRITE_PICTURES = os.environ.get("KALAM_TEST_WRITE_PICTURES") == "1"
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "live-table.png"


@pytest.fixture(scope="module")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    folder, state = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("lab")
    with lab_server(folder, state, {}) as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    scale = 2 if WRITE_PICTURES else 1
    context = browser.new_context(viewport={"width": 1280, "height": 900}, device_scale_factor=scale)
    yield context.new_page()
    context.close()


def go_on(server: LabServer, name: str) -> Path:
    """The file that ends the cell that computes in a notebook, once it is there."""
    return server.folder / f"{name}.go-on"


def open_notebook(server: LabServer, page: Page, name: str, customers: list[str], *cells: str) -> Notebook:
    """Open a notebook that sets the shop up, which is done, and shows, writes and blocks, or has other cells."""
    sources = [SETUP.replace("CUSTOMERS", repr(customers)), *(cells or (SHOW, WRITE, BLOCK))]
    sources = [source.replace("GO_ON", go_on(server, name).name) for source in sources]
    write_notebook(server.folder / name, [source.strip() for source in sources])
    notebook = Notebook(server, page, name)
    notebook.run(0)
    return notebook


def run_but_last(server: LabServer, page: Page, name: str, *cells: str) -> Notebook:
    """Open a notebook with such cells, and run all but the last."""
    notebook = open_notebook(server, page, name, CUSTOMERS, *cells)
    for index in range(1, len(cells)):
        notebook.run(index)
    return notebook


def screenshot(page: Page, name: str) -> None:
    folder = os.environ.get("KALAM_TEST_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / name)


def wait_for_changes(page: Page, count: int) -> None:
    """Wait until the status line tells so many changes more than now."""
    page.evaluate("window.changes = () => Number(/([\\d,]+) change/.exec(document.body.innerText)[1].replace(',', ''))")
    page.wait_for_function("end => window.changes() >= end", arg=page.evaluate("window.changes()") + count)


def picture(notebook: Notebook) -> None:
    """Write the README's picture: the live table above a cell that computes."""
    boxes = [notebook.cell(index).bounding_box() for index in (1, 3)]
    top, bottom = boxes[0]["y"], boxes[1]["y"] + boxes[1]["height"]
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    clip = {"x": boxes[0]["x"], "y": top, "width": boxes[0]["width"], "height": bottom - top}
    notebook.page.screenshot(path=PICTURE, clip=clip)


def test_live_while_a_cell_runs_and_there_after_the_kernel(server: LabServer, page: Page):
    notebook = open_notebook(server, page, "live.ipynb", CUSTOMERS)
    notebook.run(1)
    expect(page.locator(".kalam-live td").first).to_have_text("1000")
    expect(page.get_by_role("status")).to_have_text("live")
    expect(page.locator("[data-kalam-twin]")).to_be_hidden()
    notebook.run(2)
    notebook.run(3, wait=False)
    wait_for_changes(page, 15)
    assert notebook.running(3)
    if WRITE_PICTURES:
        picture(notebook)
    screenshot(page, "lab-live.png")
    go_on(server, "live.ipynb").touch()
    expect(notebook.cell(3).locator(".jp-InputPrompt")).to_have_text(re.compile(r"\d"), timeout=20_000)
    notebook.command("kernelmenu:shutdown")
    copy = page.locator("[data-kalam-twin]")
    expect(copy).to_contain_text("live until", timeout=20_000)
    expect(copy).to_be_visible()
    expect(page.locator(".kalam-live")).to_have_count(0)
    last = copy.inner_text()
    screenshot(page, "lab-frozen.png")
    _, shown, _, blocked = notebook.save()
    assert len(blocked) == 1
    assert "live until" in shown[0]["data"]["text/plain"]
    assert "widget-view" not in str(shown)
    notebook.open()
    expect(copy).to_be_visible()
    assert copy.inner_text() == last
    expect(page.get_by_text("model not found")).to_have_count(0)
    screenshot(page, "lab-reopened.png")


KILL = "import os, signal\n\nos.kill(os.getpid(), signal.SIGKILL)"


def test_a_kernel_that_dies_leaves_the_rows_and_no_word_of_live(server: LabServer, page: Page):
    notebook = run_but_last(server, page, "killed.ipynb", SHOW, WRITE, KILL)
    wait_for_changes(page, 5)
    notebook.run(3, wait=False)
    expect(page.get_by_role("status")).to_have_text("stopped: the kernel has gone", timeout=60_000)
    table = page.locator(".kalam-live")
    rows = table.locator("tbody tr:not(.kl-space)").count()
    expect(table.locator(".kl-facts")).to_contain_text(f"{rows} rows as of")
    assert all(customer in table.inner_text() for customer in CUSTOMERS)
    screenshot(page, "lab-killed.png")


def test_the_tools_work_while_a_cell_keeps_the_kernel_busy(server: LabServer, page: Page):
    notebook = run_but_last(server, page, "busy.ipynb", SHOW, WRITE, BLOCK)
    first = page.locator(".kalam-live tbody tr:not(.kl-space) td").first
    expect(first).to_have_text("1000")
    notebook.run(3, wait=False)
    wait_for_changes(page, 2)

    head = page.locator(".kalam-live th button").first
    head.click()
    head.click()
    expect(page.locator(".kalam-live th").first).to_have_attribute("aria-sort", "descending")
    expect(first).not_to_have_text("1000")
    page.get_by_role("searchbox", name="Search in all columns").fill("1000")
    expect(first).to_have_text("1000")
    expect(page.locator(".kl-hits")).to_contain_text("1 of")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name=re.compile("changes? waiting"))).to_be_visible()
    page.get_by_role("button", name=re.compile("Resume|waiting")).first.click()
    wait_for_changes(page, 2)
    assert notebook.running(3)
    notebook.command("kernelmenu:shutdown")


def test_a_notebook_saved_while_live_shows_the_rows_of_then(server: LabServer, page: Page):
    notebook = open_notebook(server, page, "saved.ipynb", HOSTILE)
    # The page loads its module while the kernel computes already, and nobody hears its greeting.
    notebook.start(1)
    notebook.start(3)
    expect(page.locator(".kalam-live td").first).to_have_text("1000", timeout=20_000)
    assert notebook.running(3)
    names = [page.locator(".kalam-live tbody tr:not(.kl-space) td:nth-child(2)").nth(i) for i in range(3)]
    assert [name.text_content() for name in names] == HOSTILE
    notebook.command("kernelmenu:restart")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(page.get_by_role("status")).to_have_text("stopped: the kernel has gone", timeout=20_000)
    _, shown, _, _ = notebook.save()
    assert "live, as of" in shown[0]["data"]["text/plain"]
    notebook.open()
    copy = page.locator("[data-kalam-twin]")
    expect(copy).to_be_visible()
    assert copy.locator("tbody tr td:nth-child(2)").all_text_contents() == HOSTILE
    assert copy.locator("img, mjx-container").count() == 0
    expect(page.get_by_text(re.compile("model not found|Loading widget"))).to_be_hidden()
    screenshot(page, "lab-reopened-live.png")


def test_keys_scroll_the_table_and_do_nothing_to_the_notebook(server: LabServer, page: Page):
    notebook = open_notebook(server, page, "keys.ipynb", [f"customer {i}" for i in range(40)])
    notebook.run(1)
    box = page.locator(".kl-box")
    expect(box.locator("td").first).to_have_text("1000")
    box.focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.querySelector('.kl-box').scrollTop > 0")
    expect(box).to_be_focused()
    page.keyboard.press("End")
    expect(box.locator("td", has_text="1039")).to_be_in_viewport()
    for key in "ddbz":  # Delete the cell, add one, undo.
        page.keyboard.press(key)
    head = box.get_by_role("button", name="customer")
    head.press("d")
    head.press("d")
    head.press("Space")
    expect(box.locator("th").nth(1)).to_have_attribute("aria-sort", "ascending")
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(4)
    expect(box.locator("td").nth(1)).to_be_visible()


BROWSE = """
import pandas as pd
import kalam_notebook as kalam

kalam.browse(pd.DataFrame({"n": range(5_000), "name": [f"name {n}" for n in range(5_000)]}))
"""


def test_a_frame_is_browsed_in_the_page_and_previewed_in_the_notebook(server: LabServer, page: Page):
    write_notebook(server.folder / "browse.ipynb", [BROWSE.strip()])
    notebook = Notebook(server, page, "browse.ipynb")
    notebook.run(0)
    expect(page.locator(".kl-facts")).to_have_text("5,000 rows")
    expect(page.get_by_role("status")).to_have_text("result")
    expect(page.locator(".kl-tools").get_by_role("button", name=re.compile("Pause|Freeze|Stop"))).to_have_count(0)
    page.get_by_role("searchbox", name="Search in all columns").fill("name 4321")
    expect(page.locator(".kalam-live td").nth(1)).to_have_text("name 4321")
    expect(page.locator(".kl-hits")).to_have_text("1 of 5,000 rows match")
    screenshot(page, "lab-browse.png")
    notebook.command("kernelmenu:shutdown")
    copy = page.locator("[data-kalam-twin]")
    expect(copy).to_be_visible(timeout=20_000)
    expect(copy).to_contain_text("5,000 rows")
    (shown,) = notebook.save()
    assert "widget-view" not in str(shown)


TWO_TABLES = """
import kalam_notebook as kalam
from kalam_notebook.notebook.page import freeze

client = kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE shop")
kalam.execute_query("CREATE TABLE shop.one (id INT PRIMARY KEY)")
kalam.execute_query("CREATE TABLE shop.two (id INT PRIMARY KEY)")
"""
SUBSCRIPTIONS = "print(sorted(client.query('SELECT table_name FROM system.live')['table_name']))"


@pytest.mark.timeout(300)  # The page waits half a minute before the kernel lets go.
def test_a_deleted_cell_lets_go_of_its_table_and_a_closed_notebook_does_not(server: LabServer, page: Page):
    cells = [TWO_TABLES.strip(), "kalam.live('SELECT * FROM shop.one')", "kalam.live('SELECT * FROM shop.two')"]
    write_notebook(server.folder / "deleted.ipynb", [*cells, SUBSCRIPTIONS])
    notebook = Notebook(server, page, "deleted.ipynb")
    for index in range(4):
        notebook.run(index)
    output = page.locator(".jp-OutputArea-output pre")
    expect(output).to_have_text("['one', 'two']")
    expect(page.locator(".kalam-live")).to_have_count(2)
    notebook.command("notebook:delete-cell", 1)
    expect(page.locator(".kalam-live")).to_have_count(1)
    notebook.run(2)
    expect(output).to_have_text("['one', 'two']")  # Deleting can be undone.
    deadline = time.monotonic() + 80
    while "one" in output.inner_text() and time.monotonic() < deadline:
        page.wait_for_timeout(1_000)
        notebook.run(2)
    expect(output).to_have_text("['two']")
    notebook.save()
    notebook.command("application:close")
    expect(page.locator(".jp-NotebookPanel")).to_have_count(0)
    notebook.open()
    expect(page.get_by_role("status")).to_have_text("live")
    notebook.run(2)
    expect(output).to_have_text("['two']")


CHART = """
live = kalam.live("SELECT id, total FROM shop.orders")
live.chart(x="id", y="total", kind="bar")
"""


def test_a_chart_follows_while_a_cell_runs_and_is_a_picture_after_the_kernel(server: LabServer, page: Page):
    notebook = run_but_last(server, page, "chart.ipynb", CHART, WRITE, BLOCK)
    canvas = page.locator(".kl-plot canvas")
    expect(page.get_by_role("status")).to_have_text("live")
    notebook.run(3, wait=False)
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    wait_for_changes(page, 15)
    assert notebook.running(3)
    assert canvas.evaluate("canvas => canvas.toDataURL()") != before
    screenshot(page, "lab-chart.png")
    go_on(server, "chart.ipynb").touch()
    expect(notebook.cell(3).locator(".jp-InputPrompt")).to_have_text(re.compile(r"\d"), timeout=20_000)
    page.get_by_role("button", name="Freeze").click()
    copy = page.locator("[data-kalam-twin]")
    expect(copy).to_contain_text("live until")
    bars = copy.locator("svg rect").count()
    assert bars >= len(CUSTOMERS)
    notebook.command("kernelmenu:shutdown")
    _, shown, _, _ = notebook.save()
    assert "widget-view" not in str(shown)
    notebook.open()
    expect(copy.locator("svg rect")).to_have_count(bars)
    screenshot(page, "lab-chart-frozen.png")


def test_two_notebooks_and_a_second_view_show_one_live_table(server: LabServer, page: Page):
    first = open_notebook(server, page, "first.ipynb", CUSTOMERS)
    first.run(1)
    kernel = page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id")
    first.command("notebook:create-output-view", 1)
    views = page.locator(".kalam-live")
    expect(views).to_have_count(2)

    other = page.context.new_page()
    write_notebook(server.folder / "second.ipynb", ["live", "order(10)", "live.close()"])
    second = Notebook(server, other, "second.ipynb")
    other.evaluate("id => window.jupyterapp.shell.currentWidget.sessionContext.changeKernel({id})", kernel)
    second.run(0)
    expect(other.locator(".kalam-live .kl-facts")).to_contain_text("8 rows")
    second.run(1)
    for shown in (views.nth(0), views.nth(1), other.locator(".kalam-live")):
        expect(shown.locator(".kl-facts")).to_contain_text("9 rows · 1 change")
        expect(shown.get_by_role("status").first).to_have_text("live")

    # A reader sorts and pauses one view, and no other.
    views.nth(1).get_by_role("button", name="Pause").click()
    expect(views.nth(1).get_by_role("button", name="Resume")).to_be_visible()
    expect(views.nth(0).get_by_role("button", name="Pause")).to_be_visible()

    second.run(2)
    for window, notebook in ((page, first), (other, second)):
        expect(window.locator(".jp-Notebook [data-kalam-twin]")).to_contain_text("live until")
        assert "widget-view" not in str(notebook.save())
    expect(views.get_by_role("status")).to_have_count(0)
