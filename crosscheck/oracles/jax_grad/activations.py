"""Activations as JAX's users write them: `row(z, **attributes)`, elementwise or over an axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "identity":    lambda z: z,
    "relu":        jax.nn.relu,
    "tanh":        jnp.tanh,
    "sigmoid":     jax.nn.sigmoid,
    "leaky_relu":  jax.nn.leaky_relu,
    "gelu":        lambda z, approximate: jax.nn.gelu(z, approximate=approximate == "tanh"),
    "silu":        jax.nn.silu,
    "softplus":    jax.nn.softplus,
    "elu":         jax.nn.elu,
    "celu":        lambda z, alpha: jax.nn.celu(z, alpha),
    "selu":        jax.nn.selu,
    "mish":        jax.nn.mish,
    "softsign":    jax.nn.soft_sign,
    "hardtanh":    lambda z, min_val, max_val: jnp.clip(z, min_val, max_val),  # jax.nn.hard_tanh knows only ±1
    "hardsigmoid": jax.nn.hard_sigmoid,
    "log_sigmoid": jax.nn.log_sigmoid,
    "sin":         jnp.sin,
    "softmax":     jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
}
# fmt: on
