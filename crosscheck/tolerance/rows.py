"""Textbook rows: the plain, least accurate right formulas, from which the spread is taken.

They judge the accurate rows of the backprop and whatever a user wrote. Activations, losses, norms, attention and
recurrence share no formula with the backprop; where there is none to choose, as in products, sums and moves, its rows
run here too. A bug in one of those puts this run off the certified truth, and the arbiter holds it against both.

`activations(model)` adds the error model of a framework: absolute noise of c·u·sup|g'| on g', and 4u(|g|+1) on g of
tanh and gelu, as measured (tests/benchmarks/measure_constants.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from crosscheck.backprop import convolution, dense, merge, moves
from crosscheck.backprop.rows import Activation, Array, Layer, Row, Site
from crosscheck.tolerance import attention, normalisation, pooling, recurrent, selection, vectors
from crosscheck.tolerance.frameworks import (
    DERIVATIVE_ERROR,
    DEVIATIONS,
    MULTIPLIED_FIRST,
    VALUE_ERROR,
    Constants,
    KnownDeviation,
)
from crosscheck.tolerance.loss_deviations import LOSS_DEVIATIONS
from crosscheck.tolerance.losses import LOSSES as LOSSES
from crosscheck.tolerance.losses import SOUND_LOSSES as SOUND_LOSSES
from crosscheck.tolerance.losses import deviating, log_softmax, losses, softmax, softmax_anew, with_shares
from crosscheck.tolerance.noise import constant, in_half, plain, unless_overflown, with_noise
from crosscheck.tolerance.rounding import Rounded

K = math.sqrt(2.0 / math.pi)
Backward = tuple[tuple[Array | None, ...], dict[str, Array]]


@dataclass(frozen=True)
class Textbook:
    """g(z) and g'(z) from z and a = g(z)."""

    g: Callable[..., Array]
    slope: Callable[..., Array]


def _softplus(z: Array) -> Array:
    return np.maximum(z, 0.0) + np.log(1.0 + np.exp(-abs(z)))


def _celu(z: Array, alpha: float) -> Array:
    return np.where(z > 0, z, alpha * (np.exp(np.minimum(z, 0.0) / constant(z, alpha)) - 1.0))


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


def hardsigmoid_line(z: Array) -> Array:
    """What is clipped to [0, 1]: by its rounding z may lie beyond a kink, or by that of z + 3."""
    return z / 6.0 + 0.5


def _log_softmax_slope(z: Array, _a: Array, da: Array, axis: int) -> Array:
    p = softmax_anew(z, axis)
    return with_shares(da - p * da.sum(axis=axis, keepdims=True), da, p, axis)


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
    "celu":        Textbook(_celu,                           lambda z, a, alpha: np.where(
                                z > 0, 1.0, (np.minimum(a, 0.0) + alpha) / constant(z, alpha))),
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
    "hardsigmoid": Textbook(lambda z: np.maximum(np.minimum(hardsigmoid_line(z), 1.0), 0.0),
                            lambda z, a: _clip_slope(hardsigmoid_line(z), 0.0, 1.0, constant(z, 1.0 / 6.0))),
    "log_sigmoid": Textbook(lambda z: -_softplus(-z),        lambda z, a: 1.0 - special.expit(z)),
    "sin":         Textbook(np.sin,                          lambda z, a: np.cos(z)),
}
# fmt: on


