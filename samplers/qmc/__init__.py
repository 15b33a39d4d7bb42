"""Quasi-random search for Optuna that survives interruption: trial i is point i of one scrambled Sobol sequence."""

from ._sampler import QMCSampler as QMCSampler

__all__ = ["QMCSampler"]
