"""The details of a row: all its columns, whole, and what happened to it."""

from __future__ import annotations

import datetime as dt
import io
import os
from pathlib import Path
from typing import IO

import pytest
from kept_live import KeptLive
from looks import contrast_of
from page_module import ORDERS, MountedTable, order
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from kalam_notebook.errors import ConfigError, KalamError
from kalam_notebook.wire.fileref import FileHost, FileRef
from kalam_notebook.wire.types import Column

pytestmark = pytest.mark.browser

NOON = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)
START = NOON.timestamp()
NOTES = (*ORDERS[:2], Column("note", "Text"), Column("data", "Bytes"), Column("vector", "Embedding", size=9))


def note(i: int, customer: str | None = "Ada", text: str = "", data: bytes | None = None) -> dict:
    return {"id": i, "customer": customer, "note": text, "data": data, "vector": [0.5] * 9}


@pytest.fixture
def details(page: Page) -> Locator:
    page.clock.set_fixed_time(NOON)
    return page.get_by_role("region", name="Details of the row")


def mount(page: Page, live: KeptLive) -> MountedTable:
    table = MountedTable(page, live.columns)
    table.answer_from(live)
    table.follow(live)
    expect(page.locator("td").first).to_be_visible()
    return table


def test_a_row_is_opened_whole_and_closed(page: Page, details: Locator):
    long = "word " * 4_000 + "end"
    live = KeptLive(NOTES, [note(1), note(2**53 + 1, "<b>Grace</b>", f"{long}\nnext", b"\x00" * 20)])
    mount(page, live)
    page.locator("td", has_text="Grace").click()
    page.get_by_role("button", name="Details").click()
    expect(details).to_be_focused()
    expect(details.locator("strong").first).to_have_text("id = 9007199254740993")
    rows = details.locator("tr")
    expect(rows.nth(1)).to_have_text("customer TEXT<b>Grace</b>")
    assert rows.nth(2).locator("td").text_content() == f"{long}\nnext"
    expect(rows.nth(3)).to_have_text(f"data BYTES{'00' * 20} (20 bytes)")
    expect(rows.nth(4).locator("td")).to_have_text(f"[{', '.join(['0.5'] * 9)}]")
    expect(details.locator("li")).to_have_text("Nothing.")
    page.keyboard.press("Escape")
    expect(details).to_have_count(0)
    expect(page.locator(".kl-box")).to_be_focused()


def test_json_is_folded_and_opened_by_a_click_or_a_key(page: Page, details: Locator, tmp_path: Path):
    columns = (ORDERS[0], Column("told", "Json"))
    told = '{"id":9007199254740993,"tags":["<b>","\u202e"],"empty":{}}'
    live = KeptLive(columns, [{"id": 1, "told": told}, {"id": 2, "told": '"text"'}])
    table = mount(page, live)
    page.locator("td").nth(1).dblclick()
    value = details.locator("tr").nth(1).locator("td")
    expect(value.locator("pre")).to_be_hidden()
    value.locator("summary").focus()
    page.keyboard.press("Enter")
    laid = '{\n  "id": 9007199254740993,\n  "tags": [\n    "<b>",\n    "⟨U+202E⟩"\n  ],\n  "empty": {}\n}'
    expect(value.locator("pre")).to_be_visible()
    assert value.locator("pre").text_content() == laid
    page.screenshot(path=Path(os.environ.get("KALAM_TEST_SCREENSHOTS", tmp_path)) / "details-json.png")

    # It stays open when the row changes, and for the next one.
    live.load([{"id": 1, "told": '{"n":1}'}, {"id": 2, "told": '"text"'}], at=START)
    table.follow(live)
    expect(value.locator("pre")).to_have_text('{ "n": 1 }')
    page.locator("tbody tr:not(.kl-space)").nth(1).locator("td").nth(1).dblclick()
    expect(value).to_have_text('"text"')


PHOTOS = (ORDERS[0], Column("photo", "File"))


class Photos:
    """A server's files: a square of one colour for each, counted when it is fetched."""

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self.fault: KalamError | None = None

    def open(self, ref: FileRef) -> IO[bytes]:
        if self.fault is not None:
            raise self.fault
        self.fetched.append(ref.id)
        drawn = io.BytesIO()
        Image.new("RGB", (300, 300), "teal").save(drawn, "PNG")
        drawn.seek(0)
        return drawn

    def exists(self, ref: FileRef) -> bool:
        return True


def photo(i: int, name: str = "a.png", mime: str = "image/png") -> dict:
    return {"id": i, "photo": FileRef(f"70{i}", "f0001", name, 12_345, mime, "ab" * 32).to_json()}


def test_an_image_is_shown_on_demand(page: Page, details: Locator, tmp_path: Path):
    photos = Photos()
    live = KeptLive(PHOTOS, [photo(1), photo(2, "<b>b</b>.png"), photo(3, "c.txt", "text/plain")])
    live.host = FileHost(photos)
    mount(page, live)
    page.locator("td", has_text="a.png").click()
    page.get_by_role("button", name="Details").click()
    cell = details.locator("tr").nth(1).locator("td")
    show = cell.get_by_role("button", name="Show the image")
    expect(show).to_be_visible()
    assert photos.fetched == []

    # What fails is told in its place.
    photos.fault = ConfigError("The file is <gone>.")
    show.click()
    expect(cell).to_contain_text("The file is <gone>.")

    # The next time it is asked for again; images of the column are shown from then on.
    photos.fault = None
    page.locator(".kl-box td", has_text="<b>b</b>.png").dblclick()
    image = cell.locator("img")
    expect(image).to_have_attribute("alt", "<b>b</b>.png · 12.3 kB")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 300
    page.locator(".kl-box td", has_text="a.png").dblclick()
    expect(image).to_have_attribute("alt", "a.png · 12.3 kB")
    page.locator(".kl-box td", has_text="<b>b</b>.png").dblclick()
    expect(image).to_have_attribute("alt", "<b>b</b>.png · 12.3 kB")
    assert photos.fetched == ["702", "701"]
    page.screenshot(path=Path(os.environ.get("KALAM_TEST_SCREENSHOTS", tmp_path)) / "details-image.png")

    page.locator(".kl-box td", has_text="c.txt").dblclick()
    expect(cell).to_have_text("c.txt · 12.3 kB")


