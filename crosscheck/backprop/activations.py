"""Activations and their derivatives, written by hand; accurate over the whole range of the dtype.

In each row dz = ∂C/∂z = ∂C/∂a · ∂a/∂z, with da = ∂C/∂a given. For an elementwise activation
∂a_j/∂z_k = 0 for j ≠ k, so dz = da ∘ g'(z). With a = |z| and e = exp(-a) nothing here overflows:

    sigmoid      g = 1/(1+exp(-z)) = exp(min(z,0))/(1+e),  g' = exp(-z)/(1+exp(-z))², even in z, so (e/(1+e))/(1+e)
    tanh         g' = 1/cosh² z = 4q/(1+q)², q = exp(-2a)
    softplus     g = max(z,0) + log1p(e),  g' = sigmoid(z);  log_sigmoid(z) = -softplus(-z), its g' = sigmoid(-z)
    elu, selu    g' = α exp(z) below zero, λα exp(z)
    celu         g' = exp(z/α) below zero; see celu.py
    softsign     g' = 1/(1+a)², squared last, because (1+a)² overflows
    silu, gelu, mish    see gates.py
    softmax      ∂a_j/∂z_k = a_j(δ_jk - a_k), so dz_k = a_k (da_k - Σ_j da_j a_j)
    log_softmax  ∂a_j/∂z_k = δ_jk - p_k, p = softmax(z), so dz_k = da_k - p_k Σ_j da_j

At a kink the derivative from below is taken.

Every g and g' of one z is within 6 ulps: g of its true value, g' of the larger of its terms where it is a sum, so
that nothing is asked of the digits that a zero of g' takes. An ulp below the smallest normal number is the smallest
number. Measured by ball arithmetic at 480,000 points each (tests/backprop/test_slope_accuracy.py asks fewer), in
ulps of g and g':

                  float64      float32
    sigmoid      2.2, 3.9     3.3, 4.6
    tanh         1.2, 4.2     1.4, 4.7
    softplus     1.5, 2.2     2.9, 3.3
    log_sigmoid  1.7, 2.4     2.9, 3.1
    elu          0.6, 0.7     2.4, 2.3
    celu         2.0, 1.0     3.0, 2.6      (alpha = 0.3)
    selu         1.7, 1.8     3.0, 2.8
    softsign     1.5, 3.5     1.5, 3.5
    sin          0.6, 0.6     1.4, 1.4
    silu         2.9, 3.9     3.8, 4.1
    mish         4.0, 4.0     4.6, 4.1
    gelu         3.9, 4.4     5.2, 4.9
    gelu, tanh   3.4, 4.6     4.2, 5.7

What limits float32 is NumPy itself: its exp is off by 2.3 ulps there, log1p by 1.6, expm1 by 2.1, tanh, sin and cos
by 1.3; in float64 exp by 0.7, tanh by 1.1, the others by about half.
"""

from __future__ import annotations

import numpy as np

from crosscheck.backprop.celu import celu, celu_slope
from crosscheck.backprop.gates import SPLIT, gelu, gelu_slope, mish, mish_slope, silu, silu_slope
from crosscheck.backprop.rows import Activation, Array, above_zero, chosen

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def sigmoid(z: Array) -> Array:
    return np.exp(np.minimum(z, 0.0)) / (1.0 + np.exp(-abs(z)))


def sigmoid_slope(z: Array) -> Array:
    e = np.exp(-abs(z))
    return e / (1.0 + e) / (1.0 + e)


def sech_squared(z: Array) -> Array:
    low = -2.0 * abs(z)
    high = np.maximum(low, SPLIT)
    near, far = np.exp(high), np.exp(low - high)  # q, in two factors: 4q is not zero yet where q is
    d = 1.0 + near * far
    return far * (4.0 * near / (d * d))


def softplus(z: Array) -> Array:
    return np.maximum(z, 0.0) + np.log1p(np.exp(-abs(z)))


def elu(z: Array, alpha: float) -> Array:
    return np.maximum(z, 0.0) + alpha * np.expm1(np.minimum(z, 0.0))


def elu_slope(z: Array, alpha: float) -> Array:
    return np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0.0)))


def selu(z: Array) -> Array:
    return SELU_SCALE * np.maximum(z, 0.0) + SELU_SCALE * SELU_ALPHA * np.expm1(np.minimum(z, 0.0))


def selu_slope(z: Array) -> Array:
    return np.where(z > 0, SELU_SCALE, SELU_SCALE * SELU_ALPHA * np.exp(np.minimum(z, 0.0)))


def softmax(z: Array, axis: int) -> Array:
    _, e = below_the_top(z, axis)
    return e / e.sum(axis=axis, keepdims=True)


def softmax_pulled_back(z: Array, a: Array, da: Array, axis: int) -> Array:
    """a_k (da_k - Σ_j da_j a_j) = a_k (da_k Σ_{j≠k} a_j - Σ_{j≠k} da_j a_j): no 1 - a is formed by a subtraction."""
    lower = not_the_top(0.5 * z - (0.5 * z).max(axis=axis, keepdims=True))
    return a * (da * others(a, lower, axis) - others(da * a, lower, axis))


def log_softmax(z: Array, axis: int) -> Array:
    half, e = below_the_top(z, axis)
    return 2.0 * half - np.log1p(besides_the_top(e, not_the_top(half), axis))


