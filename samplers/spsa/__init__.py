"""Simultaneous-perturbation stochastic approximation for Optuna, without a state of its own."""

from ._sampler import SPSASampler as SPSASampler

__all__ = ["SPSASampler"]
