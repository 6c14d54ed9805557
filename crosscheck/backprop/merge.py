"""Merges: add, multiply, concat.

add       out = Σ_m a_m          ∂C/∂a_m = d_out
multiply  out = Π_m a_m          ∂C/∂a_m = d_out · Π_{n≠m} a_n   (never out / a_m: a_m may be 0)
concat    out = [a_1 | a_2 …]    ∂C/∂a_m = its own columns of d_out
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import accumulate
from operator import mul

import numpy as np

from crosscheck.backprop.rows import Array, Layer, Site

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


def concat(_site: Site, inputs: tuple[Array, ...], _params: Mapping[str, Array]) -> Array:
    # Leading axes of size 1 are stretched first: concatenate does not broadcast.
    lead = np.broadcast_shapes(*(a.shape[:-1] for a in inputs))
    return np.concatenate([np.broadcast_to(a, (*lead, a.shape[-1])) for a in inputs], axis=-1)


def concat_backward(site: Site, d_out: Array, _inputs: tuple[Array, ...], _params: Mapping[str, Array]) -> Backward:
    ends = tuple(accumulate(shape[-1] for shape in site.in_shapes))
    starts = (0, *ends[:-1])
    return tuple(d_out[..., start:end] for start, end in zip(starts, ends, strict=True)), {}


ROWS: dict[str, Layer] = {
    "add": Layer(add, add_backward),
    "multiply": Layer(multiply, multiply_backward),
    "concat": Layer(concat, concat_backward),
}
