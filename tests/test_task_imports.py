"""Making and checking a task imports no torch: plans, --help and wrong arguments answer at once."""

import subprocess
import sys
from pathlib import Path

import hpo_optuna

# The room alone: under a parent package that imports nothing.
ALONE = (
    "import sys, types\n"
    "parent = types.ModuleType('hpo_optuna')\n"
    f"parent.__path__ = [{str(Path(hpo_optuna.__file__).parent)!r}]\n"
    "sys.modules['hpo_optuna'] = parent\n"
)


def run(code: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_constructing_and_checking_a_task_imports_no_heavy_library() -> None:
    run(
        ALONE + "from hpo_optuna.tasks import Diverged, FinalScore, LeNet5Task, Score, Task\n"
        "task = LeNet5Task(data='cifar10', fixed={'C5': 60})\n"
        "task.check({'C1': 6}); task.max_steps; task({'C1': 6}, seed=0)\n"
        "heavy = {'torch', 'torchvision', 'sklearn', 'optuna', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )


def test_a_wrong_data_folder_is_refused_without_torch() -> None:
    run(
        ALONE + "from hpo_optuna.tasks import LeNet5Task\n"
        "try: LeNet5Task(data='folder', data_dir='no/such/folder').prepare()\n"
        "except ValueError as error: assert 'does not exist' in str(error)\n"
        "else: raise AssertionError\n"
        "assert 'torch' not in sys.modules"
    )


def test_training_imports_no_optuna_and_no_engine(tmp_path: object) -> None:
    run(
        ALONE + "from hpo_optuna.tasks import LeNet5Task\n"
        f"task = LeNet5Task(data='digits', data_dir={str(tmp_path)!r}, epochs=1, train_size=100)\n"
        "list(task({}, seed=0)); print(task.provenance())\n"
        "assert 'optuna' not in sys.modules\n"
        "mine = [m for m in sys.modules if m.startswith('hpo_optuna.') and not m.startswith('hpo_optuna.tasks')]\n"
        "assert not mine, mine"
    )


def test_the_whole_package_with_its_tasks_imports_no_torch() -> None:
    run(
        "import sys, hpo_optuna, hpo_optuna.tasks\n"
        "heavy = {'torch', 'torchvision', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
