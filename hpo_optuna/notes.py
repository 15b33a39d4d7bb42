"""A plan in plain words, from what its studies remember of it: for the dashboard's notes and the report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def describe(fingerprint: Mapping[str, Any], planned: Mapping[str, Any]) -> str:
    """Markdown that explains a study: what is searched, by what, with which budget.

    Args:
        fingerprint: the study's attribute of that name, :meth:`ComparisonPlan.fingerprint`.
        planned: the study's attribute of that name: ``trials``, ``epochs`` (None: no limit), ``replicates``.
    """
    facts = plan_facts(fingerprint, planned)
    facts.insert(0, ("Sampler", sampler_words(fingerprint.get("sampler"))))
    lines = ["### The plan", "", *(f"- **{name}:** {markdown(words)}" for name, words in facts if words)]
    space = space_words(fingerprint.get("space"))
    if space:
        lines += ["", "### The space", "", "| hyperparameter | values |", "|---|---|"]
        lines += [f"| {markdown(name)} | {markdown(words)} |" for name, words in space.items()]
    lines += [
        "",
        "One replicate proves nothing about a sampler: compare replicates with `hpo-optuna report`.",
        "",
    ]
    return "\n".join(lines)


def plan_facts(fingerprint: Mapping[str, Any], planned: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What all studies of a plan share, as (name, words), the space and the samplers left out."""
    direction = {"maximize": "higher is better", "minimize": "lower is better"}
    return [
        ("Task", task_words(fingerprint.get("task"))),
        ("Score", ", ".join(direction.get(one, "") for one in str(fingerprint.get("direction")).split("/"))),
        ("Budget", budget_words(planned)),
        ("Pruner", pruner_words(fingerprint.get("pruner"))),
        ("Seed", "" if fingerprint.get("seed") is None else str(fingerprint["seed"])),
    ]


def budget_words(planned: Mapping[str, Any]) -> str:
    """'27 trials in each study, 8 replicates'."""
    parts = [_count(planned.get("trials"), "trial"), _count(planned.get("epochs"), "epoch")]
    budget = " or ".join(part for part in parts if part)
    whichever = ", whichever is spent first" if all(parts) else ""
    replicates = _count(planned.get("replicates"), "replicate")
    words = f"{budget} in each study{whichever}" if budget else ""
    return "; ".join(part for part in (words, replicates) if part)


def _count(number: Any, noun: str) -> str:
    return "" if number is None else f"{number} {noun}" + ("" if number == 1 else "s")


def space_words(space: Any) -> dict[str, str]:
    """Name -> 'whole numbers 16 to 256, log scale', from Optuna's JSON of the distributions."""
    return {name: _distribution_words(d) for name, d in (space or {}).items()}


def _distribution_words(distribution: Mapping[str, Any]) -> str:
    kind, of = distribution.get("name", ""), distribution.get("attributes", {})
    if kind == "CategoricalDistribution":
        return "one of " + ", ".join(str(choice) for choice in of.get("choices", ()))
    words = f"{of.get('low')} to {of.get('high')}"
    if kind == "IntDistribution":
        words = f"whole numbers {words}"
    if of.get("step") not in (None, 1):
        words += f" in steps of {of['step']}"
    return words + (", log scale" if of.get("log") else "")


def pruner_words(pruner: Any) -> str:
    """'MedianPruner (n_startup_trials 5, n_warmup_steps 2)'."""
    if not isinstance(pruner, Mapping):
        return str(pruner or "")
    if pruner.get("class") == "NopPruner":
        return "none: every trial trains to its end"
    # Hyperband's bookkeeping, empty in a plan, is no option.
    options = {k.lstrip("_"): v for k, v in pruner.items() if k != "class" and v != [] and "allocation" not in k}
    if pruner.get("class") == "MedianPruner":
        options.pop("percentile", None)  # the median, always
    return _call(str(pruner.get("class")), options)


def sampler_words(sampler: Any) -> str:
    """'grid_search (points 3)'."""
    if not isinstance(sampler, Mapping):
        return str(sampler or "")
    return _call(str(sampler.get("name")), sampler.get("options") or {})


def task_words(task: Any) -> str:
    """'LeNet5Task (epochs 10, data cifar10)': the name, and what the task says its scores depend on."""
    if not isinstance(task, Mapping):
        return str(task or "")
    return _call(str(task.get("name")), {k: v for k, v in task.items() if k != "name"})


def _call(name: str, options: Mapping[str, Any]) -> str:
    inner = ", ".join(f"{key} {_value(value)}" for key, value in options.items() if value is not None)
    return f"{name} ({inner})" if inner else name


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32,}", value):
        return value[:12]  # a content hash: enough of it to tell two apart
    return str(value)


def markdown(text: str) -> str:
    """``text`` with Markdown's and HTML's own signs made harmless."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text)
