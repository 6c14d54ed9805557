"""Convolutions and pools of the second computation: `row(xs, params, attributes)` on series.

Each output is the sum, mean or largest of what its window holds, looked up number by number where it lies in the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from crosscheck.oracles.ball.branches import Series
from crosscheck.oracles.ball.forward_series import Layer, Params, Values, total
from crosscheck.spec.op import Attributes, sizes_of

Index = tuple[int, ...]


def sizes(own: Attributes, axes: int, *names: str) -> Iterator[Index]:
    return (sizes_of(own[name], axes) for name in names)


def corners(size: Index, kernel: Index, stride: Index, padding: Index, dilation: Index) -> list[range]:
    """Along each axis, where a window may begin so that its last number is not beyond the padding."""
    each = zip(size, kernel, stride, padding, dilation, strict=True)
    return [range(-p, n + p - d * (k - 1), s) for n, k, s, p, d in each]


def inside(place: Sequence[int], size: Index) -> bool:
    return all(0 <= i < n for i, n in zip(place, size, strict=True))


def filled(shape: Index, number: Any) -> Values:
    """An array with a function of each index."""
    result = np.empty(shape, object)
    for index in np.ndindex(*shape):
        result[index] = number(index)
    return result


def conv(xs: Sequence[Values], params: Params, own: Attributes) -> Values:
    """z[n,o,l] = b[o] + Σ_ck w[o,c,k] a[n,c,l·stride + k·dilation - padding], c in the group of o."""
    a, w = xs[0], params["weight"]
    size, (out, channels, *kernel) = a.shape[2:], w.shape
    stride, padding, dilation = sizes(own, len(size), "stride", "padding", "dilation")
    starts = corners(size, tuple(kernel), stride, padding, dilation)
    of_group = out // int(own["groups"])

    def number(index: Index) -> Series:
        n, o, *window = index
        first = o // of_group * channels
        z = [params["bias"][o]] if "bias" in params else []
        for k in np.ndindex(*kernel):
            place = tuple(s[i] + d * j for s, i, d, j in zip(starts, window, dilation, k, strict=True))
            if inside(place, size):
                z += [w[(o, c, *k)] * a[(n, first + c, *place)] for c in range(channels)]
        return total(z)

    return filled((len(a), out, *map(len, starts)), number)


def conv_transpose(xs: Sequence[Values], params: Params, own: Attributes) -> Values:
    """z[n,o,l] = b[o] + Σ w[c,o,k] a[n,c,i] over all i and k with l = i·stride + k·dilation - padding."""
    a, w = xs[0], params["weight"]
    size, (channels, of_group, *kernel) = a.shape[2:], w.shape
    stride, padding, more, dilation = sizes(own, len(size), "stride", "padding", "output_padding", "dilation")
    each = zip(size, kernel, stride, padding, more, dilation, strict=True)
    wide = [s * (n - 1) + d * (k - 1) + 1 - 2 * p + extra for n, k, s, p, extra, d in each]
    out = of_group * int(own["groups"])
    in_group = channels // int(own["groups"])

    def number(index: Index) -> Series:
        n, o, *place = index
        group, column = divmod(o, of_group)
        z = [params["bias"][o]] if "bias" in params else []
        for i, k in product(np.ndindex(*size), np.ndindex(*kernel)):
            reached = [s * p + d * q - cut for p, q, s, d, cut in zip(i, k, stride, dilation, padding, strict=True)]
            if reached == place:
                own_channels = range(group * in_group, (group + 1) * in_group)
                z += [w[(c, column, *k)] * a[(n, c, *i)] for c in own_channels]
        return total(z)

    return filled((len(a), out, *wide), number)


def pool(xs: Sequence[Values], own: Attributes, act: Any) -> Values:
    """`act` of what each window holds of the input, in C order, and of how many places it has."""
    a = xs[0]
    size = a.shape[2:]
    kernel, stride, padding = sizes(own, len(size), "kernel", "stride", "padding")
    steps = tuple(s or k for s, k in zip(stride, kernel, strict=True))
    starts = corners(size, kernel, steps, padding, (1,) * len(size))

    def number(index: Index) -> Series:
        n, c, *window = index
        held = []
        for k in np.ndindex(*kernel):
            place = tuple(s[i] + j for s, i, j in zip(starts, window, k, strict=True))
            if inside(place, size):
                held.append(a[(n, c, *place)])
        return act(held, int(np.prod(kernel)))

    return filled((*a.shape[:2], *map(len, starts)), number)


def largest(held: Sequence[Series], _places: int) -> Series:
    """Of numbers that are alike the first, whose slope is one of those there."""
    return max(held, key=lambda item: item[0].mid())


def max_pool(xs: Sequence[Values], _params: Params, own: Attributes) -> Values:
    return pool(xs, own, largest)


def avg_pool(xs: Sequence[Values], _params: Params, own: Attributes) -> Values:
    return pool(xs, own, lambda held, places: total(held) / (places if own["count_include_pad"] else len(held)))


def global_avg_pool(xs: Sequence[Values], _params: Params, _own: Attributes) -> Values:
    lines = xs[0].reshape(*xs[0].shape[:2], -1)
    return filled(lines.shape[:2], lambda index: total(lines[index]) / lines.shape[2])


# fmt: off
ROWS: dict[str, Layer] = {
    "conv1d":           conv,
    "conv2d":           conv,
    "conv_transpose2d": conv_transpose,
    "max_pool1d":       max_pool,
    "max_pool2d":       max_pool,
    "avg_pool1d":       avg_pool,
    "avg_pool2d":       avg_pool,
    "global_avg_pool":  global_avg_pool,
}
# fmt: on
