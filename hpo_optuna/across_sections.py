"""The page over several plans: the sections that a single plan's page does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import page
from .across import Across
from .comparison_figures import critical_difference
from .figures import colours
from .page import Html
from .records import StudyRecord
from .sections import Section, curve_panels, difference_table, verdict_box
from .units import Unit
from .verdict import Verdict


def over_tasks(across: Across, units: Mapping[str, Unit]) -> Section:
    """The critical-difference diagram, and each task's mean scores with their ranks."""
    shade = colours(across.samplers)
    head = ["Task", *across.samplers]
    rows: list[list[object]] = [
        [task, *(units[task].score(score) for score in scores)]
        for task, scores in zip(across.tasks, across.scores, strict=True)
    ]
    if rows and len(across.tasks) > 1:
        rows.append(["average rank", *(f"{rank:.2f}" for rank in across.ranks)])
    names = page.join(*(page.join(page.dot(shade[name]), name, " ") for name in across.samplers))
    parts = [page.figure(critical_difference(across)), page.paragraph(names, "soft")]
    if rows:
        parts.append(page.table(head, rows, numeric=range(1, len(head))))
        parts.append(page.paragraph("Mean over finished replicates of the best score within the budget.", "soft"))
    return page.section("tasks", "Over tasks", *parts)


def one_task(number: int, plan: str, records: Sequence[StudyRecord], unit: Unit, verdict: Verdict) -> Section:
    """What the page of one plan says first: its verdict, curves and differences."""
    parts: list[Html] = [verdict_box(verdict), curve_panels(records, unit, f"task-{number}")]
    if verdict.pairs:
        parts.append(difference_table(verdict, unit))
    return page.section(f"task-{number}", plan, *parts)
