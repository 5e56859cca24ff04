"""Chromium for the browser tests, and nothing that runs without one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; ended with the module, because Playwright's loop keeps others from running theirs."""
    path = os.environ.get("KALAM_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        reason = f"no Chromium found: set KALAM_TEST_CHROMIUM or install one of {', '.join(NAMES)}"
        if os.environ.get("KALAM_TEST_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    # Without motion the marks of what changed stay, and a test on a busy machine finds them.
    settings = {"timezone_id": "UTC", "reduced_motion": "reduce"}
    context = browser.new_context(viewport={"width": 900, "height": 700}, **settings)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_content(
        "<!doctype html><body><div data-kalam-twin='abc123'>static copy</div>"
        "<div data-kalam-twin='other'>another</div><div id='place'></div></body>"
    )
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def clipboard(page: Page):
    """What was copied, once something was."""
    page.evaluate(
        "() => { window.copied = null; const writeText = (text) => { window.copied = text; return Promise.resolve(); };"
        " Object.defineProperty(navigator, 'clipboard', {value: {writeText}}); }"
    )

    def copied() -> str:
        page.wait_for_function("window.copied !== null")
        return page.evaluate("() => { const text = window.copied; window.copied = null; return text; }")

    return copied
