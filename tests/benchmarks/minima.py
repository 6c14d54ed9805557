"""How many minima a bug has: every planted bug hunted and shrunk from several seeds.

`nox -s minima -- --seeds 10 --workers 2 [--only TEXT] [--every K]` prints the bugs with more than one minimum or with
more than two layers, and the shares of those with one. One minimum is one network: the numbers in it may differ.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from crosscheck import mutants
from crosscheck.checking import Witnesses, check
from crosscheck.oracles.ball import Ball
from crosscheck.search import FAILING, Failure, Kind, drawn
from crosscheck.selftest import Plan, source_of
from crosscheck.selftesting import PROFILES
from crosscheck.shrinking import shrunk
from crosscheck.strategies.by_index import NotAgain
from crosscheck.subjects.planted import Mute

NETWORKS, _ = PROFILES["ci"]


@dataclass(frozen=True)
class Minima:
    """Of one bug: the networks it was shrunk to, with how often, and what that took."""

    name: str
    networks: Counter[str]
    layers: int
    evaluations: list[int]
    seconds: list[float]


def minima(name: str, seeds: int) -> Minima:
    """Without intermediates, as most subjects are."""
    mutant = next(m for m in mutants.mutants() if m.name == name)
    witnesses = Witnesses((Ball(),), differences=False)
    found: Counter[str] = Counter()
    layers, evaluations, seconds = 0, [], []
    with np.errstate(all="ignore"):
        for seed in range(seeds):
            source, subject = source_of(mutant, Plan(NETWORKS, seed=100 + seed)), Mute(mutant)
            for index in range(NETWORKS):
                case = drawn(source, index)
                judgement = check(case, subject, witnesses)
                if judgement.verdict in FAILING:
                    break
            else:
                found["not caught"] += 1
                continue
            ratio = judgement.forward.ratio if judgement.forward is not None else None
            failure = Failure(index, Kind.of(judgement)[0], frozenset(), 1.0, None, frozenset(), forward=ratio)
            start = time.perf_counter()
            try:
                smallest = shrunk(source, failure, subject, witnesses)
            except NotAgain:
                found["not again"] += 1
                continue
            seconds.append(time.perf_counter() - start)
            evaluations.append(smallest.evaluations)
            found[str(smallest.case.architecture)] += 1
            layers = max(layers, len(smallest.case.architecture.nodes))
    return Minima(name, found, layers, evaluations, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--every", type=int, default=1, help="every so many-th bug alone")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    asked = parser.parse_args()
    # What remembers has no smallest network: it is the calls before that matter.
    names = [m.name for m in mutants.mutants() if asked.only in m.name and m.symptom.name != "STATE"]
    names = names[asked.first :: asked.every]
    start, done = time.monotonic(), []
    with ProcessPoolExecutor(asked.workers, mp_context=get_context("spawn")) as executor:
        for future in as_completed(executor.submit(minima, name, asked.seeds) for name in names):
            found = future.result()
            done.append(found)
            if len(found.networks) > 1 or found.layers > 2:
                print(f"{found.name}: {dict(found.networks.most_common())}", flush=True)
    one = sum(len(m.networks) == 1 for m in done)
    small = sum(m.layers <= 2 for m in done)
    evaluations, seconds = [n for m in done for n in m.evaluations], [s for m in done for s in m.seconds]
    print(
        f"{len(done)} bugs, {asked.seeds} seeds each: one minimum {one} ({one / len(done):.1%}), at most two layers "
        f"{small} ({small / len(done):.1%}); median {statistics.median(evaluations):g} evaluations and "
        f"{statistics.median(seconds):.2f} s; {time.monotonic() - start:.0f} s in all"
    )


if __name__ == "__main__":
    main()
