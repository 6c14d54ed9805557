"""Textbook rows: the plain, least accurate right formulas, from which the spread is taken.

They judge the accurate rows of the backprop and whatever a user wrote, and are judged by nobody; they share
no code with either. `activations(model)` adds the error model of a framework: absolute noise of c·u·sup|g'|
on g', and 4u(|g|+1) on g of tanh and gelu, as measured (tests/benchmarks/measure_constants.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from crosscheck.backprop import dense, merge
from crosscheck.backprop.rows import Activation, Array, Loss, Row
from crosscheck.tolerance.frameworks import (
    DERIVATIVE_ERROR,
    DEVIATIONS,
    LOSS_ERROR,
    VALUE_ERROR,
    Constants,
    KnownDeviation,
    LossConstant,
)
from crosscheck.tolerance.rounding import Rounded

K = math.sqrt(2.0 / math.pi)


def with_noise(values: Array, amount: Any, *told_apart_by: Array) -> Array:
    """An absolute error of `amount` units of u; on plain numbers nothing happens.

    Equal values err alike, unless what they are `told_apart_by` differs.
    """
    return values.noised(amount, *told_apart_by) if isinstance(values, Rounded) else values


def constant(z: Array, value: float) -> Array:
    """A constant of a formula, with the rounding that it has itself: 1/6 is no number of the format."""
    return Rounded(np.full((1,) * z.ndim, value), z.rounding) * 1.0 if isinstance(z, Rounded) else value


@dataclass(frozen=True)
class Textbook:
    """g(z) and g'(z) from z and a = g(z)."""

    g: Callable[..., Array]
    slope: Callable[..., Array]


def _softplus(z: Array) -> Array:
    return np.maximum(z, 0.0) + np.log(1.0 + np.exp(-abs(z)))


def _gelu(z: Array, approximate: str) -> Array:
    if approximate == "tanh":
        return 0.5 * z * (1.0 + np.tanh(K * (z + 0.044715 * _bounded_cube(z))))
    return 0.5 * z * (1.0 + special.erf(z / math.sqrt(2.0)))


def _bounded_cube(z: Array) -> Array:
    z = np.minimum(np.maximum(z, -1e5), 1e5)  # tanh is ±1 long before, and z³ must not overflow
    return z * z * z


def _gelu_slope(z: Array, _a: Array, approximate: str) -> Array:
    if approximate == "tanh":
        t = np.tanh(K * (z + 0.044715 * _bounded_cube(z)))
        # Beyond 1e5 the factor 1 - t² is zero and z·u' may be anything finite.
        z = np.minimum(np.maximum(z, -1e5), 1e5)
        return 0.5 * (1.0 + t) + 0.5 * z * (1.0 - t * t) * (K * (1.0 + 3.0 * 0.044715 * (z * z)))
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return 0.5 * (1.0 + special.erf(z / math.sqrt(2.0))) + np.minimum(np.maximum(z, -1e5), 1e5) * density


def _mish_slope(z: Array, _a: Array) -> Array:
    t = np.tanh(_softplus(z))
    return t + z * special.expit(z) * (1.0 - t * t)


def _silu_slope(z: Array, _a: Array) -> Array:
    s = special.expit(z)
    return s + z * s * (1.0 - s)


def _softsign_slope(z: Array, _a: Array) -> Array:
    d = 1.0 + abs(z)
    return 1.0 / d - abs(z) / d / d


def _sigmoid_slope(_z: Array, a: Array) -> Array:
    return a * (1.0 - a)


def _clip_slope(z: Array, least: float, most: float, inside: Array = 1.0) -> Array:
    return np.where(z > least, np.where(z < most, inside, 0.0), 0.0)


