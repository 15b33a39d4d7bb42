"""The sections of the report page: records in, HTML out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import mean, stdev
from typing import Any, TypeAlias

import optuna

from . import page
from .across import Across
from .comparison_figures import best_so_far, ranks
from .curves import early_ends
from .figures import Drawing, colours, comparison_drawings, study_drawings
from .notes import plan_facts, sampler_words, space_words
from .page import Html
from .records import StudyRecord
from .sampler_figure import sampler_drawing
from .summary import StudySummary, labels, summarize
from .units import Unit, counted, duration, listed
from .verdict import Verdict, speed_words

Section: TypeAlias = tuple[str, str, Html]  # anchor, title, body
HEAVY_CHARACTERS = 150_000  # a figure larger than this is shown for the first replicate only


def header(verdict: Verdict, records: Sequence[StudyRecord]) -> Html:
    """The verdict, and how much was run for it."""
    rows = [summarize(r) for r in records]
    trials = counted(sum(r.finished for r in rows), "trial")
    epochs, seconds = counted(sum(r.epochs for r in rows), "epoch"), duration(sum(r.seconds for r in rows))
    asked = f"{listed(labels(records))}: {counted(len(rows), 'study')}, {trials}, {epochs}, {seconds} of training."
    return page.join(page.paragraph(asked, "soft"), verdict_box(verdict))


def verdict_box(verdict: Verdict | Across) -> Html:
    """The answer in one sentence, and what must be said with it."""
    box = "".join(page.paragraph(sentence) for sentence in (verdict.sentence, *verdict.notes))
    status = verdict.status.replace("-", " ")
    return Html(f'<div class="verdict {verdict.status}"><div class="status">{status}</div>{box}</div>')


def compared(records: Sequence[StudyRecord]) -> Section:
    """Task, budget, pruner, samplers and space in plain words."""
    fingerprint, planned = records[0].attrs.get("fingerprint") or {}, records[0].attrs.get("planned") or {}
    shade = colours(labels(records))
    samplers = {r.label: (r.attrs.get("fingerprint") or {}).get("sampler") for r in records}
    rows = [[page.join(page.dot(shade[label]), label), sampler_words(s)] for label, s in samplers.items()]
    space = [[page.code(name), words] for name, words in space_words(fingerprint.get("space")).items()]
    parts = [page.definitions(plan_facts(fingerprint, planned)), page.table(["Sampler", "Made by"], rows)]
    if space:
        parts.append(page.table(["Hyperparameter", "Values"], space))
    return page.section("compared", "What was compared", *parts)


def winners(records: Sequence[StudyRecord], unit: Unit) -> Section:
    """The best trial of each study."""
    shade = colours(labels(records))
    rows = sorted((summarize(r) for r in records), key=lambda r: (list(shade).index(r.sampler), r.replicate))
    columns = _columns(rows, unit, shade)
    return page.section(
        "winners",
        "Winners",
        page.paragraph(FLATTERS, "soft"),
        *_means(rows, unit, shade),
        Html("<h3>Each study</h3>"),
        page.table(
            [name for name, _, _ in columns],
            [[cell(r) for _, _, cell in columns] for r in rows],
            numeric=[i for i, (_, numeric, _) in enumerate(columns) if numeric],
        ),
        page.paragraph(_irregular(rows), "soft"),
    )


FLATTERS = (
    "The best complete trial of each study, by its last epoch's validation score. "
    "It was chosen because it scored highest, so its score flatters it."
)


def _means(rows: Sequence[StudySummary], unit: Unit, shade: Mapping[str, str]) -> list[Html]:
    """Mean and spread over replicates, where there are any."""
    cells: list[list[object]] = []
    for label, colour in shade.items():
        mine = [r for r in rows if r.sampler == label]
        scores = [r.score for r in mine if r.score is not None]
        spread = unit.difference(stdev(scores)) if len(scores) > 1 else "-"
        name = page.join(page.dot(colour), label)
        cells.append([name, len(scores), unit.score(mean(scores)) if scores else "-", spread])
        cells[-1] += [round(mean(r.epochs for r in mine)), duration(mean(r.seconds for r in mine))]
    head = ["Sampler", "Replicates", f"Mean {unit.metric}", "SD", "Mean epochs", "Mean time"]
    return [page.table(head, cells, numeric=range(1, 6))] if len(rows) > len(cells) else []


def _columns(
    rows: Sequence[StudySummary], unit: Unit, shade: Mapping[str, str]
) -> list[tuple[str, bool, Callable[[StudySummary], object]]]:
    """(name, whether numeric, cell) of the winners' table; what never happened has no column."""
    always = {"Complete", "Pruned"}
    counts: list[tuple[str, Callable[[StudySummary], int]]] = [
        ("Complete", lambda r: r.complete),
        ("Pruned", lambda r: r.pruned),
        ("Failed", lambda r: r.failed),
        ("Running", lambda r: r.running + r.waiting),
        ("Repeats", lambda r: r.repeated),
    ]
    return [
        ("Sampler", False, lambda r: page.join(page.dot(shade[r.sampler]), r.sampler)),
        ("Replicate", True, lambda r: r.replicate),
        (unit.metric, True, lambda r: unit.score(r.score)),
        ("Configuration", False, _winner),
        ("Trial", True, lambda r: "-" if r.trial is None else r.trial),
        *((name, True, count) for name, count in counts if name in always or any(count(r) for r in rows)),
        ("Epochs", True, lambda r: r.epochs),
        ("Time", True, lambda r: duration(r.seconds)),
    ]


