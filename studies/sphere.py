"""The engine explained, without a network: minimise x² + y² by a task that is eight lines of Python.

hpo-optuna run sphere
"""

import numpy as np
from optuna.distributions import FloatDistribution

from hpo_optuna import Budget, ComparisonPlan, SamplerSpec


def noisy_sphere(config, *, seed):
    """A task is a generator of scores: here ten 'epochs' that close in on x² + y², with a little noise."""
    rng = np.random.default_rng(seed)
    value = config["x"] ** 2 + config["y"] ** 2
    for epoch in range(10):
        yield value + 2.0 ** (3 - epoch) + 0.01 * rng.standard_normal()


PLAN = ComparisonPlan(
    name="sphere",
    task=noisy_sphere,
    space={"x": FloatDistribution(-5.0, 5.0), "y": FloatDistribution(-5.0, 5.0)},
    samplers={
        "grid": SamplerSpec("grid_search", points=5),
        "random": SamplerSpec("random_search"),
        "pso": SamplerSpec("pso"),
    },
    budget=Budget(trials=25),
    replicates=2,
    direction="minimize",
)
