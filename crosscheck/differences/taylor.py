"""The Taylor slope: a step-free second opinion before a failure is shown.

The remainder |f(θ + hv) - f(θ) - h g·v| falls like h² for a right gradient g and like h for a wrong one, so
the slope of its logarithm over log h is 2 or 1, whatever the scale; rounding noise shows as a slope near 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crosscheck.differences.losses import Joint
from crosscheck.spec.result import Array, Bools, Floats

# h = 2⁻², 2⁻⁴ … 2⁻³⁶. A remainder of h² drowns near 2⁻²⁴, where float64 has lost half of its digits; one of ε h, which
# only shows below h = ε, does so later.
STEPS = np.ldexp(1.0, -2 * np.arange(1, 19))
# The working multiple of σ_f: a remainder is a difference of two losses, and must stand clear of what both lose.
CLEAR = 16.0
# Points that a line is drawn through.
FEWEST, MOST = 3, 6
# Halfway between the slope of a wrong gradient and that of a right one.
MIDWAY = (1 + 2) / 2


@dataclass(frozen=True)
class TaylorSlope:
    """Slope of the remainder, None where rounding noise hides it; remainders at `steps`.

    `fitted` are the smallest and the largest step that it was taken over. `vanishes`: every remainder that is known is
    within the noise, so that there is no slope to take. Of exact remainders that says that the loss is linear along the
    direction, and the gradient right.
    """

    slope: float | None
    steps: tuple[float, ...]
    remainders: tuple[float, ...]
    vanishes: bool = False
    fitted: tuple[float, float] | None = None

    def over(self, low: float, high: float) -> float | None:
        """The slope of all remainders from one step to another, clear of noise or not."""
        steps, remainders = np.array(self.steps), np.array(self.remainders)
        chosen = (steps >= low) & (steps <= high) & np.isfinite(remainders) & (remainders > 0)
        return _slope_of(steps[chosen], remainders[chosen]) if np.count_nonzero(chosen) > 1 else None


def taylor(
    function: Joint,
    base: Mapping[str, Array],
    gradient: Mapping[str, Array],
    direction: Mapping[str, Array],
    point: int,
    loss_spread: float,
    gradient_noise: float = 0.0,
) -> TaylorSlope:
    """The slope at one point along one direction, for the gradients of the tensors that `direction` names.

    `base` (P, *shape) holds the tensors at all points, `gradient` and `direction` (*shape) are of `point`.
    `loss_spread` is σ of the loss there, `gradient_noise` what rounding may do to g·v.
    """
    answer = function({name: _moved(base[name], v, point) for name, v in direction.items()})
    loss = answer.loss[:, point]
    same = (answer.signature[1:, point] == answer.signature[0, point]) & np.isfinite(loss[1:])
    with np.errstate(all="ignore"):
        expected = STEPS * along(gradient, direction)
        remainder = np.abs(loss[1:] - loss[0] - expected)
    # Only remainders that stand clear of the loss's own noise, and the gradient's, say anything about the slope.
    return _slope(STEPS, remainder, CLEAR * loss_spread + STEPS * gradient_noise, same & np.isfinite(remainder))


def along(gradient: Mapping[str, Array], direction: Mapping[str, Array]) -> float:
    """g·v in float64; what does not move is not read."""
    found = (np.where(v == 0, 0.0, gradient[name].astype(np.float64)) * v for name, v in direction.items())
    return float(sum(np.sum(part) for part in found))


def _moved(base: Array, direction: Array, point: int) -> Array:
    """The tensor as it is, and after every step."""
    moved = np.broadcast_to(base, (len(STEPS) + 1, *base.shape)).copy()
    moved[1:, point] += STEPS.reshape((-1,) + (1,) * direction.ndim) * direction
    return moved


def from_remainders(steps: Floats, remainders: Floats, noise: Floats) -> TaylorSlope:
    """The slope of exact remainders; those within `noise`, what rounding may do to the gradient, say nothing."""
    return _slope(steps, remainders, noise, np.isfinite(remainders))


def _slope(steps: Floats, remainders: Floats, noise: Floats, known: Bools) -> TaylorSlope:
    clear = known & (remainders > noise)
    # The smallest steps that are clear, where there are enough of them.
    chosen, values = steps[clear][-MOST:], remainders[clear][-MOST:]
    enough = len(chosen) >= FEWEST
    return TaylorSlope(
        slope=_slope_of(chosen, values) if enough else None,
        steps=tuple(steps.tolist()),
        remainders=tuple(float(r) for r in remainders),
        vanishes=bool(np.count_nonzero(known) >= FEWEST and not clear.any()),
        fitted=(float(chosen.min()), float(chosen.max())) if enough else None,
    )


def _slope_of(steps: Floats, remainders: Floats) -> float:
    return float(np.polyfit(np.log(steps), np.log(remainders), 1)[0])
