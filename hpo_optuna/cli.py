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


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    top = argparse.ArgumentParser(
        prog="hpo-optuna",
        description="Which hyperparameter optimizer should I use for my network, and how sure can I be?",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {version('hpo-optuna')}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, call: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(call=call)
        sub.add_argument("study", metavar="STUDY", help="a plan file, or the name of a plan that ships: lenet5_digits")
        sub.add_argument(
            "--storage", metavar="URL", default="sqlite:///hpo.db", help="the database (default: %(default)s)"
        )
        sub.add_argument("--budget-trials", type=int, metavar="N", help="trials of each study")
        sub.add_argument("--budget-epochs", type=int, metavar="N", help="epochs of each study")
        sub.add_argument("--replicates", type=int, metavar="N", help="how often each sampler is run")
        sub.add_argument("--data", metavar="NAME", help="cifar10, folder or digits")
        sub.add_argument("--data-dir", metavar="DIR", help="where the data are")
        return sub

    run = command("run", _run, "do what is left of a plan; the same command again resumes it")
    run.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default: %(default)s)")
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
    report = command("report", _report, "write a self-contained page, with .json and .csv beside it")
    report.add_argument("-o", "--output", default="report.html", metavar="FILE.html", help="default: %(default)s")
    export = command("export", _export, "write all trials to a table")
    export.add_argument(
        "-o", "--output", default="trials.csv", metavar="FILE", help=".csv or .parquet (default: %(default)s)"
    )
    dashboard = command("dashboard", _dashboard, "watch the database in optuna-dashboard")
    dashboard.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="default: %(default)s")
    dashboard.add_argument("--port", type=int, default=8080, metavar="N", help="0: a free one (default: %(default)s)")
    dashboard.add_argument("--artifact-dir", metavar="DIR", help="folder of Optuna's artifacts")
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


def _plan(args: argparse.Namespace) -> ComparisonPlan:
    from .loading import load_plan, override

    return override(
        load_plan(args.study),
        budget_trials=args.budget_trials,
        budget_epochs=args.budget_epochs,
        replicates=args.replicates,
        task={"data": args.data, "data_dir": args.data_dir},
    )


def _optimizer(args: argparse.Namespace) -> HyperparameterOptimizer:
    from .optimizer import HyperparameterOptimizer

    return HyperparameterOptimizer(_plan(args), args.storage)


def _run(args: argparse.Namespace) -> int:
    _optimizer(args).run(args.workers, only=args.only)
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

    Console().print(table(_optimizer(args).finalize(args.directory, seeds=args.seeds)))
    return 0


def _report(args: argparse.Namespace) -> int:
    for path in _optimizer(args).report(args.output):
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
