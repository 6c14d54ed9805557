"""Dropout and embedding in PyTorch: `row(inputs, params, attributes)`, for one point.

`F.dropout` draws a mask of its own; with one that is given, users write the product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch.nn.functional as F  # noqa: N812 (the name under which everyone knows it)


def dropout(inputs: tuple[Any, ...], _params: Mapping[str, Any], own: Mapping[str, Any]) -> Any:
    x, p = inputs[0], own["p"]
    if own["mode"] == "evaluation" or p == 1.0:
        return F.dropout(x, p, training=own["mode"] == "training")
    return x * inputs[1].to(x.dtype) * (1.0 / (1.0 - p))


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "dropout":   dropout,
    "embedding": lambda inputs, params, _: F.embedding(inputs[0], params["weight"]),
}
# fmt: on
