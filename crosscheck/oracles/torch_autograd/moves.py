"""What only moves numbers as PyTorch's users call it: `row(inputs, params, attributes)`, for one point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch


def reshape(inputs: tuple[Any, ...], _params: Mapping[str, Any], attributes: Mapping[str, Any]) -> Any:
    """The open size, 0 here, is -1 in PyTorch."""
    sizes = [int(size) or -1 for size in str(attributes["shape"]).split("x")]
    return inputs[0].reshape(sizes)


def sliced(inputs: tuple[Any, ...], _params: Mapping[str, Any], attributes: Mapping[str, Any]) -> Any:
    stretch = slice(attributes["start"], attributes["stop"], attributes["step"])
    return inputs[0][(..., stretch, *[slice(None)] * (-1 - attributes["axis"]))]


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "flatten":   lambda inputs, _, attributes: torch.flatten(inputs[0], start_dim=attributes["start"]),
    "reshape":   reshape,
    "transpose": lambda inputs, _, attributes: inputs[0].transpose(attributes["axis1"], attributes["axis2"]),
    "slice":     sliced,
}
# fmt: on
