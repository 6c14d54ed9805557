"""Merges: add, multiply, concat, matmul.

add       out = Σ_m a_m          ∂C/∂a_m = d_out
multiply  out = Π_m a_m          ∂C/∂a_m = d_out · Π_{n≠m} a_n   (never out / a_m: a_m may be 0)
concat    out = [a_1 | a_2 …]    ∂C/∂a_m = its own stretch of d_out, on the axis of the concat
matmul    out = a b                ∂C/∂a_ik = Σ_j d_out_ij b_kj = (d_out bᵀ)_ik,  ∂C/∂b = aᵀ d_out   (per matrix)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import accumulate
from operator import mul

import numpy as np

from crosscheck.backprop.rows import Array, Layer, Site, cut

Backward = tuple[tuple[Array, ...], dict[str, Array]]


def add(_site: Site, inputs: tuple[Array, ...], _params: Mapping[str, Array]) -> Array:
    return reduce(lambda a, b: a + b, inputs)


def add_backward(_site: Site, d_out: Array, inputs: tuple[Array, ...], _params: Mapping[str, Array]) -> Backward:
    return (d_out,) * len(inputs), {}


def multiply(_site: Site, inputs: tuple[Array, ...], _params: Mapping[str, Array]) -> Array:
    return reduce(mul, inputs)


def multiply_backward(_site: Site, d_out: Array, inputs: tuple[Array, ...], _params: Mapping[str, Array]) -> Backward:
    others = (inputs[:m] + inputs[m + 1 :] for m in range(len(inputs)))
    return tuple(reduce(mul, rest, d_out) for rest in others), {}


def concat(site: Site, inputs: tuple[Array, ...], _params: Mapping[str, Array]) -> Array:
    # Leading axes of size 1 are stretched first: concatenate does not broadcast.
    rank = len(site.out_shape)
    lead = np.broadcast_shapes(*(a.shape[: a.ndim - rank] for a in inputs))
    stretched = [np.broadcast_to(a, (*lead, *a.shape[a.ndim - rank :])) for a in inputs]
    return np.concatenate(stretched, axis=int(site.attributes["axis"]))


def concat_backward(site: Site, d_out: Array, _inputs: tuple[Array, ...], _params: Mapping[str, Array]) -> Backward:
    axis = int(site.attributes["axis"])
    ends = tuple(accumulate(shape[axis] for shape in site.in_shapes))
    return tuple(cut(d_out, axis, start, end) for start, end in zip((0, *ends[:-1]), ends, strict=True)), {}


def matmul(_site: Site, inputs: tuple[Array, ...], _params: Mapping[str, Array]) -> Array:
    return np.matmul(*inputs)


def matmul_backward(_site: Site, d_out: Array, inputs: tuple[Array, ...], _params: Mapping[str, Array]) -> Backward:
    a, b = inputs
    return (np.matmul(d_out, b.swapaxes(-1, -2)), np.matmul(a.swapaxes(-1, -2), d_out)), {}


ROWS: dict[str, Layer] = {
    "add": Layer(add, add_backward),
    "multiply": Layer(multiply, multiply_backward),
    "concat": Layer(concat, concat_backward),
    "matmul": Layer(matmul, matmul_backward),
}
