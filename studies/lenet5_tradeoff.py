"""Two objectives: LeNet5's accuracy on the bundled digits against its number of parameters, minutes on a laptop.

hpo-optuna run lenet5_tradeoff --workers 2

These widths span nets of 824 to 134,378 parameters. The page shows each sampler's front and compares what the fronts
dominate (hypervolume) against the reference point below: a net at chance, larger than the largest.
"""

from optuna.distributions import IntDistribution

from hpo_optuna import Budget, ComparisonPlan, SamplerSpec
from hpo_optuna.tasks import LeNet5Task

PLAN = ComparisonPlan(
    name="lenet5-tradeoff",
    task=LeNet5Task(data="digits", epochs=6, fixed={"batch_size": 64}, validation=0.2, costs=("parameters",)),
    space={
        "C1": IntDistribution(2, 16),
        "C3": IntDistribution(2, 32),
        "C5": IntDistribution(8, 128, log=True),
        "F6": IntDistribution(8, 128, log=True),
    },
    samplers={
        "grid": SamplerSpec("grid_search", points=2),
        "random": SamplerSpec("random_search"),
        "pso": SamplerSpec("pso"),
        "tpe": SamplerSpec("tpe"),
        "nsga2": SamplerSpec("nsga2", population_size=8),
    },
    budget=Budget(trials=24),
    replicates=2,
    seed=0,
    direction=("maximize", "minimize"),
    pruner=None,
    reference=(0.1, 140_000.0),
)
