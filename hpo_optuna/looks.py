"""The log of the test set: when it was opened, by whom and why, and when a plan that it had closed was reopened.

It stands as the attribute ``test_set`` on every study of the plan and only grows. What was measured stands beside it,
model by model, as the attribute ``final``. What one study's log lacks, because a process died while it wrote, another
one's has: the log is what all of them say together.
"""

from __future__ import annotations

import getpass
import json
import shlex
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from optuna.study import Study

from .notes import budget_words
from .records import StudyRecord

LOG, FINAL = "test_set", "final"


@dataclass(frozen=True)
class Event:
    """One entry of the log.

    Attributes:
        number: 1, 2, ...
        kind: ``"opened"``, a leave to look at the test set, or ``"reopened"``, a plan extended after a look.
        why: in the user's words where the user was asked for them.
        planned: budget and replicates of the plan at that time.
        when: UTC, ISO 8601.
        by: user and host.
        command: the process's command line.
        winners: study -> number of the trial that may be tested; of an opening.
        seeds: how many models of each winner may be tested; of an opening.
    """

    number: int
    kind: Literal["opened", "reopened"]
    why: str
    planned: Mapping[str, Any]
    when: str
    by: str
    command: str
    winners: Mapping[str, int] = field(default_factory=dict)
    seeds: int = 0

    def permits(self, study: str, trial: int, k: int) -> bool:
        """Whether model ``k`` of this trial may be tested by this opening."""
        return self.winners.get(study) == trial and k < self.seeds

    @property
    def day(self) -> str:
        """``2026-01-31 12:00``, UTC."""
        return self.when[:16].replace("T", " ")


def log(attrs: Iterable[Mapping[str, Any]]) -> tuple[Event, ...]:
    """What the studies' attributes say together, in order."""
    found: dict[tuple[int, str], Event] = {}
    for study in attrs:
        for entry in study.get(LOG) or ():
            found.setdefault((entry["number"], json.dumps(entry, sort_keys=True)), Event(**entry))
    return tuple(found[key] for key in sorted(found))


def events(records: Sequence[StudyRecord]) -> tuple[Event, ...]:
    """The log of the test set as the records have it."""
    return log(r.attrs for r in records)


def was_opened(entries: Sequence[Event]) -> bool:
    """Whether anybody had leave to look at the test set."""
    return any(e.kind == "opened" for e in entries)


def append(
    studies: Sequence[Study], kind: Literal["opened", "reopened"], why: str, planned: Mapping[str, Any], **more: Any
) -> Event:
    """Add an entry to the log, signed by this process."""
    past = log(s.user_attrs for s in studies)
    number = max((e.number for e in past), default=0) + 1
    when = datetime.now(UTC).isoformat(timespec="seconds")
    event = Event(number, kind, why, dict(planned), when, _user(), _command(), **more)
    for study in studies:
        study.set_user_attr(LOG, [*study.user_attrs.get(LOG, []), asdict(event)])
    return event


def note_reopening(studies: Sequence[Study], past: Sequence[Event], planned: Mapping[str, Any]) -> bool:
    """Put on record, once, that a plan which a look at the test set had closed goes on.

    Args:
        studies: those that go on or are added.
        past: the log so far.
        planned: budget and replicates from now on.
    """
    if not was_opened(past) or (past[-1].kind == "reopened" and dict(past[-1].planned) == dict(planned)):
        return False
    before = dict(past[-1].planned)
    change = f"the plan was changed from {budget_words(before)} to {budget_words(planned)}"
    append(studies, "reopened", change if before != dict(planned) else "studies were added to the plan", planned)
    return True


def sentences(entries: Sequence[Event], models: int) -> list[str]:
    """How often the test set was looked at and what came after, in words.

    Args:
        entries: the log.
        models: how many models were tested in all.
    """
    looks = [e for e in entries if e.kind == "opened"]
    if not looks:
        return [LOCKED]
    tested = f"{models} model{'' if models == 1 else 's'} tested"
    if len(looks) == 1:
        said = [f"The test set was opened once, on {looks[0].day} UTC; {tested}."]
    else:
        days = ", ".join(e.day for e in looks)
        said = [f"The test set was opened {len(looks)} times ({days} UTC); {tested}. {LESS}"]
    if entries[-1].kind == "reopened":
        said.append(
            f"The plan was reopened on {entries[-1].day} UTC, after a look: {entries[-1].why}. "
            "The test scores are of the winners before."
        )
    return said


LOCKED = (
    "No winner has been tested: the test set stays locked until the plan is finished and `hpo-optuna finalize STUDY` "
    "opens it, once."
)
LESS = "Whoever chooses after a look chooses by the test set: only the first look is unbiased."


def _user() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _command() -> str:
    return shlex.join([Path(sys.argv[0] or "python").name, *sys.argv[1:]])
