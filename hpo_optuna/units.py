"""Numbers in words: scores, differences of scores, durations."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """How scores are written: shares of something right in percent, anything else as it is.

    Attributes:
        metric: what the scores are called.
        factor: from a score to the number that is written.
        suffix: after a score, ``" %"`` or nothing.
        points: after a difference of two scores, ``" points"`` (of a percentage) or nothing.
    """

    metric: str = "score"
    factor: float = 1.0
    suffix: str = ""
    points: str = ""

    def score(self, value: float | None) -> str:
        """``66.80 %``; a dash where there is none."""
        if value is None or math.isnan(value):
            return "-"
        return f"{value * self.factor:.2f}{self.suffix}" if self.suffix else f"{value:.5g}"

    def number(self, difference: float) -> str:
        """A difference without its unit: ``0.80``."""
        scaled = difference * self.factor
        return f"{scaled:.2f}" if self.suffix else f"{scaled:.3g}"

    def difference(self, difference: float) -> str:
        """A difference with its unit: ``0.80 points``."""
        return f"{self.number(difference)}{self.points}"


def unit_of(metric: str, scores: Iterable[float | None]) -> Unit:
    """Percent for a metric that calls itself an accuracy and keeps within [0, 1]; else plain numbers."""
    values = [s for s in scores if s is not None and math.isfinite(s)]
    if "accuracy" in metric.lower() and values and all(0 <= v <= 1 for v in values):
        return Unit(metric, 100.0, " %", " points")
    return Unit(metric)


def duration(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def listed(words: Iterable[str]) -> str:
    """``a, b and c``."""
    items = list(words)
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def counted(number: int, noun: str) -> str:
    """``1 trial``, ``2 trials``; ``study`` becomes ``studies``."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if number == 1 else plural}"