def _winner(row: StudySummary) -> object:
    if not row.params:
        return "no complete trial"
    return page.join(_configuration(row.params), "set by hand") if row.by_hand else _configuration(row.params)


def _configuration(params: Mapping[str, Any]) -> Html:
    written = (f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in params.items())
    return page.join(*(page.join(page.code(one), " ") for one in written))


def _irregular(rows: Sequence[StudySummary]) -> str:
    retried, void = sum(r.retried for r in rows), sum(r.void for r in rows)
    words = []
    if any(r.repeated for r in rows):
        words.append("Repeats are trials of a configuration that the study had met before.")
    if retried:
        words.append(f"{counted(retried, 'trial')} took the place of an interrupted or failed one.")
    if void:
        words.append(f"{counted(void, 'trial')} should not have been asked for; such trials count nowhere.")
    return " ".join(words)


def curves(records: Sequence[StudyRecord], unit: Unit) -> Section:
    """Best so far and ranks, against one axis at a time."""
    return page.section("curves", "Curves", curve_panels(records, unit, "all"))


def curve_panels(records: Sequence[StudyRecord], unit: Unit, prefix: str) -> Html:
    """The curves of a comparison, with a switch of the axis."""
    panels = {
        f"{prefix}-axis-{axis}": (
            axis,
            page.join(page.figure(drawing, f"{prefix}-"), page.figure(ranks(records, axis), f"{prefix}-")),
        )
        for axis, drawing in best_so_far(records, unit.metric).items()
    }
    flat = " ".join(early_ends(records))
    return page.join(page.choice("Against", panels), *([page.paragraph(flat)] if flat else []))


def differences(verdict: Verdict, unit: Unit) -> list[Section]:
    """Every sampler against every other one; none while no replicate is finished."""
    if not verdict.pairs:
        return []
    return [page.section("differences", "Differences", difference_table(verdict, unit))]


