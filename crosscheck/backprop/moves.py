"""Layers that move numbers: flatten, reshape, transpose, slice.

Each output is one of the inputs, out_i = z_p(i), so ∂out_i/∂z_k = 1 for k = p(i) and 0 otherwise:
∂C/∂z_k = Σ_i ∂C/∂out_i over the i with p(i) = k. That is the movement undone; what a slice leaves out has slope 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crosscheck.backprop.rows import Array, Layer, Site
from crosscheck.spec.moves import steps
from crosscheck.spec.op import Shape

Backward = tuple[tuple[Array, ...], dict[str, Array]]
Params = Mapping[str, Array]


def reshaped(a: Array, before: Shape, after: Shape) -> Array:
    return a.reshape((*a.shape[: a.ndim - len(before)], *after))


def reshape(site: Site, inputs: tuple[Array, ...], _params: Params) -> Array:
    return reshaped(inputs[0], site.in_shapes[0], site.out_shape)


def reshape_backward(site: Site, d_out: Array, _inputs: tuple[Array, ...], _params: Params) -> Backward:
    return (reshaped(d_out, site.out_shape, site.in_shapes[0]),), {}


def swapped(site: Site, a: Array) -> Array:
    return a.swapaxes(int(site.attributes["axis1"]), int(site.attributes["axis2"]))


def taken(site: Site, inputs: tuple[Array, ...], _params: Params) -> Array:
    axis = int(site.attributes["axis"])
    places = steps(site.attributes, site.in_shapes[0][axis])
    behind = (slice(None),) * (-axis - 1)
    return inputs[0][(..., slice(places.start, places.stop, places.step), *behind)]


def taken_backward(site: Site, d_out: Array, _inputs: tuple[Array, ...], _params: Params) -> Backward:
    """Each entry of the axis is the one of d_out that it became, or a zero that is laid behind them."""
    axis = int(site.attributes["axis"])
    size, count = site.in_shapes[0][axis], site.out_shape[axis]
    became = np.full(size, count)
    became[np.asarray(steps(site.attributes, size))] = np.arange(count)
    behind = [(0, 0)] * d_out.ndim
    behind[axis] = (0, 1)
    return (np.take(np.pad(d_out, behind), became, axis=axis),), {}


ROWS: dict[str, Layer] = {
    "flatten": Layer(reshape, reshape_backward),
    "reshape": Layer(reshape, reshape_backward),
    "transpose": Layer(
        lambda site, inputs, _: swapped(site, inputs[0]), lambda site, d_out, _i, _p: ((swapped(site, d_out),), {})
    ),
    "slice": Layer(taken, taken_backward),
}
