"""The verdict as a note on the studies in the dashboard."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.study import Study

from .matrix import FINGERPRINT, PLANNED, PlannedStudy
from .notes import describe
from .verdict import Verdict


def note_verdict(studies: Sequence[PlannedStudy], verdict: Verdict) -> None:
    """Put the verdict under each study's note of the plan; nothing is written where it stands there already."""
    for opened in studies:
        attrs = opened.study.user_attrs
        note = f"{describe(attrs[FINGERPRINT], attrs[PLANNED])}\n{verdict.markdown()}"
        if note != _note(opened.study):
            from optuna_dashboard import save_note  # imports for seconds

            save_note(opened.study, note)


def _note(study: Study) -> str:
    """A study's note as the dashboard keeps it: in pieces."""
    attrs = study._storage.get_study_system_attrs(study._study_id)
    pieces = {int(key.rpartition(":")[2]): str(attrs[key]) for key in attrs if key.startswith("dashboard:note_str:")}
    return "".join(pieces[i] for i in sorted(pieces))
