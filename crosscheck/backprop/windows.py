"""Windows that slide over the spatial axes: what each of them sees, laid side by side, and the way back.

`unfold` copies a[i·stride + k·dilation - padding] to column k of window i (im2col). It is linear, and `fold` is its
transpose: the derivative of Σ columns ∘ dcolumns by a_j is the sum of dcolumns over all (k, i) that a_j was copied to.
Where a window reaches beyond the input there is `fill`, and of that no derivative is asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from crosscheck.backprop.rows import Array
from crosscheck.spec.op import Shape


@dataclass(frozen=True)
class Windows:
    """Along each spatial axis: its size, the number of windows, and where they lie."""

    size: Shape
    count: Shape
    kernel: Shape
    stride: Shape
    padding: Shape
    dilation: Shape

    @property
    def axes(self) -> int:
        return len(self.size)

    @property
    def entries(self) -> int:
        """Of one window."""
        return math.prod(self.kernel)

    @property
    def offsets(self) -> Iterable[Shape]:
        """Every place of the kernel, in C order."""
        return product(*map(range, self.kernel))

    @property
    def places(self) -> Iterable[tuple[Any, ...]]:
        """Where all windows have each of them, in what is padded."""
        along = [
            [slice(k * d, k * d + (n - 1) * s + 1, s) for k in range(size)]
            for size, n, s, d in zip(self.kernel, self.count, self.stride, self.dilation, strict=True)
        ]
        return ((..., *each) for each in product(*along))

    @property
    def span(self) -> Shape:
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))

    @property
    def disjoint(self) -> bool:
        """Whether no two windows share a place."""
        return all(span <= step for span, step in zip(self.span, self.stride, strict=True))


def unfold(a: Array, windows: Windows) -> Array:
    """(…, *size) → (…, *kernel, *count), a view of what was padded with zeros."""
    axes = tuple(range(-windows.axes, 0))
    seen: Array = sliding_window_view(padded(a, windows, 0.0), windows.span, axis=axes)
    steps = (slice(None, None, s) for s in (*windows.stride, *windows.dilation))
    # A stretch that is left over behind the last window may hold more of them: there are `count`.
    seen = seen[(..., *steps)][(..., *map(slice, (*windows.count, *windows.kernel)))]
    return np.moveaxis(seen, axes, tuple(axis - windows.axes for axis in axes))


def entries(a: Array, windows: Windows, fill: float = 0.0) -> list[Array]:
    """What all windows have at each place of the kernel, in C order: views (…, *count)."""
    whole = padded(a, windows, fill)
    return [whole[place] for place in windows.places]


def padded(a: Array, windows: Windows, fill: float) -> Array:
    if not any(windows.padding):
        return a
    around = [(0, 0)] * (a.ndim - windows.axes) + [(p, p) for p in windows.padding]
    return np.pad(a, around, constant_values=fill)


def fold(parts: Iterable[Array], windows: Windows) -> Array:
    """(…, *count) for each place of the kernel, in C order → (…, *size): each number added to where it came from."""
    total: Array = None
    disjoint = windows.disjoint
    for place, part in zip(windows.places, parts, strict=True):
        total = _nothing(part, windows) if total is None else total
        if disjoint:
            total[place] = part
        else:
            seen = total[place]
            seen += part
    inside = (slice(p, p + n) for p, n in zip(windows.padding, windows.size, strict=True))
    return total[(..., *inside)]


def _nothing(part: Array, windows: Windows) -> Array:
    reach = (n + 2 * p for n, p in zip(windows.size, windows.padding, strict=True))
    return np.zeros_like(part, shape=(*part.shape[: part.ndim - windows.axes], *reach))
