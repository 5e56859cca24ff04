"""The page module of charts alone: what is drawn of which rows, pause and zoom, 100,000 points, narrow and dark."""

from __future__ import annotations

import datetime as dt
import math
import os
import re
from decimal import Decimal
from pathlib import Path

import pytest
from looks import contrast_of
from page_module import MountedTable
from playwright.sync_api import Page, expect

from kalam_notebook.results.chart import COLOURS
from kalam_notebook.wire.types import Column

pytestmark = pytest.mark.browser

METRICS = (Column("at", "Timestamp"), Column("load", "Double"), Column("price", "Decimal", 12, 2))
ROOMS = (Column("room", "Text"), Column("people", "Int"))
BEGAN = dt.datetime(2026, 5, 20, 10, 0, tzinfo=dt.UTC)
WRITE_PICTURES = os.environ.get("KALAM_TEST_WRITE_PICTURES") == "1"
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "live-chart.png"

#: The columns of pixels that have a colour, of the canvas; and how many pixels.
COLOURED = """([colour]) => {
  const canvas = document.querySelector('.kl-plot canvas');
  const {data, width, height} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const xs = new Set();
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] < 200) continue;
    if (Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) > 12) continue;
    count++;
    xs.add((i / 4) % width);
  }
  return [xs.size, count];
}"""


def metric(i: int, load: float | None = None) -> dict:
    wave = 50 + 30 * math.sin(i / 40) + 5 * math.sin(i * 1.7)
    return {
        "at": BEGAN + dt.timedelta(seconds=i),
        "load": wave if load is None else load,
        "price": Decimal(f"{20 + i % 37}.50"),
    }


def mount(page: Page, columns=METRICS, kind: str = "line", **options) -> MountedTable:
    traits = {"kind": kind, "colours": list(COLOURS)}
    return MountedTable(page, columns, module="live_chart", traits=traits, **options)


def coloured(page: Page, series: int = 0) -> list[int]:
    return page.evaluate(COLOURED, [COLOURS[series]])


def foot(page: Page):
    return page.locator(".kl-foot")


def test_what_is_drawn_follows_the_rows(page: Page):
    chart = mount(page)
    expect(page.locator(".kalam-live")).to_be_hidden()
    chart.load([metric(i) for i in range(300)])
    expect(page.get_by_text("static copy")).to_be_hidden()
    expect(foot(page)).to_have_text("300 points · times in UTC")
    for series in (0, 1):
        assert coloured(page, series)[0] > 500
    expect(page.locator(".u-legend")).to_contain_text("load")
    half = page.locator(".kl-plot canvas").screenshot()
    chart.change({i + 1: metric(i) for i in range(300, 400)}, removed=(1, 2))
    expect(foot(page)).to_have_text("398 points · times in UTC")
    assert page.locator(".kl-plot canvas").screenshot() != half
    expect(page.locator(".kl-facts")).to_have_text("398 rows · 102 changes · direct")
    page.wait_for_function("said.at(-1).kind === 'ack' && said.at(-1).frame === 2")


def test_the_exact_values_are_told_at_the_cursor(page: Page):
    chart = mount(page, (Column("n", "BigInt"), Column("price", "Decimal", 20, 2)))
    chart.load([{"n": 2**53 + 1, "price": Decimal("12345678901234567.89")}])
    page.locator(".u-over").hover()
    expect(page.locator(".u-legend")).to_contain_text("9007199254740993")
    expect(page.locator(".u-legend")).to_contain_text("12345678901234567.89")


def test_rows_without_numbers_are_left_out_and_counted(page: Page):
    chart = mount(page)
    rows = [metric(0), metric(1) | {"at": None}, metric(2, math.nan) | {"price": None}, metric(3, math.inf), metric(4)]
    chart.load(rows)
    expect(foot(page)).to_have_text("3 points · 2 rows without a number left out · times in UTC")


@pytest.mark.parametrize("kind", ["line", "points", "bar"])
def test_no_rows_at_all(page: Page, kind):
    chart = mount(page, ROOMS if kind == "bar" else METRICS, kind)
    chart.load([])
    expect(foot(page)).to_contain_text("0 ")
    chart.change({1: {"room": "a", "people": 3} if kind == "bar" else metric(1)})
    expect(foot(page)).to_contain_text("1 ")
    page.wait_for_function("said.at(-1).frame === 2")


def test_rows_in_any_order_make_the_same_line(page: Page):
    chart = mount(page)
    rows = [metric(i) for i in range(200)]
    chart.load(rows)
    expect(foot(page)).to_contain_text("200 points")
    before = page.locator(".kl-plot canvas").screenshot()
    chart.load(rows[::2] + rows[1::2], ids=list(range(1, 201)))
    page.wait_for_function("said.at(-1).frame === 2")
    assert page.locator(".kl-plot canvas").screenshot() == before


def test_bars_are_named_by_rows(page: Page):
    chart = mount(page, (*ROOMS, Column("chairs", "Int")), "bar")
    chart.load([{"room": f"room <b>{i}", "people": i * 3 % 17 - 4, "chairs": i} for i in range(12)])
    expect(foot(page)).to_have_text("12 rows")
    assert coloured(page, 0)[1] > 1_000
    assert coloured(page, 1)[1] > 1_000
    chart.change({1: {"room": "x", "people": 1000, "chairs": 0}})
    page.wait_for_function("said.at(-1).frame === 2")
    assert coloured(page, 0)[1] > 4_000
    assert page.locator(".kalam-live b").count() == 0


