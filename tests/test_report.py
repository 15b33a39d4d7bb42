"""A report is one page that needs nothing else, whatever state the comparison is in."""

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import toy_comparison as toy
from optuna.distributions import IntDistribution
from optuna.storages import InMemoryStorage

from hpo_optuna.errors import UserError
from hpo_optuna.report import write_report

PLOTS = ("intermediate", "parallel", "slice", "contour", "importances", "timeline")


class Page(HTMLParser):
    """What a browser would fetch, the figures, and the text outside of scripts."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.addresses: list[str] = []
        self.figures: list[str] = []
        self.data: dict[str, dict] = {}
        self.tags: list[str] = []
        self.text = ""
        self._script: str | None = None
        self._silent = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        if tag in ("script", "link", "img", "iframe", "source"):
            self.addresses += [attributes[a] for a in ("src", "href") if a in attributes]
        if "data-figure" in attributes:
            self.figures.append(attributes["data-figure"])
        self._silent = tag in ("script", "style")
        self._script = attributes.get("id") if attributes.get("type") == "application/json" else None

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._silent, self._script = False, None

    def handle_data(self, data):
        if self._script is not None:
            self.data[self._script] = json.loads(data)
        elif not self._silent:
            self.text += data


def report(tmp_path: Path, storage, plan: str = "toy") -> Page:
    path, *_ = write_report(storage, plan, tmp_path / "report.html")
    return Page(path)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return report(tmp_path_factory.mktemp("report"), toy.toy_comparison(replicates=2, trials=12))


def test_the_page_fetches_nothing_and_says_so_to_the_browser(page: Page) -> None:
    assert page.addresses == ["data:,"]


def test_plotly_is_inside_the_page_once(tmp_path: Path) -> None:
    path, *_ = write_report(toy.toy_comparison(replicates=1, trials=8), "toy", tmp_path / "r.html")
    assert path.read_text(encoding="utf-8").count("* plotly.js v") == 1


def test_every_study_has_each_of_optunas_plots(page: Page) -> None:
    for number in range(3):
        for replicate in range(2):
            for plot in PLOTS:
                assert f"study-{number}-{replicate}-{plot}" in page.figures
    assert {"all-history", "all-edf"} <= set(page.figures)


def test_a_sampler_that_draws_its_own_work_is_shown_at_it(page: Page) -> None:
    own = [name for name in page.figures if name.endswith("-sampler")]
    assert own == ["study-2-0-sampler", "study-2-1-sampler"], "pso, third of the samplers, draws; the others do not"
    assert len(page.data["study-2-0-sampler"]["frames"]) == 12
    assert "Large dots are the particles where they stand" in page.text


def test_every_figure_has_its_data(page: Page) -> None:
    assert sorted(page.figures) == sorted(page.data)
    assert all(figure["data"] for figure in page.data.values())


def test_texts_of_users_are_shown_and_never_executed(page: Page) -> None:
    assert '<script>alert("x")</script> & “quotes”' in page.text
    assert "cpu <2 cores>" in page.text


def test_the_winners_are_in_the_table_and_in_the_json(tmp_path: Path) -> None:
    _, numbers, _ = write_report(toy.toy_comparison(replicates=2, trials=12), "toy", tmp_path / "r.html")
    facts = json.loads(numbers.read_text(encoding="utf-8"))
    shown = Page(tmp_path / "r.html").text
    assert len(facts["studies"]) == 6
    for study in facts["studies"]:
        assert f"{100 * study['score']:.2f} %" in shown
        assert f"C1={study['params']['C1']}" in shown


def test_the_json_says_what_was_compared_with_which_versions(tmp_path: Path) -> None:
    _, numbers, _ = write_report(toy.toy_comparison(replicates=1, trials=8), "toy", tmp_path / "r.html")
    facts = json.loads(numbers.read_text(encoding="utf-8"))
    assert facts["planned"] == {"trials": 8, "epochs": None, "replicates": 1}
    assert list(facts["fingerprint"]["sampler"]) == ["grid", "random", "pso"]
    assert facts["provenance"] == [toy.PROVENANCE]
    assert {"hpo-optuna", "optuna", "plotly"} <= set(facts["versions"])


def test_the_csv_has_a_row_for_every_trial(tmp_path: Path) -> None:
    storage = toy.toy_comparison(replicates=1, trials=8)
    *_, trials = write_report(storage, "toy", tmp_path / "r.html")
    with trials.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 * 3 + 5


def test_one_replicate_is_said_to_prove_nothing(tmp_path: Path) -> None:
    shown = report(tmp_path, toy.toy_comparison(replicates=1, trials=8)).text
    assert "one replicate proves nothing about the samplers" in shown


def test_failed_diverged_retried_and_void_trials_are_told_apart(page: Page) -> None:
    assert "ValueError:" in page.text
    assert "diverged: NaN" in page.text
    assert "1 trial took the place of an interrupted or failed one." in page.text
    assert "1 trial should not have been asked for" in page.text


def test_a_comparison_without_a_complete_trial_is_reported(tmp_path: Path) -> None:
    rows = [
        toy.trial(0, "RUNNING", {"C1": 3, "C3": 5, "F6": 17}, [0.1]),
        toy.trial(1, "WAITING", {}, []),
        toy.trial(2, "PRUNED", {"C1": 4, "C3": 5, "F6": 17}, [0.1]),
    ]
    storage = InMemoryStorage()
    toy.add_study(storage, "toy", "pso", 0, rows)
    shown = report(tmp_path, storage)
    assert "no complete trial" in shown.text
    assert "No trial is complete yet." in shown.text
    assert shown.figures == ["all-coverage", "study-0-0-intermediate", "study-0-0-timeline"]


def test_a_study_without_any_trial_is_reported(tmp_path: Path) -> None:
    storage = InMemoryStorage()
    toy.add_study(storage, "toy", "pso", 0, [], planned={"trials": 3, "epochs": None, "replicates": 1})
    shown = report(tmp_path, storage)
    assert shown.figures == []
    assert "No trial has started yet." in shown.text


def test_a_single_complete_trial_gets_the_plots_that_make_sense(tmp_path: Path) -> None:
    storage = InMemoryStorage()
    toy.add_study(storage, "toy", "pso", 0, [toy.trial(0, "COMPLETE", {"C1": 3, "C3": 5, "F6": 17}, [0.1, 0.2])])
    shown = report(tmp_path, storage)
    assert "It needs two complete trials; 1 of its trials is complete." in shown.text
    assert "study-0-0-slice" in shown.figures
    assert "study-0-0-contour" not in shown.figures


def test_one_hyperparameter_is_enough_for_a_report(tmp_path: Path) -> None:
    space = {"C1": IntDistribution(2, 32)}
    rows = [toy.trial(i, "COMPLETE", {"C1": 3 + i}, [0.1 * i], space=space) for i in range(4)]
    storage = InMemoryStorage()
    toy.add_study(storage, "toy", "pso", 0, rows, space=space)
    assert "It needs two hyperparameters that vary between complete trials." in report(tmp_path, storage).text


def test_equal_scores_have_no_importances(tmp_path: Path) -> None:
    rows = [toy.trial(i, "COMPLETE", {"C1": 3 + i, "C3": 5 + i, "F6": 17}, [0.5]) for i in range(4)]
    storage = InMemoryStorage()
    toy.add_study(storage, "toy", "pso", 0, rows)
    assert "All complete trials have the same score." in report(tmp_path, storage).text


def test_infinite_scores_are_reported(tmp_path: Path) -> None:
    rows = [
        toy.trial(i, "COMPLETE", {"C1": 3 + i, "C3": 5 + i, "F6": 17 + i}, [float("inf") if i == 2 else 1.0 * i])
        for i in range(4)
    ]
    storage = InMemoryStorage()
    toy.add_study(storage, "toy", "pso", 0, rows, direction="minimize", metric="loss")
    _, numbers, _ = write_report(storage, "toy", tmp_path / "r.html")
    assert json.loads(numbers.read_text(encoding="utf-8"))["studies"][0]["score"] == 0.0


def test_a_report_that_fails_leaves_the_old_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = toy.toy_comparison(replicates=1, trials=6)
    path = tmp_path / "r.html"
    path.write_text("the old one")
    monkeypatch.setattr(Path, "write_text", _full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_report(storage, "toy", path)
    assert path.read_text() == "the old one"
    assert [path] == list(tmp_path.iterdir())


def _full_disk(path: Path, *args: object, **kwargs: object) -> None:
    path.write_bytes(b"half")
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("name", ["report", "report.pdf"])
def test_a_report_is_named_html(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=re.escape("name it FILE.html")):
        write_report(toy.toy_comparison(replicates=1, trials=2), "toy", tmp_path / name)


def test_an_unknown_plan_is_answered_with_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no study of the plan 'tyo' in this database .it holds toy"):
        write_report(toy.toy_comparison(replicates=1, trials=2), "tyo", tmp_path / "r.html")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the folder .*nowhere does not exist"):
        write_report(toy.toy_comparison(replicates=1, trials=2), "toy", tmp_path / "nowhere" / "r.html")
