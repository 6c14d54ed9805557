"""Recurrent layers as PyTorch's modules call them: `row(inputs, params, attributes)`, for one point.

`nn.RNN`, `nn.LSTM` and `nn.GRU` have parameters of their own; what they do with them is `torch._VF`, called here with
the parameters of the point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

# As `torch._VF` takes them: by place.
PLACES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

Row = Callable[[tuple[Any, ...], Mapping[str, Any], Mapping[str, Any]], Any]


def recurrent(function: Callable[[Mapping[str, Any]], Any], states: int) -> Row:
    def row(inputs: tuple[Any, ...], params: Mapping[str, Any], attributes: Mapping[str, Any]) -> Any:
        x, *given = inputs
        hidden = int(attributes["hidden"])
        initial = given or [x.new_zeros(x.shape[0], hidden) for _ in range(states)]
        layers = [state[None] for state in initial]
        output, h, *_ = function(attributes)(
            x,
            layers if states > 1 else layers[0],
            [params[role] for role in PLACES if role in params],
            has_biases=bool(attributes["bias"]),
            num_layers=1,
            dropout=0.0,
            train=True,
            bidirectional=False,
            batch_first=True,
        )
        return output if attributes["output"] == "sequence" else h[0]

    return row


ROWS: dict[str, Row] = {
    "rnn": recurrent(lambda own: torch._VF.rnn_tanh if own["nonlinearity"] == "tanh" else torch._VF.rnn_relu, 1),
    "lstm": recurrent(lambda _: torch._VF.lstm, 2),
    "gru": recurrent(lambda _: torch._VF.gru, 1),
}
