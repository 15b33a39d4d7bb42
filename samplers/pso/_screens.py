"""Surrogate screens: of several draws of the velocity equation, which one is worth a trial."""

from __future__ import annotations

import contextlib
import math

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.linalg import cho_solve, cholesky, lapack, solve_triangular
from scipy.optimize import minimize

from ._swarm import Box, Floats, History

_MAX_ROWS = 150  # a surrogate learns from the rows nearest to the candidates: its cost stays flat
_SMALL = 1e-9
_LOG_SCALE, _LOG_NOISE = math.log(0.5), math.log(1e-3)  # centres of weak priors
_MAX_STEPS = 8


def rbf_screen(candidates: Floats, history: History, index: int, box: Box) -> int:
    """The least of a f(x) + (1 - a)(1 - d(x)): f a cubic radial basis function, d the distance to what is known.

    Both are scaled to [0, 1] over the candidates; the weight a cycles through .3 .6 .9 1, from exploration to
    exploitation (the merit function of Regis & Shoemaker 2007).
    """
    x, y, z = _learn(candidates, history, box)
    weight = (0.3, 0.6, 0.9, 1.0)[index % 4]
    merit = weight * _unit(_interpolate(x, y, z))
    if weight < 1.0:
        known = box.embed(history.seen if len(history.seen) else history.x)
        nearest = np.sqrt(_squares(z, known[_near(z, known)])).min(axis=1)
        merit = merit + (1.0 - weight) * (1.0 - _unit(nearest))
    return int(np.argmin(merit))


def gp_screen(candidates: Floats, history: History, index: int, box: Box) -> int:  # noqa: ARG001 (a Screen)
    """The least of mean - sd of a Gaussian process with a Matern-5/2 kernel, a length scale per coordinate."""
    x, y, z = _learn(candidates, history, box)
    mean, sd = _predict(x, y, z, _fit(x, y))
    return int(np.argmin(mean - sd))


def _learn(candidates: Floats, history: History, box: Box) -> tuple[Floats, Floats, Floats]:
    """Positions (m, E) and scores (m,) to learn from, and the candidates (k, E), embedded.

    Scores above the median count as the median: how bad the bad half is says nothing about where the best is.
    """
    x, z = box.embed(history.x), box.embed(candidates)
    near = _near(z, x)
    x, y = x[near], np.minimum(history.score, np.median(history.score))[near]
    x, inverse = np.unique(x.round(9), axis=0, return_inverse=True)
    y = np.bincount(inverse.ravel(), weights=y) / np.bincount(inverse.ravel())
    y = y / 2.0 - y.min() / 2.0  # scaled before it is standardised: squares of large numbers overflow
    y = y / y.max() if y.any() else y
    return x, (y - y.mean()) / max(y.std(), _SMALL), z


def _near(z: Floats, x: Floats) -> NDArray[np.int64]:
    """The rows of x nearest to the middle of z, not more than a surrogate can learn from at a constant cost."""
    if len(x) <= _MAX_ROWS:
        return np.arange(len(x))
    squares = ((x - z.mean(axis=0)) ** 2).sum(axis=1)
    return np.argpartition(squares, _MAX_ROWS)[:_MAX_ROWS]


def _interpolate(x: Floats, y: Floats, z: Floats) -> Floats:
    if len(y) > x.shape[1]:
        with contextlib.suppress(np.linalg.LinAlgError):
            return np.asarray(RBFInterpolator(x, y, kernel="cubic", degree=1)(z))
    # Fewer independent positions than a linear tail needs: a kernel that needs none.
    return np.asarray(RBFInterpolator(x, y, kernel="linear", degree=0)(z))


def _unit(values: Floats) -> Floats:
    spread = values.max() - values.min()
    return np.asarray((values - values.min()) / spread) if spread > 0 else np.zeros_like(values)


def _squares(a: Floats, b: Floats) -> Floats:
    """Squared distances, shape (len(a), len(b))."""
    return np.asarray(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2.0 * a @ b.T, 0.0))


# -- Gaussian process (Rasmussen & Williams 2006, chapters 2 and 5) ---------------------------------------------


def _matern(a: Floats, b: Floats, scales: Floats) -> tuple[Floats, Floats]:
    """The Matern-5/2 kernel k(r) and -3 k'(r) / r, shape (len(a), len(b))."""
    r = np.sqrt(5.0 * _squares(a / scales, b / scales))
    e = np.exp(-r)
    slope = (1.0 + r) * e
    return slope + r**2 / 3.0 * e, slope


def _fit(x: Floats, y: Floats) -> Floats:
    """log length scales (E,) and log noise variance at the maximum of their posterior density."""
    start = np.append(np.full(x.shape[1], _LOG_SCALE), _LOG_NOISE)
    bounds = [(math.log(0.05), math.log(20.0))] * x.shape[1] + [(math.log(1e-6), math.log(0.3))]
    found = minimize(_loss, start, (x, y), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _MAX_STEPS})
    return np.asarray(found.x)


def _loss(theta: Floats, x: Floats, y: Floats) -> tuple[float, Floats]:
    """Minus the log posterior of (log scales, log noise), and its gradient; the signal variance in closed form."""
    scales, noise = np.exp(theta[:-1]), math.exp(theta[-1])
    kernel, slope = _matern(x, x, scales)
    lower = _factor(kernel, noise)
    alpha = cho_solve((lower, True), y, check_finite=False)
    signal = max(float(y @ alpha) / len(y), _SMALL)
    inverse = lapack.dpotri(lower, lower=1)[0]
    inverse = inverse + np.tril(inverse, -1).T
    outer = inverse - np.outer(alpha, alpha) / signal
    # sum_ij w_ij (x_ik - x_jk)^2 for every coordinate k, w being symmetric
    w = outer * slope
    squares = 2.0 * ((w.sum(axis=1) @ x**2) - (x * (w @ x)).sum(axis=0))
    gradient = np.append(5.0 / 6.0 * squares / scales**2, 0.5 * noise * np.trace(outer))
    away = (theta - np.append(np.full(len(scales), _LOG_SCALE), _LOG_NOISE)) / np.append(np.ones(len(scales)), 2.0)
    loss = 0.5 * len(y) * math.log(signal) + np.log(np.diag(lower)).sum() + 0.5 * (away**2).sum()
    return float(loss), gradient + away / np.append(np.ones(len(scales)), 2.0)


def _factor(kernel: Floats, noise: float) -> Floats:
    """The lower triangle whose product with its transpose is the kernel with noise."""
    return np.asarray(cholesky(kernel + (noise + 1e-8) * np.eye(len(kernel)), lower=True, check_finite=False))


def _predict(x: Floats, y: Floats, z: Floats, theta: Floats) -> tuple[Floats, Floats]:
    scales, noise = np.exp(theta[:-1]), math.exp(theta[-1])
    kernel, _ = _matern(x, x, scales)
    lower = _factor(kernel, noise)
    cross, _ = _matern(z, x, scales)
    alpha = cho_solve((lower, True), y, check_finite=False)
    v = solve_triangular(lower, cross.T, lower=True, check_finite=False)
    signal = max(float(y @ alpha) / len(y), _SMALL)
    return cross @ alpha, np.sqrt(np.maximum(signal * (1.0 - (v**2).sum(axis=0)), 0.0))
