"""The command line: words to calls, errors to messages; no logic."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .optimizer import HyperparameterOptimizer
    from .plan import ComparisonPlan


PREDICT = "classify pictures by a model that finalize saved"


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    top = argparse.ArgumentParser(
        prog="hpo-optuna",
        description="Which hyperparameter optimizer should I use for my network, and how sure can I be?",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {version('hpo-optuna')}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(
        name: str, call: Callable[[argparse.Namespace], int], text: str, *, many: bool = False
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(call=call)
        which = "a plan file, or the name of a plan that ships: lenet5_digits"
        if many:
            sub.add_argument("study", nargs="*", metavar="STUDY", help=f"{which}; several for one page over tasks")
        else:
            sub.add_argument("study", metavar="STUDY", help=which)
        sub.add_argument(
            "--storage", metavar="URL", default="sqlite:///hpo.db", help="the database (default: %(default)s)"
        )
        sub.add_argument("--budget-trials", type=int, metavar="N", help="trials of each study")
        sub.add_argument("--budget-epochs", type=int, metavar="N", help="epochs of each study")
        sub.add_argument("--replicates", type=int, metavar="N", help="how often each sampler is run")
        sub.add_argument("--pruner", metavar="NAME", help="median, successive_halving, hyperband, wilcoxon, none, ...")
        sub.add_argument("--audit", type=float, metavar="SHARE", help="of pruned trials that train on unreported")
        sub.add_argument("--data", metavar="NAME", help="cifar10, folder or digits")
        sub.add_argument("--data-dir", metavar="DIR", help="where the data are")
        return sub

    run = command("run", _run, "do what is left of a plan; the same command again resumes it")
    run.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default: %(default)s)")
    run.add_argument(
        "--ray", metavar="ADDRESS", help="run the workers on a Ray cluster: auto, or HOST:PORT of its head"
    )
    run.add_argument(
        "--ray-resources", metavar="NAME=NUMBER,...", help="what each of them holds there (default: CPU=1)"
    )
    worker = command("worker", _worker, "one more worker for a plan, on this or another machine")
    for sub in (run, worker):
        sub.add_argument(
            "--only", action="append", default=[], metavar="LABEL", help="only this sampler; may be repeated"
        )
    command("status", _status, "what is done, what is left, who is best")
    plan = command("plan", _forecast, "before spending: what the plan can see, and what seeing more would cost")
    plan.add_argument("--sd", type=float, metavar="X", help="SD of paired differences of study results, if known")
    plan.add_argument(
        "--difference", type=float, action="append", default=[], metavar="X", help="to be seen; may be repeated"
    )
    enqueue = command("enqueue", _enqueue, "queue a configuration of your own for the next free worker")
    enqueue.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", required=True, help="one per hyperparameter"
    )
    enqueue.add_argument("--only", action="append", default=[], metavar="LABEL", help="only in this sampler's studies")
    finalize = command(
        "finalize", _finalize, "retrain the winners with fresh seeds, unlock the test set, save the models"
    )
    finalize.add_argument("--seeds", type=int, default=5, metavar="N", help="models per winner (default: %(default)s)")
    finalize.add_argument("--directory", default="models", metavar="DIR", help="default: %(default)s")
    finalize.add_argument(
        "--again", metavar="REASON", help="look at the test set once more; the reason stays on record"
    )
    predict = commands.add_parser("predict", help=PREDICT, description=PREDICT)
    predict.set_defaults(call=_predict)
    predict.add_argument("model", metavar="MODEL", help="a model.pt that finalize saved")
    predict.add_argument("pictures", metavar="PICTURE", nargs="+", help="picture files of any size")
    report = command("report", _report, "write a self-contained page, with .json and .csv beside it", many=True)
    report.add_argument(
        "--studies", action="append", default=[], metavar="A,B,...",
        help="any studies of the database instead of a plan, also those of other tools",
    )  # fmt: skip
    report.add_argument("-o", "--output", default="report.html", metavar="FILE.html", help="default: %(default)s")
    export = command("export", _export, "write all trials to a table")
    export.add_argument(
        "-o", "--output", default="trials.csv", metavar="FILE", help=".csv or .parquet (default: %(default)s)"
    )
    dashboard = command("dashboard", _dashboard, "watch the database in optuna-dashboard")
    dashboard.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="default: %(default)s")
    dashboard.add_argument("--port", type=int, default=8080, metavar="N", help="0: a free one (default: %(default)s)")
    dashboard.add_argument(
        "--artifact-dir", metavar="DIR", help="folder of Optuna's artifacts (default: beside the database)"
    )
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 done; 2 an error of the user; 3 a study was given up; 130 interrupted; 1 anything else.
    """
    args = parser().parse_args(argv)
    from .errors import StudyStopped, UserError, WorkerError

    try:
        return int(args.call(args))
    except UserError as error:
        return _say(error, 2)
    except StudyStopped as error:
        return _say(error, 3)
    except WorkerError as error:
        return _say(error, 1)
    except KeyboardInterrupt:
        if args.command == "run":
            print("interrupted; the same command resumes it.", file=sys.stderr)
        return 130


