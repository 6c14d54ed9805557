"""Normalisations. A group of n numbers a_i, with μ = (1/n) Σ a_i and d_i = a_i - μ, becomes

    x_i = d_i / σ,   σ = √(v + ε),   v = (1/n) Σ d_i²,   z_i = w_i x_i + b_i

batch_norm has one group for each channel, layer_norm for each place before its last axes, group_norm for each sample
and group of channels; rms_norm is the same without the mean, d = a. Given dz = ∂C/∂z, let g_i = ∂C/∂x_i = dz_i w_i:

    ∂C/∂w = Σ dz_i x_i,   ∂C/∂b = Σ dz_i      over all i that this weight multiplies, of all groups
    ∂C/∂d_i = g_i/σ - Σ_j g_j d_j/σ² · ∂σ/∂d_i = (g_i - x_i (1/n) Σ_j g_j x_j)/σ          as ∂σ/∂d_i = d_i/(n σ)
    ∂C/∂a_i = ∂C/∂d_i - (1/n) Σ_j ∂C/∂d_j     because every a_i is in μ too; Σ x_j = 0, so c = g - (1/n) Σ g is left:
    ∂C/∂a_i = (c_i - x_i (1/n) Σ_j c_j x_j)/σ

For one or two numbers that is almost nothing, the difference of two that are alike. So where v > ε it is taken apart:
with h = Σ c_j d_j/Σ d_j² the part of c along d is h d, and as (1/n) Σ x_j² = v/σ² = 1 - ε/σ²,

    ∂C/∂a_i = ((c_i - h d_i) + h d_i ε/σ²)/σ

where the mean of what stands in the inner brackets and its part along d are rounding alone: both are taken out once
more, as the mean of d is. All numbers are scaled by the largest size s of a group, at least √ε, d = s r, so that no
square overflows or underflows: σ = s q, q² = (1/n) Σ r_i² + (√ε/s)².

Batch norm in evaluation is given mean m and variance v of each channel, x = (a - m)/√(v + ε):

    ∂C/∂a = g/σ,   ∂C/∂m = -Σ g_i/σ,   ∂C/∂v = -½ Σ g_i x_i/σ²
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from crosscheck.backprop.rows import Array, Layer, Site
from crosscheck.spec.normalisation import EVALUATION
from crosscheck.spec.op import Shape

Params = Mapping[str, Array]
Backward = tuple[tuple[Array | None, ...], dict[str, Array]]
Axes = tuple[int, ...]


@dataclass(frozen=True)
class Groups:
    """How an input is seen: its shape for the norm, and the axes that make a group, negative.

    `weights` is the shape of weight and bias, `beside` theirs with the axes of what they multiply.
    """

    shape: Shape
    axes: Axes
    weights: Shape
    beside: Shape
    centred: bool = True


@dataclass(frozen=True)
class Formulas:
    """x(a, groups, ε) = d/σ, da(g, a, groups, ε) = ∂C/∂a from g = ∂C/∂x, and `again`, x as the backward computes it."""

    x: Callable[[Array, Groups, float], Array]
    da: Callable[[Array, Array, Groups, float], Array]
    again: Callable[[Array, Groups, float], Array]


def by_channel(site: Site) -> Groups:
    shape = site.in_shapes[0]
    rank = len(shape)
    return Groups(shape, (-rank, *range(2 - rank, 0)), shape[1:2], (1, shape[1], *(1,) * (rank - 2)))


def by_last_axes(site: Site) -> Groups:
    shape, axes = site.in_shapes[0], int(site.attributes["axes"])
    before = len(shape) - axes
    return Groups(shape, tuple(range(-axes, 0)), shape[before:], (*(1,) * before, *shape[before:]))


def by_last_axis(site: Site) -> Groups:
    shape = site.in_shapes[0]
    return Groups(shape, (-1,), shape[-1:], (*(1,) * (len(shape) - 1), shape[-1]), centred=False)


def by_group(site: Site) -> Groups:
    (samples, channels, *rest), groups = site.in_shapes[0], int(site.attributes["groups"])
    inside = channels // groups
    return Groups((samples, groups, inside, math.prod(rest)), (-2, -1), (channels,), (1, groups, inside, 1))


# --- by the statistics of the group ---------------------------------------------------------------------------


def norm(groups_of: Callable[[Site], Groups], by: Formulas) -> Layer:
    """The layer whose groups are these, by these formulas."""

    def forward(site: Site, inputs: tuple[Array, ...], params: Params) -> Array:
        groups = groups_of(site)
        x = by.x(seen(inputs[0], site.in_shapes[0], groups.shape), groups, float(site.attributes["eps"]))
        return seen(affine(x, groups, params), groups.shape, site.out_shape)

    def backward(site: Site, d_out: Array, inputs: tuple[Array, ...], params: Params) -> Backward:
        groups, eps = groups_of(site), float(site.attributes["eps"])
        a, dz = seen(inputs[0], site.in_shapes[0], groups.shape), seen(d_out, site.out_shape, groups.shape)
        da = by.da(weighed(dz, groups, params), a, groups, eps)
        gradients = weight_gradients(dz, by.again(a, groups, eps), groups, params) if params else {}
        return (seen(da, groups.shape, site.in_shapes[0]),), gradients

    return Layer(forward, backward)


def standardised(a: Array, groups: Groups, eps: float) -> Array:
    r, q, _ = scaled(a, groups, eps)
    return r / q


def standardised_backward(g: Array, a: Array, groups: Groups, eps: float) -> Array:
    r, q, s = scaled(a, groups, eps)
    c = around_mean(around_mean(g, groups.axes), groups.axes) if groups.centred else g
    plain = c - r * (mean(c * r, groups.axes) / q / q)
    # √(ε/σ²). Where ε is the smaller part of σ², s is the largest |d|, so that Σ r² is 1 at least.
    root = root_of(eps, a) / s / q
    squares = np.maximum((r * r).sum(axis=groups.axes, keepdims=True), 1.0)

    def share(part: Array) -> Array:
        """h, of the part along d."""
        return (part * r).sum(axis=groups.axes, keepdims=True) / squares

    h = share(c)
    rest = c - h * r
    more = share(rest)
    rest = rest - more * r
    if groups.centred:
        rest = around_mean(rest, groups.axes)
    apart = rest + (h + more) * r * root * root
    return np.where(root * root > 0.5, plain, apart) / q / s


def scaled(a: Array, groups: Groups, eps: float) -> tuple[Array, Array, Array]:
    """r = d/s, q = σ/s and s, the largest |d| of each group, or √ε if that is larger."""
    d = around_mean(around_mean(a, groups.axes), groups.axes) if groups.centred else a
    root = root_of(eps, a)
    s = np.maximum(abs(d).max(axis=groups.axes, keepdims=True), root)
    r, least = d / s, root / s
    return r, np.sqrt(mean(r * r, groups.axes) + least * least), s


def root_of(eps: float, like: Array) -> Array:
    """√ε as a number of the format, where it is none at least the smallest."""
    return np.maximum(like.dtype.type(math.sqrt(eps)), np.finfo(like.dtype).smallest_subnormal)


# --- by statistics that are given -----------------------------------------------------------------------------


def evaluated(site: Site, inputs: tuple[Array, ...], params: Params) -> Array:
    groups = by_channel(site)
    x, _ = by_given(inputs, groups, float(site.attributes["eps"]))
    return affine(x, groups, params)


def evaluated_backward(site: Site, d_out: Array, inputs: tuple[Array, ...], params: Params) -> Backward:
    groups = by_channel(site)
    x, sigma = by_given(inputs, groups, float(site.attributes["eps"]))
    da = weighed(d_out, groups, params) / sigma
    dm, dv = -total(da, groups), total(da * x / sigma, groups)
    gradients = weight_gradients(d_out, x, groups, params) if params else {}
    return (da, dm, -0.5 * dv), gradients


def by_given(inputs: tuple[Array, ...], groups: Groups, eps: float) -> tuple[Array, Array]:
    """x = (a - m)/σ and σ = √(v + ε) for each channel."""
    a, m, v = inputs
    sigma = np.sqrt(beside(v, groups) + v.dtype.type(eps))
    return (a - beside(m, groups)) / sigma, sigma


def batch_norm(training: Layer, evaluation: Layer) -> Layer:
    """One of the two, by the attribute `mode`."""

    def chosen(site: Site) -> Layer:
        return evaluation if site.attributes["mode"] == EVALUATION else training

    return Layer(
        lambda site, inputs, params: chosen(site).forward(site, inputs, params),
        lambda site, d_out, inputs, params: chosen(site).backward(site, d_out, inputs, params),
    )


# --- weights, and how arrays lie ------------------------------------------------------------------------------


def affine(x: Array, groups: Groups, params: Params) -> Array:
    z = weighed(x, groups, params)
    return z + beside(params["bias"], groups) if "bias" in params else z


def weighed(x: Array, groups: Groups, params: Params) -> Array:
    return x * beside(params["weight"], groups) if "weight" in params else x


def weight_gradients(dz: Array, x: Array, groups: Groups, params: Params) -> dict[str, Array]:
    of = {"weight": dz * x, "bias": dz}
    return {role: total(of[role], groups) for role in params}


def total(terms: Array, groups: Groups) -> Array:
    """The sum for each weight over all that it multiplies, in the weight's own shape."""
    sizes = zip(groups.beside, groups.shape, strict=True)
    shared = tuple(i - len(groups.shape) for i, (own, size) in enumerate(sizes) if own == 1 != size)
    summed = terms.sum(axis=shared, keepdims=True) if shared else terms
    return seen(summed, groups.beside, groups.weights)


def beside(param: Array, groups: Groups) -> Array:
    """A weight, a bias or a statistic with the axes of what it multiplies."""
    return seen(param, groups.weights, groups.beside)


def mean(a: Array, axes: Axes) -> Array:
    """The mean over these axes, which stay as axes of size 1, in the dtype of a."""
    return a.sum(axis=axes, keepdims=True) / a.dtype.type(math.prod(a.shape[axis] for axis in axes))


def around_mean(a: Array, axes: Axes) -> Array:
    return a - mean(a, axes)


def seen(a: Array, shape: Shape, other: Shape) -> Array:
    """An array of one network's shape in another shape of as many numbers."""
    return a if shape == other else a.reshape((*a.shape[: a.ndim - len(shape)], *other))


TWO_PASSES = Formulas(standardised, standardised_backward, standardised)

# fmt: off
ROWS: dict[str, Layer] = {
    "batch_norm": batch_norm(norm(by_channel, TWO_PASSES), Layer(evaluated, evaluated_backward)),
    "layer_norm": norm(by_last_axes, TWO_PASSES),
    "rms_norm":   norm(by_last_axis, TWO_PASSES),
    "group_norm": norm(by_group, TWO_PASSES),
}
# fmt: on
