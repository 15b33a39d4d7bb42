"""Any studies of a database for one page, also those that another tool made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from optuna.storages import BaseStorage

from .errors import UserError
from .records import StudyRecord, parse_name, read, study_record


def choose(storage: BaseStorage, names: Sequence[str]) -> tuple[StudyRecord, ...]:
    """The studies of these names, replicate by replicate.

    A study named ``<plan>/<label>/seed-<k>`` is replicate k of a sampler, whoever made it; where the plans differ, the
    plan is part of the label. Any other study is a sampler of its own, with one replicate.

    Raises:
        UserError: no names, an unknown one, several objectives, or different directions.
    """
    stored = {s.study_name: s for s in storage.get_all_studies()}
    chosen = list(dict.fromkeys(names))
    if not chosen:
        raise UserError("name at least one study, as in --studies a,b,c.")
    for name in chosen:
        if name not in stored:
            held = ", ".join(sorted(stored)[:20]) or "none"
            raise UserError(f"there is no study {name!r} in this database; it holds {held}.")
        if len(stored[name].directions) > 1:
            raise UserError(f"the study {name!r} has several objectives; a page compares one score.")
    directions = {stored[name].direction.name.lower() for name in chosen}
    if len(directions) > 1:
        raise UserError("some of these studies minimize and some maximize; their scores cannot be compared.")
    records = [
        study_record(
            name,
            stored[name].directions,
            storage.get_all_trials(stored[name]._study_id, deepcopy=False),
            stored[name].user_attrs,
            foreign="fingerprint" not in stored[name].user_attrs,
        )
        for name in chosen
    ]
    if len({r.plan for r in records if r.plan}) > 1:
        records = [replace(r, label=f"{r.plan}/{r.label}") if r.plan else r for r in records]
    return tuple(sorted(records, key=lambda r: r.replicate))


def is_whole_plan(storage: BaseStorage, records: Sequence[StudyRecord]) -> bool:
    """Whether these are all studies of one plan that the engine has run: nothing was picked by its result."""
    plans = {p[0] if (p := parse_name(r.name)) else None for r in records}
    plan = plans.pop()
    if plans or plan is None or any("fingerprint" not in r.attrs for r in records):
        return False
    return {r.name for r in read(storage, plan)} == {r.name for r in records}