# fmt: off
SMOOTH: dict[str, Textbook] = {
    "identity":    Textbook(lambda z: z,                     lambda z, a: 1.0),
    "sigmoid":     Textbook(special.expit,                   _sigmoid_slope),
    "tanh":        Textbook(np.tanh,                         lambda z, a: 1.0 - a * a),
    "relu":        Textbook(lambda z: np.maximum(z, 0.0),    lambda z, a: np.where(z > 0, 1.0, 0.0)),
    "leaky_relu":  Textbook(lambda z, negative_slope: np.where(z > 0, z, negative_slope * z),
                            lambda z, a, negative_slope: np.where(z > 0, 1.0, constant(z, negative_slope))),
    "elu":         Textbook(lambda z, alpha: np.where(z > 0, z, alpha * (np.exp(np.minimum(z, 0.0)) - 1.0)),
                            lambda z, a, alpha: np.where(z > 0, 1.0, np.minimum(a, 0.0) + alpha)),
    "selu":        Textbook(lambda z: constant(z, 1.0507009873554805) * np.where(
                                z > 0, z, 1.6732632423543772 * (np.exp(np.minimum(z, 0.0)) - 1.0)),
                            lambda z, a: constant(z, 1.0507009873554805) * np.where(
                                z > 0, 1.0, 1.6732632423543772 * ((np.exp(np.minimum(z, 0.0)) - 1.0) + 1.0))),
    "softplus":    Textbook(_softplus,                       lambda z, a: 1.0 - np.exp(-a)),
    "silu":        Textbook(lambda z: z * special.expit(z),  _silu_slope),
    "gelu":        Textbook(_gelu,                           _gelu_slope),
    "mish":        Textbook(lambda z: z * np.tanh(_softplus(z)), _mish_slope),
    "softsign":    Textbook(lambda z: z / (1.0 + abs(z)),    _softsign_slope),
    "hardtanh":    Textbook(lambda z, min_val, max_val: np.maximum(np.minimum(z, max_val), min_val),
                            lambda z, a, min_val, max_val: _clip_slope(z, min_val, max_val)),
    "hardsigmoid": Textbook(lambda z: np.maximum(np.minimum(z / 6.0 + 0.5, 1.0), 0.0),
                            lambda z, a: _clip_slope(z, -3.0, 3.0, constant(z, 1.0 / 6.0))),
    "log_sigmoid": Textbook(lambda z: -_softplus(-z),        lambda z, a: 1.0 - special.expit(z)),
    "sin":         Textbook(np.sin,                          lambda z, a: np.cos(z)),
}
# fmt: on


def _shifted_log_softmax(z: Array, axis: int) -> Array:
    d = z - z.max(axis=axis, keepdims=True)
    return d - np.log(np.exp(d).sum(axis=axis, keepdims=True))


def _log_softmax(z: Array, axis: int) -> Array:
    """z - logsumexp z: many add the maximum back before they subtract, and lose its last digit in all classes."""
    m = z.max(axis=axis, keepdims=True)
    d = z - m
    total = np.log(np.exp(d).sum(axis=axis, keepdims=True))
    return d - with_noise(total, abs(_values(m)), m)


def _softmax(z: Array, axis: int) -> Array:
    return np.exp(_log_softmax(z, axis))


VECTORS: dict[str, Activation] = {
    "softmax": Activation(_softmax, lambda z, a, da, axis: a * da - a * (a * da).sum(axis=axis, keepdims=True)),
    "log_softmax": Activation(
        _log_softmax, lambda z, a, da, axis: da - _softmax(z, axis) * da.sum(axis=axis, keepdims=True)
    ),
}


def activations(model: Constants | None) -> dict[str, Row]:
    """Activation rows as the walk wants them, with the error model of a framework or of none."""
    return {**{name: _row(name, row, model) for name, row in SMOOTH.items()}, **VECTORS}


def _row(name: str, row: Textbook, model: Constants | None) -> Activation:
    def full_name(attributes: dict[str, Any]) -> str:
        return "gelu_tanh" if attributes.get("approximate") == "tanh" else name

    def f(z: Array, **attributes: Any) -> Array:
        a = row.g(z, **attributes)
        constant = VALUE_ERROR.get(full_name(attributes))
        if model is None or constant is None:
            return a
        return with_noise(a, getattr(constant, model) * (abs(_values(a)) + 1.0))

    def dz(z: Array, a: Array, da: Array, **attributes: Any) -> Array:
        slope = row.slope(z, a, **attributes)
        constant = DERIVATIVE_ERROR.get(full_name(attributes))
        if model is None or constant is None:
            return da * slope
        size = constant.sup * getattr(constant, model)
        # Some frameworks compute g' and multiply, others fold ∂C/∂a in on the way (JAX: da(1-t) + da(1-t)t), where
        # equal z no longer err alike.
        return with_noise(da * with_noise(slope, size), abs(_values(da)) * size, da)

    return Activation(f, dz)


def with_deviations(model: Constants) -> dict[str, Row]:
    """The framework's rows, widened by what is systematically wrong in it beyond rounding."""
    table = rows(model)
    for known in DEVIATIONS:
        row = table[known.op]
        if known.witness == model and known.beyond_rounding and isinstance(row, Activation):
            table[known.op] = _deviating(row, known, SMOOTH[known.op])
    return table


def _deviating(row: Activation, known: KnownDeviation, plain: Textbook) -> Activation:
    def f(z: Array, **attributes: Any) -> Array:
        a = row.f(z, **attributes)
        return a.deviated(known.value(_values(z), attributes)) if isinstance(a, Rounded) else a

    def dz(z: Array, a: Array, da: Array, **attributes: Any) -> Array:
        slope = plain.slope(z, a, **attributes)
        if isinstance(slope, Rounded):
            slope = slope.deviated(known.slope(_values(z), attributes))
        elif isinstance(z, Rounded):  # a slope of constants: its error still belongs to the sample
            slope = (0.0 * z + slope).deviated(known.slope(_values(z), attributes))
        return da * slope

    return Activation(f, dz)


