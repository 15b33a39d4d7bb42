"""Trials per hour of a whole study on SQLite: ours with one and with two workers, beside the tutorials' way.

    python benchmarks/study.py                     # about half an hour on two idle cores
    python benchmarks/study.py --quick             # about a minute, most of it imports: its ratios say nothing
    python benchmarks/study.py --data-dir DIR      # pictures of DIR/train/<class>/ instead of random ones

The tutorials' way: Optuna's objective (`trial.report`, `should_prune`, `study.optimize(n_jobs=2)`, which are threads)
around the loop of PyTorch's "Training a classifier" (PIL images, transforms, DataLoader, eager float32). All train the
same configurations with the same pruner and pictures, each in fresh processes, by the clock from start to end; they
take turns, and medians count. Scores differ in their noise, so a pruner may stop another trial: trials and epochs are
printed, and the CPU seconds of all processes, which a busy machine changes less than the clock.

Then, once more with clocks inside, where two workers' time goes; and their private memory (USS, the most that was
seen) beside that of a process that has imported torch and run one training step of the largest net.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

import optuna
import psutil
from optuna.trial import TrialState
from whole_study.clocks import END, PARTS, START
from whole_study.plan import BATCH, SPACE, Setting, make_pictures

HERE = Path(__file__).parent
SIDES = {  # name -> module and number of workers or threads
    "tutorials, 2 threads": ("whole_study.tutorial", "2"),
    "ours, 1 worker": ("whole_study.ours", "1"),
    "ours, 2 workers": ("whole_study.ours", "2"),
}
TUTORIAL, ONE, TWO = SIDES
MIB = 2**20


class Run(NamedTuple):
    seconds: float
    cpu: float
    trials: int
    epochs: int

    @property
    def per_hour(self) -> float:
        return 3600 * self.trials / self.seconds


def processes(module: str, *words: str, look: Callable[[psutil.Process], None] | None = None) -> str:
    """Run a module to its end and return what it prints; `look` at it ten times a second."""
    # Tests and users may start this from anywhere; the parts are beside this file.
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    command, environment = [sys.executable, "-m", module, *words], {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        while look is not None and process.poll() is None:
            look(psutil.Process(process.pid))
            time.sleep(0.1)
        said = process.communicate()[0]
    if process.returncode != 0:
        raise SystemExit(f"{module} ended with exit code {process.returncode}; its last words are above.")
    return said


def spent_by_children() -> float:
    """CPU seconds of all processes that have ended below this one."""
    times = psutil.Process().cpu_times()
    return float(times.children_user + times.children_system)


def measure(
    side: str, setting: Setting, database: Path, *words: str, look: Callable[[psutil.Process], None] | None = None
) -> Run:
    """One study in fresh processes on a new database."""
    module, workers = SIDES[side]
    url = f"sqlite:///{database}"
    began, cpu = time.time(), spent_by_children()
    processes(module, json.dumps(asdict(setting)), url, workers, *words, look=look)
    seconds, cpu = time.time() - began, spent_by_children() - cpu
    [name] = optuna.get_all_study_names(url)
    trials = optuna.load_study(study_name=name, storage=url).get_trials()
    done = [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert len(done) == setting.trials, f"{side}: {len(done)} of {setting.trials} trials are done"
    return Run(seconds, cpu, len(done), sum(len(t.intermediate_values) for t in done))


class Memory:
    """The most private memory that each worker process was seen with, in bytes."""

    def __init__(self) -> None:
        self.most: dict[int, int] = {}

    def __call__(self, parent: psutil.Process) -> None:
        try:
            for child in parent.children():
                if "worker" in child.cmdline():
                    self.most[child.pid] = max(self.most.get(child.pid, 0), child.memory_full_info().uss)
        except psutil.Error:
            pass  # it has just ended


def table_of_times(folder: Path, began: float, ended: float) -> None:
    """Each part's share of the workers' time, from the command's start to its end."""
    workers = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    spent = {part: mean(worker["spent"].get(part, 0.0) for worker in workers) for part in PARTS}
    spent[START] += mean(worker["began"] - began for worker in workers)  # the parent's, before there are workers
    spent[END] += mean(ended - worker["ended"] for worker in workers)
    print(f"\n| where the time goes, mean of {len(workers)} workers | seconds | share |\n|---|---|---|")
    for part, seconds in spent.items():
        print(f"| {part} | {seconds:.1f} | {seconds / (ended - began):.1%} |")


