"""Balls from exact numbers, and float64 from balls with every rounding counted.

A ball is FLINT's arb: a midpoint of any size and a radius, both without underflow or overflow. Precision and the
length of series are global settings of FLINT; `precision` sets and restores them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from flint import arb, ctx

from crosscheck.spec.result import Array, Floats

Balls = list[Any]

LARGEST = arb(sys.float_info.max)
SMALLEST = 2.0**-1074
# Where a float64 may no longer hold a radius to the last of its 30 bits.
NORMAL = 2.0**-1000
# Stands for the logarithm of a radius smaller than anyone can ask for.
NEVER_MIND = -(10**9)


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """FLINT at this precision, with series of two terms: a value and its ε coefficient."""
    before = ctx.prec, ctx.cap
    try:
        ctx.prec, ctx.cap = bits, 2
        yield
    finally:
        ctx.prec, ctx.cap = before


def exact(array: Array) -> Balls:
    """The numbers of an array, in C order, as balls of radius 0: a finite float is a dyadic rational."""
    if array.dtype.kind in "iub":
        return [arb(int(v)) for v in array.ravel().tolist()]
    return [arb(v) for v in array.astype(np.float64).ravel().tolist()]


def read(balls: Sequence[Any]) -> tuple[Floats, Floats]:
    """Midpoints and radii, each as the nearest float64: raw material for `rounded` and `log2_radii`."""
    return np.array([float(b) for b in balls]), np.array([float(b.rad()) for b in balls])


def rounded(balls: Sequence[Any], mids: Floats, radii: Floats) -> tuple[Floats, Floats]:
    """Values and radii: the float64 nearest to each midpoint, and what covers the ball around it, rounded up.

    A ball that lies wholly beyond the range of float64 is an infinity of radius 0. One of which that cannot be
    said, and one without bounds, is 0 with an infinite radius: nothing is said of it.
    """
    values = mids.copy()
    with np.errstate(all="ignore"):
        # Half a unit in the last place is what the nearest float64 may be off; twice rounded, twice one up.
        around = np.maximum(0.5 * np.spacing(np.abs(values)), SMALLEST)
        wide = np.nextafter(np.nextafter(radii, np.inf) + around, np.inf)
    for i in np.flatnonzero((radii == 0.0) | ~np.isfinite(values) | ~np.isfinite(wide)).tolist():
        values[i], wide[i] = _rounded(balls[i], values[i], wide[i])
    return values, wide


def _rounded(ball: Any, value: float, wide: float) -> tuple[float, float]:
    """The same where the quick way does not hold: an exact ball, an infinite value or radius."""
    if ball.is_exact() and ball == arb(value):
        return value, 0.0
    if ball > LARGEST or ball < -LARGEST:
        return math.copysign(math.inf, value), 0.0
    if not math.isfinite(value) or not math.isfinite(wide):
        return 0.0, math.inf
    return value, wide


def log2_radii(balls: Sequence[Any], radii: Floats) -> Floats:
    """An upper bound of the logarithm of each ball's own radius, -inf where the ball is exact."""
    with np.errstate(divide="ignore"):
        logs: Floats = np.log2(radii)
    for i in np.flatnonzero(~(radii >= NORMAL) | np.isinf(radii)).tolist():
        logs[i] = _log2_radius(balls[i])
    return logs


def _log2_radius(ball: Any) -> float:
    """The same for a radius that is no normal float64."""
    if ball.is_exact():
        return -math.inf
    if not ball.is_finite():
        return math.inf
    mantissa, exponent = ball.rad().man_exp()
    return float(max(int(exponent) + int(mantissa).bit_length(), NEVER_MIND))
