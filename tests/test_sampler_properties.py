"""Whatever the space and whatever has happened: every sampler proposes a point of the space, and the same one again."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from hpo_optuna.registry import SAMPLERS, make_sampler

OPTIONS: dict[str, dict[str, Any]] = {  # early out of the random beginning, that there is something to see
    "tpe": {"n_startup_trials": 3},
    "gp": {"n_startup_trials": 3},
    "cmaes": {"popsize": 4},
    "nsga2": {"population_size": 3},
    "pso": {"n_particles": 3},
}
EXAMPLES = {"gp": 4, "tpe": 15}  # the slow ones; of the others 40
LARGEST = {"tpe": 1e6, "gp": 1e6, "cmaes": 1e6}  # beyond, numpy warns of what Optuna computes; of the others 1e300

Space = dict[str, BaseDistribution]


@st.composite
def floats(draw: st.DrawFn, largest: float) -> FloatDistribution:
    low, width = draw(st.floats(-largest, largest)), draw(st.floats(0, largest))
    return FloatDistribution(low, low + width)


@st.composite
def log_floats(draw: st.DrawFn, largest: float) -> FloatDistribution:
    low, factor = draw(st.floats(1 / largest, 1e4)), draw(st.floats(1, largest))
    return FloatDistribution(low, low * factor, log=True)


@st.composite
def stepped_floats(draw: st.DrawFn) -> FloatDistribution:
    # In decimals, since Optuna remarks on an end that misses the grid by a rounding error.
    step = Decimal(draw(st.sampled_from(["0.1", "0.25", "0.003", "2"])))
    low = Decimal(draw(st.integers(-100, 100))) / 10
    return FloatDistribution(float(low), float(low + step * draw(st.integers(0, 20))), step=float(step))


@st.composite
def ints(draw: st.DrawFn) -> IntDistribution:
    low, step = draw(st.integers(-1_000_000, 1_000_000)), draw(st.integers(1, 50))
    return IntDistribution(low, low + step * draw(st.integers(0, 1000)), step=step)


@st.composite
def log_ints(draw: st.DrawFn, largest: float) -> IntDistribution:
    low = draw(st.integers(1, 1000))
    return IntDistribution(low, low + draw(st.integers(0, min(int(largest), 2**62))), log=True)


CHOICES = st.lists(st.sampled_from(["adam", "sgd", "", 1, 2.5, -3, None]), min_size=1, max_size=5, unique_by=repr)
SINGLES = [FloatDistribution(0.5, 0.5), IntDistribution(3, 3), CategoricalDistribution(["only"])]


def spaces(largest: float) -> st.SearchStrategy[Space]:
    """Two parameters of one kind, one of every kind, or any few; numbers up to about `largest`."""
    kinds: dict[str, st.SearchStrategy[BaseDistribution]] = {
        "float": floats(largest),
        "log float": log_floats(largest),
        "stepped float": stepped_floats(),
        "int": ints(),
        "log int": log_ints(largest),
        "categorical": CHOICES.map(CategoricalDistribution),
        "one value": st.sampled_from(SINGLES),
    }
    return st.one_of(
        *(st.fixed_dictionaries({"a": kind, "b": kind}) for kind in kinds.values()),
        st.fixed_dictionaries(kinds),
        st.dictionaries(st.sampled_from("abcd"), st.one_of(*kinds.values()), min_size=1),
    )


SCORES = st.one_of(st.floats(-1e6, 1e6), st.sampled_from(["pruned", "failed"]))
INFINITE = st.sampled_from([math.inf, -math.inf])


def search(name: str, space: Space, seed: int, ends: list[float | str], *, anew: bool) -> list[dict[str, Any]]:
    """What the sampler proposes for one trial after the other, each with its end; `anew`: built again for each."""

    def build() -> optuna.samplers.BaseSampler:
        return make_sampler(name, space, seed=seed, **OPTIONS.get(name, {}))

    study = optuna.create_study(study_name="study", sampler=build())
    for end in ends:
        if anew:
            study.sampler = build()
        remaining = getattr(study.sampler, "remaining", lambda _: 1)
        if not remaining(study) and not any(t.state == TrialState.WAITING for t in study.get_trials(deepcopy=False)):
            break  # a grid is at its end
        trial = study.ask(space)
        if end == "failed":
            study.tell(trial, state=TrialState.FAIL)
        elif end == "pruned":
            trial.report(1.0, 0)
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, float(end))
    return [trial.params for trial in study.trials]


def belongs(value: Any, distribution: BaseDistribution) -> bool:
    """Whether the value is of the right type, inside, and on the grid, by the book rather than by Optuna's code."""
    if isinstance(distribution, CategoricalDistribution):
        return any(type(value) is type(choice) and value == choice for choice in distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    kind = int if isinstance(distribution, IntDistribution) else float
    if type(value) is not kind or not distribution.low <= value <= distribution.high:
        return False
    if distribution.step is None:
        return True
    steps = (value - distribution.low) / distribution.step
    return abs(steps - round(steps)) < 1e-9


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_proposal_is_a_point_of_the_space_and_the_same_again_in_a_new_process(name: str) -> None:
    ends = SCORES if name == "gp" else SCORES | INFINITE  # of which the Gaussian process warns

    @settings(
        derandomize=True, database=None, deadline=None, max_examples=EXAMPLES.get(name, 40),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        space=spaces(LARGEST.get(name, 1e300)),
        seed=st.integers(0, 2**32 - 1),
        ends=st.lists(ends, min_size=4, max_size=8),
    )
    def hold(space: Space, seed: int, ends: list[float | str]) -> None:
        proposed = search(name, space, seed, ends, anew=False)
        assert proposed
        for params in proposed:
            assert params.keys() == space.keys()
            for parameter, value in params.items():
                assert belongs(value, space[parameter]), (parameter, value)
        assert search(name, space, seed, ends, anew=True) == proposed

    hold()
