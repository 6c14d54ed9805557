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
vanish. What is infinite (log 0) is the largest number here, so that 0 times it is 0.

For y = 0 and 1 that is a function of one number, m = z(1-2y): q = sigmoid(m), ℓ = softplus(m), and both terms have
one sign. There the error of exp would count three times for γ = 2, where q ≪ 1, so that it is written otherwise: with
e = exp(-|m|), n = γ + 1 and k = log1p(e)/e below m = 0, ℓ e above,

    q^n = exp(n min(m, 0)) (1+e)^-n     value α_t q^n (1+e) (k; ℓ above)     slope ±α_t q^n (1 + γ k)

Off by at most 4.7 and 3.7 ulps in float64, 5.9 and 5.5 in float32, measured by ball arithmetic at 26,000 points for
γ = 2 (the product rule: 6.3 and 7.8, 8.7 and 9.6). In (1+e)^-n the error of e still counts n e/(1+e) times, half of n
at most: in float32, whose exp is off by 2.3 ulps, γ = 5 has 6.8 and 6.7.
"""

from __future__ import annotations

import numpy as np

from crosscheck.backprop.activations import sigmoid, softplus
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
    """Rows of 0 with a 1 at the class; one of no class is all 0. Class by class in memory, as `class_by_class`."""
    classes = np.arange(a.shape[-1])[:, np.newaxis]
    return (classes == y[..., np.newaxis, :]).astype(a.dtype).swapaxes(-1, -2)


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
    between = power(p * (1.0 - y) + s * y, gamma) * logistic(z, y)
    return by_class(y, alpha) * np.where((y > 0.0) & (y < 1.0), between, focal_of_class(against(z, y), gamma))


def focal_slope(z: Array, y: Array, alpha: float, gamma: float) -> Array:
    p, s, tiny = sigmoid(z), sigmoid(-z), np.finfo(z.dtype).tiny
    ratio = 1.0 / ((1.0 - y) / np.maximum(s, tiny) + y / np.maximum(p, tiny))
    # A ratio that is 0 stands as `tiny` or 1 there, and must not be multiplied by a z of any size.
    loss = logistic(np.minimum(np.maximum(z, -FAR), FAR), y)
    inner = (p * (1.0 - y) - s * y) + gamma * loss * ratio * (1.0 - 2.0 * y)
    between = power(p * (1.0 - y) + s * y, gamma) * inner
    of_class = (1.0 - 2.0 * y) * focal_slope_of_class(against(z, y), gamma)
    return by_class(y, alpha) * np.where((y > 0.0) & (y < 1.0), between, of_class)


def against(z: Array, y: Array) -> Array:
    """m, whose sigmoid is q where y is 0 or 1."""
    return z * (1.0 - 2.0 * y)


def focal_of_class(m: Array, gamma: float) -> Array:
    """q^γ ℓ."""
    e, q, k = focal_parts(m, gamma)
    return q * ((1.0 + e) * np.where(m < 0, k, softplus(m)))


def focal_slope_of_class(m: Array, gamma: float) -> Array:
    """∂/∂m of it."""
    e, q, k = focal_parts(m, gamma)
    return q * (1.0 + gamma * np.where(m < 0, k, softplus(m) * e))


def focal_parts(m: Array, gamma: float) -> tuple[Array, Array, Array]:
    """e = exp(-|m|), q^n with n = γ + 1, and log1p(e)/e.

    What is lost when n min(m, 0) and 1 + e are rounded is made up for to first order: the product of a whole number and
    of n to ten binary places is exact, and so is e - ((1 + e) - 1) (Dekker 1971).
    """
    n, short = gamma + 1.0, round(gamma * 1024.0) / 1024.0
    low = np.maximum(np.minimum(m, 0.0), -FAR / n)
    whole, x = np.rint(low), n * low
    e = np.exp(-abs(m))
    d = 1.0 + e
    lost = ((short + 1.0) * whole - x) + ((short + 1.0) * (low - whole) + (gamma - short) * low)
    q = np.exp(x) * d**-n
    some = np.maximum(e, np.finfo(m.dtype).tiny)  # log1p(e)/e is 1 long before e is 0
    return e, q + q * (lost - n * ((e - (d - 1.0)) / d)), np.log1p(some) / some


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
