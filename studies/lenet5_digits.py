"""First contact: three samplers on scikit-learn's bundled digits, minutes on a laptop, no network needed.

hpo-optuna run lenet5_digits --workers 2
"""

from optuna.distributions import IntDistribution
from optuna.pruners import MedianPruner

from hpo_optuna import Budget, ComparisonPlan, SamplerSpec
from hpo_optuna.tasks import LeNet5Task

PLAN = ComparisonPlan(
    name="lenet5-digits",
    # Small batches, since 1,442 training images give few steps an epoch; a fifth held out, since 144 tell little apart.
    task=LeNet5Task(data="digits", epochs=8, fixed={"batch_size": 64}, validation=0.2),
    # Narrow nets reach about .91 here and wide ones about .98, so the widths are worth a search.
    space={
        "C1": IntDistribution(2, 16),
        "C3": IntDistribution(4, 32),
        "F6": IntDistribution(8, 128, log=True),
    },
    samplers={
        "grid": SamplerSpec("grid_search", points=3),
        "random": SamplerSpec("random_search"),
        "pso": SamplerSpec("pso"),
    },
    budget=Budget(trials=20),
    replicates=2,
    seed=0,
    direction="maximize",
    pruner=MedianPruner(n_startup_trials=5, n_warmup_steps=2),
)
