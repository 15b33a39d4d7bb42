"""Statistics of paired replicates: arrays in, numbers out; numpy and scipy only.

The unit is the replicate. In replicate r all samplers have the same training seeds, so they are compared replicate by
replicate. Scores are oriented by the caller: larger is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array: TypeAlias = NDArray[np.float64]

TIES: Final = 5  # so many equal differences, and no fewer, may show that two samplers are equivalent


@dataclass(frozen=True)
class Difference:
    """Mean of paired differences with its Student-t interval.

    Attributes:
        n: pairs.
        mean, sd: of the differences; sd with n - 1, NaN below two pairs.
        low, high: ends of the interval; NaN below two pairs, or where the differences have no spread.
        p: of the two-sided paired t-test; NaN likewise.
    """

    n: int
    mean: float
    sd: float
    low: float
    high: float
    p: float


def paired_difference(a: Array, b: Array, confidence: float = 0.95) -> Difference:
    """How much better ``a`` is than ``b``, pair by pair; both of shape (n,).

    Student's interval, since bootstrap intervals undercover at the handful of pairs there are.
    """
    d = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    n = len(d)
    mean = float(d.mean()) if n else float("nan")
    if n < 2:
        return Difference(n, mean, *[float("nan")] * 4)
    sd = float(d.std(ddof=1))
    if sd <= 1e-12 * max(1.0, abs(mean)):
        # Equal differences: a t of infinity would prove anything from two pairs of rounded scores.
        zero = 0.0 if mean == 0 else float("nan")
        return Difference(n, mean, 0.0, zero, zero, 1.0 if mean == 0 else float("nan"))
    half = float(stats.t.ppf(0.5 + confidence / 2, n - 1)) * sd / n**0.5
    p = 2 * float(stats.t.sf(abs(mean) * n**0.5 / sd, n - 1))
    return Difference(n, mean, sd, mean - half, mean + half, p)


def probability_better(a: Array, b: Array, confidence: float = 0.95) -> tuple[float, float, float]:
    """Share of pairs in which ``a`` is better, ties counted half, with the Clopper-Pearson interval.

    Clopper and Pearson, Biometrika 26:404 (1934); by the beta distribution, which takes half wins as well.
    """
    d = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    wins, n = float((d > 0).sum() + 0.5 * (d == 0).sum()), len(d)
    return (wins / n, *clopper_pearson(wins, n, confidence)) if n else (float("nan"), 0.0, 1.0)


def clopper_pearson(successes: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of a proportion: it covers at least at the stated rate at any n."""
    tail = (1 - confidence) / 2
    low = float(stats.beta.ppf(tail, successes, n - successes + 1)) if successes > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, successes + 1, n - successes)) if successes < n else 1.0
    return low, high


def wilcoxon(a: Array, b: Array) -> float:
    """Two-sided p of Wilcoxon's signed-rank test on the pairs, exact at the few pairs there are.

    Zeros are ranked (Pratt's method): scores of a few thousand images are coarse.
    """
    d = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    d = np.round(d, 12)  # 0.3 - 0.2 and 0.2 - 0.1 are a tie
    return float(stats.wilcoxon(d, zero_method="pratt").pvalue) if d.any() else 1.0


