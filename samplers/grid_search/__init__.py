"""Grid search for Optuna that evaluates every point exactly once, whatever dies."""

from ._sampler import GridExhausted as GridExhausted
from ._sampler import GridSearchSampler as GridSearchSampler

__all__ = ["GridExhausted", "GridSearchSampler"]
