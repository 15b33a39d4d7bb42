"""Our side: what `hpo-optuna run` does with the plan.

python -m whole_study.ours SETTING_AS_JSON URL WORKERS [FOLDER_OF_CLOCKS]
"""

from __future__ import annotations

import json
import sys

from hpo_optuna import HyperparameterOptimizer
from whole_study import clocks
from whole_study.plan import Setting


def main(setting: str, url: str, workers: str, folder: str | None = None) -> None:
    made = Setting(**json.loads(setting))
    if folder is None:
        plan = made.plan()
    else:
        clocks.keep(folder)
        if workers == "1":
            clocks.install()
        plan = made.plan(clocks.ClockedTask)
    HyperparameterOptimizer(plan, url).run(int(workers), progress=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
