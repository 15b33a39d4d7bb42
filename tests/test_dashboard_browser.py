"""optuna-dashboard in a real browser, started by our own command on a finalized comparison of ours."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest
import toys
from browsing import chromium, needs_chromium, open_page

from hpo_optuna.cli import main

pytestmark = needs_chromium
PLAN = """
from dataclasses import replace
from hpo_optuna import Budget
from hpo_optuna.studies.lenet5_digits import PLAN as SHIPPED
samplers = {label: SHIPPED.samplers[label] for label in ("random", "pso")}
task = replace(SHIPPED.task, epochs=2)
PLAN = replace(SHIPPED, samplers=samplers, task=task, budget=Budget(trials=3), replicates=1)
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the dashboard of a finalized comparison listens."""
    folder = tmp_path_factory.mktemp("dashboard")
    (folder / "plan.py").write_text(PLAN)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HPO_OPTUNA_DATA", str(folder / "data"))
        assert main(["run", "plan.py"]) == 0
        assert main(["finalize", "plan.py", "--seeds", "1"]) == 0
    words = toys.command("dashboard", "plan.py", "--port", "0")
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield next(w for w in server.stdout.readline().split() if w.startswith("http://127.0.0.1:"))
        finally:
            server.terminate()


@pytest.fixture
def page(address: str) -> Iterator:
    """The list of studies; at the end, that nothing went wrong and nothing was asked of another machine."""
    with chromium() as browser:
        seen = open_page(browser, address, viewport={"width": 1200, "height": 1000})
        yield seen.page
        assert seen.errors == []
        assert len(seen.requests) > 3
        assert [url for url in seen.requests if not url.startswith((address, "data:", "blob:"))] == []


def test_the_dashboard_shows_studies_history_note_trials_and_models(page) -> None:
    page.get_by_text("lenet5-digits/random/seed-0").first.wait_for()
    page.get_by_text("lenet5-digits/pso/seed-0").first.click()

    history = page.locator("#plot-history .main-svg").first
    history.wait_for()
    assert page.locator("#plot-history .scatterlayer .point").count() >= 3
    for name in ("trial-0-seed-0-model.pt", "trial-0-1-models.json"):
        page.get_by_text(re.compile("trial-[012]" + name.removeprefix("trial-0"))).first.wait_for()

    page.get_by_role("link", name="Note").click()
    for words in (
        "The plan",
        "The verdict",
        "Preliminary: one replicate proves nothing",
        "The test set",
        "opened once",
    ):
        page.get_by_text(words).first.wait_for()

    page.get_by_role("link", name="Trials (List)").click()
    page.get_by_text("3 Trials").wait_for()
    page.get_by_text("Best Trial").first.wait_for()
