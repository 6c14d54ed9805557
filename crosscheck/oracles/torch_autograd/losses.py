"""Each loss as PyTorch's users call it.

A row is called for one point at a time, without the leading axis, so that the reduction is PyTorch's own:
`row(a, y, reduction, **attributes)` with reduction `sum` or `mean`, giving a scalar, or `none`, giving each term.
A loss of several outputs takes them all before y. `point_loss` adds what PyTorch has no name for: `batch_mean`,
`scale`, weights of the samples; `penalty` what its users add to a loss themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name under which everyone knows it)

from crosscheck.oracles.torch_autograd import likelihoods, margins
from crosscheck.spec.op import Value

REDUCE: dict[str, Callable[[Any], Any]] = {"sum": torch.sum, "mean": torch.mean, "none": lambda terms: terms}
# Of every loss, and no row's business.
COMMON = ("reduction", "scale", "weighted", "l1", "l2")


@dataclass(frozen=True)
class Given:
    """What the loss of one point is given: outputs, targets, and weights (n,) of the samples."""

    outputs: tuple[Any, ...]
    targets: Any
    weights: Any | None


def cross_entropy(z: Any, y: Any, reduction: str, targets: str, label_smoothing: float, ignore_index: int) -> Any:
    """z (…, classes); y (…) class indices or (…, classes) probabilities.

    PyTorch wants the classes on axis 1, so the samples are flattened into axis 0, as users do. With probabilities it
    takes no class to ignore.
    """
    classes = z.shape[-1]
    own: dict[str, Any] = {"reduction": reduction, "label_smoothing": label_smoothing}
    if targets == "classes":
        value = F.cross_entropy(z.reshape(-1, classes), y.reshape(-1), ignore_index=int(ignore_index), **own)
    else:
        value = F.cross_entropy(z.reshape(-1, classes), y.reshape(-1, classes), **own)
    return value.reshape(z.shape[:-1]) if reduction == "none" else value


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "sse":                   lambda a, y, reduction: REDUCE[reduction]((a - y) ** 2),
    "mse":                   lambda a, y, reduction: F.mse_loss(a, y, reduction=reduction),
    "mae":                   lambda a, y, reduction: F.l1_loss(a, y, reduction=reduction),
    "huber":                 lambda a, y, reduction, delta: F.huber_loss(a, y, reduction=reduction, delta=delta),
    "bce_with_logits":       lambda z, y, reduction: F.binary_cross_entropy_with_logits(z, y, reduction=reduction),
    "softmax_cross_entropy": cross_entropy,
    "cotangent":             lambda a, c, reduction: REDUCE[reduction](c * a),
    **likelihoods.ROWS,
    **margins.ROWS,
}
# fmt: on


def point_loss(op: str, attributes: Mapping[str, Value], given: Given) -> Any:
    """The loss of one point, a 0-d tensor. `batch_mean` is the sum divided by the size of the output's first axis."""
    own = {k: v for k, v in attributes.items() if k not in COMMON}
    asked = (*given.outputs, given.targets)
    reduction, scale = attributes["reduction"], attributes["scale"]
    if given.weights is not None:
        terms = ROWS[op](*asked, reduction="none", **own)
        kept = given.targets != own["ignore_index"] if own.get("targets") == "classes" else torch.ones_like(terms)
        return scale * _weighted(terms, given.weights, kept.to(terms.dtype), str(reduction))
    if reduction == "batch_mean":
        return ROWS[op](*asked, reduction="sum", **own) / given.outputs[0].shape[0] * scale
    return ROWS[op](*asked, reduction=reduction, **own) * scale


def _weighted(terms: Any, weights: Any, kept: Any, reduction: str) -> Any:
    """(loss * w).sum(), or a weighted average: over all terms that count, or over the samples alone."""
    each = weights.reshape(-1, *(1,) * (terms.dim() - 1)).expand_as(terms) * kept
    total, least = (terms * each).sum(), torch.finfo(terms.dtype).tiny
    return total / {"sum": 1.0, "mean": each.sum().clamp(min=least), "batch_mean": weights.sum()}[reduction]


def penalty(attributes: Mapping[str, Value], weights: Sequence[Any]) -> Any:
    """l1 Σ|w| + ½ l2 Σw², as users add them to a loss."""
    total: Any = 0.0
    l1, l2 = float(attributes["l1"]), float(attributes["l2"])
    for w in weights if l1 or l2 else ():
        total = total + l1 * w.abs().sum() + 0.5 * l2 * w.square().sum()
    return total
