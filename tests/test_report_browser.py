"""The report in a real browser: every figure is drawn, nothing goes wrong, nothing leaves the machine."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import toy_comparison as toy

from hpo_optuna.report import write_report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with playwright.sync_playwright() as tool:
        chromium = tool.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def shown(browser, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    storage = toy.toy_comparison(replicates=3, trials=10)
    path, *_ = write_report(storage, "toy", tmp_path_factory.mktemp("browser") / "with 'quotes' & spaces.html")
    return open_page(browser, path)


def open_page(browser, path: Path, **options: object) -> SimpleNamespace:
    page = browser.new_page(**options)
    page.set_default_timeout(120_000)  # a loaded machine draws a large page slowly
    seen = SimpleNamespace(page=page, errors=[], requests=[])
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("console", lambda message: seen.errors.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: seen.requests.append(request.url))
    page.goto(path.as_uri())
    return seen


def test_every_figure_is_drawn_without_an_error_or_a_request(shown: SimpleNamespace) -> None:
    page = shown.page
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for select in page.locator("select.choose").all():
        for option in select.locator("option").all():
            select.select_option(option.get_attribute("value"))
            page.evaluate("drawVisible()")
    drawn = page.evaluate("plots().map(p => p.querySelectorAll('.main-svg').length > 0)")
    assert len(drawn) > 50
    assert all(drawn)
    assert shown.errors == []
    assert [url for url in shown.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_axis_of_the_curves_switches(shown: SimpleNamespace) -> None:
    page = shown.page
    page.locator("select.choose").first.select_option("all-axis-seconds")
    page.evaluate("drawVisible()")
    assert page.locator("#all-axis-seconds").is_visible()
    assert not page.locator("#all-axis-trials").is_visible()
    assert page.locator("#all-axis-seconds").inner_text().count("seconds in trials") == 2  # best so far, and ranks


@pytest.mark.parametrize(("button", "start"), [("Download as SVG", b"<svg"), ("Download plot as a PNG", b"\x89PNG")])
def test_a_figure_is_saved_as_a_picture(shown: SimpleNamespace, button: str, start: bytes) -> None:
    page = shown.page
    page.evaluate("drawVisible()")
    plot = page.locator(".plot:visible").first
    plot.hover()
    with page.expect_download() as saved:
        plot.locator(f'[data-title="{button}"]').click()
    assert Path(saved.value.path()).read_bytes().startswith(start)


def test_paper_is_white_also_where_the_screen_is_dark(shown: SimpleNamespace) -> None:
    page = shown.page
    page.emulate_media(color_scheme="dark")
    ink = "getComputedStyle(document.body).color"
    assert page.evaluate(ink) == "rgb(230, 233, 238)"
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(ink) == "rgb(28, 36, 48)"
    page.emulate_media(media="screen", color_scheme="light")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_only_downwards(browser, tmp_path: Path, scheme: str) -> None:
    path, *_ = write_report(toy.toy_comparison(replicates=1, trials=10), "toy", tmp_path / "r.html")
    shown = open_page(browser, path, viewport={"width": 390, "height": 800}, color_scheme=scheme)
    shown.page.evaluate("drawVisible()")
    assert shown.page.evaluate("document.documentElement.scrollWidth") == 390
    assert shown.errors == []
    shown.page.close()
