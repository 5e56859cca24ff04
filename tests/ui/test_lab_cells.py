"""SQL cells in JupyterLab and Notebook 7: what Tab offers, colours, live tables, and what a waiting cell shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from lab import LabServer, Notebook, lab_server, write_notebook
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

pytestmark = pytest.mark.browser

SETUP = """
%load_ext kalam_notebook
import kalam_notebook as kalam

client = kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE shop")
kalam.execute_query("CREATE TABLE shop.orders (id BIGINT PRIMARY KEY, customer TEXT, paid BOOLEAN)")
%kalam connect sandbox
"""

SLOW = """
%load_ext kalam_notebook
import kalam_notebook as kalam

sandbox = kalam.sandbox(options=("--scan-row-ns", "5000000"))
client = kalam.connect(sandbox.url, user="root", password=sandbox.root_password)
kalam.execute_query("CREATE NAMESPACE slow")
kalam.execute_query("CREATE TABLE slow.rows (id BIGINT PRIMARY KEY) WITH (TYPE = 'SHARED')")
kalam.execute_query("INSERT INTO slow.rows (id) VALUES " + ", ".join(f"({n})" for n in range(300)))
"""


@pytest.fixture(scope="module")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    folder, state = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("lab")
    with lab_server(folder, state, {}) as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture(params=["lab/tree", "notebooks"], ids=["JupyterLab", "Notebook 7"])
def opened(request: pytest.FixtureRequest, server: LabServer, page: Page) -> Callable[[list[str]], Notebook]:
    """Opens a notebook of some cells."""

    def open_cells(cells: list[str]) -> Notebook:
        name = f"{request.node.originalname}-{request.param[:3]}.ipynb"
        write_notebook(server.folder / name, cells)
        return Notebook(server, page, name, front_end=request.param)

    return open_cells


def test_tab_offers_the_tables_and_columns_of_the_server(opened: Callable[[list[str]], Notebook], page: Page):
    notebook = opened([SETUP.strip(), ""])
    notebook.run(0)
    notebook.cell(1).locator(".cm-content").click()
    page.keyboard.type("%%kalam\nSELECT * FROM shop.orders o WHERE o.")
    offered = page.locator(".jp-Completer .jp-Completer-item")
    for _ in range(20):  # JupyterLab gives up on a busy kernel after a second; whoever types presses Tab again.
        page.keyboard.press("Tab")
        with suppress(PlaywrightTimeout):
            offered.first.wait_for(timeout=3_000)
            break
    expect(offered).to_have_count(3)
    labels = [text.strip() for text in page.locator(".jp-Completer .jp-Completer-match").all_text_contents()]
    assert labels == ["id", "customer", "paid"]
    page.keyboard.type("cu")
    expect(offered).to_have_count(1)
    page.keyboard.press("Enter")
    expect(notebook.cell(1).locator(".cm-content")).to_contain_text("WHERE o.customer")


def test_sql_has_its_colours_and_python_keeps_its_own(opened: Callable[[list[str]], Notebook], page: Page):
    sql = "%%kalam\nSELECT customer, 'import x' -- for\nFROM shop.orders WHERE id = $room"
    notebook = opened([sql, "select = 'SELECT 1'"])
    kinds = ("keyword", "string", "comment", "variable")
    coloured = {kind: notebook.cell(0).locator(f".kalam-sql-{kind}") for kind in kinds}
    expect(coloured["keyword"]).to_have_text(["SELECT", "FROM", "WHERE"])
    expect(coloured["string"]).to_have_text(["'import x'"])
    # What Python would colour is in pieces of its own.
    assert "".join(coloured["comment"].all_text_contents()) == "-- for"
    assert "".join(coloured["variable"].all_text_contents()) == "$room"
    assert notebook.cell(1).locator("[class*=kalam-sql]").count() == 0
    colours = {
        text: notebook.cell(0).get_by_text(text, exact=True).evaluate("found => getComputedStyle(found).color")
        for text in ("SELECT", "customer", "'import x'")
    }
    assert len(set(colours.values())) == 3
    notebook.cell(0).locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" AND")
    expect(coloured["keyword"]).to_have_text(["SELECT", "FROM", "WHERE", "AND"])
    page.keyboard.press("Control+Home")
    page.keyboard.type("# ")
    expect(notebook.cell(0).locator("[class*=kalam-sql]")).to_have_count(0)


def test_how_far_a_reading_is_leaves_nothing_in_the_notebook(opened: Callable[[list[str]], Notebook]):
    python = "print('before')\nframe = client.query('SELECT id FROM slow.rows')\nprint('after')\nlen(frame)"
    notebook = opened([SLOW.strip(), python, "%%kalam\nSELECT id FROM slow.rows"])
    notebook.run(0)
    for index in (1, 2):
        notebook.start(index)
        expect(notebook.cell(index).get_by_text("KalamDB: reading · ")).to_be_visible(timeout=20_000)
        expect(notebook.cell(index).locator(".jp-InputPrompt")).not_to_have_text("[*]:", timeout=30_000)
        expect(notebook.cell(index).get_by_text("KalamDB: reading")).to_have_count(0)
    _, plain, magic = notebook.save()
    assert [output.output_type for output in plain] == ["stream", "stream", "execute_result"], plain
    assert [output.output_type for output in magic] == ["execute_result"]
    assert "kalam.progress" not in notebook.path.read_text()


def test_the_kernel_gives_the_details_of_a_row(server: LabServer, page: Page):
    insert = "kalam.execute_query(\"INSERT INTO shop.orders (id, customer) VALUES (1, 'Ada')\")"
    shown = "live = client.live('SELECT * FROM shop.orders')\nlive"
    update = "kalam.execute_query(\"UPDATE shop.orders SET customer = 'Grace' WHERE id = 1\")"
    write_notebook(server.folder / "details.ipynb", [SETUP.strip(), insert, shown, update])
    notebook = Notebook(server, page, "details.ipynb")
    for cell in range(4):
        notebook.run(cell)
    table = notebook.cell(2).locator(".kalam-live")
    expect(table.locator("td").nth(1)).to_have_text("Grace")
    table.locator("td").nth(1).dblclick()
    details = table.get_by_role("region", name="Details of the row")
    expect(details.locator("strong").first).to_have_text("id = 1")
    expect(details.locator("ol > li")).to_contain_text(["updated · told by an eventcustomer: Ada → Grace"])


def test_a_live_table_follows_the_server(opened: Callable[[list[str]], Notebook]):
    change = "_ = kalam.execute_query(\"INSERT INTO shop.orders (id, customer) VALUES (7, 'Ada')\")"
    live = "%%kalam --live\nSELECT id, customer FROM shop.orders"
    notebook = opened([SETUP.strip(), live, change])
    for index in range(3):
        notebook.run(index)
    expect(notebook.cell(1).get_by_text("Ada", exact=True)).to_be_visible(timeout=20_000)


def test_the_viewer_of_perspective_follows_a_live_table(server: LabServer, page: Page):
    show = """
from perspective.widget import PerspectiveWidget
kalam.execute_query("INSERT INTO shop.orders (id, customer) VALUES (1, 'Ada'), (2, 'Bo')")
live = kalam.live("SELECT id, customer FROM shop.orders")
PerspectiveWidget(live.perspective(), sort=[["id", "desc"]], settings=False)
"""
    change = """
kalam.execute_query("INSERT INTO shop.orders (id, customer) VALUES (3, 'Cy')")
kalam.execute_query("DELETE FROM shop.orders WHERE id = 1")
"""
    write_notebook(server.folder / "perspective.ipynb", [SETUP.strip(), show.strip(), change.strip()])
    notebook = Notebook(server, page, "perspective.ipynb")
    notebook.run(0)
    notebook.run(1)
    cells = page.locator("perspective-viewer-datagrid regular-table tbody td")
    expect(cells).to_contain_text(["Bo", "Ada"], timeout=30_000)
    notebook.run(2)
    expect(cells).to_contain_text(["Cy", "Bo"])
