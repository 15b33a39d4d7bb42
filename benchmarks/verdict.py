"""How often is the verdict wrong? Simulated comparisons with known truth.

    python benchmarks/verdict.py            # 2,000 comparisons a row, about two minutes on one core
    python benchmarks/verdict.py --quick    # 200

The result of a study is its best validation accuracy. It scatters over replicates by the 0.62 points that 69 trainings
of one LeNet5 configuration scattered by, once normally and once as the best of ten draws does, which is skewed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from hpo_optuna.comparison import ALPHA, compare
from hpo_optuna.power import replicates_needed
from hpo_optuna.statistics import band, paired_difference
from hpo_optuna.verdict import status_of

SD, POINT = 0.0062, 0.01
Noise: TypeAlias = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def normal(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal noise of one study's result."""
    return SD * draw.standard_normal(shape)


def best_of_ten(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """The maximum of ten normal draws, with the same SD (0.587 of one draw's)."""
    return SD / 0.587 * draw.standard_normal((*shape, 10)).max(axis=-1)


NOISE: dict[str, Noise] = {"normal": normal, "best of ten": best_of_ten}


def scores_of(noise: Noise, lifts: tuple[float, ...], n: int, seed: int) -> dict[str, dict[int, float]]:
    """Sampler -> replicate -> score, sampler i lifted by ``lifts[i]``."""
    drawn = noise(np.random.default_rng([n, seed]), (len(lifts), n))
    return {f"s{i}": dict(enumerate((0.6 + lift + drawn[i]).tolist())) for i, lift in enumerate(lifts)}


def false_claims(noise: Noise, samplers: int, n: int, times: int) -> float:
    """Share of comparisons of equal samplers that end in 'difference'."""
    lifts = (0.0,) * samplers
    found = [status_of(compare(scores_of(noise, lifts, n, seed))) for seed in range(times)]
    return found.count("difference") / times


def found(noise: Noise, samplers: int, n: int, times: int) -> float:
    """Share of comparisons in which a sampler that is one point better is found better than a given other one."""
    lifts = (POINT, *(0.0,) * (samplers - 1))
    hits = 0
    for seed in range(times):
        pairs = compare(scores_of(noise, lifts, n, seed))
        hits += any(p.differs and (p.a, p.b) == ("s0", "s1") for p in pairs)
    return hits / times


def coverage(noise: Noise, n: int, times: int) -> tuple[float, float]:
    """Share of 95 % intervals that hold the true difference: Student's, and the percentile bootstrap's."""
    student = bootstrap = 0
    for seed in range(times):
        a, b = noise(np.random.default_rng([n, seed]), (2, n))
        d = paired_difference(a + POINT, b)
        student += d.low <= POINT <= d.high
        _, low, high = band((a + POINT - b)[:, None])
        bootstrap += float(low[0]) <= POINT <= float(high[0])
    return student / times, bootstrap / times


def peeking(n: int, times: int) -> float:
    """Share of comparisons of two equal samplers in which a look after each replicate from the third claims one."""
    hits = 0
    for seed in range(times):
        a, b = normal(np.random.default_rng([n, seed]), (2, n))
        hits += any(paired_difference(a[:k], b[:k]).p <= ALPHA for k in range(3, n + 1))
    return hits / times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 comparisons a row instead of 2,000")
    times = 200 if parser.parse_args().quick else 2000
    print(f"{times} comparisons a row; SD of one study's result {100 * SD:.2f} points\n")
    print("| noise | samplers | replicates | false claims (at most 5 %) |\n|---|---|---|---|")
    for name, noise in NOISE.items():
        for samplers in (2, 3):
            for n in (5, 8, 15):
                print(f"| {name} | {samplers} | {n} | {false_claims(noise, samplers, n, times):.1%} |", flush=True)
    print(f"\nLooking at every replicate from 3 to 15 instead: {peeking(15, times):.1%} false claims.\n")
    print("| noise | samplers | planned replicates | one point found (about 80 %) |\n|---|---|---|---|")
    for name, noise in NOISE.items():
        for samplers in (2, 3):
            comparisons = samplers * (samplers - 1) // 2
            n = replicates_needed(SD * 2**0.5, POINT, alpha=ALPHA / comparisons)
            print(f"| {name} | {samplers} | {n} | {found(noise, samplers, n, times):.1%} |", flush=True)
    print("\n| noise | replicates | Student's 95 % interval covers | bootstrap's |\n|---|---|---|---|")
    for name, noise in NOISE.items():
        for n in (5, 8, 15):
            student, bootstrap = coverage(noise, n, times)
            print(f"| {name} | {n} | {student:.1%} | {bootstrap:.1%} |", flush=True)


if __name__ == "__main__":
    main()
