"""Each merge as PyTorch's users write it.

A row is called once for all points: `row(inputs, attributes)`, with two or more inputs of shape (P, …).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch

# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "add":      lambda inputs, _: reduce(operator.add, inputs),
    "multiply": lambda inputs, _: reduce(operator.mul, inputs),
    "concat":   lambda inputs, attributes: torch.cat(inputs, dim=attributes["axis"]),
    "matmul":   lambda inputs, _: torch.matmul(*inputs),
}
# fmt: on
