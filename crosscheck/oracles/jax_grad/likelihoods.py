"""Losses that are negative logarithms of probabilities, as JAX's users write them: see `losses`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import xlog1py, xlogy


def _bce(a: Any, y: Any) -> Any:
    return -xlogy(y, a) - xlog1py(1 - y, -a)


def chosen(logs: Any, y: Any) -> Any:
    """The entry of each class; 0 of a class that is none."""
    # select, not a product with a one-hot: 0 · (-inf) would be NaN.
    return jnp.sum(jnp.where(y[..., None] == jnp.arange(logs.shape[-1], dtype=y.dtype), logs, 0.0), axis=-1)


def _kl_div(a: Any, y: Any, *, log_target: bool) -> Any:
    return jnp.exp(y) * (y - a) if log_target else xlogy(y, y) - y * a


def _poisson_nll(a: Any, y: Any, *, log_input: bool, eps: float) -> Any:
    return jnp.exp(a) - y * a if log_input else a - y * jnp.log(a + eps)


def _gaussian_nll(mean: Any, var: Any, y: Any, *, eps: float) -> Any:
    var = jnp.maximum(var, eps)
    return 0.5 * (jnp.log(var) + jnp.square(y - mean) / var)


def _focal(z: Any, y: Any, *, alpha: float, gamma: float) -> Any:
    """As optax's sigmoid_focal_loss."""
    p = jax.nn.sigmoid(z)
    cross_entropy = -y * jax.nn.log_sigmoid(z) - (1 - y) * jax.nn.log_sigmoid(-z)
    p_t = p * y + (1 - p) * (1 - y)
    loss = cross_entropy * (1 - p_t) ** gamma
    return (alpha * y + (1 - alpha) * (1 - y)) * loss if alpha >= 0 else loss


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "bce":          _bce,
    "nll":          lambda a, y, targets, ignore_index: -chosen(a, y),
    "kl_div":       _kl_div,
    "poisson_nll":  _poisson_nll,
    "gaussian_nll": _gaussian_nll,
    "focal":        _focal,
}
# fmt: on
