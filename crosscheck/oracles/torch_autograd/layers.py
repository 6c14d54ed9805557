"""Each layer as PyTorch's users call it.

A row is called for one point at a time, without the leading axis, because a user's layer has one set of
parameters: `row(inputs, params, attributes)`, with params by role. It returns the output of that point.
Stacking the points into a batched product would be faster (0.10 ms for 0.34 on a network of two dense
layers and 8 points) but it would be another function, with another derivative formula, than `linear`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F  # noqa: N812 (the name under which everyone knows it)

from crosscheck.oracles.torch_autograd import (
    attention,
    convolution,
    moves,
    normalisation,
    recurrent,
    selection,
    vectors,
)

# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    # a (…, in), weight (out, in), bias (out,)
    "dense": lambda inputs, params, _: F.linear(inputs[0], params["weight"], params.get("bias")),
    **convolution.ROWS,
    **moves.ROWS,
    **vectors.ROWS,
    **recurrent.ROWS,
    **attention.ROWS,
    **normalisation.ROWS,
    **selection.ROWS,
}
# fmt: on
