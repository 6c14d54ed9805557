"""Losses of a margin or a distance, as PyTorch's users call or write them: see `losses`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name under which everyone knows it)

REDUCE: dict[str, Callable[[Any], Any]] = {"sum": torch.sum, "mean": torch.mean, "none": lambda terms: terms}


def triplet(a: Any, p: Any, n: Any, _y: Any, reduction: str, margin: float, eps: float) -> Any:
    return F.triplet_margin_loss(a, p, n, margin=margin, p=2.0, eps=eps, reduction=reduction)


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "hinge":             lambda a, y, reduction: REDUCE[reduction](torch.clamp(1 - y * a, min=0)),
    "cosine_similarity": lambda a, y, reduction, eps: REDUCE[reduction](1 - F.cosine_similarity(a, y, dim=-1, eps=eps)),
    "triplet":           triplet,
}
# fmt: on
