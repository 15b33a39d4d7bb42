"""How many replicates it takes to see a difference, and what the present number can see."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import optimize, stats

POWER, ALPHA = 0.8, 0.05  # the usual ones; the verdict passes its own level


def power(sd: float, difference: float, n: int, alpha: float = ALPHA) -> float:
    """Probability that the two-sided paired t-test of ``n`` replicates finds ``difference``.

    Args:
        sd: of the paired differences of study results.
        difference: true mean difference, in the same unit.
        n: replicates, at least 2.
        alpha: level of the test.
    """
    if n < 2:
        return 0.0
    if sd == 0:
        return 1.0 if difference else alpha
    shift = abs(difference) * n**0.5 / sd
    edge = stats.t.ppf(1 - alpha / 2, n - 1)
    # The far tail matters only for the smallest shifts, and scipy's nct loses digits there for large ones.
    far = float(stats.nct.cdf(-edge, n - 1, shift)) if shift < 5 else 0.0
    return min(1.0, float(stats.nct.sf(edge, n - 1, shift)) + far)


def replicates_needed(sd: float, difference: float, goal: float = POWER, alpha: float = ALPHA) -> int:
    """Smallest number of replicates that finds ``difference`` with probability ``goal``."""
    if difference == 0:
        raise ValueError("no number of replicates finds a difference of 0.")
    high = 2
    while power(sd, difference, high, alpha) < goal:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(sd, difference, middle, alpha) >= goal else (middle, high)
    return max(2, high)


def detectable(sd: float, n: int, goal: float = POWER, alpha: float = ALPHA) -> float:
    """Smallest difference that ``n`` replicates find with probability ``goal``; infinite below two."""
    if n < 2:
        return float("inf")
    if sd == 0:
        return 0.0
    high = sd
    while power(sd, high, n, alpha) < goal:
        high *= 2
    return float(optimize.brentq(lambda d: power(sd, d, n, alpha) - goal, 0.0, high, xtol=1e-6 * sd))


def sd_interval(sd: float, n: int, confidence: float = 0.8) -> tuple[float, float]:
    """Interval of the true SD behind an ``sd`` from ``n`` normal values (chi-square); at least two values.

    Browne (Statistics in Medicine 14:1933, 1995) plans from an upper bound at 80 %, since a pilot's SD is too small
    in more than half of all pilots.
    """
    tail = (1 - confidence) / 2
    low, high = (float(stats.chi2.ppf(q, n - 1)) for q in (1 - tail, tail))
    return sd * ((n - 1) / low) ** 0.5, sd * ((n - 1) / high) ** 0.5


FEW_PAIRS = 5  # below, a pilot's SD is given as a range


@dataclass(frozen=True)
class Need:
    """Replicates needed to see a difference: a number, or the ends of a range where the SD is uncertain."""

    difference: float
    replicates: int
    low: int
    high: int


def needs(sd: float, pairs: int | None, differences: tuple[float, ...], alpha: float = ALPHA) -> list[Need]:
    """Replicates needed for each of ``differences``.

    Args:
        sd: of paired differences: from a pilot, or assumed.
        pairs: of the pilot; fewer than five give a range, None (assumed) does not.
        differences: in the unit of the scores.
        alpha: level of each test; with several comparisons, divided among them.
    """
    ends = sd_interval(sd, pairs) if pairs is not None and 2 <= pairs < FEW_PAIRS else (sd, sd)
    return [
        Need(d, replicates_needed(sd, d, alpha=alpha), *(replicates_needed(s, d, alpha=alpha) for s in ends))
        for d in differences
    ]
