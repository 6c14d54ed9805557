"""Recurrent layers step by step, as their formulas say: `row(params, x, *states, **attributes)`.

Unrolled: `lax.scan` would be compiled for each shape, and what is differentiated is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

Params = Mapping[str, Any]
Cell = Callable[..., tuple[Any, ...]]


def _linear(params: Params, name: str, a: Any, bias: bool) -> Any:
    z = a @ params[f"weight_{name}"].T
    return z + params[f"bias_{name}"] if bias else z


def _rnn_cell(params: Params, x: Any, state: tuple[Any, ...], *, bias: bool, nonlinearity: str) -> tuple[Any, ...]:
    activation = {"tanh": jnp.tanh, "relu": jax.nn.relu}[nonlinearity]
    return (activation(_linear(params, "ih", x, bias) + _linear(params, "hh", state[0], bias)),)


def _lstm_cell(params: Params, x: Any, state: tuple[Any, ...], *, bias: bool) -> tuple[Any, ...]:
    h, c = state
    i, f, g, o = jnp.split(_linear(params, "ih", x, bias) + _linear(params, "hh", h, bias), 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def _gru_cell(params: Params, x: Any, state: tuple[Any, ...], *, bias: bool) -> tuple[Any, ...]:
    (h,) = state
    x_r, x_z, x_n = jnp.split(_linear(params, "ih", x, bias), 3, axis=-1)
    h_r, h_z, h_n = jnp.split(_linear(params, "hh", h, bias), 3, axis=-1)
    r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
    n = jnp.tanh(x_n + r * h_n)
    return ((1.0 - z) * n + z * h,)


def _unrolled(cell: Cell, states: int) -> Callable[..., Any]:
    """The layer of a cell with so many states, h the first of them."""

    def row(params: Params, x: Any, *given: Any, hidden: int, output: str, **own: Any) -> Any:
        zeros = jnp.zeros((x.shape[0], hidden), x.dtype)
        state, outputs = given or (zeros,) * states, []
        for step in range(x.shape[1]):
            state = cell(params, x[:, step], state, **own)
            outputs.append(state[0])
        return jnp.stack(outputs, axis=1) if output == "sequence" else outputs[-1]

    return row


ROWS: dict[str, Callable[..., Any]] = {
    "rnn": _unrolled(_rnn_cell, 1),
    "lstm": _unrolled(_lstm_cell, 2),
    "gru": _unrolled(_gru_cell, 1),
}
