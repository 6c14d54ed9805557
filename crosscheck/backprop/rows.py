"""The shape of a rule. The rules stand in tables, so that a mutant or an error model is a merged table.

A rule sees stacks: every array has the same number of leading axes (samples or perturbations, points),
each of full size or of size 1, before the axes of one network, which `Site` describes. Rules use ufuncs,
`matmul`, `where` and negative axes only, so that they also run on the rounding array of `tolerance`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.spec.op import Shape, Value

Array = Any  # an ndarray, or a duck array that behaves like one
# Whole numbers of the size of a floating one, in bytes.
BITS = {4: np.int32, 8: np.int64}


@dataclass(frozen=True)
class Site:
    """Where a rule is applied: attributes and shapes without leading axes."""

    attributes: Mapping[str, Value]
    in_shapes: tuple[Shape, ...]
    out_shape: Shape


@dataclass(frozen=True)
class Activation:
    """a = f(z); dz = dC/dz from z, a and da = dC/da. Attributes come as keywords."""

    f: Callable[..., Array]
    dz: Callable[..., Array]


@dataclass(frozen=True)
class Layer:
    """forward(site, inputs, params) → output; backward(site, d_output, inputs, params) → (d_inputs, d_params).

    None among the d_inputs is that of indices or a mask.
    """

    forward: Callable[[Site, tuple[Array, ...], Mapping[str, Array]], Array]
    backward: Callable[
        [Site, Array, tuple[Array, ...], Mapping[str, Array]], tuple[tuple[Array | None, ...], dict[str, Array]]
    ]


@dataclass(frozen=True)
class Kept:
    """What the forward pass of a layer leaves for its backward pass.

    `kinked` are the numbers inside the layer at which its op has kinks, of the shape `Op.inside` behind the leading
    axes; None where they are those of its first input.
    """

    values: tuple[Any, ...]
    kinked: Array | None = None


@dataclass(frozen=True)
class Keeping:
    """A layer whose backward pass takes up what its forward pass computed on the way.

    forward(site, inputs, params) → (output, kept); backward(site, d_output, kept, inputs, params) as a Layer's.
    """

    forward: Callable[[Site, tuple[Array, ...], Mapping[str, Array]], tuple[Array, Kept]]
    backward: Callable[
        [Site, Array, Kept, tuple[Array, ...], Mapping[str, Array]], tuple[tuple[Array | None, ...], dict[str, Array]]
    ]


@dataclass(frozen=True)
class Begun:
    """A loss in two steps: what its value and its derivative both begin with, and each of the two from that.

    begin(*given, **attributes) → start; value(start, *given, **attributes); da(start, *given, **attributes). `whole`
    are the two that each begin anew, as which they stand in the row.
    """

    begin: Callable[..., Any]
    value: Callable[..., Array]
    da: Callable[..., Any]
    whole: tuple[Callable[..., Array], Callable[..., Any]]


@dataclass(frozen=True)
class Loss:
    """value(a, y) for each element or sample; da(a, y) = its derivative. `per_sample`: the last axis is consumed.

    Of several inputs, value(a, b, y) and da(a, b, y) = (∂/∂a, ∂/∂b). `times`(a, y, c) is c · value, where the value
    alone would overflow; `counts`(y) is false for each term that is left out and true for the others, or None.
    `kinked` gives the numbers whose kinks and knots the spec names, where they are not those of a - y; `vectors` those
    whose norms it takes, on the last axis. `begun` spares a walk that asks for both what they do alike.
    """

    value: Callable[..., Array]
    da: Callable[..., Any]
    per_sample: bool = False
    times: Callable[..., Array] | None = None
    counts: Callable[..., Array | None] | None = None
    kinked: Callable[..., Array] | None = None
    vectors: Callable[..., tuple[Array, ...]] | None = None
    begun: Begun | None = None

    @property
    def in_steps(self) -> Begun | None:
        """`begun`, unless one of the two was replaced since: then it says nothing of this row."""
        return self.begun if self.begun is not None and self.begun.whole == (self.value, self.da) else None


def in_two_steps(begin: Callable[..., Any], value: Callable[..., Array], da: Callable[..., Any], **others: Any) -> Loss:
    """The row of a loss in two steps; `others` are its further fields."""

    def whole_value(*given: Array, **own: Any) -> Array:
        return value(begin(*given, **own), *given, **own)

    def whole_da(*given: Array, **own: Any) -> Any:
        return da(begin(*given, **own), *given, **own)

    return Loss(whole_value, whole_da, begun=Begun(begin, value, da, (whole_value, whole_da)), **others)


def cut(a: Array, axis: int, start: int, stop: int) -> Array:
    """The entries of an axis, counted from the last, from start to before stop."""
    return a[(..., slice(start, stop), *(slice(None),) * (-axis - 1))]


Row = Activation | Layer | Keeping | Loss
Rows = Mapping[str, Row]


def above_zero(z: Array) -> Array:
    """np.maximum(z, 0). Plain arrays are clipped: beside a plain number that takes half as long in float32."""
    if type(z) is not np.ndarray or z.dtype.itemsize not in BITS:
        return np.maximum(z, 0.0)
    return np.clip(z, 0.0, np.inf)


def chosen(mask: Array, values: Array) -> Array:
    """np.where(mask, values, 0).

    On plain arrays the bits times 0 or 1: a choice for each entry is a branch, which a processor guesses wrong half of
    the time, and that costs five times as much. Not the numbers times 0 or 1: at an infinity that would be NaN.
    """
    if type(values) is not np.ndarray or type(mask) is not np.ndarray or values.dtype.itemsize not in BITS:
        return np.where(mask, values, 0.0)
    return np.multiply(values.view(BITS[values.dtype.itemsize]), mask).view(values.dtype)


def plus(fresh: Array, values: Array) -> Array:
    """fresh + values, in the place of `fresh` where that is as large: memory that is new costs as much as the sum."""
    pairs = zip(reversed(values.shape), reversed(fresh.shape), strict=False)
    if len(values.shape) > len(fresh.shape) or not all(n in (1, whole) for n, whole in pairs):
        return fresh + values
    fresh += values
    return fresh


def product_beside(like: Array, a: Array, b: Array) -> Array:
    """The product of a and b, which lies in memory as `like` does where that is plain: they are read together."""
    if type(like) is not np.ndarray or like.flags.c_contiguous:
        return np.matmul(a, b)
    return np.matmul(b.swapaxes(-1, -2), a.swapaxes(-1, -2)).swapaxes(-1, -2)
