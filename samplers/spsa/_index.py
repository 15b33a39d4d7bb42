"""Which trial is this: the index and the seed that make a sampler a function instead of a stream.

Packages of OptunaHub may not import each other, so each sampler of this shelf has a copy of this file.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState


def trial_index(trials: Sequence[FrozenTrial], number: int) -> int:
    """The index of one trial of the study, see `trial_indices`."""
    return trial_indices(trials)[number]


def trial_indices(trials: Sequence[FrozenTrial]) -> dict[int, int]:
    """Trial number -> index: how many trials with lower numbers were neither retries nor void.

    A retry (it has a ``retry_history``) has the index of its original. A void trial ended FAIL before its
    first suggestion and was never retried: it should not have been asked for. Keyed by the index, the draws
    of a study that was killed and resumed are those of a study that was not; by the number they would shift.

    Args:
        trials: All trials of the study in order of number, as far as this process sees them.
    """
    histories = {trial.number: trial.system_attrs.get("retry_history") for trial in trials}
    retried = {history[0] for history in histories.values() if history}
    indices: dict[int, int] = {}
    count = 0
    for trial in trials:
        indices[trial.number] = count
        is_void = trial.state == TrialState.FAIL and not trial.params and trial.number not in retried
        count += not histories[trial.number] and not is_void
    for number, history in histories.items():
        if history:
            indices[number] = indices.get(history[0], indices[number])
    return indices


def study_seed(trials: Sequence[FrozenTrial], study_name: str) -> int:
    """The seed of a sampler that was given none: the same in every process that works on the study.

    Drawing one and storing it would be a race between the first two workers.
    """
    start = next((trial.datetime_start for trial in trials if trial.number == 0), None)
    return zlib.crc32(f"{study_name} {start}".encode())
