"""One verdict over a comparison, at the planned replicates and budget, and never before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from .comparison import (
    ALPHA,
    WILCOXON_ALPHA,
    Pair,
    compare,
    final_scores,
    pooled_sd,
    shared_trials,
    speed,
    speed_axis,
)
from .curves import is_done
from .fronts import scalar
from .notes import budget_words, markdown
from .power import detectable, replicates_needed
from .records import StudyRecord
from .statistics import least_pairs
from .summary import labels, missing_samplers, planned_replicates
from .units import Unit, counted, listed

MANY_PAIRS: Final = 6  # beyond them the table is easier to read than sentences
Status: TypeAlias = Literal["difference", "equivalent", "no-difference", "preliminary"]
HALF_A_POINT = 0.005  # the default margin of an accuracy
EXTENDED = "extended"  # a study's attribute: the plan was enlarged after it had been finished


@dataclass(frozen=True)
class Verdict:
    """The answer.

    Attributes:
        status: ``difference``, ``equivalent``, ``no-difference`` or ``preliminary``.
        sentence: the answer in words.
        notes: what else must be said with it.
        exploratory: whether the plan was extended after its end, or there was none, or the studies were picked.
        pairs: the comparisons behind it; empty while no replicate is finished by two samplers.
        margin: of equivalence, in the unit of the scores; None where none was stated.
        done, planned: replicates finished by all samplers, and planned.
        speed_axis: what a speed-up is counted in, epochs or trials.
    """

    status: Status
    sentence: str
    notes: tuple[str, ...]
    exploratory: bool
    pairs: tuple[Pair, ...]
    margin: float | None
    done: int
    planned: int
    speed_axis: str = "trials"

    def markdown(self) -> str:
        """For the note of a study in the dashboard."""
        lines = [f"**{markdown(self.sentence)}**", *(f"- {markdown(note)}" for note in self.notes)]
        return "\n".join(["### The verdict", "", lines[0], "", *lines[1:], ""])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        pairs = [{**asdict(p), "speed_words": speed_words(p, self.speed_axis)} for p in self.pairs]
        return {**asdict(self), "notes": list(self.notes), "pairs": pairs}


def judge(records: Sequence[StudyRecord], unit: Unit, margin: float | None = None, *, picked: bool = False) -> Verdict:
    """Compare the samplers of one plan.

    Args:
        records: all its studies.
        unit: how scores are written.
        margin: differences of scores up to this are of no practical interest; None: half a point of an accuracy, and
            no test of equivalence for other scores.
        picked: whether these studies were picked by hand, and are not all those of a plan.
    """
    records = scalar(records)
    if margin is None and unit.points:
        margin = HALF_A_POINT
    names = labels(records)
    scores = final_scores(records)
    whole = [r for r in sorted({r.replicate for r in records}) if all(r in scores[name] for name in names)]
    planned = planned_replicates(records)
    pairs = compare(
        scores,
        direction=records[0].direction,
        margin=margin,
        faster=lambda a, b, replicates: speed(records, a, b, replicates),
    )
    extended = any(r.attrs.get(EXTENDED) for r in records)
    planless = shared_trials(records) is not None
    missing = _missing(records, len(whole), planned, () if picked else missing_samplers(records))
    if missing:
        status: Status = "preliminary"
        sentence, notes = missing, _so_far(records, unit)
    else:
        status, sentence, notes = _answer(records, pairs, unit, margin, len(whole))
    said = [words for words, true in ((EXTENDED_PLAN, extended), (PICKED, picked and not planless)) if true]
    exploratory = extended or picked or planless
    axis = speed_axis(records)
    return Verdict(status, sentence, (*said, *notes), exploratory, pairs, margin, len(whole), planned, axis)


def is_finished(records: Sequence[StudyRecord]) -> bool:
    """Whether every planned replicate of every planned sampler has spent its budget: the moment of the verdict."""
    planned, names = planned_replicates(records), [r.label for r in records]
    return (
        not missing_samplers(records)
        and all(is_done(r) for r in records)
        and all(names.count(name) >= planned for name in labels(records))
    )


EXTENDED_PLAN = (
    "Exploratory: the plan was extended after it had been finished. Looking, then adding replicates or budget, finds "
    "differences that are not there more often than one time in twenty. Confirm it with a new plan and new seeds."
)
PICKED = (
    "Exploratory: these studies were picked for this page and are not all those of a plan. Picking after looking finds "
    "differences that are not there."
)


def _missing(records: Sequence[StudyRecord], done: int, planned: int, absent: Sequence[str]) -> str:
    """Why there can be no verdict yet; empty when there can."""
    if absent:
        verb = "has" if len(absent) == 1 else "have"
        return f"Preliminary: {listed(absent)} of the plan {verb} not run yet; no verdict before all samplers have."
    if len(labels(records)) < 2:
        return "Preliminary: only one sampler has run, so there is nothing to compare."
    shared = shared_trials(records)
    if shared is not None:
        return (
            "Preliminary: these studies state no plan, so nothing says how many replicates and trials were meant, and "
            f"no verdict can be issued. Explored at {counted(shared, 'trial')}, which all of them have finished."
        )
    if planned < 2:
        return "Preliminary: one replicate proves nothing about the samplers; plan at least 5 replicates."
    budgets = list(dict.fromkeys(_budget(r) for r in records))
    if len(budgets) > 1:
        return f"Preliminary: the studies have different budgets ({'; '.join(budgets)}). Run them all with one."
    if done < planned:
        finished = counted(done, "replicate")
        return f"Preliminary: {finished} of {planned} planned {'is' if done == 1 else 'are'} finished; no verdict yet."
    return ""


def _so_far(records: Sequence[StudyRecord], unit: Unit) -> list[str]:
    best: dict[str, list[float]] = {}
    for record in records:
        if record.best is not None and record.best.value is not None:
            best.setdefault(record.label, []).append(record.best.value)
    if len(best) < 2:
        return []
    means = listed(f"{name} {unit.score(float(np.mean(v)))}" for name, v in best.items())
    return [f"So far, mean of the best scores: {means}. Such a lead comes and goes with the seeds."]


def _budget(record: StudyRecord) -> str:
    planned = record.attrs.get("planned") or {}
    return budget_words({"trials": planned.get("trials"), "epochs": planned.get("epochs")}) or "none stated"


def status_of(pairs: Sequence[Pair]) -> Status:
    """What the pairs of a finished comparison say together."""
    if any(p.differs for p in pairs):
        return "difference"
    return "equivalent" if pairs and all(p.equivalent for p in pairs) else "no-difference"


def _answer(
    records: Sequence[StudyRecord], pairs: Sequence[Pair], unit: Unit, margin: float | None, n: int
) -> tuple[Status, str, list[str]]:
    names = labels(records)
    status = status_of(pairs)
    found = [p for p in pairs if p.differs]
    same = [p for p in pairs if p.equivalent]
    notes = [speed_words(p, speed_axis(records)) for p in found if p.speed_up]
    if status == "difference":
        leader = max({p.a for p in found}, key=lambda name: sum(p.mean for p in found if p.a == name))
        sentence = _better(leader, [p for p in found if p.a == leader], unit) + f", after {spent_words(records)}."
        notes[:0] = [
            f"{_better(name, [p for p in found if p.a == name], unit)}." for name in names
            if name != leader and any(p.a == name for p in found)
        ]  # fmt: skip
        rest = [p for p in pairs if not p.differs]
        if len(rest) > MANY_PAIRS:
            notes.append(f"No difference found in the other {len(rest)} comparisons.")
            rest = [p for p in rest if p.equivalent]
        notes += [f"No difference found between {p.a} and {p.b}{_within(p, unit, margin)}." for p in rest]
        return status, sentence, [*notes, *_tests(pairs, n)]
    if status == "equivalent" and margin is not None:
        sentence = f"{listed(names)} are equivalent within {unit.difference(margin)}, after {spent_words(records)}."
        return status, sentence, [*_reach(pairs, unit, margin, n), *_tests(pairs, n)]
    sentence = f"No difference found between {listed(names)}, after {spent_words(records)}."
    notes = [f"{p.a} and {p.b} are equivalent within {unit.difference(margin)}." for p in same if margin is not None]
    return status, sentence, [*notes, *_reach(pairs, unit, margin, n), *_tests(pairs, n)]


def _better(name: str, pairs: Sequence[Pair], unit: Unit) -> str:
    over = listed(
        f"than {p.b} by {unit.difference(p.mean)} (95 % interval {unit.number(p.low)} to {unit.number(p.high)})"
        for p in pairs
    )
    return f"{name} is better {over}"


def _within(pair: Pair, unit: Unit, margin: float | None) -> str:
    if pair.equivalent and margin is not None:
        return f"; they are equivalent within {unit.difference(margin)}"
    return f" (95 % interval {unit.number(pair.low)} to {unit.number(pair.high)})"


def speed_words(pair: Pair, axis: str) -> str:
    """'pso at 300 epochs = random at 520: 1.7 times as fast (95 % interval 1.2 to 2.4).'; empty where unknown."""
    s = pair.speed_up
    if s is None:
        return ""
    spread = f" (95 % interval {s.low:.1f} to {s.high:.1f})" if pair.n > 1 else ""
    return f"{pair.a} at {s.a_cost:.0f} {axis} = {pair.b} at {s.b_cost:.0f}: {s.ratio:.1f} times as fast{spread}."


def spent_words(records: Sequence[StudyRecord]) -> str:
    """'27 trials in each study; 8 replicates'."""
    return budget_words(records[0].attrs.get("planned") or {}) or counted(
        len({r.replicate for r in records}), "replicate"
    )


def _reach(pairs: Sequence[Pair], unit: Unit, margin: float | None, n: int) -> list[str]:
    """What so many replicates can see, and how many it would take."""
    sd, alpha = pooled_sd(pairs), ALPHA / max(1, len(pairs))
    if math.isnan(sd) or sd == 0:
        return []
    sees = detectable(sd, n, alpha=alpha)
    words = [
        f"{counted(n, 'replicate')} find a difference of {unit.difference(sees)} in four of five such comparisons, and "
        "miss smaller ones more often."
    ]
    if n < 3 or (unit.points and sees > 1):  # of shares no difference is larger than the whole
        words = [f"{counted(n, 'replicate')} are too few to find any difference in four of five such comparisons."]
    if margin:
        need = replicates_needed(sd, margin, alpha=alpha)
        have = f"there are {n}" if need > n else f"the {n} there are suffice"
        words.append(f"To see {unit.difference(margin)}, about {need} replicates would be needed; {have}.")
    return words


def _tests(pairs: Sequence[Pair], n: int) -> list[str]:
    if any(math.isnan(p.p) for p in pairs):
        return ["Where all differences are equal, no test can be made."]
    least = least_pairs(len(pairs), WILCOXON_ALPHA)
    if n < least:
        level = f"{100 * WILCOXON_ALPHA:.0f} %"
        return [
            f"Wilcoxon's signed-rank test cannot reach {level} here: it takes {least} replicates, whatever the scores. "
            "The verdict rests on paired t-tests."
        ]
    return []