def test_a_value_of_a_megabyte_is_no_trouble(page: Page, details: Locator):
    text = "x" * 1_000_000
    mount(page, KeptLive(NOTES, [note(1, "Ada", text), note(2)]))
    expect(page.locator("td").nth(2)).to_contain_text("1,000,000 characters")
    page.locator("td").nth(2).dblclick()
    expect(details.locator("tr").nth(2)).to_contain_text("x" * 50)
    assert details.locator("tr").nth(2).locator("td").evaluate("cell => cell.textContent.length") == len(text)


def test_what_happened_to_a_row_is_told_and_followed(page: Page, details: Locator):
    live = KeptLive(ORDERS, [order(1), order(2)])
    table = mount(page, live)
    live.load([order(1), order(2, "Grace", "-0.50")], at=START - 2)
    table.follow(live)
    page.locator(".kl-box").focus()
    for key in ("Enter", "ArrowDown", "Enter"):  # The first row, the second, and its details.
        page.keyboard.press(key)
    changes = details.locator("ol > li")
    expect(changes).to_have_text(["11:59:58.000 updated · told by an eventcustomer: Ada → Gracetotal: 1.50 → -0.50"])
    live.load([order(1), order(2, None, "-0.50")], at=START - 1, healed=True)
    table.follow(live)
    expect(changes.first).to_have_text("11:59:59.000 updated · found by a checkcustomer: Grace → NULL")
    expect(details.locator("td").nth(1)).to_have_text("NULL")
    live.load([order(1)], at=START)
    table.follow(live)
    expect(changes.first).to_have_text("12:00:00.000 deleted · told by an event")
    expect(changes).to_have_count(3)
    expect(details).to_contain_text("The row is gone; these were its last values.")
    expect(details.locator("td").nth(1)).to_have_text("NULL")


def test_another_row_takes_the_place_of_the_first(page: Page, details: Locator):
    mount(page, KeptLive(ORDERS, [order(1, "Ada"), order(2, "Grace")]))
    page.locator("td", has_text="Ada").dblclick()
    expect(details.locator("td").nth(1)).to_have_text("Ada")
    page.locator("tbody td", has_text="Grace").first.dblclick()
    expect(details.locator("td").nth(1)).to_have_text("Grace")
    details.get_by_role("button", name="Close").click()
    expect(details).to_have_count(0)


def test_a_row_of_a_result_has_its_columns_alone(page: Page, details: Locator):
    live = KeptLive(ORDERS, [order(1)])
    table = MountedTable(page, ORDERS, status={"text": "result", "form": ""})
    table.answer_from(live)
    table.follow(live)
    page.get_by_role("button", name="Details").click()
    expect(details.locator("tr")).to_have_count(4)
    expect(details.get_by_text("What happened")).to_be_hidden()


def test_without_an_answer_it_is_said_why(page: Page, details: Locator):
    table = MountedTable(page, ORDERS, parts=frozenset())
    table.load([order(1)])
    page.get_by_role("button", name="Details").click()
    expect(page.locator(".kl-told")).to_have_text("The kernel was asked; while a cell runs, it answers at its end.")
    asked = page.evaluate("said.find(({kind}) => kind === 'question').number")
    page.evaluate(f"window.emit('msg:custom', {{kind: 'answer', number: '{asked}', fault: 'KeyError: 1'}}, [])")
    expect(page.locator(".kl-told")).to_have_text("KeyError: 1")
    page.evaluate("window.emit('msg:custom', {kind: 'end', text: 'stopped: closed'}, [])")
    page.get_by_role("button", name="Details").click()
    told = "There is no kernel to ask any more (stopped: closed)."
    expect(page.locator(".kl-told")).to_have_text(told)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_details_look_right_in_every_width_and_theme(
    page: Page, details: Locator, scheme: str, width: int, tmp_path: Path
):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 700})
    dark = "html { background: #0d1117 }" if scheme == "dark" else ""
    page.add_style_tag(content=f"body {{ margin: 16px }} {dark}")
    live = KeptLive(NOTES, [note(i, "Ada Lovelace", "Beside the door. " * i) for i in range(1, 9)])
    table = mount(page, live)
    live.load([note(i, "Grace Hopper", "Beside the door. " * i) for i in range(1, 9)], at=START - 60, healed=True)
    table.follow(live)
    page.locator("td", has_text="Grace").nth(6).dblclick()
    expect(details.locator("ol > li")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for part in details.locator("th, td, button, small, del, .kl-told").all():
        assert contrast_of(part, page.locator(".kalam-live")) >= 4.5
    folder = Path(os.environ.get("KALAM_TEST_SCREENSHOTS", tmp_path))
    page.screenshot(path=folder / f"details-{scheme}-{width}.png")
