"""The text of a cell that counts the rows of a live table by a column."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kept_live import KeptLive
from page_module import ORDERS, MountedTable, order
from playwright.sync_api import Page, expect

from kalam_notebook.wire.types import Column

pytestmark = pytest.mark.browser

NASTY = 'a "b" <i>'


def text_for(page: Page, by: str, measured: str | None = None) -> str:
    page.get_by_role("toolbar").get_by_role("button", name="More").click()
    page.get_by_role("button", name="Group").click()
    page.get_by_label("Count by").select_option(by)
    if measured:
        page.get_by_label("Sum and mean of").select_option(f"count, sum and mean of {measured}")
    return page.get_by_label("A cell that counts by the column").input_value()


def test_the_text_is_written_and_copied(page: Page, tmp_path: Path):
    MountedTable(page, ORDERS, sql="SELECT * FROM app.orders WHERE total > $1;  ").load([order(1)])
    text = text_for(page, "customer", "total")
    assert text == (
        '%%kalam --live\nSELECT "customer", count(*) AS "rows", sum("total") AS "sum", avg("total") AS "mean"\n'
        'FROM (\nSELECT * FROM app.orders WHERE total > $1\n) AS t\nGROUP BY "customer"'
    )
    expect(page.get_by_text("Give the values of $1 … by --params.")).to_be_visible()
    page.screenshot(path=Path(os.environ.get("KALAM_TEST_SCREENSHOTS", tmp_path)) / "group.png")
    page.evaluate(
        "() => Object.defineProperty(navigator, 'clipboard', "
        "{value: {writeText: (text) => { window.copied = text; return Promise.resolve() }}})"
    )
    page.get_by_role("button", name="Copy cell").click()
    expect(page.get_by_text("Copied: paste it into a cell.")).to_be_visible()
    assert page.evaluate("window.copied") == text


def test_names_are_quoted_and_no_markup(page: Page):
    MountedTable(page, (ORDERS[0], Column(NASTY, "Text"))).load([{"id": 1, NASTY: "x"}])
    assert 'GROUP BY "a ""b"" <i>"' in text_for(page, NASTY)
    assert page.locator(".kalam-live i").count() == 0


@pytest.mark.contract
def test_the_server_follows_what_the_text_says(page: Page, client, namespace):
    table = f"{namespace}.orders"
    client.execute_query(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, customer TEXT, total DECIMAL(12, 2))")
    client.execute_query(f"INSERT INTO {table} (id, customer, total) VALUES (1, 'Ada', '1.50'), (2, 'Ada', '-0.50')")
    sql = f"SELECT * FROM {table} -- all"
    MountedTable(page, ORDERS[:3], sql=sql).load([{"id": 1, "customer": "Ada", "total": None}])
    magic, _, statement = text_for(page, "customer", "total").partition("\n")
    assert magic == "%%kalam --live"
    with client.live(statement) as live:
        assert live.df()[["customer", "rows", "sum"]].astype(str).to_numpy().tolist() == [["Ada", "2", "1.00"]]
        client.execute_query(f"INSERT INTO {table} (id, customer, total) VALUES (3, 'Grace', '7.00')")
        live.wait_for(2, timeout=60)
        assert sorted(live.df()["rows"].tolist()) == [1, 2]


def test_rows_are_counted_below_the_table_and_followed(page: Page, tmp_path: Path):
    rows = [order(i, NASTY if i % 3 else None, f"{i}.25") for i in range(1, 10)]
    live = KeptLive(ORDERS, rows)
    table = MountedTable(page, ORDERS)
    table.answer_from(live)
    table.follow(live)
    text_for(page, "customer", "total")
    page.get_by_role("button", name="Count here").click()
    counted = page.get_by_role("region", name="Rows counted by a column")
    expect(counted.locator("th")).to_have_text(["customer", "rows", "sum", "mean"])
    expect(counted.locator("tr").nth(1).locator("td")).to_have_text([NASTY, "6", "28.50", "4.75"])
    expect(counted.locator("tr").nth(2).locator("td")).to_have_text(["NULL", "3", "18.75", "6.25"])
    expect(counted.get_by_role("status")).to_have_text("2 groups, 9 rows")
    page.locator(".kalam-live").screenshot(
        path=Path(os.environ.get("KALAM_TEST_SCREENSHOTS", tmp_path)) / "counted.png"
    )
    live.load([*rows, order(10, "Ada", "2.00")], at=1.0)
    table.follow(live)
    expect(counted.get_by_role("status")).to_have_text("3 groups, 10 rows")
    expect(counted.locator("tr").nth(3).locator("td").first).to_have_text("Ada")
    counted.get_by_role("button", name="Close the count").click()
    expect(counted).to_have_count(0)