def _say(error: Exception, code: int) -> int:
    print(f"hpo-optuna: {error}", file=sys.stderr)
    return code


def _plan(args: argparse.Namespace, study: str | None = None) -> ComparisonPlan:
    from .loading import load_plan, override

    return override(
        load_plan(args.study if study is None else study),
        budget_trials=args.budget_trials,
        budget_epochs=args.budget_epochs,
        replicates=args.replicates,
        pruner=args.pruner,
        audit=args.audit,
        task={"data": args.data, "data_dir": args.data_dir},
    )


def _optimizer(args: argparse.Namespace) -> HyperparameterOptimizer:
    from .optimizer import HyperparameterOptimizer

    return HyperparameterOptimizer(_plan(args), args.storage)


def _run(args: argparse.Namespace) -> int:
    optimizer, resources = _optimizer(args), None
    if args.ray_resources is not None:
        from .ray_crew import parse_resources

        resources = parse_resources(args.ray_resources)
    optimizer.run(args.workers, only=args.only, ray=args.ray, ray_resources=resources)
    return 0


def _worker(args: argparse.Namespace) -> int:
    from .workers import work_from_stdin, work_here

    if args.study == "-":
        work_from_stdin()
    else:
        work_here(_plan(args), args.storage, only=tuple(args.only))
    return 0


def _status(args: argparse.Namespace) -> int:
    from rich.console import Console

    from .status import WIDE

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    console.print(_optimizer(args).status())
    return 0


def _forecast(args: argparse.Namespace) -> int:
    optimizer = _optimizer(args)
    forecast = optimizer.forecast(sd=args.sd, differences=args.difference)
    print("\n".join(forecast.lines(optimizer.unit())))
    return 0


def _enqueue(args: argparse.Namespace) -> int:
    from .enqueue import parse

    optimizer = _optimizer(args)
    queued = optimizer.enqueue(parse(args.set, optimizer.plan.space), only=args.only)
    print(f"queued in {queued} studies; `hpo-optuna run` runs it next.")
    return 0


def _finalize(args: argparse.Namespace) -> int:
    from rich.console import Console

    from .finalize import table

    Console().print(table(_optimizer(args).finalize(args.directory, seeds=args.seeds, again=args.again)))
    return 0


def _predict(args: argparse.Namespace) -> int:
    from .errors import UserError
    from .tasks.model import load_model

    try:
        predictions = load_model(args.model).predict(args.pictures)
    except ValueError as error:
        raise UserError(str(error)) from error
    for picture, prediction in zip(args.pictures, predictions, strict=True):
        print(f"{picture}: {prediction}")
    return 0


def _report(args: argparse.Namespace) -> int:
    from .report import report

    plans = [_plan(args, study).name for study in args.study]
    studies = [name for names in args.studies for name in names.split(",") if name]
    for path in report(args.storage, args.output, plans=plans, studies=studies):
        print(path)
    return 0


def _export(args: argparse.Namespace) -> int:
    print(_optimizer(args).export(args.output))
    return 0


def _dashboard(args: argparse.Namespace) -> int:
    from .dashboard import serve

    _plan(args)
    artifacts = None if args.artifact_dir is None else Path(args.artifact_dir)
    serve(args.storage, host=args.host, port=args.port, artifact_dir=artifacts)
    return 0
