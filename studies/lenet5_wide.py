"""The curse of dimensionality, shown: eleven hyperparameters, and a grid that cannot be walked.

hpo-optuna run lenet5_wide --workers 2

Two points for each of the nine numbers, with the three optimizers and the two activations in full, make a grid of
3,072 points. At 6 epochs a trial it takes 18,432 epochs. The budget is 180 for each sampler: about 1 % of the grid,
more where pruning saves epochs, in an order shuffled by the seed. Whatever the budget, the grid visits two values of
each number; random search and the swarm try others in every trial. The report shows it under Health.
"""

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from hpo_optuna import Budget, ComparisonPlan, SamplerSpec
from hpo_optuna.tasks import LeNet5Task

PLAN = ComparisonPlan(
    name="lenet5-wide",
    task=LeNet5Task(data="digits", epochs=6, validation=0.2),
    space={
        "C1": IntDistribution(2, 16),
        "C3": IntDistribution(4, 32),
        "F6": IntDistribution(8, 128, log=True),
        "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
        "batch_size": IntDistribution(16, 256, log=True),
        "weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
        "dropout": FloatDistribution(0.0, 0.5),
        "label_smoothing": FloatDistribution(0.0, 0.2),
        "crop": IntDistribution(0, 3),  # pixels of the random crop; mirrored digits would be wrong
        "optimizer": CategoricalDistribution(("adam", "adamw", "sgd")),
        "activation": CategoricalDistribution(("relu", "tanh")),
    },
    samplers={
        "grid": SamplerSpec("grid_search", points=2),
        "random": SamplerSpec("random_search"),
        "pso": SamplerSpec("pso"),
    },
    budget=Budget(epochs=180),
    replicates=2,
    seed=0,
    direction="maximize",
)
