"""Convolutions and windows of a jaxpr, laid out as matrices: data movement alone.

Neither strides nor padding nor dilation is left then, and one kernel for each standard size does for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]
Ends = Sequence[tuple[int, int, int]]


def spread(array: Array, fill: Any, ends: Ends) -> Array:
    """The array with so many values before, behind and between its entries on each axis; fewer than 0 are cut off."""
    sizes = [(n - 1) * (between + 1) + 1 for n, (_, _, between) in zip(array.shape, ends, strict=True)]
    around = [(max(before, 0), max(behind, 0)) for before, behind, _ in ends]
    wider = np.full([n + sum(two) for n, two in zip(sizes, around, strict=True)], fill, array.dtype)
    places = zip(around, sizes, ends, strict=True)
    wider[tuple(slice(first, first + n, gap + 1) for (first, _), n, (_, _, gap) in places)] = array
    kept = zip(ends, wider.shape, strict=True)
    return wider[tuple(slice(max(-before, 0), n - max(-behind, 0)) for (before, behind, _), n in kept)]


def windows(array: Array, size: Shape, strides: Shape, dilation: Shape) -> Array:
    """(…, *spatial) → (…, *count, *size): what each window over the last axes sees."""
    axes = len(size)
    spans = tuple(d * (k - 1) + 1 for d, k in zip(dilation, size, strict=True))
    seen: Array = sliding_window_view(array, spans, axis=tuple(range(-axes, 0)))
    steps: tuple[Any, ...] = (..., *(slice(None, None, step) for step in (*strides, *dilation)))
    taken: Array = seen[steps]
    return taken


def matrices(equation: Any, given: list[Array]) -> tuple[Array, Array, Callable[[Array], Array]]:
    """lax.conv_general_dilated as left (b, m, k) and right (b, n, k), and what makes its result of (b, m, n)."""
    params = equation.params
    numbers = params["dimension_numbers"]
    left, right = given[0].transpose(numbers.lhs_spec), given[1].transpose(numbers.rhs_spec)
    around = zip(params["padding"], params["lhs_dilation"], strict=True)
    left = spread(left, 0, [(0, 0, 0), (0, 0, 0), *((*ends, gap - 1) for ends, gap in around)])
    samples, channels, each = left.shape[0], left.shape[1], right.shape[1]
    seen = windows(left, right.shape[2:], tuple(params["window_strides"]), tuple(params["rhs_dilation"]))
    axes = right.ndim - 2
    count, by_batch, by_feature = seen.shape[2 : 2 + axes], params["batch_group_count"], params["feature_group_count"]
    groups = by_batch * by_feature  # one of them is 1
    places, taps = math.prod(count), math.prod(right.shape[2:])
    seen = seen.reshape((by_batch, samples // by_batch, by_feature, channels // by_feature, places, taps))
    rows = seen.transpose(0, 2, 1, 4, 3, 5).reshape((groups, samples // by_batch * places, each * taps))
    columns = right.reshape((groups, right.shape[0] // groups, each * taps))

    def back(found: Array) -> Array:
        """(group, sample and place, channel of the group) → the shape of the result."""
        whole = found.reshape((groups, samples // by_batch, places, right.shape[0] // groups))
        whole = whole.transpose(1, 0, 3, 2).reshape((samples // by_batch, right.shape[0], *count))
        return whole.transpose(np.argsort(numbers.out_spec))

    return rows, columns, back


def laid_out(equation: Any, array: Array, fill: float) -> Array:
    """What each window of a reduction sees, on as many further axes behind."""
    params = equation.params
    ends = zip(params["padding"], params["base_dilation"], strict=True)
    whole = spread(array, fill, [(*two, gap - 1) for two, gap in ends])
    return windows(
        whole, tuple(params["window_dimensions"]), tuple(params["window_strides"]), tuple(params["window_dilation"])
    )


def selection(
    equation: Any, given: list[Array], standard: Callable[[int], int]
) -> tuple[dict[str, Any], list[Array], Callable[[Array], Array]]:
    """select_and_scatter_add with standard numbers of windows: other parameters, arrays, and the way back.

    What is added around the operand is -inf, which is selected where nothing else is; there nothing is scattered.
    """
    params = equation.params
    asked = list(zip(params["window_dimensions"], params["window_strides"], params["padding"], strict=True))
    unmoved = (1, 1, (0, 0))
    windowed = [axis for axis, (size, stride, ends) in enumerate(asked) if (size, stride, tuple(ends)) != unmoved]
    order = (*(axis for axis in range(len(asked)) if axis not in windowed), *windowed)
    size, stride, ends = ([asked[axis][i] for axis in windowed] for i in range(3))
    source, operand = (array.transpose(order) for array in given)
    lead = operand.ndim - len(windowed)
    whole = spread(operand, -math.inf, [*((0, 0, 0) for _ in range(lead)), *((*two, 0) for two in ends)])

    def reach(count: Sequence[int]) -> Shape:
        return tuple((n - 1) * s + k for n, s, k in zip(count, stride, size, strict=True))

    count, batch = source.shape[lead:], math.prod(source.shape[:lead])
    more = tuple(map(standard, count))
    kept: tuple[Any, ...] = (..., *map(slice, reach(count)))
    wide = _enlarged(whole[kept].reshape((batch, *reach(count))), (standard(batch), *reach(more)), -math.inf)
    sources = _enlarged(source.reshape((batch, *count)), (standard(batch), *more), 0)

    def back(found: Array) -> Array:
        result: Array = np.zeros(whole.shape, found.dtype)
        result[kept] = found[:batch][kept].reshape((*whole.shape[:lead], *reach(count)))
        inside = (slice(low, n - high) for (low, high), n in zip(ends, whole.shape[lead:], strict=True))
        at: tuple[Any, ...] = (..., *inside)
        inner: Array = result[at].transpose(np.argsort(order))
        return inner

    own = {"window_dimensions": (1, *size), "window_strides": (1, *stride), "padding": ((0, 0),) * (len(size) + 1)}
    return params | own, [sources, wide], back


def _enlarged(array: Array, shape: Shape, fill: float) -> Array:
    result: Array = np.full(shape, fill, array.dtype)
    result[tuple(map(slice, array.shape))] = array
    return result
