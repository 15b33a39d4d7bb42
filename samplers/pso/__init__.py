"""Particle swarm optimization for Optuna, without a state of its own."""

from ._figure import swarm_figure as swarm_figure
from ._sampler import PSOSampler as PSOSampler

__all__ = ["PSOSampler", "swarm_figure"]
