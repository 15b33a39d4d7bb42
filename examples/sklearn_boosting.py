"""A scikit-learn estimator: gradient boosting, ten trees a step, scored on held-out patients; no network needed.

hpo-optuna run examples/sklearn_boosting.py
"""

from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from hpo_optuna import Budget, ComparisonPlan, SamplerSpec


def boosting(config, *, seed):
    x, y = load_breast_cancer(return_X_y=True)
    # The same patients are held out in every trial.
    x, held_out, y, labels = train_test_split(x, y, test_size=0.3, stratify=y, random_state=0)
    model = GradientBoostingClassifier(warm_start=True, n_estimators=0, random_state=seed, **config)
    for _ in range(6):
        model.n_estimators += 10
        model.fit(x, y)
        yield log_loss(labels, model.predict_proba(held_out))


PLAN = ComparisonPlan(
    name="sklearn-boosting",
    task=boosting,
    space={
        "learning_rate": FloatDistribution(1e-3, 1.0, log=True),
        "max_depth": IntDistribution(1, 6),
        "subsample": FloatDistribution(0.3, 1.0),
        "min_samples_leaf": IntDistribution(1, 64, log=True),
    },
    samplers={"random": SamplerSpec("random_search"), "pso": SamplerSpec("pso"), "tpe": SamplerSpec("tpe")},
    budget=Budget(trials=20),
    replicates=5,
    direction="minimize",
)
