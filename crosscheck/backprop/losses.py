"""Losses for each element (or sample) and their derivative by the network's output; the reduction is the walk's.

sse, mse                (a-y)²                    2(a-y)
mae                     |a-y|                     sign(a-y)
huber                   ½d² | δ(|d|-½δ)           d inside δ, δ sign(d) outside: d clipped to [-δ, δ]
bce_with_logits         max(z,0) - zy + log1p(e)  sigmoid(z) - y
softmax_cross_entropy   -Σ_c y_c log p_c          p_k Σ_c y_c - y_k, p = softmax(z), by ∂log p_c/∂z_k = δ_ck - p_k
cotangent               c a                       c
"""

from __future__ import annotations

import numpy as np
from scipy import special

from crosscheck.backprop.activations import log_softmax, softmax
from crosscheck.backprop.rows import Array, Loss


def huber(a: Array, y: Array, delta: float) -> Array:
    d = abs(a - y)
    # ½m² + δ(d - m) with m = min(d, δ) is both branches at once, and the unused square never overflows.
    m = np.minimum(d, delta)
    return 0.5 * m * m + delta * (d - m)


def huber_slope(a: Array, y: Array, delta: float) -> Array:
    return np.minimum(np.maximum(a - y, -delta), delta)


def sign_of_difference(a: Array, y: Array) -> Array:
    d = a - y
    return np.where(d > 0, 1.0, np.where(d < 0, -1.0, d * 0.0))


def bce_with_logits(z: Array, y: Array) -> Array:
    return np.maximum(z, 0.0) - z * y + np.log1p(np.exp(-abs(z)))


def distribution(z: Array, y: Array, targets: str) -> Array:
    """The targets as probabilities y_c: class indices become one-hot rows."""
    if targets == "probabilities":
        return y
    return (np.arange(z.shape[-1]) == y[..., None]).astype(z.dtype)


def softmax_cross_entropy(z: Array, y: Array, targets: str) -> Array:
    return -(distribution(z, y, targets) * log_softmax(z, -1)).sum(axis=-1)


def softmax_cross_entropy_slope(z: Array, y: Array, targets: str) -> Array:
    probabilities = distribution(z, y, targets)
    return softmax(z, -1) * probabilities.sum(axis=-1, keepdims=True) - probabilities


# fmt: off
ROWS: dict[str, Loss] = {
    "sse":       Loss(lambda a, y: (a - y) ** 2,      lambda a, y: 2.0 * (a - y)),
    "mse":       Loss(lambda a, y: (a - y) ** 2,      lambda a, y: 2.0 * (a - y)),
    "mae":       Loss(lambda a, y: abs(a - y),        sign_of_difference),
    "huber":     Loss(huber,                          huber_slope),
    "bce_with_logits": Loss(bce_with_logits,          lambda z, y: special.expit(z) - y),
    "softmax_cross_entropy": Loss(softmax_cross_entropy, softmax_cross_entropy_slope, per_sample=True),
    "cotangent": Loss(lambda a, c: c * a,             lambda a, c: c),
}
# fmt: on
