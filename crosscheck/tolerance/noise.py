"""How textbook rows say what a formula loses beside its own roundings; on plain numbers nothing happens."""

from __future__ import annotations

from typing import Any

import numpy as np

from crosscheck.backprop.rows import Array
from crosscheck.tolerance.rounding import Rounded


def with_noise(values: Array, amount: Any, *told_apart_by: Array) -> Array:
    """An absolute error of `amount` units of u; on plain numbers nothing happens.

    Equal values err alike, unless what they are `told_apart_by` differs.
    """
    return values.noised(amount, *told_apart_by) if isinstance(values, Rounded) else values


def exp_anew(a: Array, top: Array) -> Array:
    """exp a with no rounding in common with the `a` of the way forward, which may have lost what `top` has.

    What is made of that a meets it again, as in exp(logsumexp z) exp(z - logsumexp z): only equal roundings cancel.
    """
    p = np.exp(a)
    lost = abs(plain(a)) + abs(plain(top)) + 1.0
    return with_noise(p, np.where(plain(p) > 0, plain(p) * lost, 0.0))


def unless_overflown(values: Array, da: Array, factor: Any) -> Array:
    """The values; not finite where the product da · factor, from which they follow, is not."""
    # Most of the time nothing is near the largest number.
    if not isinstance(da, Rounded) or abs(da.data).max() * abs(factor).max() < da.rounding.format.largest / 2.0**20:
        return values
    return unless_lost(values, da * factor)


def unless_lost(values: Array, way: Array) -> Array:
    """The values; not finite where what they follow from is not."""
    return values.lost_with(way) if isinstance(values, Rounded) and isinstance(way, Rounded) else values


def in_half(a: Array) -> bool:
    """Whether these are numbers of a 16-bit format."""
    return isinstance(a, Rounded) and a.rounding.format.coarse


def constant(z: Array, value: float) -> Array:
    """A constant of a formula, with the rounding that it has itself: 1/6 is no number of the format."""
    return Rounded(np.full((1,) * z.ndim, value), z.rounding) * 1.0 if isinstance(z, Rounded) else value


def known_positive(a: Array) -> Any:
    """1, but NaN where the numbers cannot be told from 0, or have underflowed: nothing is known of 1/a or log a."""
    least = a.rounding.format.smallest_normal if isinstance(a, Rounded) else 0.0
    return np.where(plain(a) > least, 1.0, np.nan)


def plain(a: Array) -> Any:
    """The numbers of a rounding array; any others as they are."""
    return a.data if isinstance(a, Rounded) else a
