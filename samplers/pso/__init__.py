"""Particle swarm optimization for Optuna, without a state of its own."""

from ._sampler import PSOSampler as PSOSampler

__all__ = ["PSOSampler"]
