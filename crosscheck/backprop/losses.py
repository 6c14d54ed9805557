"""Losses for each element (or sample) and their derivative by the network's output; the reduction is the walk's.

sse, mse                (a-y)²                    2(a-y)
mae                     |a-y|                     sign(a-y)
huber                   ½d² | δ(|d|-½δ)           d inside δ, δ sign(d) outside: d clipped to [-δ, δ]
bce_with_logits         max(z,0) - zy + log1p(e)  sigmoid(z) - y
softmax_cross_entropy   -Σ_c y_c log p_c          p_k Σ_c y_c - y_k, p = softmax(z), by ∂log p_c/∂z_k = δ_ck - p_k
cotangent               c a                       c

None overflows unless the loss itself does, and where p is nearly y no 1 - p is formed by a subtraction:
sigmoid(z) - y = s(z)(1-y) - s(-z)y, and p_k Σ_c y_c - y_k = p_k Σ_{c≠k} y_c - y_k Σ_{c≠k} p_c.
"""

from __future__ import annotations

import numpy as np

from crosscheck.backprop import likelihoods, margins
from crosscheck.backprop.activations import below_the_top, half_log_softmax, log_softmax_pulled_back, sigmoid
from crosscheck.backprop.likelihoods import counted, one_hot
from crosscheck.backprop.rows import Array, Loss, in_two_steps


def square_times(a: Array, y: Array, c: Array) -> Array:
    """c (a - y)², which is a number where (a - y)² alone may overflow."""
    d = a - y
    return d * (c * d)


def huber(a: Array, y: Array, delta: float) -> Array:
    # Halves, because |a - y| may overflow where δ|a - y| does not. With m = min(d, δ), m(d - ½m) is both branches.
    d = abs(0.5 * a - 0.5 * y)
    m = np.minimum(d, 0.5 * delta)
    return 4.0 * m * (d - 0.5 * m)


def huber_slope(a: Array, y: Array, delta: float) -> Array:
    return np.minimum(np.maximum(a - y, -delta), delta)


def sign_of_difference(a: Array, y: Array) -> Array:
    d = a - y
    return np.where(d > 0, 1.0, np.where(d < 0, -1.0, d * 0.0))


def bce_with_logits(z: Array, y: Array) -> Array:
    # max(z,0) - zy as the sum of what the two classes pay
    return (np.maximum(z, 0.0) * (1.0 - y) + np.maximum(-z, 0.0) * y) + np.log1p(np.exp(-abs(z)))


def bce_with_logits_slope(z: Array, y: Array) -> Array:
    return sigmoid(z) * (1.0 - y) - sigmoid(-z) * y


def distribution(z: Array, y: Array, targets: str, label_smoothing: float) -> Array:
    """The targets as probabilities y_c: class indices become one-hot rows; smoothed, (1 - s) y_c + s/classes."""
    probabilities = y if targets == "probabilities" else one_hot(z, y)
    if not label_smoothing:
        return probabilities
    return (1.0 - label_smoothing) * probabilities + label_smoothing / z.shape[-1]


Beginning = tuple[Array, tuple[Array, Array]]  # the targets as probabilities, and z below its top


def distributions(z: Array, y: Array, targets: str, label_smoothing: float, **_others: object) -> Beginning:
    return distribution(z, y, targets, label_smoothing), below_the_top(class_by_class(z), -1)


def class_by_class(z: Array) -> Array:
    """z with the classes outermost in memory: what is summed over few numbers side by side takes twice as long."""
    if type(z) is not np.ndarray or z.ndim < 2:
        return z
    return np.ascontiguousarray(z.swapaxes(-1, -2)).swapaxes(-1, -2)


def softmax_cross_entropy(start: Beginning, *_given: Array, **_own: object) -> Array:
    probabilities, below = start
    return (-2.0 * probabilities * half_log_softmax(below, -1)).sum(axis=-1)


def softmax_cross_entropy_slope(
    start: Beginning, *_given: Array, targets: str, label_smoothing: float, **_others: object
) -> Array:
    probabilities, below = start
    if targets == "probabilities" or label_smoothing:
        return -log_softmax_pulled_back(below, probabilities, -1)
    return slope_of_classes(below[1], probabilities)


def slope_of_classes(e: Array, y: Array) -> Array:
    """The slope where y_c is 1 at one class, or at none, and 0 elsewhere: p_k at k ≠ c, and -Σ_{k≠c} p_k at c.

    Of zeros and a one every sum is exact, and the factor Σ_{c≠k} y_c leaves out of the sum of p what is to be left out.
    """
    other = e * (y.sum(axis=-1, keepdims=True) - y)
    return (other - y * other.sum(axis=-1, keepdims=True)) / e.sum(axis=-1, keepdims=True)


# fmt: off
ROWS: dict[str, Loss] = {
    "sse":       Loss(lambda a, y: (a - y) ** 2,      lambda a, y: 2.0 * (a - y), times=square_times),
    "mse":       Loss(lambda a, y: (a - y) ** 2,      lambda a, y: 2.0 * (a - y), times=square_times),
    "mae":       Loss(lambda a, y: abs(a - y),        sign_of_difference),
    "huber":     Loss(huber,                          huber_slope),
    "bce_with_logits": Loss(bce_with_logits,          bce_with_logits_slope),
    "softmax_cross_entropy": in_two_steps(distributions, softmax_cross_entropy, softmax_cross_entropy_slope,
                                          per_sample=True, counts=counted),
    "cotangent": Loss(lambda a, c: c * a,             lambda a, c: c),
    **likelihoods.ROWS,
    **margins.ROWS,
}
# fmt: on
