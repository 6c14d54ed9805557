"""celu: g = z above zero and α(exp(z/α) - 1) below, g' = exp(z/α) below, to a few ulps for every α.

exp multiplies an error of its argument by the argument, so z/α is kept as the sum of two numbers v + r, of which v is
the quotient rounded and r what the exact product v α lacks to z, over α (Dekker 1971). The float64 number α need not
be one of the format: with α = h + t, h of the format, z = (v + r)(h + t), so r = (z - v h - v t)/h. Then
exp(v + r) = e + e r and expm1(v + r) = expm1(v) + e r, e = exp(v), as r is tiny.
"""

from __future__ import annotations

import numpy as np

from crosscheck.backprop.gates import halves, what_lacks
from crosscheck.backprop.rows import Array

LOWEST = -800.0  # exp of it is zero in every format


def celu(z: Array, alpha: float) -> Array:
    v, rest = quotient(z, alpha)
    return np.maximum(z, 0.0) + alpha * (np.expm1(v) + np.exp(v) * rest)


def celu_slope(z: Array, alpha: float) -> Array:
    v, rest = quotient(z, alpha)
    e = np.exp(v)
    return np.where(z > 0, 1.0, e + e * rest)


def quotient(z: Array, alpha: float) -> tuple[Array, Array]:
    """min(z, 0)/α as the sum of two numbers, at least -800."""
    number = z.dtype.type
    high = number(alpha)
    low = np.minimum(np.maximum(z, number(LOWEST) * high), 0.0)
    v = low / high
    if high > np.finfo(z.dtype).max * 2.0**-30:  # too large to be split in halves
        return v, 0.0 * v
    p = v * high
    lacks = (low - p) - what_lacks(p, halves(v), halves(high))
    return v, (lacks - v * number(alpha - float(high))) / high
