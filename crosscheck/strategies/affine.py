"""Layers of the form gain · weight + bias: which weights reach an element of the output, and which bias.

Where all of those weights are 0 the element is its bias, to the last bit and whoever computes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscheck.spec.architecture import Node
from crosscheck.spec.op import Shape

Floats = NDArray[np.float64]
Index = tuple[int, ...]

# Whose parameters belong to the second axis of the output, and to the last ones.
BY_CHANNEL = ("conv1d", "conv2d", "conv_transpose2d", "batch_norm", "group_norm")
BY_LAST_AXES = ("dense", "layer_norm", "rms_norm")
ELEMENTWISE = ("batch_norm", "group_norm", "layer_norm", "rms_norm")


def is_affine(node: Node) -> bool:
    """Whether the node is such a layer, with weights."""
    return node.op in BY_CHANNEL + BY_LAST_AXES and "weight" in node.params


def channel(node: Node, index: Index) -> Index:
    """The index of the bias of an element of the output, leading axes left out."""
    if node.op in BY_CHANNEL:
        return index[1:2]
    return index[-int(node.attributes.get("axes", 1)) :]


def reaching(node: Node, weight: NDArray[Any], own: Index) -> NDArray[Any]:
    """The weights of one point that reach this channel of the output, as a view of them."""
    if node.op in ELEMENTWISE:
        return weight[tuple(slice(i, i + 1) for i in own)]
    if node.op == "conv_transpose2d":
        group, column = divmod(own[0], weight.shape[1])
        each = len(weight) // int(node.attributes["groups"])
        return weight[group * each : (group + 1) * each, column]
    row: NDArray[Any] = weight[own[0]]
    return row


def constant(node: Node, params: Mapping[str, Floats], out: Shape) -> Floats:
    """The output (P, *out) where no weight reaches it, else NaN."""
    weight, bias = params["weight"], params.get("bias")
    points = len(weight)
    own = weight.shape[1:] if node.op in ELEMENTWISE else out[1:2] if node.op in BY_CHANNEL else out[-1:]
    values = np.full((points, *own), np.nan)
    for point, *place in np.ndindex(values.shape):
        if not reaching(node, weight[point], tuple(place)).any():
            values[(point, *place)] = 0.0 if bias is None else bias[(point, *place)]
    between = (1,) * (len(out) - 2) if node.op in BY_CHANNEL else ()
    before = (1,) if node.op in BY_CHANNEL else (1,) * (len(out) - len(own))
    laid = values.reshape((points, *before, *own, *between))
    return np.broadcast_to(laid, (points, *out)).copy()
