"""What certified truth costs beside gradcheck's slow mode: every gradient of a network of 8,970 parameters.

    python tests/benchmarks/certified.py [--repeats 5]

One core, one thread, one process: both are asked about the same point, its parameters and its inputs, and take turns,
so that whatever else the machine does meets both. gradcheck checks the gradient by finite differences, with its
defaults; the ball oracle proves it, to a hundredth of the bound that the judge would hold it against. Exit 1 where the
proof costs more than a twentieth of gradcheck.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # read when NumPy or PyTorch are first imported

import numpy as np  # noqa: E402
import torch  # noqa: E402
from speed import gradcheck, torch_function  # noqa: E402

from crosscheck.oracles.ball import Ball  # noqa: E402
from crosscheck.spec.case import Case  # noqa: E402
from crosscheck.spec.notation import parse  # noqa: E402
from crosscheck.spec.result import Array  # noqa: E402
from crosscheck.strategies.values import make_case  # noqa: E402
from crosscheck.tolerance.bounds import bound  # noqa: E402

NETWORK = "x[32,64] -> dense(64) -> tanh -> dense(64) -> tanh -> dense(10) -> softmax_cross_entropy"
FAMILY = "initialised"
SEED = 7
AT_MOST = 1 / 20


@dataclass(frozen=True)
class Measured:
    """Seconds of each turn, and how tight the proof is."""

    proof: list[float]
    rival: list[float]
    bits: int
    parameters: int
    inputs: int
    radius: float

    @property
    def ratio(self) -> float:
        """The proof's time as a part of gradcheck's: of the fastest turns, which others disturbed least."""
        return min(self.proof) / min(self.rival)


def measure(repeats: int) -> Measured:
    case = make_case(parse(NETWORK), family=FAMILY, seed=SEED, points=1)
    goal = bound(case, "float64").held
    oracle = Ball()
    function, tensors = torch_function(case)
    proof, rival = [], []
    for _ in range(repeats):
        proof.append(timed(lambda: oracle.certify(case, goal)))
        rival.append(timed(lambda: gradcheck(function, tensors, fast=False)))
    found = oracle.certify(case, goal)
    assert not found.at_limit.any(), "the proof ran out of bits"
    return Measured(proof, rival, int(found.bits[0]), _count(case.params), _count(case.inputs), _widest(case, oracle))


def _count(arrays: Mapping[str, Array]) -> int:
    """Numbers of one point."""
    return sum(array[0].size for array in arrays.values())


def _widest(case: Case, oracle: Ball) -> float:
    """The largest radius of any gradient entry, in units of the largest entry of its tensor."""
    reference = oracle.certify(case).reference
    assert reference.radius is not None
    pairs = ((reference.radius[name], values) for name, values in reference.gradients.tensors())
    return max(float(radius.max() / np.abs(values).max()) for radius, values in pairs)


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def page(found: Measured) -> Iterator[str]:
    yield f"{NETWORK}: {found.parameters:,} parameters and {found.inputs:,} inputs, one core"
    for name, seconds in (("certified truth", found.proof), ("gradcheck, slow", found.rival)):
        times = ", ".join(f"{1e3 * s:.0f}" for s in seconds)
        middle = 1e3 * statistics.median(seconds)
        yield f"  {name:16} {1e3 * min(seconds):9.1f} ms at best, median {middle:.1f} ({times})"
    yield (
        f"  the proof costs 1/{1 / found.ratio:.0f} of gradcheck (asked: at most 1/{1 / AT_MOST:.0f}); "
        f"{found.bits} bits, every radius below {found.radius:.0e} of its tensor's largest entry"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    found = measure(options.repeats)
    print("\n".join(page(found)))
    raise SystemExit(0 if found.ratio <= AT_MOST else 1)


if __name__ == "__main__":
    main()
