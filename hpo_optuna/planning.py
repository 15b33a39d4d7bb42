"""Before spending: how many replicates a comparison needs, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

from .comparison import ALPHA, compare, final_scores, pooled_sd
from .errors import UserError
from .power import FEW_PAIRS, Need, detectable, needs, sd_interval
from .records import StudyRecord
from .units import Unit, counted, duration

# One LeNet5 configuration trained 69 times on CIFAR-10 scattered by 0.62 points of accuracy; a study's result scatters
# more, so what is planned from it is a lower bound. Differences of two studies scatter by the square root of two of it.
ASSUMED_SD = 0.0062
POINTS = (0.01, 0.005, 0.0025)


@dataclass(frozen=True)
class Forecast:
    """What a comparison can see, and what seeing more would cost.

    Attributes:
        samplers, replicates: of the plan.
        pairs: of the pilot's paired study results; None where the SD is assumed.
        sd: of paired differences of study results, in the unit of the scores.
        sd_low, sd_high: its 80 % interval from a pilot of fewer than five pairs; else ``sd`` twice.
        sees: smallest difference found with 80 % power at the planned replicates; infinite below two.
        needs: replicates for each difference of interest.
        epochs, seconds: of one study; None where unknown. Epochs without a pilot are an upper bound.
    """

    samplers: int
    replicates: int
    pairs: int | None
    sd: float
    sd_low: float
    sd_high: float
    sees: float
    needs: tuple[Need, ...]
    epochs: float | None
    seconds: float | None

    def cost(self, replicates: int) -> str:
        """'24 studies, 6,480 epochs, 5 h 20 min', as far as it is known."""
        studies = self.samplers * replicates
        parts = [f"{studies:,} studies"]
        if self.epochs is not None:
            parts.append(f"{'' if self.pairs else 'at most '}{round(studies * self.epochs):,} epochs")
        if self.seconds is not None:
            parts.append(f"{duration(studies * self.seconds)} of training")
        return ", ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; what is not finite is None."""
        return {**asdict(self), "sees": self.sees if math.isfinite(self.sees) else None}

    def lines(self, unit: Unit) -> list[str]:
        """The forecast in words.

        Args:
            unit: how scores are written.
        """
        if self.pairs is None:
            source = (
                f"Assumed: paired results of two studies differ by {unit.difference(self.sd)} (SD). "
                "A pilot of 5 replicates would tell."
            )
        elif self.sd_low < self.sd_high:
            between = f"{unit.number(self.sd_low)} to {unit.difference(self.sd_high)}"
            source = f"From a pilot of {counted(self.pairs, 'pair')}, too few to say more: the SD lies at {between}."
        else:
            pilot = counted(self.pairs, "pair")
            source = f"From a pilot of {pilot}: paired results differ by {unit.difference(self.sd)} (SD)."
        if self.replicates < 2:
            sight = "One replicate proves nothing about the samplers."
        else:
            sight = f"{self.replicates} replicates see {unit.difference(self.sees)} with 80 % power."
        rows = [f"To see {unit.difference(n.difference)}: {self._range(n)}." for n in self.needs]
        return [f"Planned: {self.cost(self.replicates)}.", source, sight, *rows]

    def _range(self, need: Need) -> str:
        if need.low == need.high:
            return f"{need.replicates} replicates ({self.cost(need.replicates)})"
        return f"{need.low} to {need.high} replicates ({self.cost(need.low)}; {self.cost(need.high)})"


def forecast(
    records: Sequence[StudyRecord],
    *,
    samplers: int,
    replicates: int,
    trials: int | None,
    epochs: int | None,
    epochs_per_trial: int | None = None,
    unit: Unit | None = None,
    sd: float | None = None,
    differences: Sequence[float] = (),
) -> Forecast:
    """Plan a comparison, from a pilot where there is one.

    Args:
        records: studies of the plan that were run already, finished or not; empty without a pilot.
        samplers: how many are compared.
        replicates, trials, epochs: of the plan.
        epochs_per_trial: of a trial that is not pruned.
        unit: how scores are written; decides what is assumed without a pilot.
        sd: of paired differences of study results, stated by the user; overrides a pilot.
        differences: to be seen, in the unit of the scores; empty: 1, 0.5 and 0.25 points of an accuracy, or 1, 0.5 and
            0.25 SD of another score.

    Raises:
        UserError: neither a pilot nor an assumption to plan from.
    """
    if sd is not None and not 0 < sd < math.inf:
        raise UserError(f"an SD of differences must be above 0 and finite, got {sd}.")
    wrong = [d for d in differences if not 0 < d < math.inf]
    if wrong:
        raise UserError(f"differences to be seen must be above 0 and finite, got {wrong[0]}.")
    unit = unit or Unit()
    pilot = compare(final_scores(records)) if records else ()
    measured = pooled_sd(pilot)
    pairs: int | None = None
    if sd is None and measured > 0:
        sd, pairs = measured, min(p.n for p in pilot if not math.isnan(p.sd))
    elif sd is None and unit.points:
        sd = ASSUMED_SD * 2**0.5
    elif sd is None:
        raise UserError("nothing to plan from: run a pilot of at least 2 replicates, or state the SD of differences.")
    low, high = sd_interval(sd, pairs) if pairs is not None and pairs < FEW_PAIRS else (sd, sd)
    alpha = ALPHA / max(1, samplers * (samplers - 1) // 2)
    wanted = tuple(differences) or (POINTS if unit.points else (sd, sd / 2, sd / 4))
    done = [r for r in records if r.finished]
    return Forecast(
        samplers=samplers,
        replicates=replicates,
        pairs=pairs,
        sd=sd,
        sd_low=low,
        sd_high=high,
        sees=detectable(sd, replicates, alpha=alpha),
        needs=tuple(needs(sd, pairs, wanted, alpha)),
        epochs=_epochs(done, trials, epochs, epochs_per_trial),
        seconds=_seconds(done, trials, epochs),
    )


def _epochs(done: Sequence[StudyRecord], trials: int | None, epochs: int | None, each: int | None) -> float | None:
    """Epochs of one study: as in the pilot, else at most."""
    if done and trials is not None:
        measured = trials * mean(r.epochs / len(r.finished) for r in done)
        return measured if epochs is None else min(measured, epochs)
    bounds = [epochs, trials * each if trials is not None and each is not None else None]
    return min((b for b in bounds if b is not None), default=None)


def _seconds(done: Sequence[StudyRecord], trials: int | None, epochs: int | None) -> float | None:
    """Seconds of training of one study, at the pilot's pace; pauses and other studies cost nothing."""
    if not done:
        return None
    ways = []
    if trials is not None:
        ways.append(trials * mean(r.seconds / len(r.finished) for r in done))
    if epochs is not None:
        ways.append(epochs * mean(r.seconds / max(1, r.epochs) for r in done))
    return min(ways, default=None)