def least_pairs(comparisons: int, alpha: float = 0.05) -> int:
    """Pairs below which Wilcoxon's test cannot reach ``alpha`` after Holm's correction, whatever the scores."""
    n = 1
    while comparisons * 2.0 ** (1 - n) > alpha:
        n += 1
    return n


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p of several tests at once, by Holm's step-down method; NaN stays NaN and counts as a test.

    Holm, Scandinavian Journal of Statistics 6:65 (1979).
    """
    order = sorted(range(len(p)), key=lambda i: float("inf") if np.isnan(p[i]) else p[i])
    adjusted = [float("nan")] * len(p)
    running = 0.0
    for rank, i in enumerate(order):
        if not np.isnan(p[i]):
            running = max(running, min(1.0, (len(p) - rank) * p[i]))
            adjusted[i] = running
    return adjusted


def equivalence(a: Array, b: Array, margin: float) -> float:
    """p of two one-sided t-tests: small where the mean difference lies within +-``margin``.

    Schuirmann, J. Pharmacokin. Biopharm. 15:657 (1987). At level alpha the same as the 1 - 2 alpha interval lying
    within the margin. NaN below two pairs, and below five that do not differ among each other: two ties are no proof.
    """
    d = paired_difference(a, b)
    if d.n < 2 or np.isnan(d.p) or (d.sd == 0 and d.n < TIES):
        return float("nan")
    if d.sd == 0:
        return 0.0 if abs(d.mean) < margin else 1.0
    return float(stats.t.sf((margin - abs(d.mean)) * d.n**0.5 / d.sd, d.n - 1))


def band(values: Array, confidence: float = 0.95, draws: int = 1000) -> tuple[Array, Array, Array]:
    """Mean over replicates with a percentile-bootstrap band.

    Args:
        values: shape (replicates, grid); NaN where a replicate has no value.
        confidence: of the band, point by point.
        draws: bootstrap samples of whole replicates, always the same ones.

    Returns:
        mean, low, high: shape (grid,), NaN where a replicate is missing. Below three replicates there is no band: low
        and high are NaN.
    """
    mean = values.mean(axis=0)  # NaN where one is NaN
    if len(values) < 3:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    chosen = np.random.default_rng([0, len(values)]).integers(len(values), size=(draws, len(values)))
    weights = np.stack([(chosen == r).mean(axis=1) for r in range(len(values))], axis=1)
    means = weights @ np.nan_to_num(values)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    missing = np.isnan(mean)
    return mean, np.where(missing, np.nan, low), np.where(missing, np.nan, high)


def average_ranks(values: Array) -> Array:
    """Average rank of each sampler at each cost; 1 is best, ties share their ranks.

    Args:
        values: shape (samplers, replicates, grid), larger is better; NaN ranks last.

    Returns:
        Shape (samplers, grid).
    """
    filled = np.where(np.isnan(values), -np.inf, values)
    return np.asarray(stats.rankdata(-filled, axis=0).mean(axis=1))


@dataclass(frozen=True)
class SpeedUp:
    """How much sooner one sampler reaches what both reach.

    Attributes:
        a_cost, b_cost: what each spends, on average curves, to reach the worse of the two final scores.
        ratio: b_cost / a_cost; above 1, the first is faster.
        low, high: its percentile-bootstrap interval over replicates.
    """

    a_cost: float
    b_cost: float
    ratio: float
    low: float
    high: float


def speed_up(a: Array, b: Array, grid: Array, confidence: float = 0.95, draws: int = 1000) -> SpeedUp | None:
    """Speed-up of ``a`` over ``b``, both of shape (replicates, grid), larger is better; None where one has no score.

    Paired replicates are drawn together. A bootstrap interval is too narrow at few replicates: take it as a lower
    bound of the doubt.
    """
    whole = _costs(a.mean(axis=0), b.mean(axis=0), grid)
    if whole is None:
        return None
    chosen = np.random.default_rng([1, len(a)]).integers(len(a), size=(draws, len(a)))
    costs = [c for rows in chosen if (c := _costs(a[rows].mean(axis=0), b[rows].mean(axis=0), grid))]
    low, high = np.quantile([cb / ca for ca, cb in costs], [(1 - confidence) / 2, (1 + confidence) / 2])
    return SpeedUp(*whole, whole[1] / whole[0], float(low), float(high))


def _costs(a: Array, b: Array, grid: Array) -> tuple[float, float] | None:
    if np.isnan(a[-1]) or np.isnan(b[-1]):
        return None
    target = min(a[-1], b[-1])
    reached = [grid[int(np.argmax(np.nan_to_num(x, nan=-np.inf) >= target - 1e-12))] for x in (a, b)]
    return float(reached[0]), float(reached[1])


def average_task_ranks(scores: Array) -> Array:
    """Average rank of each sampler over tasks; ``scores`` of shape (tasks, samplers), larger is better; 1 is best."""
    return np.asarray(stats.rankdata(-np.asarray(scores), axis=1).mean(axis=0))


def friedman(scores: Array) -> tuple[float, Array]:
    """p of Friedman's test that samplers differ over tasks, and their average ranks (1 is best).

    Args:
        scores: shape (tasks, samplers), larger is better; at least three samplers and two tasks.
    """
    ranks = stats.rankdata(-np.asarray(scores), axis=1)
    if np.ptp(ranks) == 0:
        return 1.0, ranks.mean(axis=0)
    return float(stats.friedmanchisquare(*np.asarray(scores).T).pvalue), ranks.mean(axis=0)


def critical_difference(samplers: int, tasks: int, alpha: float = 0.05) -> float:
    """Nemenyi's critical difference of average ranks (Demšar, JMLR 7:1, 2006, eq. 6)."""
    q = float(stats.studentized_range.ppf(1 - alpha, samplers, np.inf)) / 2**0.5
    return float(q * (samplers * (samplers + 1) / (6.0 * tasks)) ** 0.5)
