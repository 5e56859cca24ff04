"""How things look in a browser: contrast, and texts that are cut."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page

COLOURS = """element => {
  const style = getComputedStyle(element);
  let opacity = 1;
  for (let box = element; box; box = box.parentElement) opacity *= getComputedStyle(box).opacity;
  return [style.color, String(opacity)];
}"""
SPILT = """table => [...table.querySelectorAll('th, td')].filter((cell) => {
  const edge = cell.getBoundingClientRect().right + 1;
  const hides = getComputedStyle(cell).overflowX === 'hidden';
  return (!hides && cell.scrollWidth > cell.clientWidth + 1)
    || [...cell.querySelectorAll('small')].some((mark) => mark.getBoundingClientRect().right > edge);
}).map((cell) => cell.textContent)"""


def contrast(one: str, two: str, opacity: float = 1.0) -> float:
    """The WCAG contrast ratio of a text's CSS colour, ``rgb(r, g, b)`` or ``rgba(…)``, on a background's."""

    def channels(colour: str) -> list[float]:
        return [float(number) for number in re.findall(r"[\d.]+", colour)]

    def luminance(colour: list[float]) -> float:
        shares = [share / 255 for share in colour]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    text, back = channels(one), channels(two)[:3]
    alpha = opacity * (text[3] if len(text) > 3 else 1.0)
    seen = [alpha * a + (1 - alpha) * b for a, b in zip(text, back, strict=False)]
    low, high = sorted((luminance(seen), luminance(back)))
    return (high + 0.05) / (low + 0.05)


def contrast_of(text: Locator, background: Locator) -> float:
    """The contrast of a text with the element that paints what is behind it."""
    colour, opacity = text.evaluate(COLOURS)
    return contrast(colour, background.evaluate("box => getComputedStyle(box).backgroundColor"), float(opacity))


def spilt(page: Page, table: str) -> list[str]:
    """The cells of a table that run across their neighbour, or whose mark of cut texts is not in sight."""
    return page.locator(table).evaluate(SPILT)