def print_memory(most: dict[int, int]) -> None:
    largest = [str(getattr(SPACE[name], "high")) for name in ("C1", "C3", "F6")]  # noqa: B009 -- not of every kind
    bare = int(processes("whole_study.bare_torch", *largest, str(BATCH)))
    beyond = (max(most.values()) - bare) / MIB
    print(f"\nprivate memory: workers {', '.join(f'{uss / MIB:.0f}' for uss in most.values())} MiB at most, ", end="")
    print(f"torch alone {bare / MIB:.0f} MiB: beyond torch {beyond:.0f} MiB (goal: below 100)")


def main() -> None:
    options = arguments()
    setting_of: dict[str, Any] = {name: getattr(options, name) for name in ("trials", "epochs", "images", "validation")}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as made:
        folder, data_dir = Path(made), options.data_dir
        if data_dir is None:
            make_pictures(folder, options.images + options.validation)
        setting = Setting(str(data_dir or folder), **setting_of, seed=0)
        setting.task().prepare()  # once per machine
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; Python {platform.python_version()}, ", end="")
        print(", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "optuna")))
        print(f"{options.trials} trials of up to {options.epochs} epochs of {options.images:,} images, ", end="")
        print(f"{options.validation:,} for validation; n = {options.rounds}, alternated, medians\n", flush=True)
        runs: dict[str, list[Run]] = {side: [] for side in SIDES}
        for k in range(options.rounds):
            for number, side in enumerate(SIDES):
                runs[side].append(measure(side, setting, folder / f"{k}-{number}.db"))
        rates = {side: median(run.per_hour for run in runs[side]) for side in SIDES}
        print("| study | trials | epochs | seconds | CPU seconds | trials per hour | ratio to the tutorials |")
        print("|---|---|---|---|---|---|---|")
        for side, found in runs.items():
            epochs = "/".join(map(str, sorted({run.epochs for run in found})))
            times = [f"{median(times):.1f}" for times in zip(*((run.seconds, run.cpu) for run in found), strict=True)]
            row = [side, str(found[0].trials), epochs, *times, f"{rates[side]:.0f}"]
            print(f"| {' | '.join([*row, f'{rates[side] / rates[TUTORIAL]:.2f}'])} |")
        print(f"\nratio {rates[TWO] / rates[ONE]:.2f} (two workers over one; goal on an idle machine: 1.8)")
        print(f"ratio {rates[TWO] / rates[TUTORIAL]:.2f} (two workers over the tutorials' two threads; goal: 4)")
        clocks, memory = folder / "clocks", Memory()
        clocks.mkdir()
        began = time.time()
        run = measure(TWO, setting, folder / "clocked.db", str(clocks), look=memory)
        table_of_times(clocks, began, began + run.seconds)
        print_memory(memory.most)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="6 trials of 2 epochs of 500 images, one round")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="folder with train/<class>/<image>")
    sizes = {"rounds": (3, 1), "trials": (16, 6), "epochs": (5, 2), "images": (10_000, 500), "validation": (1000, 100)}
    for name, (full, quick) in sizes.items():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"default: {full}, quick: {quick}")
    options = parser.parse_args()
    for name, defaults in sizes.items():
        if getattr(options, name) is None:
            setattr(options, name, defaults[options.quick])
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(options, name)}")
    return options


if __name__ == "__main__":
    main()
