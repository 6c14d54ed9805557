"""Convolutions and pools as PyTorch's users call them, on one point: a (N, C, L) or (N, C, H, W)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch.nn.functional as F  # noqa: N812 (the name under which everyone knows it)

from crosscheck.spec.op import Value, sizes_of
from crosscheck.spec.pooling import steps

Attributes = Mapping[str, Value]
Row = Callable[..., Any]
SIZES = ("kernel", "stride", "padding", "output_padding", "dilation")


def convolution(function: Callable[..., Any], axes: int) -> Row:
    """F.conv…(a, weight, bias, stride=…, …): the kernel is the weight's."""

    def row(inputs: tuple[Any, ...], params: Mapping[str, Any], attributes: Attributes) -> Any:
        asked = {name: sizes_of(attributes[name], axes) for name in SIZES[1:] if name in attributes}
        return function(inputs[0], params["weight"], params.get("bias"), groups=attributes["groups"], **asked)

    return row


def pool(function: Callable[..., Any], axes: int) -> Row:
    """F.…_pool…(a, kernel, stride, padding, …)."""

    def row(inputs: tuple[Any, ...], _params: Mapping[str, Any], attributes: Attributes) -> Any:
        kernel, padding = (sizes_of(attributes[name], axes) for name in ("kernel", "padding"))
        own = {name: value for name, value in attributes.items() if name not in SIZES}
        return function(inputs[0], kernel, steps(attributes, axes), padding, **own)

    return row


def global_avg_pool(inputs: tuple[Any, ...], _params: Mapping[str, Any], _attributes: Attributes) -> Any:
    """nn.AdaptiveAvgPool1d(1) or 2d(1), then flattened; over more axes than those the mean that users write."""
    a = inputs[0]
    adaptive = {3: F.adaptive_avg_pool1d, 4: F.adaptive_avg_pool2d}.get(a.dim())
    return a.flatten(2).mean(-1) if adaptive is None else adaptive(a, 1).flatten(1)


# fmt: off
ROWS: dict[str, Row] = {
    "conv1d":           convolution(F.conv1d, 1),
    "conv2d":           convolution(F.conv2d, 2),
    "conv_transpose2d": convolution(F.conv_transpose2d, 2),
    "max_pool1d":       pool(F.max_pool1d, 1),
    "max_pool2d":       pool(F.max_pool2d, 2),
    "avg_pool1d":       pool(F.avg_pool1d, 1),
    "avg_pool2d":       pool(F.avg_pool2d, 2),
    "global_avg_pool":  global_avg_pool,
}
# fmt: on
