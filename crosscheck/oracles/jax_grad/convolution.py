"""Convolutions and pools as `jax.lax` and Flax have them: `row(params, a, **attributes)`, a (N, C, L) or (N, C, H, W).

The pools are Flax's: a window of `lax.max` from -inf, and of `lax.add` from 0, then divided by what counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from jax import lax

from crosscheck.spec.op import Value, sizes_of

LETTERS = {1: "H", 2: "HW"}
Row = Callable[..., Any]


def _with_bias(z: Any, params: Mapping[str, Any], axes: int, *, bias: bool) -> Any:
    return z + params["bias"].reshape(-1, *(1,) * axes) if bias else z


def _conv(axes: int) -> Row:
    def row(
        params: Mapping[str, Any],
        a: Any,
        *,
        out: int,
        kernel: Value,
        stride: Value,
        padding: Value,
        dilation: Value,
        groups: int,
        bias: bool,
    ) -> Any:
        if (params["weight"].shape[0], *params["weight"].shape[2:]) != (out, *sizes_of(kernel, axes)):
            raise ValueError(f"a weight of shape {params['weight'].shape} for out={out} and a kernel of {kernel}")
        z = lax.conv_general_dilated(
            a,
            params["weight"],
            window_strides=sizes_of(stride, axes),
            padding=[(p, p) for p in sizes_of(padding, axes)],
            rhs_dilation=sizes_of(dilation, axes),
            feature_group_count=groups,
            dimension_numbers=(f"NC{LETTERS[axes]}", f"OI{LETTERS[axes]}", f"NC{LETTERS[axes]}"),
        )
        return _with_bias(z, params, axes, bias=bias)

    return row


def _conv_transpose2d(
    params: Mapping[str, Any],
    a: Any,
    *,
    out: int,
    kernel: Value,
    stride: Value,
    padding: Value,
    output_padding: Value,
    dilation: Value,
    groups: int,
    bias: bool,
) -> Any:
    """A convolution of the input with stride - 1 zeros between its numbers, by the kernel turned round."""
    weight = params["weight"]
    channels, each, *sizes = weight.shape
    # (C, out/groups, …) → (out, C/groups, …): in each group inputs and outputs change places.
    turned = jnp.flip(weight, (2, 3)).reshape(groups, channels // groups, each, *sizes)
    spans = [d * (k - 1) for d, k in zip(sizes_of(dilation, 2), sizes_of(kernel, 2), strict=True)]
    before = [span - p for span, p in zip(spans, sizes_of(padding, 2), strict=True)]
    z = lax.conv_general_dilated(
        a,
        jnp.swapaxes(turned, 1, 2).reshape(out, channels // groups, *sizes),
        window_strides=(1, 1),
        padding=[(low, low + more) for low, more in zip(before, sizes_of(output_padding, 2), strict=True)],
        lhs_dilation=sizes_of(stride, 2),
        rhs_dilation=sizes_of(dilation, 2),
        feature_group_count=groups,
        dimension_numbers=("NCHW", "OIHW", "NCHW"),
    )
    return _with_bias(z, params, 2, bias=bias)


def _windows(a: Any, start: float, join: Any, kernel: Value, stride: Value, padding: Value) -> Any:
    axes = a.ndim - 2
    size = sizes_of(kernel, axes)
    step = tuple(s if s else k for s, k in zip(sizes_of(stride, axes), size, strict=True))
    around = [(0, 0), (0, 0), *((p, p) for p in sizes_of(padding, axes))]
    return lax.reduce_window(a, start, join, (1, 1, *size), (1, 1, *step), around)


def _max_pool(_params: Mapping[str, Any], a: Any, *, kernel: Value, stride: Value, padding: Value) -> Any:
    return _windows(a, -jnp.inf, lax.max, kernel, stride, padding)


def _avg_pool(
    _params: Mapping[str, Any], a: Any, *, kernel: Value, stride: Value, padding: Value, count_include_pad: bool
) -> Any:
    total = _windows(a, 0.0, lax.add, kernel, stride, padding)
    if count_include_pad:
        return total / math.prod(sizes_of(kernel, a.ndim - 2))
    return total / _windows(jnp.ones((1, 1, *a.shape[2:]), a.dtype), 0.0, lax.add, kernel, stride, padding)


# fmt: off
ROWS: dict[str, Row] = {
    "conv1d":           _conv(1),
    "conv2d":           _conv(2),
    "conv_transpose2d": _conv_transpose2d,
    "max_pool1d":       _max_pool,
    "max_pool2d":       _max_pool,
    "avg_pool1d":       _avg_pool,
    "avg_pool2d":       _avg_pool,
    "global_avg_pool":  lambda _params, a: jnp.mean(a, axis=tuple(range(2, a.ndim))),
}
# fmt: on
