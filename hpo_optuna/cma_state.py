"""The state of CMA-ES, which Optuna keeps as a pickle in the trials, read without running what else may be in one.

A database is shared and copied; whoever writes one could put any call into a pickle. Only what CMA-ES consists of is
built.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any

from optuna.samplers import BaseSampler, CmaEsSampler
from optuna.trial import FrozenTrial

from .errors import UserError

PARTS = {
    "cmaes._cma.CMA", "cmaes._sepcma.SepCMA", "cmaes._cmawm.CMAwM", "numpy.dtype", "numpy.ndarray",
    "numpy._core.multiarray._reconstruct", "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct", "numpy.core.multiarray.scalar",  # in databases that numpy 1 wrote
}  # fmt: skip


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" in PARTS:
            return super().find_class(module, name)
        raise UserError(
            f"the state of CMA-ES in the database names {module}.{name}, which is no part of it; it was not read. "
            "Somebody changed the database: take it from where you trust it, or run the plan in a new one."
        )


def guarded(sampler: BaseSampler) -> BaseSampler:
    """The CMA-ES of Optuna, ``sampler``, made to read its state here.

    Where the state holds more than a strategy, it raises UserError, and nothing of it is run.
    """
    assert isinstance(sampler, CmaEsSampler)

    def restore(trials: Sequence[FrozenTrial]) -> Any:
        for trial in reversed(trials):
            kept = {k: v for k, v in trial.system_attrs.items() if k.startswith(sampler._attr_key_optimizer)}
            if kept:
                return _Reader(io.BytesIO(bytes.fromhex(sampler._concat_optimizer_attrs(kept)))).load()
        return None

    sampler._restore_optimizer = restore  # type: ignore[method-assign, assignment]
    return sampler
