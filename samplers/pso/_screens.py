"""Surrogate screens: of several draws of the velocity equation, which one is worth a trial."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from ._swarm import Box, Floats, History

_MAX_ROWS = 150  # a surrogate learns from the rows nearest to the candidates: its cost stays flat
_SMALL = 1e-9


def rbf_screen(candidates: Floats, history: History, index: int, box: Box) -> int:
    """The least of a f(x) + (1 - a)(1 - d(x)): f a cubic radial basis function, d the distance to what is known.

    Both are scaled to [0, 1] over the candidates; the weight a cycles through .3 .6 .9 1, from exploration to
    exploitation (the merit function of Regis & Shoemaker 2007).
    """
    x, y, z = _learn(candidates, history, box)
    weight = (0.3, 0.6, 0.9, 1.0)[index % 4]
    merit = weight * _unit(_interpolate(x, y, z))
    if weight < 1.0:
        known = box.embed(history.seen)
        nearest = np.sqrt(_squares(z, known)).min(axis=1)
        merit = merit + (1.0 - weight) * (1.0 - _unit(nearest))
    return int(np.argmin(merit))


def gp_screen(candidates: Floats, history: History, index: int, box: Box) -> int:
    """The least of mean - sd of a Gaussian process with a Matern-5/2 kernel, a length scale per coordinate."""
    x, y, z = _learn(candidates, history, box)
    mean, sd = _predict(x, y, z, _fit(x, y))
    return int(np.argmin(mean - sd))


def _learn(candidates: Floats, history: History, box: Box) -> tuple[Floats, Floats, Floats]:
    """Positions (m, E) and scores (m,) to learn from, and the candidates (k, E), embedded.

    Scores above the median count as the median: how bad the bad half is says nothing about where the best is.
    """
    x, z = box.embed(history.x), box.embed(candidates)
    y = history.score
    x, inverse = np.unique(x.round(9), axis=0, return_inverse=True)
    y = np.bincount(inverse.ravel(), weights=y) / np.bincount(inverse.ravel())
    y = np.minimum(y, np.median(y))
    if len(y) > _MAX_ROWS:
        near = np.argsort(_squares(z, x).min(axis=0), kind="stable")[:_MAX_ROWS]
        x, y = x[near], y[near]
    return x, (y - y.mean()) / max(y.std(), _SMALL), z


def _interpolate(x: Floats, y: Floats, z: Floats) -> Floats:
    if len(y) > x.shape[1]:
        with contextlib.suppress(np.linalg.LinAlgError):
            return np.asarray(RBFInterpolator(x, y, kernel="cubic", degree=1)(z))
    # Fewer independent positions than a linear tail needs: a kernel that needs none.
    return np.asarray(RBFInterpolator(x, y, kernel="linear", degree=0)(z))


def _unit(values: Floats) -> Floats:
    spread = values.max() - values.min()
    return (values - values.min()) / spread if spread > 0 else np.zeros_like(values)


def _squares(a: Floats, b: Floats) -> Floats:
    """Squared distances, shape (len(a), len(b))."""
    return np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2.0 * a @ b.T, 0.0)


# -- Gaussian process (Rasmussen & Williams 2006, chapters 2 and 5) ---------------------------------------------


def _matern(a: Floats, b: Floats, scales: Floats) -> tuple[Floats, Floats]:
    """The Matern-5/2 kernel and the factor of its derivative by squared differences."""
    r = np.sqrt(5.0 * _squares(a / scales, b / scales))
    e = np.exp(-r)
    return (1.0 + r + r**2 / 3.0) * e, (1.0 + r) * e


def _fit(x: Floats, y: Floats) -> Floats:
    """log length scales (E,) and log noise variance, by maximum of the posterior density."""
    start = np.append(np.full(x.shape[1], math.log(0.5)), math.log(1e-3))
    differences = (x[:, None, :] - x[None, :, :]) ** 2
    bounds = [(math.log(0.05), math.log(20.0))] * x.shape[1] + [(math.log(1e-6), math.log(0.3))]
    result = minimize(
        _loss, start, (x, y, differences), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 10}
    )
    return np.asarray(result.x)


def _loss(theta: Floats, x: Floats, y: Floats, differences: NDArray[Any]) -> tuple[float, Floats]:
    scales, noise = np.exp(theta[:-1]), math.exp(theta[-1])
    kernel, factor = _matern(x, x, scales)
    lower = cholesky(kernel + (noise + 1e-8) * np.eye(len(y)), lower=True, check_finite=False)
    alpha = cho_solve((lower, True), y, check_finite=False)
    inverse = cho_solve((lower, True), np.eye(len(y)), check_finite=False)
    # The signal variance has a closed form: y K^-1 y / m.
    signal = max(float(y @ alpha) / len(y), _SMALL)
    loss = 0.5 * len(y) * math.log(signal) + np.log(np.diag(lower)).sum()
    outer = inverse - np.outer(alpha, alpha) / signal
    weighted = outer * factor
    gradient = np.empty_like(theta)
    gradient[:-1] = 5.0 / 6.0 * np.einsum("ij,ijk->k", weighted, differences) / scales**2
    gradient[-1] = 0.5 * noise * np.trace(outer)
    # Weak priors: log scales around log 0.5, log noise around log 1e-3.
    prior = np.append((theta[:-1] - math.log(0.5)) / 1.0**2, (theta[-1] - math.log(1e-3)) / 2.0**2)
    loss += 0.5 * (((theta[:-1] - math.log(0.5)) / 1.0) ** 2).sum() + 0.5 * ((theta[-1] - math.log(1e-3)) / 2.0) ** 2
    return float(loss), gradient + prior


def _predict(x: Floats, y: Floats, z: Floats, theta: Floats) -> tuple[Floats, Floats]:
    scales, noise = np.exp(theta[:-1]), math.exp(theta[-1])
    kernel, _ = _matern(x, x, scales)
    lower = cholesky(kernel + (noise + 1e-8) * np.eye(len(y)), lower=True, check_finite=False)
    cross, _ = _matern(z, x, scales)
    alpha = cho_solve((lower, True), y, check_finite=False)
    v = solve_triangular(lower, cross.T, lower=True, check_finite=False)
    signal = max(float(y @ alpha) / len(y), _SMALL)
    return cross @ alpha, np.sqrt(np.maximum(signal * (1.0 - (v**2).sum(axis=0)), 0.0))
