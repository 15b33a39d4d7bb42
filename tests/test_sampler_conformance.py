"""The samplers pass the tests that Optuna ships for its own."""

from __future__ import annotations

import functools
from collections.abc import Callable

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.testing import pytest_samplers as suite

from hpo_optuna import optuna_samplers
from hpo_optuna.samplers.grid_search import GridSearchSampler
from hpo_optuna.samplers.pso import PSOSampler
from hpo_optuna.samplers.qmc import QMCSampler
from hpo_optuna.samplers.random_search import RandomSearchSampler
from hpo_optuna.samplers.spsa import SPSASampler


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


class TestRandomSearch(suite.BasicSamplerTestCase, suite.RelativeSamplerTestCase, suite.MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return RandomSearchSampler


class TestPSO(suite.BasicSamplerTestCase, suite.RelativeSamplerTestCase, suite.MultiObjectiveSamplerTestCase):
    @pytest.fixture(params=PSOSampler.SCREENS, ids=str)
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], BaseSampler]:
        return functools.partial(PSOSampler, seed=0, screen=request.param)


class TestQMC(suite.BasicSamplerTestCase, suite.RelativeSamplerTestCase, suite.MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return functools.partial(QMCSampler, seed=0)


class TestSPSA(suite.BasicSamplerTestCase, suite.RelativeSamplerTestCase, suite.SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return functools.partial(SPSASampler, seed=0)


class TestTPE(suite.BasicSamplerTestCase, suite.RelativeSamplerTestCase, suite.MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return functools.partial(optuna_samplers.TPE, seed=0, n_startup_trials=0)


class TestNSGA2(suite.BasicSamplerTestCase, suite.MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return functools.partial(optuna_samplers.NSGA2, seed=0)


class TestCMAES(suite.BasicSamplerTestCase, suite.SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return functools.partial(optuna_samplers.CMAES, seed=0)


class TestGridSearch(suite.BasicSamplerTestCase):
    """A grid answers for the parameters it was made of, so of the suite it cannot pass, as Optuna's own cannot,
    the cases that ask one sampler for parameters or ranges that no grid was declared for.
    """

    test_float = None  # asks for x without a grid
    test_int = None
    test_categorical = None
    test_conditional_sample_independent = None
    test_conditional_parameter_objective = None
    test_single_parameter_objective = None
    test_combination_of_different_distributions_objective = None
    test_dynamic_range_objective = None
    test_nan_objective_value = None  # asks for eleven trials of one continuous parameter
    test_partial_fixed_sampling = None  # replaces the grid's value of y: see test_sampler_grid.py

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        space = {
            "a": optuna.distributions.CategoricalDistribution([1]),
            "b": IntDistribution(1, 1),
            "c": IntDistribution(1, 1, log=True),
            "d": FloatDistribution(1.0, 1.0),
            "e": FloatDistribution(1.0, 1.0, log=True),
            "f": FloatDistribution(1.0, 1.0, step=1.0),
        }
        return functools.partial(GridSearchSampler, space | {"g": IntDistribution(0, 9)}, points=10, seed=0)
