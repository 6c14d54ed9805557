"""Gates, a learned slope, log-sum-exp and norm as PyTorch's users call them: `row(inputs, params, attributes)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name under which everyone knows it)


def swiglu(inputs: tuple[Any, ...], _params: Mapping[str, Any], attributes: Mapping[str, Any]) -> Any:
    gate, value = inputs[0].chunk(2, dim=attributes["axis"])
    return F.silu(gate) * value


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    # weight (1,), or (channels,) with the channels on axis 1
    "prelu":     lambda inputs, params, _: F.prelu(inputs[0], params["weight"]),
    "glu":       lambda inputs, _, attributes: F.glu(inputs[0], dim=attributes["axis"]),
    "swiglu":    swiglu,
    "logsumexp": lambda inputs, _, own: torch.logsumexp(inputs[0], dim=own["axis"], keepdim=own["keepdims"]),
    "norm":      lambda inputs, _, own: torch.linalg.vector_norm(inputs[0], dim=own["axis"], keepdim=own["keepdims"]),
}
# fmt: on