VECTORS: dict[str, Activation] = {
    "softmax": Activation(softmax, lambda z, a, da, axis: a * da - a * (a * da).sum(axis=axis, keepdims=True)),
    "log_softmax": Activation(log_softmax, _log_softmax_slope),
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
        return with_noise(a, constant.of(model, half=in_half(a)) * (abs(plain(a)) + 1.0))

    def dz(z: Array, a: Array, da: Array, **attributes: Any) -> Array:
        slope = row.slope(z, a, **attributes)
        constant = DERIVATIVE_ERROR.get(full_name(attributes))
        if model is None or constant is None:
            return da * slope
        size = constant.sup * constant.of(model, half=in_half(da))
        # Some frameworks compute g' and multiply, others fold ∂C/∂a in on the way (JAX: da(1-t) + da(1-t)t), where
        # equal z no longer err alike.
        found = with_noise(da * with_noise(slope, size), abs(plain(da)) * size, da)
        first = MULTIPLIED_FIRST[model].get(full_name(attributes))
        return found if first is None else unless_overflown(found, da, first(plain(z), attributes))

    return Activation(f, dz)


def with_deviations(model: Constants) -> dict[str, Row]:
    """The framework's rows, widened by what is systematically wrong in it beyond rounding."""
    table = rows(model)
    for known in DEVIATIONS:
        row = table[known.op]
        if known.witness != model or not known.beyond_rounding:
            continue
        if isinstance(row, Activation):
            table[known.op] = _deviating(row, known, SMOOTH[known.op])
        elif isinstance(row, Layer):
            table[known.op] = _deviating_layer(row, known)
    for off in LOSS_DEVIATIONS:
        if off.witness == model and off.beyond_rounding:
            table[off.op] = deviating(table[off.op], off)
    return table | ({op: _beside_windows(row) for op, row in convolution.ROWS.items()} if model == "jax" else {})


def _beside_windows(row: Layer) -> Layer:
    """A convolution as XLA pulls it back to its weights: what no window holds is multiplied by zeros, not left out.

    Where anything that comes from above is no number, no weight has one.
    """

    def backward(site: Site, d_out: Array, inputs: tuple[Array, ...], params: Mapping[str, Array]) -> Backward:
        d_inputs, found = row.backward(site, d_out, inputs, params)
        if np.isnan(plain(d_out)).any():
            zeros = (0.0 * d_out).sum(axis=tuple(range(-len(site.out_shape), 0)))
            found["weight"] = found["weight"] + zeros.reshape(
                (*zeros.shape, *(1,) * (found["weight"].ndim - zeros.ndim))
            )
        return d_inputs, found

    return Layer(row.forward, backward)


def _deviating(row: Activation, known: KnownDeviation, textbook: Textbook) -> Activation:
    def f(z: Array, **attributes: Any) -> Array:
        a = row.f(z, **attributes)
        return a.deviated(known.value(plain(z), attributes)) if isinstance(a, Rounded) else a

    def dz(z: Array, a: Array, da: Array, **attributes: Any) -> Array:
        slope = textbook.slope(z, a, **attributes)
        if isinstance(slope, Rounded):
            slope = slope.deviated(known.slope(plain(z), attributes))
        elif isinstance(z, Rounded):  # a slope of constants: its error still belongs to the sample
            slope = (0.0 * z + slope).deviated(known.slope(plain(z), attributes))
        return da * slope

    return Activation(f, dz)


def _deviating_layer(row: Layer, known: KnownDeviation) -> Layer:
    """A layer whose derivative by its first input is off, by so much times what comes from above or by anything."""

    def backward(site: Site, d_out: Array, inputs: tuple[Array, ...], params: Mapping[str, Array]) -> Backward:
        (d, *others), d_params = row.backward(site, d_out, inputs, params)
        if isinstance(d, Rounded):
            d = d.deviated(known.slope(_zero_where_it_may_be(plain(inputs[0])), site.attributes))
        return (d, *others), d_params

    return Layer(row.forward, backward)


def _zero_where_it_may_be(samples: Array) -> Array:
    """The samples, 0 where they lie on both sides of it: what is nearly 0 here may be 0 where others round."""
    low, high = samples.min(axis=0), samples.max(axis=0)
    return np.where((low <= 0.0) & (high >= 0.0), 0.0, samples)


def rows(model: Constants | None = None) -> dict[str, Row]:
    """All rows of an error model: None for the textbook, "torch" or "jax" for a framework."""
    table = activations(model)
    return {
        **table,
        **dense.ROWS,
        **convolution.ROWS,
        **pooling.ROWS,
        **moves.ROWS,
        **vectors.rows(table),
        **recurrent.rows(table),
        **attention.ROWS,
        **normalisation.rows(model),
        **selection.ROWS,
        **merge.ROWS,
        **losses(model),
    }


ROWS: dict[Constants | None, dict[str, Row]] = {model: rows(model) for model in (None, "torch", "jax")}
ROWS_WITH_DEVIATIONS: dict[Constants, dict[str, Row]] = {
    "torch": with_deviations("torch"),
    "jax": with_deviations("jax"),
}
