"""What `benchmarks/samplers.py` is made of: problems, peers, settings, results, tables, figure."""

import os
import sys
from importlib.util import find_spec

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: CPU time is reported, and small matrices gain nothing

_MISSING = [name for name in ("cocoex", "cmaes", "pymoo", "mealpy", "nevergrad") if find_spec(name) is None]
if _MISSING:
    sys.exit(
        f"The benchmark of the samplers needs {', '.join(_MISSING)}: pip install -c constraints.txt -e "
        "'.[bench-samplers]', and pip install --no-deps mealpy==3.0.3"
    )
