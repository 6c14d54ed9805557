"""Activations and their derivatives, written by hand; accurate over the whole range of the dtype.

In each row dz = ∂C/∂z = ∂C/∂a · ∂a/∂z, with da = ∂C/∂a given. For an elementwise activation
∂a_j/∂z_k = 0 for j ≠ k, so dz = da ∘ g'(z). With a = |z|, e = exp(-a), d = 1 + e, nothing here overflows:

    sigmoid      g = 1/(1+exp(-z)),  g' = exp(-z)/(1+exp(-z))², even in z, so (e/d)/d
    tanh         g' = 1/cosh² z = 4 exp(-2a)/(1+exp(-2a))² = (2e/(1+e²))²
    softplus     g' = sigmoid(z) = 1/d for z ≥ 0, e/d below;  log_sigmoid' = sigmoid(-z)
    silu         g = z s(z),  g' = s + z s(1-s) = (1 + e(1+a))/d² for z ≥ 0, e((1-a)+e)/d² below
    gelu         g = z Φ(z),  g' = Φ + zφ; with the Mills ratio m(a) = Φ(-a)/φ(a): q = φ(a)(m(a) - a) is g'(-a)
                 and g'(a) = 1 - q, because g'(z) + g'(-z) = 1
    gelu, tanh   g = z S, S = sigmoid(2u), u = k(z + Az³), k = √(2/π);  g' = S + z·2u'·S(1-S)
    mish         g = z T, T = tanh(log(1+exp z)) = n/(n+2), n = exp z (exp z + 2);
                 T' = 4 exp z (1+exp z)/(n+2)², g' = T + z T'
    softsign     g' = 1/(1+a)²
    softmax      ∂a_j/∂z_k = a_j(δ_jk - a_k), so dz_k = a_k (da_k - Σ_j da_j a_j)
    log_softmax  ∂a_j/∂z_k = δ_jk - exp a_k, so dz_k = da_k - exp(a_k) Σ_j da_j

At a kink the derivative from below is taken. The Gaussian's exponent uses the exact square of z (Dekker 1971).
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from crosscheck.backprop.rows import Activation, Array

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
GELU_K = math.sqrt(2.0 / math.pi)
GELU_A = 0.044715
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


def sigmoid_slope(z: Array) -> Array:
    e = np.exp(-abs(z))
    return e / (1.0 + e) / (1.0 + e)


def sech_squared(z: Array) -> Array:
    e = np.exp(-abs(z))
    return (2.0 * e / (1.0 + e * e)) ** 2


def softplus(z: Array) -> Array:
    return np.maximum(z, 0.0) + np.log1p(np.exp(-abs(z)))


def softplus_slope(z: Array) -> Array:
    e = np.exp(-abs(z))
    return np.where(z >= 0, 1.0, e) / (1.0 + e)


def silu_slope(z: Array) -> Array:
    a = abs(z)
    h = np.exp(-0.5 * a)  # e = h² underflows before e·a does
    e = h * h
    d = 1.0 + e
    above = (1.0 + e * (1.0 + a)) / (d * d)
    below = h * (h * ((1.0 - a) + e)) / (d * d)
    return np.where(z >= 0, above, below)


def mish_gate(z: Array) -> Array:
    """T = tanh(softplus z)."""
    e = np.exp(-abs(z))
    above = (1.0 + 2.0 * e) / (1.0 + 2.0 * e * (1.0 + e))
    below = e * (e + 2.0) / (e * (e + 2.0) + 2.0)
    return np.where(z >= 0, above, below)


def mish_slope(z: Array) -> Array:
    """T + z T', with both terms over the denominator D = n + 2, scaled by e² above zero."""
    a = abs(z)
    h = np.exp(-0.5 * a)
    e = h * h
    D = 1.0 + 2.0 * e * (1.0 + e)
    above = ((1.0 + 2.0 * e) + 4.0 * (a * e) * (e * (1.0 + e)) / D) / D
    v = 1.0 + (e + 0.5 * e * e)
    below = h * (h * (((1.0 - a) + 0.5 * e * (1.0 + a * e / v)) / v))
    return np.where(z >= 0, above, below)


def product(a: Array, b: Array) -> tuple[Array, Array]:
    """a · b as the sum of two numbers, exactly (Dekker 1971)."""
    p = a * b
    (a, a_rest), (b, b_rest) = _halves(a), _halves(b)
    return p, ((a * b - p) + a * b_rest + a_rest * b) + a_rest * b_rest


def _halves(a: Array) -> tuple[Array, Array]:
    """Each half short enough that products of halves are exact."""
    c = (134217729.0 if a.dtype == np.float64 else 4097.0) * a
    high = c - (c - a)
    return high, a - high


def gaussian(a: Array, factor: Array = 1.0) -> Array:
    """factor · φ(a), φ(a) = exp(-a²/2)/√(2π) for a ≥ 0, with a² exact as the sum of two numbers."""
    a = np.minimum(a, 60.0)  # h is zero from 55 on, and the splitting must not overflow
    p, rest = product(a, a)
    h = np.exp(-0.25 * p)  # exp(-a²/2) = h² underflows before factor · φ does
    return h * (h * (INV_SQRT_2PI * (1.0 - 0.5 * rest) * factor))


def mills(a: Array) -> Array:
    """Φ(-a)/φ(a) for a ≥ 0."""
    return math.sqrt(math.pi / 2.0) * special.erfcx(a * math.sqrt(0.5))


