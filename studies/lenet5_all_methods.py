"""Every sampler of the registry on one small problem: nine methods on the bundled digits, minutes on a laptop.

hpo-optuna run lenet5_all_methods --workers 2

It shows that each method runs, resumes and is compared through one door. It is too small to say which one is best: 12
trials are few for methods that learn from trials, and two replicates tell only large differences apart. The options
below shorten each method's beginning, in which it draws at random, so that 12 trials show some of its own.
"""

from optuna.distributions import FloatDistribution, IntDistribution

from hpo_optuna import Budget, ComparisonPlan, SamplerSpec
from hpo_optuna.tasks import LeNet5Task

PLAN = ComparisonPlan(
    name="lenet5-all-methods",
    task=LeNet5Task(data="digits", epochs=5, fixed={"batch_size": 64}, validation=0.2),
    space={
        "C1": IntDistribution(2, 16),
        "C3": IntDistribution(4, 32),
        "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
    },
    samplers={
        "grid": SamplerSpec("grid_search", points={"C1": 2, "C3": 2, "learning_rate": 3}),  # 12 points: all of it
        "random": SamplerSpec("random_search"),
        "qmc": SamplerSpec("qmc"),
        "pso": SamplerSpec("pso", n_particles=3, n_startup_trials=4),
        "spsa": SamplerSpec("spsa"),
        "tpe": SamplerSpec("tpe", n_startup_trials=4),
        "gp": SamplerSpec("gp", n_startup_trials=4),
        "cmaes": SamplerSpec("cmaes", popsize=4),
        "nsga2": SamplerSpec("nsga2", population_size=4),
    },
    budget=Budget(trials=12),
    replicates=2,
    seed=0,
    direction="maximize",
    pruner=None,  # gp, cmaes and nsga2 learn from complete trials only
)
