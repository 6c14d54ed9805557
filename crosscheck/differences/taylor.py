"""The Taylor slope: a step-free second opinion before a failure is shown.

The remainder |f(θ + hv) - f(θ) - h g·v| falls like h² for a right gradient g and like h for a wrong one, so
the slope of its logarithm over log h is 2 or 1, whatever the scale; rounding noise shows as a slope near 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crosscheck.differences.ridders import Function
from crosscheck.spec.result import Array, Bools, Floats

STEPS = np.ldexp(1.0, -np.arange(2, 14))


@dataclass(frozen=True)
class TaylorSlope:
    """Slope of the remainder, None where rounding noise hides it; remainders at `steps`."""

    slope: float | None
    steps: tuple[float, ...]
    remainders: tuple[float, ...]


def taylor(
    function: Function, name: str, base: Array, gradient: Array, direction: Array, point: int, loss_spread: Floats
) -> TaylorSlope:
    """The slope at one point along one direction, for the gradient of one tensor.

    `base` (P, *shape) holds the tensor at all points, `gradient` and `direction` (*shape) are of `point`.
    """
    moved = np.broadcast_to(base, (len(STEPS) + 1, *base.shape)).copy()
    moved[1:, point] += STEPS.reshape((-1,) + (1,) * direction.ndim) * direction
    answer = function(name, moved)
    loss = answer.loss[:, point]
    same = (answer.signature[1:, point] == answer.signature[0, point]) & np.isfinite(loss[1:])
    with np.errstate(all="ignore"):
        expected = STEPS * float(np.sum(gradient.astype(np.float64) * direction))
        remainder = np.abs(loss[1:] - loss[0] - expected)
    # Only remainders that stand clear of the loss's own noise say anything about the slope.
    clear = same & np.isfinite(remainder) & (remainder > 16.0 * float(loss_spread[point])) & (remainder > 0)
    return _fitted(STEPS, remainder, clear)


def from_remainders(steps: Floats, remainders: Floats, noise: Floats) -> TaylorSlope:
    """The slope of exact remainders; those within `noise`, what rounding may do to the gradient, say nothing."""
    return _fitted(steps, remainders, np.isfinite(remainders) & (remainders > noise))


def _fitted(steps: Floats, remainders: Floats, clear: Bools) -> TaylorSlope:
    """The slope through the smallest steps that are clear, where there are enough of them."""
    slope = None
    if np.count_nonzero(clear) >= 3:
        chosen, values = steps[clear][-6:], remainders[clear][-6:]
        slope = float(np.polyfit(np.log(chosen), np.log(values), 1)[0])
    return TaylorSlope(slope, tuple(steps.tolist()), tuple(float(r) for r in remainders))
