"""Shapes of convolutions and pools: what PyTorch makes of the same numbers."""

from __future__ import annotations

import torch
import windowed
from torch.nn import functional

from crosscheck.oracles.torch_autograd import layers


def test_every_shape_is_pytorchs() -> None:
    seen = set()
    for case in windowed.cases(seed=2, count=150, points=1):
        architecture = case.architecture
        for i, node in enumerate(architecture.nodes):
            if node.op not in layers.ROWS:
                continue
            shape = architecture.shapes_of(node.inputs)[0]
            params = {role: torch.zeros(architecture.param_shapes[key]) for role, key in node.params.items()}
            found = layers.ROWS[node.op]((torch.zeros(shape),), params, node.attributes)
            assert tuple(found.shape) == architecture.node_shapes[i], f"node {i} of {architecture}"
            seen.add(node.op)
    assert {"conv1d", "conv2d", "conv_transpose2d", "max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d"} <= seen


def test_a_stride_of_nothing_is_the_kernel() -> None:
    x = torch.zeros((1, 1, 7, 7))
    assert (
        functional.max_pool2d(x, (3, 2)).shape
        == layers.ROWS["max_pool2d"]((x,), {}, {"kernel": "3x2", "stride": 0, "padding": 0}).shape
    )