def half_log_softmax(below: tuple[Array, Array], axis: int) -> Array:
    """Half of it, which is a number even where two z are further apart than the largest number; of `below_the_top`."""
    half, e = below
    return half - 0.5 * np.log1p(besides_the_top(e, not_the_top(half), axis))


def log_softmax_pulled_back(below: tuple[Array, Array], da: Array, axis: int) -> Array:
    """Of `below_the_top`: da_k - p_k Σ_j da_j = da_k Σ_{j≠k} p_j - p_k Σ_{j≠k} da_j.

    The sum of the other p is that of the other e over that of all: what both sums have lost cancels.
    """
    sizes = 0.5 * abs(da)
    rest = others(da, not_the_top(sizes - sizes.max(axis=axis, keepdims=True)), axis)
    half, e = below
    total = e.sum(axis=axis, keepdims=True)
    return da * (others(e, not_the_top(half), axis) / total) - e / total * rest


def below_the_top(z: Array, axis: int) -> tuple[Array, Array]:
    """Half of z - max z, and exp(z - max z), with what the difference loses when it is rounded (Knuth 1969)."""
    z = 0.5 * z
    top = z.max(axis=axis, keepdims=True)
    half = z - top
    back = half - z
    lost = (z - (half - back)) - (top + back)
    e = np.exp(2.0 * half)
    return half, e + e * (2.0 * lost)


def not_the_top(half: Array) -> Array:
    """0 at the largest, where half = 0, and 1 elsewhere.

    Without a comparison where numbers are not plain: those count kinks, and a tie is none here.
    """
    if type(half) is np.ndarray:
        return (half < 0).astype(half.dtype)
    large = np.finfo(half.dtype).max * 2.0**-20  # the smallest number times it, twice, is above 1
    return np.minimum(np.minimum(np.minimum(-half, 1.0) * large, 1.0) * large, 1.0)


def besides_the_top(e: Array, lower: Array, axis: int) -> Array:
    """Σ e less 1, which is one of the largest; nothing of a small rest is lost."""
    ties = (1.0 - lower).sum(axis=axis, keepdims=True) - 1.0
    return (lower * e).sum(axis=axis, keepdims=True) + ties


def others(x: Array, lower: Array, axis: int) -> Array:
    """Σ_{j≠k} x_j for each k. Only at the largest can x_k be most of the sum: there it is left out, not subtracted."""
    low, top = lower * x, (1.0 - lower) * x
    below, tops = low.sum(axis=axis, keepdims=True), top.sum(axis=axis, keepdims=True)
    return lower * ((tops + below) - x) + (1.0 - lower) * ((tops - x) + below)


def _inside(z: Array, least: float, most: float, da: Array) -> Array:
    return np.where(z > least, np.where(z < most, da, 0.0), 0.0)


def _log_softmax_slope(z: Array, _a: Array, da: Array, axis: int) -> Array:
    return log_softmax_pulled_back(below_the_top(z, axis), da, axis)


# fmt: off
ROWS: dict[str, Activation] = {
    "identity":    Activation(lambda z: z,            lambda z, a, da: da),
    "sigmoid":     Activation(sigmoid,                lambda z, a, da: da * sigmoid_slope(z)),
    "tanh":        Activation(np.tanh,                lambda z, a, da: da * sech_squared(z)),
    "relu":        Activation(above_zero,             lambda z, a, da: chosen(z > 0, da)),
    "leaky_relu":  Activation(lambda z, negative_slope: np.where(z > 0, z, negative_slope * z),
                              lambda z, a, da, negative_slope: np.where(z > 0, da, negative_slope * da)),
    "elu":         Activation(elu,                    lambda z, a, da, alpha: da * elu_slope(z, alpha)),
    "celu":        Activation(celu,                   lambda z, a, da, alpha: da * celu_slope(z, alpha)),
    "selu":        Activation(selu,                   lambda z, a, da: da * selu_slope(z)),
    "softplus":    Activation(softplus,               lambda z, a, da: da * sigmoid(z)),
    "silu":        Activation(silu,                   lambda z, a, da: da * silu_slope(z)),
    "gelu":        Activation(gelu,                   lambda z, a, da, approximate: da * gelu_slope(z, approximate)),
    "mish":        Activation(mish,                   lambda z, a, da: da * mish_slope(z)),
    "softsign":    Activation(lambda z: z / (1.0 + abs(z)), lambda z, a, da: da * (1.0 / (1.0 + abs(z))) ** 2),
    "hardtanh":    Activation(lambda z, min_val, max_val: np.minimum(np.maximum(z, min_val), max_val),
                              lambda z, a, da, min_val, max_val: _inside(z, min_val, max_val, da)),
    "hardsigmoid": Activation(lambda z: np.minimum(np.maximum(z + 3.0, 0.0) / 6.0, 1.0),
                              lambda z, a, da: _inside(z, -3.0, 3.0, da) / 6.0),
    "log_sigmoid": Activation(lambda z: -softplus(-z), lambda z, a, da: da * sigmoid(-z)),
    "sin":         Activation(np.sin,                 lambda z, a, da: da * np.cos(z)),
    "softmax":     Activation(softmax,                lambda z, a, da, axis: softmax_pulled_back(z, a, da, axis)),
    "log_softmax": Activation(log_softmax,            _log_softmax_slope),
}
# fmt: on
