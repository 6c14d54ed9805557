"""The certified values and slopes, as numbers that float64 arithmetic can be held against to its last bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscheck.accuracy.questions import Question
from crosscheck.oracles import ball
from crosscheck.spec.result import Bools, Floats

# The precision is doubled until a ball is known to so many bits, 53 of a float64 and the ulps' digits, or is
# smaller than every number there is. No function here needs more than twice the range of exponents.
ENOUGH_BITS = 75
FIRST_BITS, MOST_BITS = 160, 2560
# A whole number, because 2⁻¹²⁰⁰ is none of float64.
ONE_OF_NOTHING = 2**1200
# Numbers this small are kept times 2^SHIFT, so that their low part does not underflow.
SMALL, SHIFT = 2.0**-700, 300


@dataclass(frozen=True, eq=False)
class Exact:
    """Numbers (high + low) 2^-shift: high is the nearest float64, low what it lacks. NaN: not settled, at a kink."""

    high: Floats
    low: Floats
    shift: NDArray[np.int64]

    @property
    def nearest(self) -> Floats:
        found: Floats = np.ldexp(self.high, -self.shift)
        return found

    def distance(self, found: Floats, unit: Floats) -> Floats:
        """|found - this| in units of `unit`."""
        with np.errstate(all="ignore"):
            off = np.abs((np.ldexp(found, self.shift) - self.high) - self.low)
            result: Floats = off / np.ldexp(unit, self.shift)
        return result

    def joined(self, other: Exact) -> Exact:
        return Exact(
            np.concatenate([self.high, other.high]),
            np.concatenate([self.low, other.low]),
            np.concatenate([self.shift, other.shift]),
        )

    def __getitem__(self, chosen: NDArray[np.int64] | Bools) -> Exact:
        return Exact(self.high[chosen], self.low[chosen], self.shift[chosen])


def truth(question: Question, z: Floats, y: Floats) -> tuple[Exact, Exact]:
    """Value and slope at each point. Needs flint."""
    from flint import ctx

    attributes = question.complete
    with ctx.workprec(FIRST_BITS):
        found = [_settled(question, attributes, a, b) for a, b in zip(z.tolist(), y.tolist(), strict=True)]
        return _gathered([value for value, _ in found]), _gathered([slope for _, slope in found])


def _settled(question: Question, attributes: dict[str, Any], z: float, y: float) -> tuple[Any, Any]:
    """Two balls known to enough bits, each None where no precision gets there: a hull, for one."""
    bits = FIRST_BITS
    while True:
        balls = _asked(question, attributes, z, y, bits)
        known = tuple(_is_known(b) for b in balls)
        if all(known) or bits >= MOST_BITS:
            value, slope = (b if k else None for b, k in zip(balls, known, strict=True))
            return value, slope
        bits *= 2


def _asked(question: Question, attributes: dict[str, Any], z: float, y: float, bits: int) -> tuple[Any, Any]:
    if question.shape == "elementwise":
        return ball.value_and_slope(question.op, attributes, z, bits)
    if question.shape == "loss":
        return ball.loss_value_and_slope(question.op, attributes, z, y, bits)
    upstream, target = ([1.0], 0) if question.shape == "class" else ([1.0, 0.0], None)
    values, slopes = ball.vector_value_and_vjp(question.op, attributes, [z, 0.0], upstream, target, bits)
    return values[0], slopes[0]


def _is_known(number: Any) -> bool:
    return bool(number.rel_accuracy_bits() >= ENOUGH_BITS or number.abs_upper() * ONE_OF_NOTHING < 1)


def _gathered(numbers: list[Any]) -> Exact:
    high, low, shift = np.array([_split(n) for n in numbers], np.float64).reshape(-1, 3).T
    return Exact(high, low, shift.astype(np.int64))


def _split(number: Any) -> tuple[float, float, int]:
    if number is None:
        return np.nan, np.nan, 0
    middle = number.mid()
    shift = SHIFT if abs(float(middle)) < SMALL else 0
    middle = middle * 2**shift
    high = float(middle)
    return high, float(middle - high) if np.isfinite(high) else 0.0, shift
