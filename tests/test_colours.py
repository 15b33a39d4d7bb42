"""In figures no two samplers look alike, and what was set by hand is told from what a sampler proposed."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import optuna
import pytest
import toys
from optuna.storages import InMemoryStorage

from hpo_optuna import Budget, HyperparameterOptimizer, SamplerSpec
from hpo_optuna.figures import PALETTE, colours, comparison_drawings, study_drawings
from hpo_optuna.front_section import drawing
from hpo_optuna.registry import SAMPLERS
from hpo_optuna.report import write_report

# Linear RGB as it is seen without one kind of cone: Machado, Oliveira & Fernandes, IEEE TVCG 15:1291 (2009).
VISION = {
    "all cones": np.eye(3),
    "no long": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no middle": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "no short": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
PAPER = {"light": "#ffffff", "dark": "#14181e"}


def linear(colour: str) -> np.ndarray:
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    white = XYZ.sum(axis=1)
    x, y, z = np.cbrt(np.maximum(XYZ @ rgb / white, 216 / 24389))  # no colour here is as dark as the linear part
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(one: str, other: str, seen: np.ndarray) -> float:
    a, b = (lab(np.clip(seen @ linear(c), 0, 1)) for c in (one, other))
    return float(np.linalg.norm(a - b))


@pytest.mark.parametrize("vision", VISION)
def test_any_two_samplers_of_the_registry_have_colours_that_every_eye_tells_apart(vision: str) -> None:
    shade = colours(list(SAMPLERS))
    pairs = combinations(shade.values(), 2)
    assert min(distance(a, b, VISION[vision]) for a, b in pairs) > 16  # as far as the closest of Okabe and Ito's
    assert distance("#000000", "#ffffff", np.eye(3)) == pytest.approx(100, abs=9)  # what the distances are measured by


@pytest.mark.parametrize("paper", PAPER)
def test_every_colour_is_seen_on_light_and_on_dark_paper(paper: str) -> None:
    for colour in PALETTE:
        dark, light = sorted(float(XYZ[1] @ linear(c)) for c in (colour, PAPER[paper]))
        assert (light + 0.05) / (dark + 0.05) > 2


MINE = {"x": 0.5, "n": 2, "k": "b"}


@pytest.fixture(scope="module")
def storage() -> InMemoryStorage:
    """One replicate of three samplers; in two of them one configuration was set by hand, nearly the optimum."""
    storage = InMemoryStorage()
    plan = toys.plan(budget=Budget(trials=5), pruner=None)
    HyperparameterOptimizer(plan, storage).enqueue(MINE, only=["random", "pso"])
    toys.run(plan, storage)
    return storage


def stars(figure) -> list:
    return [t for t in figure.data if t.marker.symbol == "star"]


def test_trials_set_by_hand_are_known_as_such_and_no_others(storage: InMemoryStorage) -> None:
    studies = toys.records.read(storage, "toy")
    found = {s.label: [t.number for t in s if t.by_hand] for s in studies}
    assert found == {"grid": [], "random": [0], "pso": [0]}


def test_stars_with_a_legend_mark_them_in_the_history(storage: InMemoryStorage) -> None:
    records = toys.records.read(storage, "toy")
    studies = {r.name: optuna.load_study(study_name=r.name, storage=storage) for r in records}
    history, _ = comparison_drawings(studies, records, "score")
    [marked] = stars(history.figure)
    shade = colours([r.label for r in records])
    mine = {r.label: r for r in records if r.label != "grid"}
    assert (marked.name, marked.showlegend) == ("set by hand", None)  # a named trace is in the legend
    assert list(marked.x) == [0, 0]
    assert list(marked.y) == [r.trials[0].value for r in mine.values()]
    assert list(marked.marker.color) == [shade[label] for label in mine]
    assert "Stars: configurations set by hand" in history.caption
    timeline = study_drawings(studies["toy/pso/seed-0"], mine["pso"], "score")[-1]
    assert ["set by hand" in text for trace in timeline.figure.data for text in trace.text] == [True] + [False] * 4


def test_without_one_there_are_no_stars() -> None:
    storage = InMemoryStorage()
    records = toys.run(toys.plan(budget=Budget(trials=2)), storage)
    studies = {r.name: optuna.load_study(study_name=r.name, storage=storage) for r in records}
    history, _ = comparison_drawings(studies, records, "score")
    assert stars(history.figure) == []
    assert "Stars" not in history.caption


def test_a_winner_that_was_set_by_hand_is_no_merit_of_its_sampler(storage: InMemoryStorage, tmp_path) -> None:
    records = toys.records.read(storage, "toy")
    by_hand = sum(r.best.by_hand for r in records)
    assert by_hand > 0, "the configuration by hand should win somewhere, or this says nothing"
    page, *_ = write_report(storage, "toy", tmp_path / "page.html")
    assert page.read_text(encoding="utf-8").count("</code> set by hand</td>") == by_hand


def test_a_retry_of_it_is_set_by_hand_too() -> None:
    calls = []

    def interrupted(config, *, seed):
        calls.append(config)
        if len(calls) == 1:
            raise KeyboardInterrupt
        yield from toys.bowl(config, seed=seed)

    storage = InMemoryStorage()
    plan = toys.plan(task=interrupted, budget=Budget(trials=3), samplers={"random": SamplerSpec("random_search")})
    HyperparameterOptimizer(plan, storage).enqueue(MINE)
    with pytest.raises(KeyboardInterrupt):
        toys.run(plan, storage)
    [study] = toys.run(plan, storage)
    assert [t.params == MINE for t in study.finished] == [t.by_hand for t in study.finished] == [True, False, False]


def test_stars_mark_them_among_two_objectives() -> None:
    def pair(config, *, seed):
        yield config["x"], -config["x"]

    plan = toys.plan(
        task=pair,
        direction=("maximize", "minimize"),
        pruner=None,
        samplers={"random": SamplerSpec("random_search")},
        budget=Budget(trials=3),
    )
    optimizer = HyperparameterOptimizer(plan, InMemoryStorage())
    optimizer.enqueue(MINE)
    drawn = drawing(optimizer.run(progress=False).studies, ["gain", "cost"])
    [marked] = stars(drawn.figure)
    assert (marked.name, list(marked.x), list(marked.y)) == ("set by hand", [-0.5], [0.5])
    assert "Stars" in drawn.caption
