"""The HPO object: run, resume, look, report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.storages import BaseStorage
from rich.console import Console

from . import records
from .crew import Crew, lead
from .deaths import Sweeper
from .enqueue import checked, enqueue
from .errors import UserError
from .fronts import HYPERVOLUME, scalar
from .matrix import PlannedStudy, annotate, check, matrix, open_studies
from .objectives import metric_names
from .patience import plainly
from .patient import obey
from .plan import ComparisonPlan
from .processes import this_process
from .ray_crew import Cluster
from .status import Display, Status
from .stop import Stop, signals_to
from .storage import absolute_url, advise, check_place, open_storage, sqlite_path
from .summary import load
from .units import Unit, unit_of
from .workers import prepare_task, quiet_optuna, work

if TYPE_CHECKING:
    from .final_results import FinalResult
    from .planning import Forecast
    from .verdict import Verdict


class HyperparameterOptimizer:
    """Compares samplers by a plan, with everything that matters in one database.

    Args:
        plan: what to compare.
        storage: an SQLAlchemy URL, or an open Optuna storage (one worker only).

    Raises:
        UserError: the URL is none.

    Example::

        hpo = HyperparameterOptimizer(PLAN, storage="sqlite:///hpo.db")
        hpo.run(workers=2)  # run again = resume
        print(hpo.status())
        hpo.report("report.html")
    """

    def __init__(self, plan: ComparisonPlan, storage: str | BaseStorage = "sqlite:///hpo.db") -> None:
        if not isinstance(plan, ComparisonPlan):
            raise UserError(f"a HyperparameterOptimizer needs a ComparisonPlan, got {plan!r}.")
        if not isinstance(storage, str | BaseStorage):
            raise UserError(f"storage must be a URL as 'sqlite:///hpo.db' or an Optuna storage, got {storage!r}.")
        self.plan = plan
        self.storage = absolute_url(storage) if isinstance(storage, str) else storage

    @plainly()
    def run(
        self,
        workers: int = 1,
        *,
        only: Sequence[str] = (),
        progress: bool = True,
        ray: str | None = None,
        ray_resources: Mapping[str, float] | None = None,
    ) -> Status:
        """Do what is left of the plan; nothing when nothing is.

        Args:
            workers: processes on this machine, one training thread each; 1 runs in this process.
            only: labels of samplers to run; empty for all.
            progress: whether to draw it.
            ray: address of a Ray cluster on whose nodes the workers run: ``auto`` or ``HOST:PORT``.
            ray_resources: what each of them holds there; ``{"CPU": 1}`` if not given.

        Returns:
            The status at the end.

        Raises:
            UserError: something in the plan, the data or the database is wrong; nothing was started.
            StudyStopped: three configurations of a study failed in a row; the other studies were finished first.
            KeyboardInterrupt: it was interrupted; run again to resume.
        """
        if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
            raise UserError(f"workers must be a whole number of at least 1, got {workers!r}.")
        if (workers > 1 or ray is not None) and not isinstance(self.storage, str):
            raise UserError(f"{workers} workers need a database URL, since an open storage stays in this process.")
        if ray is None and ray_resources is not None:
            raise UserError(f"ray_resources={dict(ray_resources)} are for a Ray cluster; name it, as in --ray auto.")
        only = (only,) if isinstance(only, str) else tuple(only)
        from .verdict_note import note_verdict  # imports scipy's statistics

        console = Console(quiet=not progress)
        cluster = None if ray is None else Cluster(ray, str(self.storage), ray_resources)
        self._check(only, 1 if cluster else workers, console)
        order = {"plan": self.plan, "url": self.storage, "only": only, "parent": this_process()}
        with quiet_optuna():  # what it would say is in the database: failures with their tracebacks
            storage = self._open(create=True)
            studies = open_studies(self.plan, storage, only)
            for line in annotate(self.plan, studies):
                console.print(line, highlight=False)
            if cluster is not None:
                cluster.prepare(order)
            stop = Stop()
            obey(storage, stop)
            display = Display(lambda: self._status(studies), workers, console)
            with signals_to(stop), display if progress else nullcontext():
                tick = display.tick if progress else lambda: None
                if cluster is not None:
                    lead(cluster.hire(order, workers), stop, tick)
                elif workers > 1:
                    lead(Crew(order, workers), stop, tick)
                else:
                    work(self.plan, storage, only=only, stop=stop, tick=tick)
                self._bury(studies)
            verdict = self._judge(storage)
            note_verdict(studies, verdict)
        if stop.requested:
            raise KeyboardInterrupt
        return self._status(studies, verdict)

    @plainly()
    def status(self) -> Status:
        """What is done, what is left, who is best; changes nothing.

        Raises:
            UserError: there is no database, or the plan has no study in it.
        """
        names = {self.plan.study_name(*cell) for cell in matrix(self.plan)}
        storage = self._open(create=False)
        found = load(storage, self.plan.name)
        shown = tuple(s for s in found if s.name in names)
        return Status(self.plan.name, self.plan.budget, shown, self._judge(storage))

    @plainly()
    def forecast(self, *, sd: float | None = None, differences: Sequence[float] = ()) -> Forecast:
        """How many replicates the plan needs to see a difference, and what they cost, before they are spent.

        The studies that the database holds, finished or not, are the pilot.

        Args:
            sd: of paired differences of study results, if you know better than the pilot.
            differences: to be seen, in the unit of the scores.

        Raises:
            UserError: there is neither a pilot nor ``sd``, and the scores are no accuracies.
        """
        from .planning import forecast

        path = sqlite_path(self.storage) if isinstance(self.storage, str) else None
        empty = path is not None and not path.exists()
        pilot = () if empty else records.read(self._open(create=False), self.plan.name)
        return forecast(
            scalar(pilot),
            samplers=len(self.plan.samplers),
            replicates=self.plan.replicates,
            trials=self.plan.budget.trials,
            epochs=self.plan.budget.epochs,
            epochs_per_trial=getattr(self.plan.task, "max_steps", None),
            unit=self.unit(pilot),
            sd=sd,
            differences=differences,
        )

    def unit(self, studies: Sequence[records.StudyRecord] = ()) -> Unit:
        """How scores are written: accuracies in percent."""
        if len(self.plan.directions) > 1:
            return Unit(HYPERVOLUME)
        scores = [s.best.value for s in studies if s.best is not None]
        return unit_of(metric_names(self.plan.task)[0], scores or [0.0])

    @plainly()
    def report(self, path: str | Path = "report.html") -> list[Path]:
        """Write one self-contained HTML page, with a JSON and a CSV file beside it.

        Returns:
            The files written.
        """
        from .report import write_report

        return write_report(self._open(create=False), self.plan.name, Path(path))

    @plainly()
    def export(self, path: str | Path) -> Path:
        """Write all trials to ``path``, a ``.csv`` or ``.parquet`` file."""
        from .export import export

        return export(self._open(create=False), self.plan.name, Path(path))

    @plainly()
    def enqueue(self, config: Mapping[str, Any], *, only: Sequence[str] = ()) -> int:
        """Queue a configuration of your own in every study, or in those of the samplers ``only``.

        It is run before the sampler is asked again, counts in the budget, and every sampler sees it as evidence.

        Returns:
            How many trials were queued.

        Raises:
            UserError: a value is outside the space, or a budget is taken.
        """
        only = (only,) if isinstance(only, str) else tuple(only)
        check(self.plan, only)
        checked(config, self.plan.space)  # before there is a database
        prepare_task(self.plan)
        with quiet_optuna():
            studies = open_studies(self.plan, self._open(create=True), only)
            annotate(self.plan, studies)
            return enqueue(self.plan, studies, config)

    @plainly()
    def finalize(
        self, directory: str | Path = "models", *, seeds: int = 5, again: str | None = None, progress: bool = True
    ) -> tuple[FinalResult, ...]:
        """Retrain each study's winner with fresh seeds, unlock the test set, save the models.

        The same call resumes an interrupted one; repeated, it measures nothing and returns what is on record. The
        models join the database's artifacts (``hpo.db-artifacts`` beside ``hpo.db``), where the dashboard shows them.

        Args:
            directory: where the models go.
            seeds: retrainings of each winner.
            again: why the test set is looked at once more: more seeds, or a plan that was extended since.
            progress: whether to print a line after each model.

        Raises:
            UserError: the plan is not finished, its task has no test split, or this would be another look at the test
                set and ``again`` does not say why.
        """
        from .artifacts import artifact_folder
        from .finalize import finalize
        from .verdict_note import note_verdict

        console = Console(quiet=not progress)
        storage = self._open(create=False)
        load(storage, self.plan.name)  # before studies are made that were never run
        prepare_task(self.plan)
        with quiet_optuna():
            studies = open_studies(self.plan, storage)
            annotate(self.plan, studies)
            found = finalize(
                self.plan,
                studies,
                Path(directory),
                seeds=seeds,
                again=again,
                artifacts=artifact_folder(self.storage),
                tell=lambda line: console.print(line, highlight=False, soft_wrap=True),
            )
            note_verdict(studies, self._judge(storage))
            return found

    def _check(self, only: tuple[str, ...], workers: int, console: Console) -> None:
        """Everything that can be wrong before a database is touched or a trial started."""
        samplers = check(self.plan, only)
        if isinstance(self.storage, str):
            check_place(self.storage)  # before data are fetched for hours
            advise(self.storage, workers)
        for label, sampler in samplers.items():
            size, trials = getattr(sampler, "n_points", None), self.plan.budget.trials
            if size is not None and trials is not None and size != trials:
                than = f"of which the budget's {trials} are a random sample" if size > trials else "all of them run"
                console.print(f"{label}: the grid has {size:,} points, {than}.", highlight=False)
        cores = os.cpu_count() or 1
        if workers > cores:
            console.print(f"{workers} workers share {cores} cores; more workers than cores are slower.")
        prepare_task(self.plan)

    def _open(self, *, create: bool) -> BaseStorage:
        return open_storage(self.storage, create=create) if isinstance(self.storage, str) else self.storage

    def _status(self, studies: Sequence[PlannedStudy], verdict: Verdict | None = None) -> Status:
        return Status(self.plan.name, self.plan.budget, tuple(opened.record() for opened in studies), verdict)

    def _judge(self, storage: BaseStorage) -> Verdict:
        """The verdict over all studies of the plan, as the report gives it, whatever this call is about."""
        from .verdict import judge  # imports scipy's statistics

        found = load(storage, self.plan.name)
        return judge(found, self.unit(found))

    @staticmethod
    def _bury(studies: Sequence[PlannedStudy]) -> None:
        """End the trials of workers that had to be killed, so that a stopped run leaves none RUNNING."""
        sweeper = Sweeper()
        for opened in studies:
            sweeper.sweep(opened.study, opened.study.get_trials(deepcopy=False))
