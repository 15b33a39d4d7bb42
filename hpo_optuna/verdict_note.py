"""The verdict as a note on the studies in the dashboard."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.study import Study

from .looks import events
from .matrix import PlannedStudy, note_text
from .verdict import Verdict


def note_verdict(studies: Sequence[PlannedStudy], verdict: Verdict) -> None:
    """Put the verdict into each study's note; nothing is written where it stands there already."""
    entries = events([opened.record() for opened in studies])
    for opened in studies:
        note = note_text(opened, entries, verdict.markdown())
        if note != _note(opened.study):
            from optuna_dashboard import save_note  # imports for seconds

            save_note(opened.study, note)


def _note(study: Study) -> str:
    """A study's note as the dashboard keeps it: in pieces."""
    attrs = study._storage.get_study_system_attrs(study._study_id)
    pieces = {int(key.rpartition(":")[2]): str(attrs[key]) for key in attrs if key.startswith("dashboard:note_str:")}
    return "".join(pieces[i] for i in sorted(pieces))
