"""z times a gate: silu, mish and both kinds of gelu, and their derivatives, to a few ulps over the whole range.

    silu     g = z s(z), s = sigmoid,        g' = s + z s(1-s)
    gelu     tanh: g = z s(w), w = z(2k + 2kA z²), k = √(2/π),  g' = s + z w' s(1-s), z w' = w + 4kA z³
             exact: g = z Φ(z), g' = Φ + zφ. For a = |z| and G(a) = exp(a²/2) Φ(-a), the Mills ratio over √(2π):
             Φ(-a) = exp(-a²/2) G, and q = exp(-a²/2)(G - a/√(2π)) is g'(-a); g'(a) = 1 - q,
             because g'(z) + g'(-z) = 1
    mish     g = z T, T = tanh(log(1 + x)) = x(x+2)/(x(x+2)+2), x = exp z,
             T' = 4x(1+x)/(x(x+2)+2)², g' = T + z T'

No exponential here overflows: x = n/m with n = exp(min(z,0)) and m = exp(min(-z,0)), one of which is 1, so that
s = n/(m+n) and 1-s = m/(m+n). Nor does one underflow before its product with z does: n is two factors, and what
belongs to it is multiplied by the one and then by the other. exp multiplies an error of its argument by the argument,
so a²/2 and w are kept as the sum of two numbers, with products of halves that are exact (Dekker 1971). G stands in a
table made by ball arithmetic (make_tail_table.py).
"""

from __future__ import annotations

import math

import numpy as np

from crosscheck.backprop.rows import Array
from crosscheck.backprop.tail_table import CENTRE, COEFFICIENTS

INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)
# 2k and 2kA as a number of the format and what it lacks, to twice the format's precision
LINEAR = {
    "float64": (1.5957691216057308, -9.96930880911092e-17),
    "float32": (1.5957691669464111, -4.534068042105272e-08),
}
CUBIC = {
    "float64": (0.07135481627260025, -6.175149918155315e-19),
    "float32": (0.07135481387376785, 2.3988323959931355e-09),
}
SPLIT = -64.0  # exp of it, and of as far as matters beyond it, is normal in both formats; z - SPLIT is exact


def silu(z: Array) -> Array:
    m, near, far = exponentials(z)
    return far * (near * z / (m + near * far))


def silu_slope(z: Array) -> Array:
    return gated_slope(z, *exponentials(z))


def gated_slope(zw: Array, m: Array, near: Array, far: Array) -> Array:
    """s + zw s(1-s), s = n/(m+n); (m+n)² is summed so that its 1 is rounded once."""
    n = near * far
    return far * (near * ((m + zw * m) + n) / (m * m + n * (2.0 * m + n)))


def exponentials(w: Array, rest: Array = 0.0) -> tuple[Array, Array, Array]:
    """exp(w + rest) = n/m: m, and two factors of n, of which the second is 1 down to w = SPLIT; rest is tiny."""
    low = np.minimum(w, 0.0)
    high = np.maximum(low, SPLIT)
    m, near = np.exp(np.minimum(-w, 0.0)), np.exp(high)
    lost = m * near * rest  # one of the two is 1, and stays it
    return m - lost, near + lost, np.exp(low - high)


def mish(z: Array) -> Array:
    m, near, far = exponentials(z)
    n = near * far
    t = m + 0.5 * n
    return far * (near * z * t / (m * m + n * t))


def mish_slope(z: Array) -> Array:
    """T + z T' over v = ½(x(x+2)+2) m², in which m²(m+n)/v is m - ½mn²/v."""
    m, near, far = exponentials(z)
    n, zm = near * far, z * m
    v = m * m + n * (m + 0.5 * n)
    return far * (near * (((m + zm) + 0.5 * n * (1.0 - zm * n / v)) / v))


def gelu(z: Array, approximate: str) -> Array:
    if approximate == "tanh":
        w, rest, _ = argument(z)
        m, near, far = exponentials(w, rest)
        return far * (near * z / (m + near * far))
    a = abs(z)
    outside = gaussian(a, z * tail(a))
    return np.where(z >= 0, z - outside, outside)


def gelu_slope(z: Array, approximate: str) -> Array:
    if approximate == "tanh":
        w, rest, cubic = argument(z)
        return gated_slope(w + 2.0 * cubic, *exponentials(w, rest))
    a = abs(z)
    q = gaussian(a, tail(a) - INV_SQRT_2PI * a)
    return np.where(z >= 0, 1.0 - q, q)


def tail(a: Array) -> Array:
    """G(a) = exp(a²/2) Φ(-a) for 0 ≤ a ≤ 40."""
    a = np.minimum(a, 40.0)
    t = (a - CENTRE) / (a + CENTRE)
    total = COEFFICIENTS[0] * t + COEFFICIENTS[1]
    for c in COEFFICIENTS[2:]:
        total = total * t + c
    return total / (1.0 + a)


def gaussian(a: Array, factor: Array) -> Array:
    """factor · exp(-a²/2) for a ≥ 0, with a² exact as the sum of two numbers."""
    a = np.minimum(a, 60.0)  # the exponential is zero from 39 on, and the splitting must not overflow
    square = a * a
    rest = what_lacks(square, halves(a), halves(a))
    low = -0.5 * square
    high = np.maximum(low, SPLIT)
    return np.exp(low - high) * (np.exp(high) * (factor - 0.5 * rest * factor))


def halves(a: Array) -> tuple[Array, Array]:
    """a as the sum of two numbers so short that products of such are exact (Dekker 1971)."""
    c = (134217729.0 if a.dtype == np.float64 else 4097.0) * a
    high = c - (c - a)
    return high, a - high


def what_lacks(p: Array, a: tuple[Array, Array], b: tuple[Array, Array]) -> Array:
    """The exact product of two numbers, given as halves, less p, which is that product rounded."""
    return ((a[0] * b[0] - p) + a[0] * b[1] + a[1] * b[0]) + a[1] * b[1]


CUBIC_HALVES = {name: halves(np.dtype(name).type(high)) for name, (high, _) in CUBIC.items()}


def argument(z: Array) -> tuple[Array, Array, Array]:
    """w = z(2k + 2kA z²) as the sum of two numbers, and 2kA z³."""
    z = np.minimum(np.maximum(z, -30.0), 30.0)  # exp(-|w|) is zero from 22 on
    name = z.dtype.name
    (linear, linear_rest), (cubic, cubic_rest) = LINEAR[name], CUBIC[name]
    z_halves = halves(z)
    square = z * z
    c = square * cubic
    rest = what_lacks(c, halves(square), CUBIC_HALVES[name]) + square * cubic_rest
    rest = rest + what_lacks(square, z_halves, z_halves) * cubic
    v = c + linear
    part = v - c
    rest = rest + ((c - (v - part)) + (linear - part)) + linear_rest
    w = z * v
    return w, what_lacks(w, z_halves, halves(v)) + z * rest, z * c
