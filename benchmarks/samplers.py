"""The swarm against its peers on COCO: 24 functions (2, 3 and 5 floats), and the same with integers.

    python benchmarks/samplers.py                     # everything; about 75 minutes on one core; again = resume
    python benchmarks/samplers.py --quick             # three functions, fewer races, under a minute
    python benchmarks/samplers.py --instances 6-10    # other instances than the defaults were tuned on
    python benchmarks/samplers.py --show              # no runs: the tables and the figure of what there is

Needs `pip install -c constraints.txt -e '.[bench-samplers]'`, and `pip install --no-deps mealpy==3.0.3` (it asks for
numpy < 2 and runs with 2); `make bench` installs both. Every sampler runs on the same problems with the same seeds, 200
evaluations each. Results are appended to `out/samplers.jsonl`, one line a run; those of other versions of a sampler are
not used. Prints the tables of `samplers/pso/README.md` as Markdown.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from peers.figure import save_figure
from peers.plan import BUDGETS, races
from peers.results import Result, Results
from peers.runs import run
from peers.tables import print_tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three functions, one instance, one seed, fewer races")
    parser.add_argument("--instances", default="1-5", metavar="A-B", help="COCO's instances, 1-5 by default")
    parser.add_argument("--only", metavar="RACE", action="append", help="only this race (see the headings); repeatable")
    parser.add_argument("--sampler", metavar="NAME", action="append", help="run only this sampler; repeatable")
    parser.add_argument("--results", type=Path, default=Path("out/samplers.jsonl"), help="where results are kept")
    parser.add_argument("--show", action="store_true", help="run nothing")
    parser.add_argument("--figure", type=Path, help="save the figure of the first two races, .svg or .png")
    options = parser.parse_args()
    first, _, last = options.instances.partition("-")
    planned = races(list(range(int(first), int(last or first) + 1)), quick=options.quick)
    if options.only:
        planned = [race for race in planned if race.title in options.only]
    results = Results(options.results)
    if not options.show:
        work = {key for race in planned for key in race.runs()} - results.known.keys()
        wanted = sorted(key for key in work if not options.sampler or key[2] in options.sampler)
        for done, (cell, setting, name) in enumerate(wanted, 1):
            start = time.monotonic()
            results.add(Result(cell, setting, name, *run(cell, setting, name, BUDGETS[-1])))
            seconds = time.monotonic() - start
            if sys.stderr.isatty() or done % 500 == 0:
                print(
                    f"\r{done}/{len(wanted)} {name} {cell.suite} {seconds:.1f} s   ",
                    end="",
                    file=sys.stderr,
                    flush=True,
                )
    print_tables(planned, results)
    if options.figure:
        save_figure(planned[:2], results, options.figure)


if __name__ == "__main__":
    main()
