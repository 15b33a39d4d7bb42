"""A headless Chromium for the tests that look at pages; they skip where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser of the system."""
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


def open_page(browser: Any, url: str, **options: object) -> SimpleNamespace:
    """A page with what goes wrong on it (``errors``) and what it asks for (``requests``)."""
    page = browser.new_page(**options)
    page.set_default_timeout(120_000)  # a loaded machine draws a large page slowly
    seen = SimpleNamespace(page=page, errors=[], requests=[])
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("console", lambda message: seen.errors.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: seen.requests.append(request.url))
    page.goto(url)
    return seen
