"""Late bloomers, without a network: learning curves that cross, and a pruner that judges too early.

hpo-optuna run crossing

A small learning rate learns slowly and ends high, a large one learns fast and ends low, as in much real training. The
median rule without a warm-up sees the first epochs only and stops the trials that would have won. The audit trains all
of them on, so that the report can say what was lost and which warm-up would have kept it.
"""

import numpy as np
from optuna.distributions import FloatDistribution
from optuna.pruners import MedianPruner

from hpo_optuna import Budget, ComparisonPlan, SamplerSpec


def late_bloomer(config, *, seed):
    """Twelve epochs towards a final score in [0, 1]; the higher it is, the later it comes."""
    rng = np.random.default_rng(seed)
    slowness = -np.log10(config["learning_rate"]) / 3  # 0 at a learning rate of 1, 1 at 0.001
    final = 0.55 + 0.35 * np.sin(0.55 * np.pi * slowness) - 0.2 * (config["dropout"] - 0.3) ** 2
    for epoch in range(1, 13):
        risen = 1 / (1 + np.exp(7 * slowness - 1.1 * epoch))
        yield final * risen + 0.003 * rng.standard_normal()


PLAN = ComparisonPlan(
    name="crossing",
    task=late_bloomer,
    space={"learning_rate": FloatDistribution(0.001, 1.0, log=True), "dropout": FloatDistribution(0.0, 0.9)},
    samplers={"random": SamplerSpec("random_search"), "pso": SamplerSpec("pso")},
    budget=Budget(trials=20),
    replicates=3,
    direction="maximize",
    pruner=MedianPruner(n_startup_trials=5, n_warmup_steps=0),
    audit=1.0,
)
