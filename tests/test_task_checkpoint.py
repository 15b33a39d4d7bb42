"""A training that is cut off goes on after its last finished epoch, and nobody can tell from its scores."""

from __future__ import annotations

import dataclasses
import io
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
import toys
from optuna.distributions import CategoricalDistribution
from torch.optim.optimizer import register_optimizer_step_post_hook

from hpo_optuna import Budget, SamplerSpec
from hpo_optuna.stop import Interrupted, ending
from hpo_optuna.tasks import Diverged, LeNet5Task, Score, checkpoint

# Every source of randomness at once, and a learning rate that moves.
CONFIG = {"C1": 3, "C3": 5, "F6": 20, "dropout": 0.2, "flip": True, "crop": 2, "schedule": "cosine"}
STEPS = 4  # of the optimizer in an epoch of 500 images


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> LeNet5Task:
    folder = tmp_path_factory.mktemp("digits")
    return LeNet5Task(data="digits", data_dir=str(folder), epochs=3, device="cpu", train_size=500)


@pytest.fixture
def task(base: LeNet5Task, monkeypatch: pytest.MonkeyPatch) -> Iterator[LeNet5Task]:
    monkeypatch.setattr(checkpoint, "EVERY_SECONDS", 0.0)
    yield base
    shutil.rmtree(folder(base), ignore_errors=True)


@pytest.fixture(scope="module")
def whole(base: LeNet5Task) -> Any:
    """The scores of a training that knows no checkpoints."""
    return numbers(dataclasses.replace(base, checkpoints=False)(CONFIG, seed=3))


def numbers(scores: Iterable[Score]) -> list[list[str]]:
    return [[value.hex() for value in (s.accuracy, s.loss, s.train_loss)] for s in scores]


def folder(task: LeNet5Task) -> Path:
    return Path(str(task.data_dir)) / ".hpo-optuna-cache" / "checkpoints"


def kept(task: LeNet5Task) -> list[Path]:
    return sorted(folder(task).glob("*.pt"))


def interrupted(task: LeNet5Task, epochs: int, **config: Any) -> list[Score]:
    """The scores of a training that is interrupted after some epochs."""
    generator = task({**CONFIG, **config}, seed=3)
    scores = [next(generator) for _ in range(epochs)]
    with pytest.raises(KeyboardInterrupt):
        generator.throw(KeyboardInterrupt())
    return scores


@contextmanager
def counted_epochs() -> Iterator[list[float]]:
    """How many epochs are trained in the block."""
    epochs = [0.0]

    def count(*_: Any) -> None:
        epochs[0] += 1 / STEPS

    handle = register_optimizer_step_post_hook(count)
    yield epochs
    handle.remove()


@pytest.mark.parametrize(("optimizer", "epochs"), [("adam", 1), ("adam", 2), ("adamw", 1), ("sgd", 2)])
def test_an_interrupted_training_goes_on_to_the_same_bits(task: LeNet5Task, optimizer: str, epochs: int) -> None:
    before = interrupted(task, epochs, optimizer=optimizer)
    with counted_epochs() as trained:
        scores = list(task({**CONFIG, "optimizer": optimizer}, seed=3))
    assert trained == [3 - epochs]
    assert scores[:epochs] == before, "past scores come again, with the seconds they took"
    plain = dataclasses.replace(task, checkpoints=False)
    assert numbers(scores) == numbers(plain({**CONFIG, "optimizer": optimizer}, seed=3))


KILLED = """
import os, signal
from torch.optim.optimizer import register_optimizer_step_post_hook
from hpo_optuna.tasks import LeNet5Task, checkpoint

steps = []

def die(*_):
    steps.append(1)
    if len(steps) == {step}:
        os.kill(os.getpid(), signal.SIGKILL)

register_optimizer_step_post_hook(die)
checkpoint.EVERY_SECONDS = 0.0
for score in {task!r}({config!r}, seed=3):
    print(score.seconds.hex(), flush=True)
"""


def test_a_training_killed_in_the_middle_of_its_second_epoch_goes_on_to_the_same_bits(
    task: LeNet5Task, whole: Any
) -> None:
    code = KILLED.format(task=task, config=CONFIG, step=STEPS + 2)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    with counted_epochs() as trained:
        scores = list(task(CONFIG, seed=3))
    assert trained == [2]
    assert [score.seconds.hex() for score in scores[:1]] == run.stdout.split()
    assert numbers(scores) == whole


