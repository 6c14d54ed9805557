"""Normalisations as PyTorch's users call them: `row(inputs, params, attributes)`, for one point.

`F.batch_norm` and `F.group_norm` refuse a single value for each channel or group, where their kernels do what eps
says: there the kernel is called without the refusal. `F.batch_norm` has no gradient of the statistics that it is
given: theirs is autograd's own of the formula written out, by which nothing else is changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name under which everyone knows it)

Params = Mapping[str, Any]
Attributes = Mapping[str, Any]


def batch_norm(inputs: tuple[Any, ...], params: Params, own: Attributes) -> Any:
    x, eps = inputs[0], own["eps"]
    weight, bias = params.get("weight"), params.get("bias")
    if own["mode"] == "evaluation":
        _, mean, var = inputs
        out = F.batch_norm(x, mean.detach(), var.detach(), weight, bias, training=False, eps=eps)
        return out + _by_statistics(x, mean, var, weight, eps)
    if x.numel() == x.shape[1]:
        return torch.batch_norm(x, weight, bias, None, None, True, 0.1, eps, False)
    return F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)


def _by_statistics(x: Any, mean: Any, var: Any, weight: Any, eps: float) -> Any:
    """Zeros that have the gradient of mean and var."""
    shape = [1, -1, *[1] * (x.dim() - 2)]
    out = (x.detach() - mean.view(shape)) * torch.rsqrt(var.view(shape) + eps)
    out = out if weight is None else out * weight.detach().view(shape)
    return out - out.detach()


def layer_norm(inputs: tuple[Any, ...], params: Params, own: Attributes) -> Any:
    shape = inputs[0].shape[inputs[0].dim() - own["axes"] :]
    return F.layer_norm(inputs[0], shape, params.get("weight"), params.get("bias"), own["eps"])


def rms_norm(inputs: tuple[Any, ...], params: Params, own: Attributes) -> Any:
    return F.rms_norm(inputs[0], inputs[0].shape[-1:], params.get("weight"), own["eps"])


def group_norm(inputs: tuple[Any, ...], params: Params, own: Attributes) -> Any:
    x, groups, weight, bias = inputs[0], own["groups"], params.get("weight"), params.get("bias")
    if math.prod(x.shape) == x.shape[0] * groups:
        return torch.group_norm(x, groups, weight, bias, own["eps"])
    return F.group_norm(x, groups, weight, bias, own["eps"])


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "batch_norm": batch_norm,  # a (N, C, …), weight and bias (C,)
    "layer_norm": layer_norm,  # weight and bias have the shape of the axes that are normalised
    "rms_norm":   rms_norm,
    "group_norm": group_norm,
}
# fmt: on
