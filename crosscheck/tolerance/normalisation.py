"""Textbook rows of the normalisations: the mean, the variance around it, and the backward as the chain rule has it,

    ∂C/∂a = (g/σ - x · mean of g x/σ) - mean of g/σ,   x = d/σ

in that order. It is the least accurate of the right ones in two ways. It takes for granted that Σ x = 0: where a large
mean has lost digits that is not so, and the longer forms, in which Σ d stands, make up for it. And the inner difference
is rounded while g/σ still has its mean: by u |g|/σ, in each sample by itself. Who takes the mean of g out first,

    ∂C/∂a = (g - mean of g - x · mean of g x)/σ

has of that but the error of the mean, which is common to a group; and what is common to a group the next norm on the
way back takes out again. So behind equal g, after a mean pool or mae, a bound from this short form would be next to
nothing, where the other loses all digits of what is a difference of g alone.

Whoever computes the variance as mean of a² - mean² loses more than that, and is told so: no bound allows for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from crosscheck.backprop import normalisation
from crosscheck.backprop.normalisation import (
    Formulas,
    Groups,
    affine,
    batch_norm,
    beside,
    by_channel,
    by_group,
    by_last_axes,
    by_last_axis,
    norm,
    seen,
    total,
    weighed,
    weight_gradients,
)
from crosscheck.backprop.rows import Array, Layer, Site
from crosscheck.tolerance.frameworks import Constants
from crosscheck.tolerance.noise import plain, unless_lost, unless_overflown
from crosscheck.tolerance.pooling import times_reciprocal
from crosscheck.tolerance.rounding import Rounded

Params = Mapping[str, Array]
Backward = normalisation.Backward


def mean(a: Array, groups: Groups) -> Array:
    return times_reciprocal(a.sum(axis=groups.axes, keepdims=True), count(groups))


def count(groups: Groups) -> int:
    return math.prod(groups.shape[axis] for axis in groups.axes)


def number(value: float, like: Array) -> Any:
    """A constant with the rounding that it has itself: 1e-5 is no number of the format."""
    return Rounded(np.full((1,) * like.ndim, value), like.rounding) * 1.0 if isinstance(like, Rounded) else value


def around(a: Array, groups: Groups) -> Array:
    return a - mean(a, groups) if groups.centred else a


def one_over_sigma(d: Array, groups: Groups, eps: float) -> Array:
    return 1.0 / np.sqrt(mean(d * d, groups) + number(eps, d))


def standardised(a: Array, groups: Groups, eps: float) -> Array:
    d = around(a, groups)
    return d * one_over_sigma(d, groups, eps)


def other_mean(a: Array, groups: Groups, way: int = 0) -> Array:
    """The mean with as large an error again, of its own: amplitude of a sum of n terms of one sign, over n.

    The error of a mean comes into a gradient by several ways: through z, and twice on the way back. In one formula they
    may happen to cancel, and a bound from one error alone would be next to nothing there; in another formula, as right,
    they do not. So each way has an error of its own, beside the common one.
    """
    middle, n = mean(a, groups), count(groups)
    if not isinstance(middle, Rounded):
        return middle
    amplitude = math.sqrt(max((n + 1) * (2 * n + 1) / (6 * n), n * n / 64)) + 1.0
    return middle.noised(abs(middle.data) * amplitude, *(middle,) * way)


def standardised_again(a: Array, groups: Groups, eps: float, way: int = 0) -> Array:
    inverse = one_over_sigma(around(a, groups), groups, eps)
    return (a - other_mean(a, groups, way)) * inverse if groups.centred else a * inverse


def short_form(g: Array, a: Array, groups: Groups, eps: float) -> Array:
    share = mean(g * standardised_again(a, groups, eps), groups)
    inverse = one_over_sigma(around(a, groups), groups, eps)
    return inverse * (around(g, groups) - standardised_again(a, groups, eps, way=1) * share)


def mean_last(g: Array, a: Array, groups: Groups, eps: float) -> Array:
    """By the sum of what comes straight and through σ, and then the mean of g/σ taken out."""
    share = mean(g * standardised_again(a, groups, eps), groups)
    inverse = one_over_sigma(around(a, groups), groups, eps)
    straight = g * inverse
    through = straight - standardised_again(a, groups, eps, way=1) * (share * inverse)
    return through - mean(straight, groups) if groups.centred else through


def by_rsqrt(g: Array, a: Array, groups: Groups, eps: float) -> Array:
    """JAX's: the derivative of 1/√v is (1/√v)/v before it is multiplied by anything; in float16 1e-5 is too small a v.

    Nor is Σ g d divided by anything before it is summed. `jax.make_jaxpr` of the gradient shows both.
    """
    d = around(a, groups)
    inverse = one_over_sigma(d, groups, eps)
    found = unless_overflown(mean_last(g, a, groups, eps), inverse * inverse, plain(inverse))
    return unless_lost(found, (g * d).sum(axis=groups.axes, keepdims=True))


def in_one_pass(a: Array, groups: Groups, eps: float) -> Array:
    """1/σ by Welford's running mean and variance, whose relative error is u |mean|/σ.

    Chan, Golub and LeVeque 1983; measured in PyTorch's, at most 0.3 of that.
    """
    d = around(a, groups)
    v = mean(d * d, groups)
    if isinstance(v, Rounded):
        v = v.noised(abs(mean(a, groups).data) * np.sqrt(v.data))
    return 1.0 / np.sqrt(v + number(eps, d))


def two_products(a: Array, middle: Array, inverse: Array) -> Array:
    """a/σ - mean/σ."""
    return less_a_product(a * inverse, middle * inverse)


def less_a_product(one: Array, product: Array) -> Array:
    """Of equal products the one may still be rounded and the other not, where they are fused."""
    return one - (product.noised(abs(product.data)) if isinstance(product, Rounded) else product)


def folded(a: Array, groups: Groups, eps: float) -> Array:
    """a/σ - mean/σ, each rounded: what a large mean makes of the difference."""
    return two_products(a, mean(a, groups), in_one_pass(a, groups, eps))


def folded_again(a: Array, groups: Groups, eps: float) -> Array:
    return two_products(a, other_mean(a, groups), in_one_pass(a, groups, eps))


def by_sums(g: Array, a: Array, groups: Groups, eps: float) -> Array:
    """g/σ + b a + c, of the sums of g and of g a: b = (mean Σ g - Σ g a)/(n σ³), c = -b mean - Σ g/(n σ)."""
    axes = groups.axes
    inverse = in_one_pass(a, groups, eps)
    one, other = g.sum(axis=axes, keepdims=True), (g * a).sum(axis=axes, keepdims=True)
    b = times_reciprocal((one * other_mean(a, groups) - other) * (inverse * inverse * inverse), count(groups))
    c = -(b * other_mean(a, groups, way=1)) - times_reciprocal(one * inverse, count(groups))
    return g * inverse + b * a + c


def weighted_by_sums(layer: Layer, groups_of: Callable[[Site], Groups]) -> Layer:
    """PyTorch's group norm: ∂C/∂w of a channel is the sum over samples of (Σ dz a - mean Σ dz)/σ.

    Each dz a is rounded by itself, so where Σ dz is next to 0 the terms lose more than x = (a - mean)/σ does.
    """

    def backward(site: Site, d_out: Array, inputs: tuple[Array, ...], params: Params) -> Backward:
        found, gradients = layer.backward(site, d_out, inputs, params)
        if "weight" not in params:
            return found, gradients
        groups = groups_of(site)
        a, dz = seen(inputs[0], site.in_shapes[0], groups.shape), seen(d_out, site.out_shape, groups.shape)
        one, other = dz.sum(axis=-1, keepdims=True), (dz * a).sum(axis=-1, keepdims=True)
        inverse = in_one_pass(a, groups, float(site.attributes["eps"]))
        of_samples = less_a_product(other, one * other_mean(a, groups)) * inverse
        return found, {**gradients, "weight": total(of_samples, groups)}

    return Layer(layer.forward, backward)


def given(standardise: Callable[[Array, Array, Array], Array]) -> Layer:
    """Batch norm in evaluation, by this x of a, the mean and 1/σ."""

    def parts(site: Site, inputs: tuple[Array, ...], groups: Groups) -> tuple[Array, Array, Array]:
        a, m, v = inputs
        inverse = 1.0 / np.sqrt(beside(v, groups) + number(float(site.attributes["eps"]), a))
        return standardise(a, beside(m, groups), inverse), a - beside(m, groups), inverse

    def forward(site: Site, inputs: tuple[Array, ...], params: Params) -> Array:
        groups = by_channel(site)
        return affine(parts(site, inputs, groups)[0], groups, params)

    def backward(site: Site, d_out: Array, inputs: tuple[Array, ...], params: Params) -> Backward:
        groups = by_channel(site)
        x, d, inverse = parts(site, inputs, groups)
        g = weighed(d_out, groups, params)
        dv = total(g * d * (-0.5 * (inverse * inverse * inverse)), groups)
        da = g * inverse
        return (da, -total(da, groups), dv), weight_gradients(d_out, x, groups, params)

    return Layer(forward, backward)


PLAIN = Formulas(standardised, mean_last, standardised_again)
# PyTorch's kernels on the CPU: all three have x from two products, layer and group norm the backward from sums of a.
FOLDED, BY_SUMS = Formulas(folded, short_form, folded_again), Formulas(folded, by_sums, folded_again)
BY_RSQRT = Formulas(standardised, by_rsqrt, standardised_again)


def rows(model: Constants | None) -> dict[str, Layer]:
    """The rows of an error model, of a framework or of none."""
    torch = model == "torch"
    evaluation = given(two_products if torch else lambda a, m, inverse: (a - m) * inverse)
    own = BY_RSQRT if model == "jax" else PLAIN
    others = BY_SUMS if torch else own
    return {
        "batch_norm": batch_norm(norm(by_channel, FOLDED if torch else own), evaluation),
        "layer_norm": norm(by_last_axes, others),
        "rms_norm": norm(by_last_axis, own),
        "group_norm": weighted_by_sums(norm(by_group, others), by_group) if torch else norm(by_group, own),
    }
