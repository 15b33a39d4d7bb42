"""The report in a real browser: every figure is drawn, nothing goes wrong, nothing leaves the machine."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import toy_comparison as toy
from browsing import chromium, needs_chromium, open_page

from hpo_optuna.report import write_across, write_report

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def shown(browser, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    storage = toy.toy_comparison(replicates=3, trials=10)
    path, *_ = write_report(storage, "toy", tmp_path_factory.mktemp("browser") / "with 'quotes' & spaces.html")
    return open_page(browser, path.as_uri())


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
    shown = open_page(browser, path.as_uri(), viewport={"width": 390, "height": 800}, color_scheme=scheme)
    shown.page.evaluate("drawVisible()")
    assert shown.page.evaluate("document.documentElement.scrollWidth") == 390
    assert shown.errors == []
    shown.page.close()


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page over three tasks."""
    plans = ["first-task", "second-task", "a-task-with-quite-a-long-name-of-its-own"]
    storage = None
    for plan in plans:
        storage = toy.toy_comparison(storage, plan=plan, replicates=3, trials=10)
    assert storage is not None
    path, *_ = write_across(storage, plans, tmp_path_factory.mktemp("tasks") / "tasks.html")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_a_page_over_tasks_is_drawn_on_every_screen(browser, tasks: Path, width: int, scheme: str) -> None:
    shown = open_page(browser, tasks.as_uri(), viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = shown.page
    page.evaluate("drawVisible()")
    diagram = page.locator('[data-figure="critical-difference"]')
    assert diagram.locator(".main-svg").count() > 0
    for words in ("critical difference", "grid", "random", "pso"):
        assert words in diagram.text_content()
    labels = diagram.locator(".textpoint").filter(has_text=re.compile(r"\S"))
    boxes = [diagram.bounding_box(), *(text.bounding_box() for text in labels.all())]
    assert len(boxes) == 5
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes), "its labels stand on the screen"
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert shown.errors == []
    assert [url for url in shown.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    page.close()
