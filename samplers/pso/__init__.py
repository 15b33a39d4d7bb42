"""Particle swarm optimization for Optuna, without a state of its own."""

from ._figure import swarm_figure as figure  # the name under which a report looks for a sampler's own figure
from ._figure import swarm_figure as swarm_figure
from ._sampler import PSOSampler as PSOSampler

__all__ = ["PSOSampler", "figure", "swarm_figure"]
