"""Each loss as PyTorch's users call it.

A row is called for one point at a time, without the leading axis, so that the reduction is PyTorch's own:
`row(a, y, reduction, **attributes)` with reduction `sum` or `mean`, giving a scalar. `point_loss` adds what
PyTorch has no name for: `batch_mean` and `scale`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name under which everyone knows it)

from crosscheck.spec.op import Value

REDUCE = {"sum": torch.sum, "mean": torch.mean}


def cross_entropy(z: Any, y: Any, reduction: str, targets: str) -> Any:
    """z (…, classes); y (…) class indices or (…, classes) probabilities.

    PyTorch wants the classes on axis 1, so the samples are flattened into axis 0, as users do.
    """
    classes = z.shape[-1]
    wanted = y.reshape(-1) if targets == "classes" else y.reshape(-1, classes)
    return F.cross_entropy(z.reshape(-1, classes), wanted, reduction=reduction)


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "sse":                   lambda a, y, reduction: REDUCE[reduction]((a - y) ** 2),
    "mse":                   lambda a, y, reduction: F.mse_loss(a, y, reduction=reduction),
    "mae":                   lambda a, y, reduction: F.l1_loss(a, y, reduction=reduction),
    "huber":                 lambda a, y, reduction, delta: F.huber_loss(a, y, reduction=reduction, delta=delta),
    "bce_with_logits":       lambda z, y, reduction: F.binary_cross_entropy_with_logits(z, y, reduction=reduction),
    "softmax_cross_entropy": cross_entropy,
    "cotangent":             lambda a, c, reduction: REDUCE[reduction](c * a),
}
# fmt: on


def point_loss(op: str, attributes: Mapping[str, Value], a: Any, y: Any) -> Any:
    """The loss of one point, a 0-d tensor. `batch_mean` is the sum over a divided by the size of its first axis."""
    own = dict(attributes)
    reduction, scale = own.pop("reduction"), own.pop("scale")
    if reduction == "batch_mean":
        value = ROWS[op](a, y, reduction="sum", **own) / a.shape[0]
    else:
        value = ROWS[op](a, y, reduction=reduction, **own)
    return value * scale