def gelu(z: Array, approximate: str) -> Array:
    if approximate == "tanh":
        return z * special.expit(2.0 * _gelu_argument(z))
    a = abs(z)
    tail = gaussian(a, mills(a))
    return z * np.where(z >= 0, 1.0 - tail, tail)


def gelu_slope(z: Array, approximate: str) -> Array:
    a = abs(z)
    if approximate == "tanh":
        u2, rest, cubic = _gelu_exponent(a)
        h = np.exp(-0.5 * u2)
        e = h * h * (1.0 - rest)
        d = 1.0 + e
        # 2 z u' = 2u + 4kA z³, where u = k(z + Az³)
        w = u2 + 2.0 * cubic
        f = ((1.0 - w) + e) / (d * d)
        below = h * (h * (f - f * rest))
        return np.where(z >= 0, (1.0 + e * (1.0 + w)) / (d * d), below)
    q = gaussian(a, mills(a) - a)
    return np.where(z >= 0, 1.0 - q, q)


def _cube(z: Array) -> Array:
    # From 1e5 on exp(-2u) is zero, and a larger cube could only make 0 · ∞.
    z = np.maximum(np.minimum(z, 1e5), -1e5)
    return z * z * z


def _gelu_argument(z: Array) -> Array:
    return GELU_K * (z + GELU_A * _cube(z))


def _gelu_exponent(a: Array) -> tuple[Array, Array, Array]:
    """2u = 2ka + 2kAa³ for a ≥ 0 as the sum of two numbers, and 2kAa³: exp(-2u) multiplies an error of 2u by 2u."""
    a = np.minimum(a, 1e3)  # exp(-2u) is zero from 22 on
    square, square_rest = product(a, a)
    cube, cube_rest = product(square, a)
    (linear, l), (cubic, c) = _times(a, 0.0 * a, LINEAR), _times(cube, cube_rest + square_rest * a, CUBIC)
    total = cubic + linear
    part = total - cubic
    return total, ((cubic - (total - part)) + (linear - part)) + (l + c), cubic


def _times(a: Array, rest: Array, constants: dict[str, tuple[float, float]]) -> tuple[Array, Array]:
    """(a + rest) · (constant + its rest), as the sum of two numbers."""
    high, low = constants[a.dtype.name]
    p, q = product(a, 0.0 * a + high)
    return p, q + (a * low + rest * high)


def elu(z: Array, alpha: float) -> Array:
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0.0)))


def elu_slope(z: Array, alpha: float) -> Array:
    return np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0.0)))


def selu(z: Array) -> Array:
    return np.where(z > 0, SELU_SCALE * z, SELU_SCALE * SELU_ALPHA * np.expm1(np.minimum(z, 0.0)))


def selu_slope(z: Array) -> Array:
    return np.where(z > 0, SELU_SCALE, SELU_SCALE * SELU_ALPHA * np.exp(np.minimum(z, 0.0)))


def softmax(z: Array, axis: int) -> Array:
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def log_softmax(z: Array, axis: int) -> Array:
    shifted = z - z.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def _inside(z: Array, least: float, most: float, da: Array) -> Array:
    return np.where(z > least, np.where(z < most, da, 0.0), 0.0)


# fmt: off
ROWS: dict[str, Activation] = {
    "identity":    Activation(lambda z: z,            lambda z, a, da: da),
    "sigmoid":     Activation(special.expit,          lambda z, a, da: da * sigmoid_slope(z)),
    "tanh":        Activation(np.tanh,                lambda z, a, da: da * sech_squared(z)),
    "relu":        Activation(lambda z: np.maximum(z, 0.0), lambda z, a, da: np.where(z > 0, da, 0.0)),
    "leaky_relu":  Activation(lambda z, negative_slope: np.where(z > 0, z, negative_slope * z),
                              lambda z, a, da, negative_slope: np.where(z > 0, da, negative_slope * da)),
    "elu":         Activation(elu,                    lambda z, a, da, alpha: da * elu_slope(z, alpha)),
    "selu":        Activation(selu,                   lambda z, a, da: da * selu_slope(z)),
    "softplus":    Activation(softplus,               lambda z, a, da: da * softplus_slope(z)),
    "silu":        Activation(lambda z: z * special.expit(z), lambda z, a, da: da * silu_slope(z)),
    "gelu":        Activation(gelu,                   lambda z, a, da, approximate: da * gelu_slope(z, approximate)),
    "mish":        Activation(lambda z: z * mish_gate(z), lambda z, a, da: da * mish_slope(z)),
    "softsign":    Activation(lambda z: z / (1.0 + abs(z)), lambda z, a, da: da * (1.0 / (1.0 + abs(z))) ** 2),
    "hardtanh":    Activation(lambda z, min_val, max_val: np.minimum(np.maximum(z, min_val), max_val),
                              lambda z, a, da, min_val, max_val: _inside(z, min_val, max_val, da)),
    "hardsigmoid": Activation(lambda z: np.minimum(np.maximum(z / 6.0 + 0.5, 0.0), 1.0),
                              lambda z, a, da: _inside(z, -3.0, 3.0, da) / 6.0),
    "log_sigmoid": Activation(lambda z: -softplus(-z), lambda z, a, da: da * softplus_slope(-z)),
    "sin":         Activation(np.sin,                 lambda z, a, da: da * np.cos(z)),
    "softmax":     Activation(softmax,
                              lambda z, a, da, axis: a * (da - (da * a).sum(axis=axis, keepdims=True))),
    "log_softmax": Activation(log_softmax,
                              lambda z, a, da, axis: da - np.exp(a) * da.sum(axis=axis, keepdims=True)),
}
# fmt: on
