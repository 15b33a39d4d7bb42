"""The headline comparison made small: 5,000 training images, 5 epochs and 18 trials, still 8 replicates.

hpo-optuna run lenet5_cifar10_subset --workers 2

What holds here need not hold with all images and twice the epochs.
"""

from dataclasses import replace

from hpo_optuna import Budget, SamplerSpec
from hpo_optuna.studies import lenet5_cifar10
from hpo_optuna.tasks import LeNet5Task

PLAN = replace(
    lenet5_cifar10.PLAN,
    name="lenet5-cifar10-subset",
    task=LeNet5Task(data="cifar10", epochs=5, train_size=5_000, validation=2_500),
    samplers={
        "grid": SamplerSpec("grid_search", points={"C1": 3, "C3": 3, "F6": 2}),  # 18 points: all of it fits
        "random": SamplerSpec("random_search"),
        "pso": SamplerSpec("pso"),
    },
    budget=Budget(trials=18),
)
