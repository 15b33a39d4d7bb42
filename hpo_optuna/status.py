"""What is done, what is left, who is best: as data, as a table, and live in the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .looks import events, was_opened
from .plan import Budget
from .records import EXHAUSTED, StudyRecord
from .units import Unit

if TYPE_CHECKING:
    from .verdict import Verdict


@dataclass(frozen=True)
class Status:
    """The state of a comparison, study by study.

    Prints as a table and the verdict; ``status.studies`` are the records behind it.
    """

    plan: str
    budget: Budget
    studies: tuple[StudyRecord, ...]
    verdict: Verdict | None = None  # of all studies of the plan; None while they run

    @property
    def left(self) -> int | None:
        """Trials still to be finished; None where only epochs are limited."""
        if self.budget.trials is None:
            return None
        open_studies = (s for s in self.studies if not s.attrs.get(EXHAUSTED))
        return sum(max(0, self.budget.trials - len(s.finished)) for s in open_studies)

    @property
    def best(self) -> StudyRecord | None:
        """The study with the best complete trial; None before there is one."""
        done = [s for s in self.studies if s.best is not None]
        sign = -1.0 if done and done[0].direction == "maximize" else 1.0
        return min(done, key=lambda s: sign * (s.best.value or 0.0) if s.best else 0.0, default=None)

    def __rich__(self) -> RenderableType:
        return Group(table(self), *(Text(line) for line in (*self._words, *self.test_set)))

    @property
    def test_set(self) -> tuple[str, ...]:
        """What the winners scored on the test set, sampler by sampler, and how often it was looked at."""
        if not was_opened(events(self.studies)):
            return ()
        from .final_results import lines  # imports scipy's statistics, and workers need none

        return tuple(lines(self.studies, Unit()))

    def __str__(self) -> str:
        console = Console(width=WIDE)
        with console.capture() as capture:
            console.print(self)
        return capture.get()

    @property
    def _words(self) -> tuple[str, ...]:
        return () if self.verdict is None else (self.verdict.sentence, *self.verdict.notes)

    def _repr_html_(self) -> str:
        cells = [row(study, self.budget) for study in self.studies]
        rows = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in line)}</tr>" for line in cells)
        words = "".join(f"<p>{escape(line)}</p>" for line in (*self._words, *self.test_set))
        return f"<table><tr>{''.join(f'<th>{c}</th>' for c in COLUMNS)}</tr>{rows}</table>{words}"


WIDE = 120  # columns of the table where no terminal says otherwise
COLUMNS = (
    "study",
    "trials",
    "complete",
    "pruned",
    "failed",
    "running",
    "epochs",
    "best",
    "configuration",
    "left",
)


def row(study: StudyRecord, budget: Budget) -> tuple[str, ...]:
    """One study as text, in the order of :data:`COLUMNS`; ``left`` is the work left if its pace holds."""
    best = study.best
    return (
        f"{study.label}/seed-{study.replicate}",
        _of(len(study.finished), budget.trials),
        str(study.count("COMPLETE")),
        str(study.count("PRUNED")),
        str(study.count("FAIL")),
        str(study.count("RUNNING")),
        _of(study.epochs, budget.epochs),
        _front(study) if best is None else f"{best.value:.4g}",
        "" if best is None else configuration(best.params),
        _left(study, budget),
    )


def _front(study: StudyRecord) -> str:
    """How many trials are on the front of a study with two objectives; nothing for one without a complete trial."""
    from .fronts import front, several  # imports the samplers' registry, and few plans need it

    return f"front of {len(front([study]))}" if several([study]) else ""


def configuration(params: Mapping[str, Any]) -> str:
    """``C1=12 C3=32 F6=84``."""
    return " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in params.items())


def _of(done: int, whole: int | None) -> str:
    return str(done) if whole is None else f"{done}/{whole}"


def seconds_left(study: StudyRecord, budget: Budget) -> float | None:
    """Seconds of work left in a study at its own pace so far; None before the first trial has ended."""
    if study.attrs.get(EXHAUSTED):
        return 0.0
    if not study.seconds:
        return None
    spent = budget.fraction(len(study.finished), study.epochs)
    return (study.seconds + study.audit_seconds) * max(0.0, 1.0 - spent) / spent if spent else None


def duration(seconds: float) -> str:
    """``0:01:23``."""
    return str(timedelta(seconds=round(seconds)))


def _left(study: StudyRecord, budget: Budget) -> str:
    seconds = seconds_left(study, budget)
    return "" if seconds is None else "done" if seconds == 0 else duration(seconds)


def table(status: Status, caption: str | None = None) -> Table:
    """The status as a rich table."""
    drawn = Table(
        title=status.plan,
        caption=caption,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for column in COLUMNS:
        justify: Literal["left", "right"] = "left" if column in ("study", "configuration") else "right"
        drawn.add_column(column, justify=justify, no_wrap=column != "configuration", overflow="fold")
    for study in status.studies:
        drawn.add_row(*row(study, status.budget))
    return drawn


class Display:
    """Progress while a plan runs: a live table in a terminal, a line per finished trial elsewhere.

    Args:
        read: gives the status now.
        workers: how many trials run at a time, for the time left.
        console: where to draw.
    """

    INTERVAL = 1.0  # seconds between two looks at the database

    def __init__(self, read: Callable[[], Status], workers: int, console: Console) -> None:
        self._read, self._workers, self._console = read, workers, console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._next = 0.0
        self._seen: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Display:
        if self._live is not None:
            self._live.start()
        self.draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.draw()
        if self._live is not None:
            self._live.stop()

    def tick(self) -> None:
        """Draw, if the last time is long enough ago."""
        if time.monotonic() >= self._next:
            self.draw()

    def draw(self) -> None:
        """Draw now."""
        status = self._read()
        if self._live is not None:
            self._live.update(table(status, self._caption(status)), refresh=True)
        else:
            self._lines(status.studies, status.budget)
        self._next = time.monotonic() + self.INTERVAL

    def _caption(self, status: Status) -> str:
        known = [s for s in (seconds_left(s, status.budget) for s in status.studies) if s is not None]
        if not known:
            return "time left: known after the first trial"
        # A study that has not begun will take as long as the others on average.
        mean_whole = sum(s.seconds / max(1, len(s.finished)) for s in status.studies) / len(known)
        fresh = len(status.studies) - len(known)
        trials = status.budget.trials or 0
        return f"time left: about {duration((sum(known) + fresh * mean_whole * trials) / self._workers)}"

    def _lines(self, studies: Sequence[StudyRecord], budget: Budget) -> None:
        for study in studies:
            now = (len(study.finished), study.count("FAIL"))
            if now != self._seen.setdefault(study.name, (0, 0)):
                self._seen[study.name] = now
                name, trials, _, pruned, failed, _, epochs, best, config, left = row(study, budget)
                self._console.print(
                    f"{name}: {trials} trials, {epochs} epochs, {pruned} pruned, {failed} failed, "
                    f"best {best or 'none'} {config}, left {left or 'unknown'}",
                    highlight=False,
                    soft_wrap=True,
                )
