"""Layers and merges of the second computation, without structure: `row(xs, params, attributes)` on arrays of series.

An object array holds one series v + ε v' for each number, in the shape that the spec gives; NumPy moves them and
computes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from flint import arb_series

from crosscheck.oracles.ball import forward_normalisation, forward_sequences, forward_windows
from crosscheck.oracles.ball.activations import sigmoid
from crosscheck.oracles.ball.branches import Series
from crosscheck.oracles.ball.forward_series import Layer, Values, total
from crosscheck.spec.op import Attributes


def each(f: Callable[..., Series], *arrays: Values) -> Values:
    """A function of one number of each array; all of one shape."""
    result = np.empty(arrays[0].shape, object)
    flat = result.reshape(-1)
    for i, items in enumerate(zip(*(a.reshape(-1) for a in arrays), strict=True)):
        flat[i] = f(*items)
    return result


def reduced(f: Callable[[list[Series]], Series], x: Values, own: Attributes) -> Values:
    """A function of each line along the axis, which is left out or kept with size 1."""
    axis = int(own["axis"])
    lines = np.moveaxis(x, axis, -1)
    result = np.empty(lines.shape[:-1], object)
    flat = result.reshape(-1)
    for i, line in enumerate(lines.reshape(-1, lines.shape[-1])):
        flat[i] = f(list(line))
    return np.expand_dims(result, axis) if own["keepdims"] else result


def along(f: Callable[[list[Series]], list[Series]], x: Values, axis: int) -> Values:
    """A function of each line along the axis; as many numbers come back."""
    lines = np.moveaxis(x, axis, -1)
    result = np.empty(lines.shape, object)
    for index in np.ndindex(*lines.shape[:-1]):
        for k, item in enumerate(f([lines[*index, j] for j in range(lines.shape[-1])])):
            result[*index, k] = item
    return np.moveaxis(result, -1, axis)


def log_sum(z: list[Series]) -> Series:
    middle = max(item[0].mid() for item in z)
    return middle + total([(item - middle).exp() for item in z]).log()


def length(z: list[Series]) -> Series:
    """√Σz²; where all are 0, Σz, whose slope is one of those there."""
    if all(item[0] == 0 for item in z):
        return total(z)
    return total([item * item for item in z]).sqrt()


def prelu(xs: Sequence[Values], params: Mapping[str, Values], own: Attributes) -> Values:
    z, w = xs[0], params["weight"]
    w = w.reshape(-1, *(1,) * (z.ndim - 2)) if own["per_channel"] else w.reshape((1,) * z.ndim)
    return each(lambda x, slope: x if x[0].mid() > 0 else slope * x, z, np.broadcast_to(w, z.shape))


def halves(x: Values, own: Attributes) -> Sequence[Values]:
    return np.split(x, 2, axis=int(own["axis"]))


def sliced(x: Values, own: Attributes) -> Values:
    moved = np.moveaxis(x, int(own["axis"]), 0)
    return np.moveaxis(moved[int(own["start"]) : int(own["stop"]) : int(own["step"])], 0, int(own["axis"]))


def product(a: Values, b: Values) -> Values:
    result = np.empty((*a.shape[:-1], b.shape[-1]), object)
    for index in np.ndindex(*result.shape):
        *batch, i, j = index
        result[index] = total([a[*batch, i, k] * b[*batch, k, j] for k in range(a.shape[-1])])
    return result


def shaped(x: Values, own: Attributes) -> Values:
    return x.reshape([int(size) or -1 for size in str(own["shape"]).split("x")])


# fmt: off
ROWS: dict[str, Layer] = {
    "add":       lambda xs, _, own: each(lambda *items: total(items), *xs),
    "multiply":  lambda xs, _, own: each(lambda *items: math.prod(items, start=arb_series([1])), *xs),
    "concat":    lambda xs, _, own: np.concatenate(xs, axis=int(own["axis"])),
    "matmul":    lambda xs, _, own: product(*xs),
    "prelu":     prelu,
    "glu":       lambda xs, _, own: each(lambda a, b: a * sigmoid(b), *halves(xs[0], own)),
    "swiglu":    lambda xs, _, own: each(lambda a, b: a * sigmoid(a) * b, *halves(xs[0], own)),
    "logsumexp": lambda xs, _, own: reduced(log_sum, xs[0], own),
    "norm":      lambda xs, _, own: reduced(length, xs[0], own),
    "flatten":   lambda xs, _, own: xs[0].reshape(*xs[0].shape[: int(own["start"])], -1),
    "reshape":   lambda xs, _, own: shaped(xs[0], own),
    "transpose": lambda xs, _, own: xs[0].swapaxes(int(own["axis1"]), int(own["axis2"])),
    "slice":     lambda xs, _, own: sliced(xs[0], own),
    **forward_normalisation.ROWS,
    **forward_windows.ROWS,
    **forward_sequences.ROWS,
}
# fmt: on