def difference_table(verdict: Verdict, unit: Unit) -> Html:
    """The pairs with their intervals; the tests beside them once there is a verdict."""
    final = verdict.status != "preliminary"
    head = ["Pair", "Replicates", "Better by", "95 % interval", "P(better)", "95 % interval", "Speed-up"]
    head += ["t-test p", "Wilcoxon p", *(["Equivalence p"] if verdict.margin else [])] if final else []
    rows = []
    for p in verdict.pairs:
        s = p.speed_up
        row: list[object] = [f"{p.a} over {p.b}", p.n, unit.difference(p.mean), _interval(unit, p.low, p.high)]
        row += [f"{p.better:.0%}", f"{p.better_low:.0%} to {p.better_high:.0%}"]
        spread = "" if s is None or p.n < 2 else f" ({s.low:.1f} to {s.high:.1f})"
        row.append("-" if s is None else f"{s.ratio:.1f}x{spread}")
        tests = [p.p_holm, p.wilcoxon_holm, *([p.p_equivalent] if verdict.margin else [])]
        rows.append(row + ([_p(value) for value in tests] if final else []))
    table = page.table(head, rows, numeric=range(1, len(head)))
    speeds = [page.paragraph(words) for p in verdict.pairs if (words := speed_words(p, verdict.speed_axis))]
    if len(speeds) > MANY_PAIRS:
        speeds = [page.folded(f"The speed-ups of {len(speeds)} pairs in words", page.join(*speeds))]
    if not final:
        speeds.append(page.paragraph(NO_TESTS, "soft"))
    return page.join(table, *speeds)


MANY_PAIRS = 10  # of five samplers; nine have 36
NO_TESTS = (
    "No tests yet: they are made once, at the planned replicates and budget. "
    "Testing at every look finds what is not there."
)


def _interval(unit: Unit, low: float, high: float) -> str:
    return "-" if math.isnan(low) else f"{unit.number(low)} to {unit.number(high)}"


def _p(value: float) -> str:
    return "-" if math.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def together(studies: Mapping[str, optuna.Study], records: Sequence[StudyRecord], unit: Unit) -> Section:
    """Optuna's history and EDF over all studies."""
    drawings = comparison_drawings(studies, records, unit.metric)
    return page.section("together", "All studies", *(page.figure(d, "all-") for d in drawings))


def each(studies: Mapping[str, optuna.Study], records: Sequence[StudyRecord], unit: Unit) -> Section:
    """Optuna's plots of each study, sampler by sampler."""
    parts = []
    for number, label in enumerate(labels(records)):
        panels = {}
        for nth, record in enumerate(r for r in records if r.label == label):
            anchor = f"study-{number}-{record.replicate}"
            study = studies[record.name]
            drawings = [*sampler_drawing(study, record), *study_drawings(study, record, unit.metric)]
            body = page.join(*(page.figure(_light(d, nth), f"{anchor}-") for d in drawings))
            panels[anchor] = (str(record.replicate), body)
        parts.append(page.folded(label, page.choice("Replicate", panels), unfolded=number == 0))
    return page.section("each", "Each sampler", *parts)


def _light(drawing: Drawing, nth: int) -> Drawing:
    if nth and drawing.figure is not None and len(str(drawing.figure.to_json())) > HEAVY_CHARACTERS:
        why_not = "Left out to keep the page small; it is drawn for the first replicate, and by `hpo-optuna dashboard`."
        return Drawing(drawing.key, drawing.title, drawing.caption, why_not=why_not)
    return drawing


def provenance(facts: Mapping[str, Any]) -> Section:
    """By what the studies were made."""
    runs: list[Mapping[str, Any]] = facts["provenance"]
    parts: list[str] = []
    for i, run in enumerate(runs):
        name = "Run on" if len(runs) == 1 else f"Run {i + 1} of {len(runs)} on"
        parts += [page.paragraph(name, "soft"), page.definitions((k, str(v)) for k, v in run.items())]
    if not runs:
        parts.append(page.paragraph("The studies do not say by what they were made."))
    return page.section("provenance", "Provenance", *parts)


def footer(facts: Mapping[str, Any]) -> str:
    """When and by what the page was written."""
    versions = ", ".join(f"{name} {v}" for name, v in facts["versions"].items())
    return f"Written {facts['created']} by {versions}. The numbers lie beside this page as .json, the trials as .csv."
