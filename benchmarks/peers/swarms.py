"""The swarms of other libraries, ten particles each (their own defaults, 25 to 100, are for longer runs)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .problems import Problem

SWARM = 10

Evaluate = Callable[[NDArray[np.float64]], float]


class Spent(Exception):
    """The budget is spent: ends a library's own loop from inside the function."""


def pymoo(problem: Problem, evaluate: Evaluate, _: int, seed: int) -> None:
    """pymoo's PSO: adaptive inertia and coefficients (Zhan et al. 2009), ask and tell."""
    from pymoo.algorithms.soo.nonconvex.pso import PSO
    from pymoo.core.problem import Problem as Base
    from pymoo.core.termination import NoTermination

    low, high = problem.relaxed

    class Function(Base):  # type: ignore[misc]
        def _evaluate(self, x: Any, out: dict[str, Any], *_args: Any, **_options: Any) -> None:
            out["F"] = np.array([[evaluate(row)] for row in x])

    algorithm = PSO(pop_size=SWARM)
    function = Function(n_var=len(low), n_obj=1, xl=low, xu=high)
    algorithm.setup(function, termination=NoTermination(), seed=seed, verbose=False)
    while True:
        algorithm.next()


def mealpy(problem: Problem, evaluate: Evaluate, budget: int, seed: int) -> None:
    """mealpy's HPSO-TVAC (Ratnaweera et al. 2004), the best of its swarms at these budgets; it knows the budget."""
    from mealpy import PSO, FloatVar

    low, high = problem.relaxed
    model = PSO.HPSO_TVAC(epoch=max(1, budget // SWARM), pop_size=SWARM)
    bounds = FloatVar(lb=tuple(low), ub=tuple(high))
    model.solve({"bounds": bounds, "obj_func": evaluate, "minmax": "min", "log_to": None}, seed=seed)


def nevergrad(problem: Problem, evaluate: Evaluate, budget: int, seed: int) -> None:
    """nevergrad's PSO (after SPSO-2011)."""
    import nevergrad as ng

    low, high = problem.relaxed
    space = ng.p.Array(init=(low + high) / 2).set_bounds(low, high)
    space.random_state.seed(seed % 2**32)
    optimizer = ng.optimizers.ConfPSO(popsize=SWARM)(space, budget=budget)
    while True:
        point = optimizer.ask()
        optimizer.tell(point, evaluate(point.value))


SWARMS: dict[str, Callable[[Problem, Evaluate, int, int], None]] = {
    "pymoo PSO": pymoo,
    "mealpy HPSO-TVAC": mealpy,
    "nevergrad PSO": nevergrad,
}
