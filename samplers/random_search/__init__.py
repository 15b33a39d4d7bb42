"""Random search for Optuna that survives interruption: every draw is a function of seed, index and name."""

from ._sampler import RandomSearchSampler as RandomSearchSampler

__all__ = ["RandomSearchSampler"]
