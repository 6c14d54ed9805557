"""Losses that are negative logarithms of probabilities, and their derivatives by what the loss is given.

bce           -(y log a + (1-y) log(1-a))     (1-y)/(1-a) - y/a
nll           -a_y                            -1 at the class y, else 0
kl_div        y(log y - a); eʸ(y - a)         -y; -eʸ
poisson_nll   eᵃ - ya; a - y log(a+ε)         eᵃ - y; 1 - y/(a+ε) = (a-y+ε)/(a+ε)
gaussian_nll  ½(log v + d²/v), d = a - y,     ∂/∂a = d/v, ∂/∂var = ½(1/v - d²/v²) = ½(1 - d²/v)/v above ε, 0 below
              v = max(var, ε)
focal         α_t q^γ ℓ, ℓ bce_with_logits    α_t q^γ (ℓ' + γ ℓ q'/q), by the product rule

Of focal, with p = sigmoid(z) and s = 1 - p = sigmoid(-z): q = p(1-y) + sy is the probability of what is not the
target, ℓ' = p(1-y) - sy, q' = ps(1-2y), and ps/q = 1/((1-y)/s + y/p), so that nothing is divided by a q that may
vanish; for y = 0 and 1 both terms of the slope have one sign. What is infinite (log 0) is the largest number here,
so that 0 times it is 0.
"""

from __future__ import annotations

import numpy as np

from crosscheck.backprop.activations import sigmoid
from crosscheck.backprop.rows import Array, Loss

# exp(-FAR) is less than any number.
FAR = 1e3


def bce(a: Array, y: Array) -> Array:
    least = -np.finfo(a.dtype).max
    return -(y * np.maximum(np.log(a), least) + (1.0 - y) * np.maximum(np.log1p(-a), least))


def bce_slope(a: Array, y: Array) -> Array:
    return over(1.0 - a, 1.0 - y) - over(a, y)


def over(a: Array, y: Array) -> Array:
    """y/a, as long as that is no more than the largest number; then less, down to 0 at 0.

    There a has underflowed, and what it came from has a derivative of 0.
    """
    limits = np.finfo(a.dtype)
    least = y * (limits.tiny / 4) + limits.smallest_subnormal
    return np.minimum(a, least) / least * (y / np.maximum(a, least))


def nll(a: Array, y: Array, ignore_index: int, **_others: object) -> Array:
    chosen = np.where(y == ignore_index, 0, y)
    return -np.take_along_axis(a, chosen[..., np.newaxis], axis=-1)[..., 0]


def nll_slope(a: Array, y: Array, **_others: object) -> Array:
    return np.zeros_like(a) - one_hot(a, y)


def one_hot(a: Array, y: Array) -> Array:
    """Rows of 0 with a 1 at the class; one of no class is all 0."""
    return (np.arange(a.shape[-1]) == y[..., np.newaxis]).astype(a.dtype)


def counted(y: Array, targets: str, ignore_index: int, **_others: object) -> Array | None:
    """Which samples count; None where all do, whatever their targets."""
    return y != ignore_index if targets == "classes" else None


def kl_div(a: Array, y: Array, log_target: bool) -> Array:
    if log_target:
        return np.exp(y) * (y - a)
    return y * (np.log(np.maximum(y, np.finfo(y.dtype).tiny)) - a)


def kl_div_slope(_a: Array, y: Array, log_target: bool) -> Array:
    return -np.exp(y) if log_target else -y


def poisson_nll(a: Array, y: Array, log_input: bool, eps: float) -> Array:
    return np.exp(a) - y * a if log_input else a - y * np.log(a + eps)


def poisson_nll_slope(a: Array, y: Array, log_input: bool, eps: float) -> Array:
    return np.exp(a) - y if log_input else ((a - y) + eps) / (a + eps)


def gaussian_nll(a: Array, var: Array, y: Array, eps: float) -> Array:
    v, d = np.maximum(var, eps), a - y
    return 0.5 * (np.log(v) + d * (d / v))


def gaussian_nll_slope(a: Array, var: Array, y: Array, eps: float) -> tuple[Array, Array]:
    v, d = np.maximum(var, eps), a - y
    r = d / v
    return r, np.where(var > eps, 0.5 * (1.0 - d * r) / v, 0.0)


def focal(z: Array, y: Array, alpha: float, gamma: float) -> Array:
    p, s = sigmoid(z), sigmoid(-z)
    return by_class(y, alpha) * power(p * (1.0 - y) + s * y, gamma) * logistic(z, y)


def focal_slope(z: Array, y: Array, alpha: float, gamma: float) -> Array:
    p, s, tiny = sigmoid(z), sigmoid(-z), np.finfo(z.dtype).tiny
    ratio = 1.0 / ((1.0 - y) / np.maximum(s, tiny) + y / np.maximum(p, tiny))
    # A ratio that is 0 stands as `tiny` or 1 there, and must not be multiplied by a z of any size.
    loss = logistic(np.minimum(np.maximum(z, -FAR), FAR), y)
    inner = (p * (1.0 - y) - s * y) + gamma * loss * ratio * (1.0 - 2.0 * y)
    return by_class(y, alpha) * power(p * (1.0 - y) + s * y, gamma) * inner


def logistic(z: Array, y: Array) -> Array:
    """bce_with_logits: what the two classes pay."""
    return (np.maximum(z, 0.0) * (1.0 - y) + np.maximum(-z, 0.0) * y) + np.log1p(np.exp(-abs(z)))


def by_class(y: Array, alpha: float) -> Array:
    return alpha * y + (1.0 - alpha) * (1.0 - y) if alpha >= 0 else y * 0.0 + 1.0


def power(q: Array, gamma: float) -> Array:
    return q**gamma if gamma else q * 0.0 + 1.0


# fmt: off
ROWS: dict[str, Loss] = {
    "bce":          Loss(bce,          bce_slope),
    "nll":          Loss(nll,          nll_slope, per_sample=True, counts=counted),
    "kl_div":       Loss(kl_div,       kl_div_slope),
    "poisson_nll":  Loss(poisson_nll,  poisson_nll_slope),
    "gaussian_nll": Loss(gaussian_nll, gaussian_nll_slope, kinked=lambda a, var, y, eps: var),
    "focal":        Loss(focal,        focal_slope),
}
# fmt: on
