"""Right, though they look wrong: other formulas for the same derivative, and conventions at kinks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import special

from crosscheck.backprop.dense import as_rows
from crosscheck.backprop.normalisation import (
    Formulas,
    Groups,
    around_mean,
    batch_norm,
    by_channel,
    by_last_axes,
    evaluated,
    evaluated_backward,
    mean,
    norm,
    standardised,
)
from crosscheck.backprop.pooling import first_largest, largest
from crosscheck.backprop.rows import Array, Layer
from crosscheck.backprop.selection import flat
from crosscheck.mutants.changes import Call, loss, slope
from crosscheck.mutants.mutant import Control
from crosscheck.mutants.normalisation import parts
from crosscheck.mutants.parts import inputs, params

# Where a formula of lower accuracy is at its worst; and where conventions at kinks differ.
HARD = ("large", "saturating", "decades", "integers")
AT_KINKS = ("integers", "dyadic", "ones", "sparse")


def softmax_by_its_jacobian(_z: Array, a: Array, da: Array, _sound: Any, axis: int) -> Array:
    """da_j ∂a_j/∂z_k summed over j, with ∂a_j/∂z_k = a_j(δ_jk - a_k) written out as a matrix."""
    a, da = a.swapaxes(axis, -1), da.swapaxes(axis, -1)
    jacobian = a[..., :, None] * (np.eye(a.shape[-1], dtype=a.dtype) - a[..., None, :])
    return np.matmul(da[..., None, :], jacobian)[..., 0, :].swapaxes(axis, -1)


def shifted_twice(call: Call, d: Array) -> Array:
    """Σ_j dz_(j+1) w_(j+1)k: each index is off by one, and the sum is the same."""
    dz = np.roll(as_rows(call.d_out, len(call.site.out_shape)), 1, axis=-1)
    return np.matmul(dz, np.roll(call.params["weight"], 1, axis=-2)).reshape(d.shape)


def by_the_textbook(g: Array, a: Array, groups: Groups, eps: float) -> Array:
    x, sigma = parts(a, groups.axes, eps)
    return (g - mean(g, groups.axes) - x * mean(g * x, groups.axes)) / sigma


def without_what_is_zero(g: Array, a: Array, groups: Groups, eps: float) -> Array:
    """By v = (1/n) Σ (a - μ)², of which ∂v/∂μ = -(2/n) Σ (a - μ) = 0: no path through the variance is missing.

    The mean is taken out twice: beside a large mean, what rounding leaves of Σ (a - μ) would count.
    """
    d = around_mean(around_mean(a, groups.axes), groups.axes)
    sigma = np.sqrt(mean(d * d, groups.axes) + a.dtype.type(eps))
    dv = -0.5 * mean(g * d, groups.axes) / sigma / sigma / sigma
    return g / sigma + 2.0 * d * dv - mean(g / sigma, groups.axes)


def trained_by(da: Callable[[Array, Array, Groups, float], Array]) -> Layer:
    return batch_norm(norm(by_channel, Formulas(standardised, da, standardised)), Layer(evaluated, evaluated_backward))


def last_largest(seen: Sequence[Array], padded: bool) -> list[Array]:
    return first_largest(seen[::-1], padded)[::-1]


def by_one_hot_rows(call: Call, _g: Array) -> Array:
    """∂C/∂w = Eᵀ d, with a row of E for each id."""
    ids, num = flat(call.site, call.inputs[0]), int(call.site.attributes["num"])
    d = call.d_out.reshape((*call.d_out.shape[: call.lead], ids.shape[-1], call.site.out_shape[-1]))
    hot = (ids[..., np.newaxis] == np.arange(num)).astype(d.dtype)
    return np.matmul(hot.swapaxes(-1, -2), d)


def inside_or_on(z: Array, _a: Array, da: Array, _sound: Any, min_val: float, max_val: float) -> Array:
    return np.where((z >= min_val) & (z <= max_val), da, np.zeros_like(da))


# fmt: off
CONTROLS: tuple[Control, ...] = (
    Control("dense: two off-by-ones that cancel",
            "∂C/∂z and the weights are both shifted by one node, so that the sum over the nodes is the same",
            "scikit-learn#8987", {"dense": inputs("dense", (0,), shifted_twice)}, beside=("tanh",)),
    Control("sigmoid: x(1 - x) of its output",
            "s(1 - s) is the derivative, and the output is s",
            "classic", {"sigmoid": slope("sigmoid", lambda z, a, da, sound: da * a * (1.0 - a))}, families=HARD),
    Control("layer_norm: a gradient that is nearly 0",
            "the sum of what a layer norm puts out is constant, so that its gradient is 0 but for rounding",
            "pytorch#63541", {"layer_norm": norm(by_last_axes, Formulas(standardised, by_the_textbook, standardised))},
            families=("ones", "repeated", "integers", "initialised")),
    Control("batch_norm: no path through the variance from the mean",
            "of a variance of the centred numbers the derivative by the mean is -(2/n) Σ (a - μ), which is 0",
            "mlpack#2474", {"batch_norm": trained_by(without_what_is_zero)}),
    Control("hardtanh: 1 at its ends",
            "at a kink any slope between those of its two sides may be taken, 0 and 1",
            "pytorch#184574", {"hardtanh": slope("hardtanh", inside_or_on)}, families=AT_KINKS),
    Control("relu: 1 at 0",
            "at a kink any slope between those of its two sides may be taken, 0 and 1",
            "classic", {"relu": slope("relu", lambda z, a, da, sound: np.where(z >= 0, da, np.zeros_like(da)))},
            families=AT_KINKS),
    Control("relu: 1/2 at 0",
            "at a kink any slope between those of its two sides may be taken, 0 and 1",
            "classic",
            {"relu": slope("relu", lambda z, a, da, sound: np.where(z == 0, 0.5 * da, sound(z, a, da)))},
            families=AT_KINKS),
    Control("leaky_relu: 1 at 0",
            "at a kink any slope between those of its two sides may be taken",
            "classic",
            {"leaky_relu": slope("leaky_relu", lambda z, a, da, sound, negative_slope:
                                 np.where(z >= 0, da, negative_slope * da))}, families=AT_KINKS),
    Control("mae: 1 where output and target agree",
            "at a kink any slope between those of its two sides may be taken, -1 and 1",
            "classic", {"mae": loss("mae", lambda sound, a, y: (np.where(a == y, np.ones_like(a), sound[0]),))},
            families=AT_KINKS),
    Control("max_pool1d: the last that ties",
            "of numbers that tie for the largest any may have the gradient",
            "classic", {"max_pool1d": largest(last_largest)}, families=AT_KINKS),
    Control("tanh: 1 - a²", "it is the derivative of tanh, of its output; only its digits near saturation are lost",
            "classic", {"tanh": slope("tanh", lambda z, a, da, sound: da * (1.0 - a * a))}, families=HARD),
    Control("sigmoid: s(z) s(-z)", "1 - s(z) is s(-z)",
            "classic",
            {"sigmoid": slope("sigmoid", lambda z, a, da, sound: da * special.expit(z) * special.expit(-z))},
            families=HARD),
    Control("softplus: expit", "the derivative of softplus is the sigmoid",
            "classic", {"softplus": slope("softplus", lambda z, a, da, sound: da * special.expit(z))}, families=HARD),
    Control("log_sigmoid: 1 - expit", "the derivative of log_sigmoid is 1 - s(z); only its digits near 0 are lost",
            "classic",
            {"log_sigmoid": slope("log_sigmoid", lambda z, a, da, sound: da * (1.0 - special.expit(z)))},
            families=HARD),
    Control("silu: s + a(1 - s)", "the derivative of z s is s + z s(1 - s), and z s is the output a",
            "classic",
            {"silu": slope("silu", lambda z, a, da, sound: da * (special.expit(z) + a * (1.0 - special.expit(z))))},
            families=HARD),
    Control("softsign: 1/d²", "the derivative of z/(1 + |z|) is 1/(1 + |z|)²",
            "classic", {"softsign": slope("softsign", lambda z, a, da, sound: da / (1.0 + abs(z)) ** 2)},
            families=HARD),
    Control("softmax: by its Jacobian", "the whole matrix of derivatives says the same as its product with the slope",
            "classic", {"softmax": slope("softmax", softmax_by_its_jacobian)}, families=HARD),
    Control("embedding: by one-hot rows", "the product with one-hot rows adds up what a scatter adds up",
            "classic", {"embedding": params("embedding", ("weight",), by_one_hot_rows)}, beside=("add",)),
)
# fmt: on