def test_pause_keeps_the_drawing_and_counts(page: Page):
    chart = mount(page)
    chart.load([metric(i) for i in range(100)])
    expect(foot(page)).to_contain_text("100 points")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_have_text("paused here")
    before = page.locator(".kl-plot canvas").screenshot()
    chart.change({i + 1: metric(i) for i in range(100, 200)})
    resume = page.get_by_role("button", name="Resume · 100 changes waiting")
    expect(resume).to_be_visible()
    assert page.locator(".kl-plot canvas").screenshot() == before
    resume.click()
    expect(foot(page)).to_contain_text("200 points")


def test_a_zoom_stays_while_rows_change_and_is_taken_back(page: Page):
    chart = mount(page)
    chart.load([metric(i) for i in range(300)])
    expect(foot(page)).to_contain_text("300 points")
    box = page.locator(".u-over").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 60)
    page.mouse.up()
    whole = page.get_by_role("button", name="Show all")
    expect(whole).to_be_visible()
    axis = "document.querySelector('.kl-plot canvas').toDataURL()"
    zoomed = page.evaluate(axis)
    chart.change({301: metric(5_000)})
    page.wait_for_function("said.at(-1).frame === 2")
    expect(foot(page)).to_contain_text("301 points")
    assert page.evaluate(axis) == zoomed
    whole.click()
    expect(whole).to_be_hidden()
    assert page.evaluate(axis) != zoomed


def test_wishes_go_to_the_kernel(page: Page):
    chart = mount(page)
    chart.load([metric(1)])
    page.get_by_role("button", name="Freeze").click()
    page.wait_for_function("said.some((word) => word.kind === 'freeze')")
    expect(page.get_by_role("button", name="Retry now")).to_be_hidden()
    chart.tell(text="reconnecting in 3 s", notice="f raised <b>KeyError</b>")
    page.get_by_role("button", name="Retry now").click()
    page.wait_for_function("said.some((word) => word.kind === 'retry')")
    expect(page.locator(".kl-note")).to_have_text("Warning: f raised <b>KeyError</b>")
    page.evaluate("emit('msg:custom', {kind: 'end', text: 'stopped: closed'}, [])")
    expect(page.get_by_role("status")).to_have_text("stopped: closed")
    expect(page.get_by_role("button", name="Freeze")).to_be_hidden()


def test_what_is_only_a_part_is_told(page: Page):
    chart = mount(page)
    chart.load([metric(i) for i in range(100)], total=250_000)
    expect(page.locator(".kl-part")).to_have_text("Drawn are the first 100 of 250,000 rows; the others are not here.")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("line", "100,000 points · thinned: of each pixel column the first, least, greatest and last"),
        ("points", re.compile(r"^100,000 points · thinned: \d+,\d+ dots are covered by others$")),
    ],
)
def test_100_000_points_are_smooth_and_told_to_be_thinned(page: Page, kind, told):
    columns = (Column("n", "Int"), Column("load", "Double"))
    chart = mount(page, columns, kind)
    rows = [{"n": i, "load": math.sin(i / 5_000) * 50 + math.sin(i * 1.7) * 9} for i in range(100_000)]
    rows[54_321]["load"] = 1_000.0  # Whatever is thinned, this shows.
    chart.load(rows)
    expect(foot(page)).to_have_text(told)
    top = page.evaluate(COLOURED, [COLOURS[0]])
    assert top[1] > 500
    page.evaluate(
        """() => {
          window.gaps = [];
          let last = performance.now();
          const tick = (now) => { gaps.push(now - last); last = now; requestAnimationFrame(tick); };
          requestAnimationFrame(tick);
        }"""
    )
    for number in range(10):
        chart.change({number + 1: {"n": number, "load": float(number)}})
        page.wait_for_timeout(100)
    page.wait_for_function("said.at(-1).frame === 11")
    gaps = sorted(page.evaluate("gaps"))
    print(
        kind, "frames", len(gaps), "median", gaps[len(gaps) // 2], "p95", gaps[len(gaps) * 95 // 100], "worst", gaps[-1]
    )
    # A machine that draws without a graphics card, and does other things beside it.
    assert gaps[len(gaps) // 2] < 100


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1100])
def test_looks_right_in_every_width_and_theme(page: Page, scheme: str, width: int, tmp_path: Path):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 480})
    dark = "html { background: #0d1117 }" if scheme == "dark" else ""
    page.add_style_tag(content=f"body {{ margin: 16px }} {dark}")
    chart = mount(page, sql="SELECT at, load, price FROM app.metrics")
    chart.load([metric(i) for i in range(600)])
    expect(foot(page)).to_contain_text("600 points")
    assert coloured(page)[0] > width / 2
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for part in page.locator(".kalam-live :is(button:visible, .kl-facts, .kl-foot, .u-label)").all():
        assert contrast_of(part, page.locator(".kalam-live")) >= 4.5
    folder = Path(os.environ.get("KALAM_TEST_SCREENSHOTS", tmp_path))
    page.screenshot(path=folder / f"chart-{scheme}-{width}.png")
    if WRITE_PICTURES and (scheme, width) == ("light", 1100):
        page.locator(".kalam-live").screenshot(path=PICTURE)
    page.set_viewport_size({"width": width + 60, "height": 480})
    page.wait_for_function("width => document.querySelector('.uplot').clientWidth > width - 40", arg=width + 30)
