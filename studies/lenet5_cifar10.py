"""The headline comparison: three samplers tune LeNet5's widths on CIFAR-10, 10 epochs a trial, 8 replicates.

hpo-optuna run lenet5_cifar10 --workers 2

About a day on two cores; interrupt it whenever you like, the same command resumes it. ``--replicates 1`` is a first
look of about an hour.
"""

from optuna.distributions import IntDistribution
from optuna.pruners import MedianPruner

from hpo_optuna import Budget, ComparisonPlan, SamplerSpec
from hpo_optuna.tasks import LeNet5Task

PLAN = ComparisonPlan(
    name="lenet5-cifar10",
    task=LeNet5Task(data="cifar10", epochs=10),
    space={
        "C1": IntDistribution(2, 32),  # channels of the first convolution
        "C3": IntDistribution(4, 64),  # channels of the second convolution
        "F6": IntDistribution(16, 256, log=True),  # width of the dense layer
    },
    samplers={
        "grid": SamplerSpec("grid_search", points=3),
        "random": SamplerSpec("random_search"),
        "pso": SamplerSpec("pso"),
    },
    budget=Budget(trials=27),
    replicates=8,
    seed=0,
    direction="maximize",
    pruner=MedianPruner(n_startup_trials=5, n_warmup_steps=2),
)
