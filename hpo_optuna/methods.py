"""How the numbers of the page were made, in words."""

from __future__ import annotations

from . import page
from .comparison import ALPHA, EQUIVALENCE_ALPHA
from .page import Html
from .verdict import Verdict

UNIT = (
    "The unit is the replicate: one study of each sampler with the same training seeds. A study counts with its best "
    "complete trial within the planned budget. Samplers are compared replicate by replicate, by paired differences "
    "with Student-t intervals, since bootstrap intervals are too narrow at so few replicates."
)
TESTS = (
    "A difference is claimed where the paired t-test, corrected for all comparisons by Holm's method, gives p of at "
    f"most {ALPHA}; by simulation, equal samplers are then called different in fewer than 5 % of comparisons. "
    "Wilcoxon's signed-rank test, likewise corrected, stands beside it. Equivalence within a margin is two one-sided "
    f"t-tests, each at {EQUIVALENCE_ALPHA}."
)
ONCE = (
    "The verdict is issued once, at the planned replicates and budget; before that it is preliminary. A plan that was "
    "extended after its end is exploratory."
)
OTHERS = (
    "P(better) is the share of replicates won, ties counted half, with Clopper-Pearson intervals. Speed-up is how much "
    "sooner a sampler reaches the worse of the two final scores, on mean curves, with bootstrap intervals over "
    "replicates. Bands around curves are 95 % bootstrap bands of the mean. Pruned trials cost the epochs they ran, "
    "failed ones their epochs; retried and void trials cost nothing. Seconds are wall-clock seconds spent "
    "in trials, summed."
)


def methods(verdict: Verdict | None = None) -> tuple[str, str, Html]:
    """The section of the page."""
    margin = [] if verdict is None or verdict.margin is None else [f"Margin of equivalence: {verdict.margin:g}."]
    return page.section("methods", "Methods", *(page.paragraph(t) for t in (UNIT, TESTS, ONCE, OTHERS, *margin)))
