"""Losses of one point: `row(a, y, **attributes)` is a scalar. Written in jnp, in the forms that optax uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

# What is reduced is `terms`; `rows` is the size of the output's first axis.
# fmt: off
REDUCTIONS: dict[str, Callable[[Any, int], Any]] = {
    "sum":        lambda terms, rows: jnp.sum(terms),
    "mean":       lambda terms, rows: jnp.mean(terms),
    "batch_mean": lambda terms, rows: jnp.sum(terms) / rows,
}
# fmt: on


def _reduced(terms: Callable[..., Any]) -> Callable[..., Any]:
    """The loss made of `terms(a, y, **attributes)`: reduced, then scaled."""

    def row(a: Any, y: Any, *, reduction: str, scale: float, **attributes: Any) -> Any:
        rows = a.shape[0] if a.ndim else 1
        return scale * REDUCTIONS[reduction](terms(a, y, **attributes), rows)

    return row


def _huber(a: Any, y: Any, *, delta: float) -> Any:
    d = jnp.abs(a - y)
    inside = jnp.minimum(d, delta)
    return 0.5 * inside**2 + delta * (d - inside)


def _bce_with_logits(z: Any, y: Any) -> Any:
    return -y * jax.nn.log_sigmoid(z) - (1 - y) * jax.nn.log_sigmoid(-z)


def _softmax_cross_entropy(z: Any, y: Any, *, targets: str) -> Any:
    log_p = jax.nn.log_softmax(z, axis=-1)
    if targets == "probabilities":
        return -jnp.sum(y * log_p, axis=-1)
    # select, not a product with a one-hot: 0 · (-inf) would be NaN.
    chosen = y[..., None] == jnp.arange(z.shape[-1], dtype=y.dtype)
    return -jnp.sum(jnp.where(chosen, log_p, 0.0), axis=-1)


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "sse":                   _reduced(lambda a, y: (a - y) ** 2),
    "mse":                   _reduced(lambda a, y: (a - y) ** 2),
    "mae":                   _reduced(lambda a, y: jnp.abs(a - y)),
    "huber":                 _reduced(_huber),
    "bce_with_logits":       _reduced(_bce_with_logits),
    "softmax_cross_entropy": _reduced(_softmax_cross_entropy),
    "cotangent":             _reduced(lambda a, y: a * y),
}
# fmt: on
