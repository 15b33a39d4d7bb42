"""A study run by eight processes, all of them killed and resumed, continues the same swarm: the trials are all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import optuna
import toys
from optuna.trial import TrialState, create_trial

from hpo_optuna import Budget, HyperparameterOptimizer, SamplerSpec
from hpo_optuna.samplers.pso import PSOSampler

TESTS = str(Path(__file__).parent)
TRIALS, KILLED_AT, PARTICLES = 30, 13, 6
CUTS = (0, 5, KILLED_AT, 21, TRIALS)  # 10 trials are the Latin hypercube, the others are proposed by the swarm
PSO = {"pso": SamplerSpec("pso", n_particles=PARTICLES)}
PLAN = """
    import os, signal, sys
    sys.path.insert(0, {tests!r})
    import toys
    from hpo_optuna import Budget, SamplerSpec

    def task(config, *, seed):
        yield from toys.bowl(config, seed=seed)
        open(os.path.join({marks!r}, str(seed)), "w").close()
        marks = os.listdir({marks!r})
        if "resumed" not in marks and len(marks) >= {killed_at}:
            os.killpg(0, signal.SIGKILL)  # all eight, in the middle of whatever they do

    PSO = {{"pso": SamplerSpec("pso", n_particles={particles})}}
    PLAN = toys.plan(task=task, samplers=PSO, budget=Budget(trials={trials}), pruner=None)
"""
# Eight processes, forked when the imports are done: from there on they share nothing but the database.
EIGHT = """
import os, sys
import hpo_optuna.samplers.pso
from hpo_optuna.loading import load_plan
from hpo_optuna.workers import work_here
plan = load_plan(sys.argv[1])
assert not {"torch", "optuna_dashboard"} & set(sys.modules)
children = []
for _ in range(8):
    pid = os.fork()
    if pid == 0:
        work_here(plan, sys.argv[2])
        os._exit(0)
    children.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
sys.exit(any(codes))
"""
FRESH = """
import json, sys
sys.path.insert(0, sys.argv[1])
import optuna, test_swarm_of_eight as test
study = optuna.load_study(study_name=sys.argv[3], storage=sys.argv[2])
print(json.dumps([test.propose(test.swarm(), study, cut) for cut in json.loads(sys.argv[4])]))
"""


def work(plan: Path, url: str) -> tuple[int, str]:
    """The exit code of the launcher of eight workers, and what they said on standard error.

    They are a process group of their own and all hold the pipes: this returns when the last of them is gone.
    """
    order = [sys.executable, "-c", EIGHT, str(plan), url]
    ended = subprocess.run(order, process_group=0, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr


def swarm() -> PSOSampler:
    return PSOSampler(toys.SPACE, seed=5, n_particles=PARTICLES)


def propose(sampler: PSOSampler, study: optuna.Study, cut: int) -> dict[str, Any]:
    """What the sampler would give trial number ``cut``: it sees the trials before it, and changes nothing."""
    trial = create_trial(state=TrialState.RUNNING)
    trial.number = cut
    return sampler.sample_relative(study, trial, sampler.infer_relative_search_space(study, trial))


def elsewhere(url: str, name: str, cuts: Iterable[int]) -> list[list[dict[str, Any]]]:
    """:func:`propose` in two processes of their own with other hashes, from the database alone."""
    order = [sys.executable, "-c", FRESH, TESTS, url, name, json.dumps(list(cuts))]
    both = [
        subprocess.Popen(order, stdout=subprocess.PIPE, env={**os.environ, "PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    ]
    return [json.loads(process.communicate()[0]) for process in both]


def test_eight_processes_killed_at_once_and_resumed_continue_the_same_swarm(tmp_path: Path) -> None:
    url, marks = f"sqlite:///{tmp_path}/hpo.db", tmp_path / "marks"
    marks.mkdir()
    body = PLAN.format(tests=TESTS, marks=str(marks), killed_at=KILLED_AT, trials=TRIALS, particles=PARTICLES)
    plan = toys.write_plan(tmp_path, body)
    optimizer = HyperparameterOptimizer(toys.plan(samplers=PSO, budget=Budget(trials=TRIALS), pruner=None), url)

    code, said = work(plan, url)
    assert (code, said) == (-signal.SIGKILL, ""), said
    [killed] = optimizer.status().studies
    finished = {i: row for i, row in toys.results(killed).items() if row[0] == "COMPLETE"}
    cut_off = {t.number: dict(t.params) for t in killed if t.state == "RUNNING" and t.params}
    assert 0 < len(finished) < TRIALS
    assert cut_off, "the one that killed them was in the middle of a trial"

    marks.joinpath("resumed").touch()  # nothing is deadly any more
    code, said = work(plan, url)
    assert (code, said) == (0, ""), said
    [whole] = optimizer.status().studies
    results = toys.results(whole)
    assert [t.number for t in whole] == list(range(len(whole.trials)))
    assert {t.state for t in whole} <= {"COMPLETE", "FAIL"}, "nothing is left running or waiting"
    assert sorted(results) == list(range(TRIALS)), "the budget is hit exactly"
    assert {row[0] for row in results.values()} == {"COMPLETE"}
    assert {i: results[i] for i in finished} == finished, "what was finished is kept, bit for bit"
    retried = {t.history[-1]: dict(t.params) for t in whole if t.history and not t.void}
    # One that was killed between two suggestions keeps those it had, and is asked for the rest.
    kept = {number: {name: retried[number][name] for name in params} for number, params in cut_off.items()}
    assert kept == cut_off, "a retry has the parameters of its original"
    assert len({tuple(row[1].items()) for row in results.values()}) == TRIALS, "no configuration is proposed twice"

    study = optuna.load_study(study_name=whole.name, storage=url)
    fresh = [propose(swarm(), study, cut) for cut in CUTS]
    assert elsewhere(url, whole.name, CUTS) == [fresh, fresh], "who shares only the table proposes the same"
    for cuts in (CUTS, CUTS[::-1]):
        warm = swarm()
        assert [propose(warm, study, cut) for cut in cuts] == [fresh[CUTS.index(cut)] for cut in cuts]
    assert len({tuple(params.items()) for params in fresh}) == len(CUTS)
