"""Textbook rows of the losses, from which the spread is taken: plain formulas, with the error model of a framework.

As in `rows`: they judge, are judged by nobody, and share no code with the backprop.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special

from crosscheck.backprop.rows import Array, Loss, Row
from crosscheck.tolerance import likelihoods, margins
from crosscheck.tolerance.frameworks import LOSS_ERROR, Constants, LossConstant
from crosscheck.tolerance.likelihoods import counts
from crosscheck.tolerance.loss_deviations import LossDeviation
from crosscheck.tolerance.noise import constant, exp_anew, in_half, plain, unless_lost, with_noise
from crosscheck.tolerance.rounding import Rounded
from crosscheck.tolerance.sums import sum_error


def shifted_log_softmax(z: Array, axis: int) -> Array:
    d = z - z.max(axis=axis, keepdims=True)
    return d - np.log(np.exp(d).sum(axis=axis, keepdims=True))


def log_softmax(z: Array, axis: int) -> Array:
    """z - logsumexp z: many add the maximum back before they subtract, and lose its last digit in all classes."""
    m = z.max(axis=axis, keepdims=True)
    d = z - m
    total = np.log(np.exp(d).sum(axis=axis, keepdims=True))
    return d - with_noise(total, abs(plain(m)), m)


def softmax(z: Array, axis: int) -> Array:
    return np.exp(log_softmax(z, axis))


def softmax_anew(z: Array, axis: int) -> Array:
    """p of a way back that has log p of the way forward: many make it from z."""
    return exp_anew(log_softmax(z, axis), z.max(axis=axis, keepdims=True))


def with_shares(d: Array, of: Array, p: Array, axis: int) -> Array:
    """`d` with what `of` (1 - p) loses where Σ of the other p, over Σ of all, stands for 1 - p.

    That has the rounding of both sums, in any order, of the quotient and of the product.
    """
    one = np.ones(())
    sums = math.sqrt(float(sum_error(p.shape[axis], one, one)) ** 2 + 2.0)
    return with_noise(d, sums * abs(plain(of)) * np.maximum(1.0 - plain(p), 0.0), p)


def _huber(a: Array, y: Array, delta: float) -> Array:
    d = abs(a - y)
    return np.where(d > delta, delta * (d - 0.5 * delta), 0.5 * d * d)


def _huber_slope(a: Array, y: Array, delta: float) -> Array:
    return np.maximum(np.minimum(a - y, delta), -delta)


def _sign(a: Array, y: Array) -> Array:
    return np.where(a - y > 0, 1.0, -1.0) + 0.0 * (a - y)


def _sound_bce(z: Array, y: Array) -> Array:
    return np.maximum(z, 0.0) - z * y + np.log(1.0 + np.exp(-abs(z)))


def _bce(z: Array, y: Array) -> Array:
    """-y log p - (1-y) log(1-p): its error is that of p through the logarithms, however it is written."""
    p, rest = special.expit(plain(z)), special.expit(-plain(z))
    tiny = np.finfo(np.float64).tiny
    return with_noise(_sound_bce(z, y), 2.3 * (y / np.maximum(p, tiny) + (1.0 - y) / np.maximum(rest, tiny)))


def _targets(z: Array, y: Array, targets: str, label_smoothing: float) -> Any:
    Y = y if targets == "probabilities" else np.equal(np.arange(z.shape[-1]), y[..., np.newaxis]) * 1.0
    if not label_smoothing:
        return Y
    share = constant(z, label_smoothing)
    return (1.0 - share) * Y + share / float(z.shape[-1])


def _sound_cross_entropy(z: Array, y: Array, targets: str, label_smoothing: float, **_others: object) -> Array:
    return -(_targets(z, y, targets, label_smoothing) * shifted_log_softmax(z, -1)).sum(axis=-1)


def _cross_entropy(z: Array, y: Array, targets: str, label_smoothing: float, **_others: object) -> Array:
    """-Σ y log p: as for bce, p may carry an absolute error of its last digit (many clip it to [2u, 1 - 2u])."""
    Y = _targets(z, y, targets, label_smoothing)
    value = -(Y * log_softmax(z, -1)).sum(axis=-1)
    p = softmax(plain(z), -1)
    return with_noise(value, (plain(Y) * 2.0 / np.maximum(p, np.finfo(np.float64).tiny)).sum(axis=-1))


def _cross_entropy_slope(z: Array, y: Array, targets: str, label_smoothing: float, **_others: object) -> Array:
    Y = _targets(z, y, targets, label_smoothing)
    p = softmax(z, -1)
    return with_shares(p * Y.sum(axis=-1, keepdims=True) - Y, Y, p, -1)


LOSSES: dict[str, Row] = {
    "sse": Loss(lambda a, y: (a - y) * (a - y), lambda a, y: 2.0 * (a - y)),
    "mse": Loss(lambda a, y: (a - y) * (a - y), lambda a, y: 2.0 * (a - y)),
    "mae": Loss(lambda a, y: abs(a - y), _sign),
    "huber": Loss(_huber, _huber_slope),
    "bce_with_logits": Loss(_bce, lambda z, y: special.expit(z) - y),
    "softmax_cross_entropy": Loss(_cross_entropy, _cross_entropy_slope, per_sample=True, counts=counts),
    "cotangent": Loss(lambda a, c: c * a, lambda a, c: c),
    **likelihoods.ROWS,
    **margins.ROWS,
}

# The losses as the sound forward computes them, without what others may lose in p: for its own differences.
SOUND_LOSSES: dict[str, Row] = {
    "bce_with_logits": Loss(_sound_bce, lambda z, y: special.expit(z) - y),
    "softmax_cross_entropy": Loss(_sound_cross_entropy, _cross_entropy_slope, per_sample=True, counts=counts),
}


def losses(model: Constants | None) -> dict[str, Row]:
    """Loss rows, with the error model of a framework or of none."""
    if model is None:
        return dict(LOSSES)
    table = {**LOSSES, **{name: _noisy(LOSSES[name], constant, model) for name, constant in LOSS_ERROR.items()}}
    return table | (OF_JAX if model == "jax" else {})


def _bce_of_jax(a: Array, y: Array) -> Array:
    """With what XLA's log1p loses in float64: a polynomial meant for [√½ - 1, √2 - 1] is used on (1 - √2, √½ - 1) too.

    There it is up to 127 u off, measured at 25,000 points by ball arithmetic; elsewhere 1 u.
    """
    p = plain(a)
    off = np.where((p > 1.0 - np.sqrt(0.5)) & (p < np.sqrt(2.0) - 1.0), 64.0 * (1.0 - plain(y)), 0.0)
    return with_noise(likelihoods.ROWS["bce"].value(a, y), off, a)


def _gaussian_nll_of_jax(a: Array, var: Array, y: Array, eps: float) -> tuple[Array, Array]:
    """The derivative of d²/v by v is made of v⁻² before it is multiplied by d²: not finite where that overflows.

    In float16 that is so from v < 3.9e-3 on. `jax.make_jaxpr` of the gradient shows it, and at v = eps, where what
    overflows is multiplied by 0.
    """
    by_a, by_var = likelihoods.ROWS["gaussian_nll"].da(a, var, y, eps=eps)
    inverse = 1.0 / np.maximum(var, constant(var, eps))
    return by_a, unless_lost(by_var, inverse * inverse)


def _cosine_similarity_of_jax(a: Array, y: Array, eps: float) -> Array:
    """So is the derivative of a/‖a‖ by ‖a‖ made of ‖a‖⁻²; at eps it is not asked for."""
    norm = np.sqrt((a * a).sum(axis=-1, keepdims=True))
    inverse = 1.0 / np.maximum(norm, constant(a, eps))
    return unless_lost(
        margins.ROWS["cosine_similarity"].da(a, y, eps=eps), np.where(norm > eps, inverse * inverse, 1.0)
    )


OF_JAX: dict[str, Row] = {
    "bce": replace(likelihoods.ROWS["bce"], value=_bce_of_jax),
    "gaussian_nll": replace(likelihoods.ROWS["gaussian_nll"], da=_gaussian_nll_of_jax),
    "cosine_similarity": replace(margins.ROWS["cosine_similarity"], da=_cosine_similarity_of_jax),
}


def _each(function: Callable[[int, Array], Array], found: Any) -> Any:
    """The function of every slope of a loss, and its place."""
    return tuple(function(i, s) for i, s in enumerate(found)) if isinstance(found, tuple) else function(0, found)


def _noisy(row: Row, of: LossConstant, model: Constants) -> Row:
    if not isinstance(row, Loss):
        raise TypeError(f"a loss constant needs the row of a loss, not {row}")

    def da(*given: Array, **attributes: Any) -> Any:
        size = of.of(model, half=in_half(given[0])) * (float(attributes["delta"]) if of.by_delta else 1.0)
        slopes = row.da(*given, **attributes)
        return _each(lambda i, slope: with_noise(slope, size, given[i]), slopes) if size else slopes

    return replace(row, da=da)


def deviating(row: Row, known: LossDeviation) -> Row:
    """The row with what a framework is off by."""
    if not isinstance(row, Loss):
        raise TypeError(f"a loss's deviation needs the row of a loss, not {row}")

    def value(*given: Array, **own: Any) -> Array:
        terms = row.value(*given, **own)
        # Plain numbers, which have no axis of samples, are the centre: nothing is off there.
        return _deviated(terms, known.value(tuple(map(plain, given)), own)) if isinstance(terms, Rounded) else terms

    def da(*given: Array, **own: Any) -> Any:
        slopes = row.da(*given, **own)
        if not any(isinstance(x, Rounded) for x in given):
            return slopes
        off = known.slopes(tuple(map(plain, given)), own)
        return _each(lambda i, slope: _deviated(slope, off[i]), slopes)

    return replace(row, value=value, da=da)


def _deviated(values: Array, size: Any) -> Array:
    return values.deviated(size) if isinstance(values, Rounded) else values