def _values(a: Array) -> Any:
    return a.data if isinstance(a, Rounded) else a


def _huber(a: Array, y: Array, delta: float) -> Array:
    d = abs(a - y)
    return np.where(d > delta, delta * (d - 0.5 * delta), 0.5 * d * d)


def _huber_slope(a: Array, y: Array, delta: float) -> Array:
    return np.maximum(np.minimum(a - y, delta), -delta)


def _sign(a: Array, y: Array) -> Array:
    return np.where(a - y > 0, 1.0, -1.0) + 0.0 * (a - y)


def _bce(z: Array, y: Array) -> Array:
    """-y log p - (1-y) log(1-p): its error is that of p through the logarithms, however it is written."""
    value = np.maximum(z, 0.0) - z * y + np.log(1.0 + np.exp(-abs(z)))
    p, rest = special.expit(_values(z)), special.expit(-_values(z))
    tiny = np.finfo(np.float64).tiny
    return with_noise(value, 2.3 * (y / np.maximum(p, tiny) + (1.0 - y) / np.maximum(rest, tiny)))


def _one_hot(z: Array, y: Array, targets: str) -> Any:
    return y if targets == "probabilities" else np.equal(np.arange(z.shape[-1]), y[..., np.newaxis]) * 1.0


def _cross_entropy(z: Array, y: Array, targets: str) -> Array:
    """-Σ y log p: as for bce, p may carry an absolute error of its last digit (many clip it to [2u, 1 - 2u])."""
    Y = _one_hot(z, y, targets)
    value = -(Y * _log_softmax(z, -1)).sum(axis=-1)
    p = _softmax(_values(z), -1)
    return with_noise(value, (_values(Y) * 2.0 / np.maximum(p, np.finfo(np.float64).tiny)).sum(axis=-1))


def _cross_entropy_slope(z: Array, y: Array, targets: str) -> Array:
    Y = _one_hot(z, y, targets)
    return _softmax(z, -1) * Y.sum(axis=-1, keepdims=True) - Y


LOSSES: dict[str, Row] = {
    "sse": Loss(lambda a, y: (a - y) * (a - y), lambda a, y: 2.0 * (a - y)),
    "mse": Loss(lambda a, y: (a - y) * (a - y), lambda a, y: 2.0 * (a - y)),
    "mae": Loss(lambda a, y: abs(a - y), _sign),
    "huber": Loss(_huber, _huber_slope),
    "bce_with_logits": Loss(_bce, lambda z, y: special.expit(z) - y),
    "softmax_cross_entropy": Loss(_cross_entropy, _cross_entropy_slope, per_sample=True),
    "cotangent": Loss(lambda a, c: c * a, lambda a, c: c),
}


def losses(model: Constants | None) -> dict[str, Row]:
    """Loss rows, with the error model of a framework or of none."""
    if model is None:
        return dict(LOSSES)
    return {**LOSSES, **{name: _noisy_loss(LOSSES[name], constant, model) for name, constant in LOSS_ERROR.items()}}


def _noisy_loss(row: Row, constant: LossConstant, model: Constants) -> Row:
    if not isinstance(row, Loss):
        raise TypeError(f"a loss constant needs the row of a loss, not {row}")

    def da(a: Array, y: Array, **attributes: Any) -> Array:
        size = getattr(constant, model) * (float(attributes["delta"]) if constant.by_delta else 1.0)
        return with_noise(row.da(a, y, **attributes), size, a) if size else row.da(a, y, **attributes)

    return replace(row, da=da)


def rows(model: Constants | None = None) -> dict[str, Row]:
    """All rows of an error model: None for the textbook, "torch" or "jax" for a framework."""
    return {**activations(model), **dense.ROWS, **merge.ROWS, **losses(model)}


ROWS: dict[Constants | None, dict[str, Row]] = {model: rows(model) for model in (None, "torch", "jax")}
ROWS_WITH_DEVIATIONS: dict[Constants, dict[str, Row]] = {
    "torch": with_deviations("torch"),
    "jax": with_deviations("jax"),
}


def _sound_bce(z: Array, y: Array) -> Array:
    return np.maximum(z, 0.0) - z * y + np.log(1.0 + np.exp(-abs(z)))


def _sound_cross_entropy(z: Array, y: Array, targets: str) -> Array:
    return -(_one_hot(z, y, targets) * _shifted_log_softmax(z, -1)).sum(axis=-1)


# The losses as the sound forward computes them, without what others may lose in p: for its own differences.
SOUND_LOSSES: dict[str, Row] = {
    "bce_with_logits": Loss(_sound_bce, lambda z, y: special.expit(z) - y),
    "softmax_cross_entropy": Loss(_sound_cross_entropy, _cross_entropy_slope, per_sample=True),
}
