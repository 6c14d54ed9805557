"""Taylor remainders without rounding: what a gradient leaves of the loss's change along a direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from flint import arb

from crosscheck.oracles.ball.arithmetic import Balls, exact
from crosscheck.oracles.ball.walk import Numbers, at_precision, forward, numbers
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.errors import SpecError
from crosscheck.spec.result import Array, Floats

START = 256
# A remainder is clear of its radius from ten bits on: its logarithm is then right to a thousandth.
CLEAR = 10


def remainders(
    case: Case,
    point: int,
    direction: Mapping[str, Array],
    gradient: Mapping[str, Array],
    steps: Floats,
    *,
    most_bits: int,
) -> Floats:
    """|f(θ + hv) - f(θ) - h g·v| at one point, for every h of `steps`, each as a float64.

    θ are the tensors that `direction` names, moved together. Every number given is taken exactly. NaN where
    `most_bits` leave a remainder below 2¹⁰ of its radius, and throughout for a gradient that is not finite along the
    direction: an entry that does not move is not read. Raises SpecError for a tensor that has no gradient, and
    OracleCrashed.
    """
    given = numbers(case, point)
    for tensor in direction:
        if tensor not in given.params and tensor not in case.architecture.float_inputs:
            raise SpecError(f"remainders: the case has no tensor {tensor!r} with a gradient")
    result = np.full(len(steps), np.nan)
    read = {k: np.where(np.asarray(v) == 0, 0.0, np.asarray(gradient[k], np.float64)) for k, v in direction.items()}
    if not all(np.isfinite(values).all() for values in read.values()):
        return result
    v, g = ({k: exact(np.asarray(array)) for k, array in arrays.items()} for arrays in (direction, read))
    left, bits = np.arange(len(steps)), min(START, most_bits)
    while True:
        with at_precision(bits, case, point):
            found = _at(case.architecture, given, v, g, steps[left].tolist())
        clear = np.array([ball.is_zero() or ball.rel_accuracy_bits() >= CLEAR for ball in found])
        result[left] = np.where(clear, [abs(float(ball)) for ball in found], np.nan)
        left = left[~clear]
        if not len(left) or bits >= most_bits:
            return result
        bits = min(2 * bits, most_bits)


def _at(
    architecture: Architecture,
    given: Numbers,
    v: Mapping[str, Balls],
    g: Mapping[str, Balls],
    steps: Sequence[float],
) -> list[Any]:
    """The remainders at the precision that is set."""

    def loss(moved: Numbers) -> Any:
        return forward(architecture, moved, {}).loss.balls[0]

    start = loss(given)
    slope = sum((a * b for k in v for a, b in zip(g[k], v[k], strict=True)), arb(0))
    return [loss(_moved(given, v, arb(h))) - start - arb(h) * slope for h in steps]


def _moved(given: Numbers, v: Mapping[str, Balls], h: Any) -> Numbers:
    """The numbers with h v added."""

    def shifted(tensors: Mapping[str, Balls]) -> dict[str, Balls]:
        return {
            k: [x + h * d for x, d in zip(balls, v[k], strict=True)] if k in v else balls
            for k, balls in tensors.items()
        }

    return replace(given, params=shifted(given.params), inputs=shifted(given.inputs))
