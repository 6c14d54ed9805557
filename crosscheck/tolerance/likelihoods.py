"""Textbook rows of the losses that are negative logarithms of probabilities: see `losses`."""

from __future__ import annotations

import numpy as np
from scipy import special

from crosscheck.backprop.rows import Array, Loss
from crosscheck.tolerance.noise import constant, known_positive, plain, with_noise

# What a sigmoid may be off by, in units of u (`formats`: 2.4 in float64, 3.0 in float32).
PROBABILITY = 3.0
TINY = np.finfo(np.float64).tiny


def _times(y: Array, values: Array) -> Array:
    """y · values, 0 where y is 0, whatever the value is there."""
    return np.where(plain(y) == 0.0, 0.0, y * values)


def _bce(a: Array, y: Array) -> Array:
    rest = 1.0 - a
    return -(_times(y, known_positive(a) * np.log(a)) + _times(1.0 - y, known_positive(rest) * np.log(rest)))


def _bce_slope(a: Array, y: Array) -> Array:
    return _times(1.0 - y, _inverse(1.0 - a, a)) - _times(y, _inverse(a, a))


def _inverse(part: Array, a: Array) -> Array:
    """1/part, a or 1 - a.

    That a has been rounded counts here on its own: behind a sigmoid with the slope a(1 - a) it would cancel, the same
    1 - a being a factor and a divisor; with another formula for that slope it does not.
    """
    return with_noise(known_positive(part) / part, PROBABILITY * abs(plain(a)) / np.square(plain(part)), a)


def counts(y: Array, targets: str, ignore_index: int, **_others: object) -> Array | None:
    """Which samples have a class that counts."""
    return None if targets == "probabilities" else np.not_equal(y, ignore_index)


def _nll(a: Array, y: Array, **_others: object) -> Array:
    return -(a * _indicators(a, y)).sum(axis=-1)


def _nll_slope(a: Array, y: Array, **_others: object) -> Array:
    return 0.0 * a - _indicators(a, y)


def _indicators(a: Array, y: Array) -> Array:
    return np.equal(np.arange(a.shape[-1]), y[..., np.newaxis]) * 1.0


def _kl_div(a: Array, y: Array, log_target: bool) -> Array:
    p, log = (np.exp(y), y) if log_target else (y, np.log(np.maximum(y, TINY)))
    return p * log - p * a


def _kl_div_slope(a: Array, y: Array, log_target: bool) -> Array:
    return -(np.exp(y) if log_target else y) + 0.0 * a


def _poisson_nll(a: Array, y: Array, log_input: bool, eps: float) -> Array:
    """Of eᵃ - ya too, because many compute the deviance y log(y/eᵃ) - y + eᵃ and are compared without what y adds."""
    if not log_input:
        return a - y * np.log(a + constant(a, eps))
    counted = np.maximum(plain(y), 0.0)
    return with_noise(np.exp(a) - y * a, 2.0 * (abs(special.xlogy(counted, counted)) + counted))


def _poisson_nll_slope(a: Array, y: Array, log_input: bool, eps: float) -> Array:
    return np.exp(a) - y if log_input else 1.0 - y / (a + constant(a, eps))


def _gaussian_nll(a: Array, var: Array, y: Array, eps: float) -> Array:
    v = np.maximum(var, constant(var, eps))
    return 0.5 * (np.log(v) + (a - y) * (a - y) / v)


def _gaussian_nll_slope(a: Array, var: Array, y: Array, eps: float) -> tuple[Array, Array]:
    v, d = np.maximum(var, constant(var, eps)), a - y
    return d / v, np.where(var > eps, 0.5 * (1.0 / v - d * d / (v * v)), 0.0)


def _focal(z: Array, y: Array, alpha: float, gamma: float) -> Array:
    return _by_class(z, y, alpha) * _power(_missed(z, y), gamma) * _logistic(z, y)


def _focal_slope(z: Array, y: Array, alpha: float, gamma: float) -> Array:
    p, q = special.expit(z), _missed(z, y)
    inner = _power(q, gamma) * (p - y)
    if gamma:
        inner = inner + gamma * _power(q, gamma - 1.0) * (p * (1.0 - p) * (1.0 - 2.0 * y)) * _logistic(z, y)
    return _by_class(z, y, alpha) * inner


def _missed(z: Array, y: Array) -> Array:
    p = special.expit(z)
    return 1.0 - (p * y + (1.0 - p) * (1.0 - y))


def _logistic(z: Array, y: Array) -> Array:
    """With the last digit of z, which those lose who compute (1 - y) z - log sigmoid(z)."""
    value = np.maximum(z, 0.0) - z * y + np.log(1.0 + np.exp(-abs(z)))
    return with_noise(value, abs(plain(z)), z)


def _by_class(z: Array, y: Array, alpha: float) -> Array:
    a = constant(z, alpha)
    return a * y + (1.0 - a) * (1.0 - y) if alpha >= 0 else 1.0


def _power(q: Array, exponent: float) -> Array:
    return q**exponent if exponent else 1.0


# fmt: off
ROWS: dict[str, Loss] = {
    "bce":          Loss(_bce,          _bce_slope),
    "nll":          Loss(_nll,          _nll_slope, per_sample=True, counts=counts),
    "kl_div":       Loss(_kl_div,       _kl_div_slope),
    "poisson_nll":  Loss(_poisson_nll,  _poisson_nll_slope),
    "gaussian_nll": Loss(_gaussian_nll, _gaussian_nll_slope, kinked=lambda a, var, y, eps: var),
    "focal":        Loss(_focal,        _focal_slope),
}
# fmt: on
