"""Each activation as PyTorch's users call it.

A row is called once for all points: it takes z of shape (P, …), its attributes as keywords, and returns
(P, …). That is safe because each works elementwise or on an axis counted from the last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name under which everyone knows it)

# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    # A view, not z itself: node and input stay two tensors, each with a gradient of its own.
    "identity":    lambda z: z.view_as(z),
    "relu":        F.relu,
    "tanh":        torch.tanh,
    "sigmoid":     torch.sigmoid,
    "leaky_relu":  lambda z, negative_slope: F.leaky_relu(z, negative_slope=negative_slope),
    "gelu":        lambda z, approximate: F.gelu(z, approximate=approximate),
    "silu":        F.silu,
    "softplus":    F.softplus,  # with its default threshold of 20, because that is what users get
    "elu":         lambda z, alpha: F.elu(z, alpha=alpha),
    "celu":        lambda z, alpha: F.celu(z, alpha=alpha),
    "selu":        F.selu,
    "mish":        F.mish,
    "softsign":    F.softsign,
    "hardtanh":    lambda z, min_val, max_val: F.hardtanh(z, min_val=min_val, max_val=max_val),
    "hardsigmoid": F.hardsigmoid,  # its float64 slope is float32's 1/6 (PyTorch 2.13, CPU): 3e-8 too large, relative
    "log_sigmoid": F.logsigmoid,
    "sin":         torch.sin,
    "softmax":     lambda z, axis: F.softmax(z, dim=axis),
    "log_softmax": lambda z, axis: F.log_softmax(z, dim=axis),
}
# fmt: on