def flipped_bit(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a flipped bit": flipped_bit,
    "cut short": lambda data: data[:-100],
    "emptied": lambda data: b"",
    "another file": lambda data: b"what is this" * 100,
    "grown": lambda data: data + b"more",
    "not ours inside": lambda data: checkpoint.sealed(b"well kept, but no checkpoint"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_ignored_with_a_warning(task: LeNet5Task, whole: Any, damage: str) -> None:
    interrupted(task, 2)
    [path] = kept(task)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.warns(UserWarning, match=r"The checkpoint .* is ignored"):
        scores = list(task(CONFIG, seed=3))
    assert numbers(scores) == whole


def test_the_checkpoint_of_another_training_is_ignored_with_a_warning(task: LeNet5Task, whole: Any) -> None:
    interrupted(task, 2)
    [mine] = kept(task)
    interrupted(dataclasses.replace(task, train_size=501), 1)
    [other] = [path for path in kept(task) if path != mine]
    os.replace(other, mine)
    with pytest.warns(UserWarning, match="is ignored: it belongs to another training"):
        scores = list(task(CONFIG, seed=3))
    assert numbers(scores) == whole


def test_a_state_that_fits_the_net_but_not_the_optimizer_is_ignored_as_a_whole(task: LeNet5Task, whole: Any) -> None:
    interrupted(task, 2)
    [path] = kept(task)
    saved = torch.load(io.BytesIO(path.read_bytes()[len(checkpoint.FORMAT) + 32 :]), weights_only=True)
    saved["optimizer"]["param_groups"] = []
    buffer = io.BytesIO()
    torch.save(saved, buffer)
    path.write_bytes(checkpoint.sealed(buffer.getvalue()))
    with pytest.warns(UserWarning, match="is ignored"):
        scores = list(task(CONFIG, seed=3))
    assert numbers(scores) == whole


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("archive", [True, False], ids=["in torch's archive", "a bare pickle"])
def test_a_checkpoint_that_is_a_pickle_bomb_does_not_go_off(
    task: LeNet5Task, tmp_path: Path, whole: Any, archive: bool
) -> None:
    interrupted(task, 2)
    [path] = kept(task)
    bomb = {"key": Bomb(tmp_path / "crater")}
    content = pickle.dumps(bomb, protocol=2)
    if archive:
        torch.save(bomb, tmp_path / "bomb.pt")
        content = (tmp_path / "bomb.pt").read_bytes()
    path.write_bytes(checkpoint.sealed(content))
    with pytest.warns(UserWarning, match="is ignored"):
        scores = list(task(CONFIG, seed=3))
    assert not (tmp_path / "crater").exists()
    assert numbers(scores) == whole


def test_deleting_the_folder_between_two_epochs_and_two_tries_changes_no_score(task: LeNet5Task, whole: Any) -> None:
    interrupted(task, 2)
    shutil.rmtree(folder(task))
    scores = []
    for score in task(CONFIG, seed=3):
        scores.append(score)
        shutil.rmtree(folder(task), ignore_errors=True)  # none is made after the last epoch
    assert numbers(scores) == whole


def test_who_finds_the_checkpoint_locked_trains_without_and_leaves_it_alone(task: LeNet5Task, whole: Any) -> None:
    interrupted(task, 1)
    first = task(CONFIG, seed=3)
    scores = [next(first)]
    with counted_epochs() as trained:
        assert numbers(task(CONFIG, seed=3)) == whole
    assert trained == [3]
    assert len(kept(task)) == 1
    assert numbers([*scores, *first]) == whole


def test_a_finished_training_leaves_nothing(task: LeNet5Task) -> None:
    generator = task(CONFIG, seed=3)
    next(generator)
    [path] = kept(task)
    assert path.stat().st_size < 300_000
    list(generator)
    assert not list(folder(task).iterdir())


def test_a_pruned_training_leaves_nothing(task: LeNet5Task) -> None:
    interrupted(task, 2)
    generator = task(CONFIG, seed=3)
    next(generator)
    generator.close()
    assert not list(folder(task).iterdir())


def test_a_diverged_training_leaves_nothing(task: LeNet5Task) -> None:
    with pytest.raises(Diverged):
        list(dataclasses.replace(task, train_size=None)({"learning_rate": 0.1}, seed=0))
    assert not list(folder(task).iterdir())


def test_a_training_that_fails_leaves_nothing(task: LeNet5Task) -> None:
    generator = task(CONFIG, seed=3)
    next(generator)
    with pytest.raises(MemoryError):
        generator.throw(MemoryError())
    assert not list(folder(task).iterdir())


def test_an_epoch_shorter_than_the_interval_is_not_written(task: LeNet5Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_SECONDS", 3600.0)
    interrupted(task, 2)
    assert not kept(task)


def test_switched_off_there_are_none_and_the_fingerprint_is_the_same(task: LeNet5Task) -> None:
    off = dataclasses.replace(task, checkpoints=False)
    interrupted(off, 2)
    assert not folder(off).exists()
    assert off.fingerprint == task.fingerprint
    with pytest.raises(ValueError, match="checkpoints must be True or False, got 'no'"):
        dataclasses.replace(task, checkpoints="no")


def test_other_seeds_and_configurations_have_other_checkpoints_and_a_week_later_they_are_swept(
    task: LeNet5Task,
) -> None:
    interrupted(task, 1)
    [old] = kept(task)
    interrupted(task, 1, C1=4)
    assert len(kept(task)) == 2
    stranger = folder(task) / "notes.txt"
    stranger.touch()
    for path in (old, stranger):
        os.utime(path, (time.time() - 8 * 24 * 3600,) * 2)
    generator = task(CONFIG, seed=4)
    next(generator)
    assert len(kept(task)) == 2
    assert not old.exists()
    assert stranger.exists()


def test_a_folder_that_cannot_be_made_costs_a_warning(task: LeNet5Task, whole: Any) -> None:
    folder(task).write_text("a file")
    with pytest.warns(UserWarning, match="No checkpoints in"):
        scores = list(task(CONFIG, seed=3))
    folder(task).unlink()
    assert numbers(scores) == whole


def lenet5(task: LeNet5Task, **changes: Any) -> Any:
    """A plan of one LeNet5 trial."""
    fields: dict[str, Any] = {
        "task": task,
        "space": {"C1": CategoricalDistribution((3,)), "C3": CategoricalDistribution((5,))},
        "samplers": {"random": SamplerSpec("random_search")},
        "budget": Budget(trials=1),
        "direction": "maximize",
        "pruner": None,
    }
    return toys.plan(**{**fields, **changes})


def goes_on(task: LeNet5Task, tmp_path: Path, epochs: int) -> None:
    """The study whose worker was ended goes on without training the finished epochs, to the scores of one go."""
    with counted_epochs() as trained:
        [study] = toys.run(lenet5(task), f"sqlite:///{tmp_path}/hpo.db")
    assert trained == [3 - epochs]
    [expected] = toys.run(lenet5(dataclasses.replace(task, checkpoints=False)), f"sqlite:///{tmp_path}/whole.db")
    assert toys.results(study) == toys.results(expected)
    assert [t.superseded for t in study] == [True, False]
    assert not list(folder(task).iterdir())


KILLED_PLAN = """
    import os, signal, sys
    sys.path.insert(0, {tests!r})
    import optuna
    from hpo_optuna.tasks import LeNet5Task, checkpoint
    from test_task_checkpoint import lenet5

    checkpoint.EVERY_SECONDS = 0.0
    report = optuna.Trial.report

    def report_and_die(self, value, step):
        report(self, value, step)
        if step == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    optuna.Trial.report = report_and_die
    PLAN = lenet5({task!r})
"""


def test_the_retried_trial_of_a_killed_worker_does_not_train_the_finished_epochs_again(
    task: LeNet5Task, tmp_path: Path
) -> None:
    plan = toys.write_plan(tmp_path, KILLED_PLAN.format(tests=str(Path(__file__).parent), task=task))
    command = toys.command("run", plan, "--storage", f"sqlite:///{tmp_path}/hpo.db")
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    goes_on(task, tmp_path, 2)


def test_neither_does_that_of_a_worker_interrupted_between_two_epochs(
    task: LeNet5Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def report_and_stop(self: optuna.Trial, value: float, step: int) -> None:
        report(self, value, step)
        os.kill(os.getpid(), signal.SIGTERM)

    report = optuna.Trial.report
    with monkeypatch.context() as patched:
        patched.setattr(optuna.Trial, "report", report_and_stop)
        with pytest.raises(KeyboardInterrupt):
            toys.run(lenet5(task), f"sqlite:///{tmp_path}/hpo.db")
    goes_on(task, tmp_path, 1)


def one_score_then(end: type[BaseException], scores: Any) -> None:
    with ending(scores, again=(KeyboardInterrupt,)):
        next(scores)
        raise end


def test_an_interruption_between_two_epochs_is_raised_inside_the_generator_and_pruning_closes_it() -> None:
    def plain() -> Any:
        try:
            yield 1.0
        except BaseException as error:
            seen.append(type(error))
            raise

    seen: list[type[BaseException]] = []
    for end in (optuna.TrialPruned, Interrupted):
        with pytest.raises(end):
            one_score_then(end, plain())
    assert seen == [GeneratorExit, Interrupted]


def test_a_generator_that_swallows_the_interruption_is_closed_all_the_same() -> None:
    def stubborn() -> Any:
        for _ in range(2):
            try:
                yield 1.0
            except KeyboardInterrupt:
                pass

    scores = stubborn()
    with pytest.raises(Interrupted):
        one_score_then(Interrupted, scores)
    assert not list(scores)
