"""Pools: the largest number of each window, its mean, and the mean of all.

With (U a)_ki the number k of window i (windows.py), Uᵀ being `fold`, and dz = ∂C/∂z given:

    maximum  z_i = max_k (U a)_ki         ∂z_i/∂(U a)_ki = 1 for the winner k of window i, and 0 for the others
    mean     z_i = Σ_k (U a)_ki / n_i     ∂z_i/∂(U a)_ki = 1/n_i,  n_i the numbers that count in window i

and a number that stands in several windows has the sum over them: da = Uᵀ dU. Of equal ones the first wins, so at a
tie the derivative is one of several one-sided ones. Around the input there is -inf for a maximum, which never wins
because every window holds a number; and 0 for a mean, which counts or not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import repeat
from typing import Any

import numpy as np

from crosscheck.backprop.rows import Array, Layer, Site, chosen
from crosscheck.backprop.windows import Windows, entries, fold
from crosscheck.spec.op import sizes_of
from crosscheck.spec.pooling import steps

Params = Mapping[str, Array]
Backward = tuple[tuple[Array, ...], dict[str, Array]]
# For each place of the kernel, of what all windows have there and whether -inf is among it: which of them it wins.
Winners = Callable[[Sequence[Array], bool], Sequence[Array]]
# A total, or what comes back to it, over the number of its terms.
Divide = Callable[[Array, Any], Array]


def windows_of(site: Site) -> Windows:
    (_, _, *size), (_, _, *count) = site.in_shapes[0], site.out_shape
    kernel, padding = (sizes_of(site.attributes[name], len(size)) for name in ("kernel", "padding"))
    return Windows(tuple(size), tuple(count), kernel, steps(site.attributes, len(size)), padding, (1,) * len(size))


def largest(winners: Winners) -> Layer:
    """The largest of each window, by this way to find where it stands."""

    def forward(site: Site, inputs: tuple[Array, ...], _params: Params) -> Array:
        return reduce(np.maximum, entries(inputs[0], windows_of(site), -math.inf))

    def backward(site: Site, d_out: Array, inputs: tuple[Array, ...], _params: Params) -> Backward:
        windows = windows_of(site)
        won = winners(entries(inputs[0], windows, -math.inf), any(windows.padding))
        return (fold((chosen(each, d_out) for each in won), windows),), {}

    return Layer(forward, backward)


def first_largest(seen: Sequence[Array], padded: bool) -> list[Array]:
    """For each place of the kernel the windows in which it wins: above all before it, and none behind is above it."""
    # Above the padding, and below all others: two that are both -inf would tie.
    best = np.maximum(seen[0], np.finfo(seen[0].dtype).min) if padded else seen[0]
    ahead: list[Array] = [np.True_]
    for number, entry in enumerate(seen[1:], start=2):
        ahead.append(entry > best)
        best = np.maximum(best, entry) if number < len(seen) else best
    left: Array = np.True_
    won: list[Array] = []
    for above in reversed(ahead):
        won.append(above & left)
        left = left & ~above
    return won[::-1]


def at_the_top(site: Site, a: Array) -> Array:
    """Which numbers of each window are the largest, all that are equal: (…, N, C, *count, entries), plain arrays."""
    seen = entries(a, windows_of(site), -math.inf)
    return np.equal(np.stack(seen, axis=-1), reduce(np.maximum, seen)[..., np.newaxis])


def mean(divide: Divide) -> Layer:
    """The mean of each window, by this way to divide."""

    def forward(site: Site, inputs: tuple[Array, ...], _params: Params) -> Array:
        return divide(np.stack(entries(inputs[0], windows_of(site)), axis=-1).sum(axis=-1), _counted(site))

    def backward(site: Site, d_out: Array, _inputs: tuple[Array, ...], _params: Params) -> Backward:
        windows = windows_of(site)
        return (fold(repeat(divide(d_out, _counted(site)), windows.entries), windows),), {}

    return Layer(forward, backward)


def mean_of_all(divide: Divide) -> Layer:
    def forward(site: Site, inputs: tuple[Array, ...], _params: Params) -> Array:
        a, shape = inputs[0], site.in_shapes[0]
        each = math.prod(shape[2:])
        return divide(a.reshape((*a.shape[: a.ndim - len(shape)], *shape[:2], each)).sum(axis=-1), each)

    def backward(site: Site, d_out: Array, _inputs: tuple[Array, ...], _params: Params) -> Backward:
        shape = site.in_shapes[0]
        share = divide(d_out, math.prod(shape[2:]))
        lead = share.shape[: share.ndim - 2]
        spread = share.reshape((*lead, *shape[:2], *(1,) * (len(shape) - 2)))
        return (np.broadcast_to(spread, (*lead, *shape)),), {}

    return Layer(forward, backward)


def divided(total: Array, count: Any) -> Array:
    """In the dtype of the total."""
    return total / np.asarray(count).astype(total.dtype)


def _counted(site: Site) -> Any:
    """How many numbers count: of every window alike, or of each (*count)."""
    windows = windows_of(site)
    if site.attributes["count_include_pad"] or not any(windows.padding):
        return windows.entries
    return sum(entries(np.ones(windows.size), windows))


ROWS: dict[str, Layer] = {
    "max_pool1d": largest(first_largest),
    "max_pool2d": largest(first_largest),
    "avg_pool1d": mean(divided),
    "avg_pool2d": mean(divided),
    "global_avg_pool": mean_of_all(divided),
}
