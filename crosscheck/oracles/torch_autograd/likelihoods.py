"""Losses that are negative logarithms of probabilities, as PyTorch's users call them: see `losses`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name under which everyone knows it)


def nll(a: Any, y: Any, reduction: str, ignore_index: int, **_others: Any) -> Any:
    """a (…, classes), y (…): PyTorch wants the classes on axis 1, so the samples are flattened into axis 0."""
    value = F.nll_loss(a.reshape(-1, a.shape[-1]), y.reshape(-1), ignore_index=int(ignore_index), reduction=reduction)
    return value.reshape(y.shape) if reduction == "none" else value


def kl_div(a: Any, y: Any, reduction: str, log_target: bool) -> Any:
    with warnings.catch_warnings():
        # That "mean" is over all elements is what is asked here, and what PyTorch warns of.
        warnings.filterwarnings("ignore", message="reduction: 'mean' divides")
        return F.kl_div(a, y, reduction=reduction, log_target=log_target)


def sigmoid_focal_loss(z: Any, y: Any, reduction: str, alpha: float, gamma: float) -> Any:
    """torchvision.ops.sigmoid_focal_loss, written out."""
    p = torch.sigmoid(z)
    ce_loss = F.binary_cross_entropy_with_logits(z, y, reduction="none")
    p_t = p * y + (1 - p) * (1 - y)
    loss = ce_loss * ((1 - p_t) ** gamma)
    if alpha >= 0:
        alpha_t = alpha * y + (1 - alpha) * (1 - y)
        loss = alpha_t * loss
    return {"none": lambda: loss, "mean": loss.mean, "sum": loss.sum}[reduction]()


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "bce":          lambda a, y, reduction: F.binary_cross_entropy(a, y, reduction=reduction),
    "nll":          nll,
    "kl_div":       kl_div,
    "poisson_nll":  lambda a, y, reduction, log_input, eps: F.poisson_nll_loss(a, y, log_input=log_input, eps=eps,
                                                                               reduction=reduction),
    "gaussian_nll": lambda a, var, y, reduction, eps: F.gaussian_nll_loss(a, y, var, eps=eps, reduction=reduction),
    "focal":        sigmoid_focal_loss,
}
# fmt: on
