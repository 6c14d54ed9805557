"""Dropout and embedding as JAX's users write them: `row(params, *inputs, **attributes)`, for one point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp


def _dropout(_params: Mapping[str, Any], a: Any, *masks: Any, p: float, mode: str) -> Any:
    """As Flax has it, with a mask that is given."""
    if mode == "evaluation":
        return a
    if p == 1.0:
        return jnp.zeros_like(a)
    return jnp.where(masks[0], a / (1.0 - p), jnp.zeros_like(a))


def _embedding(params: Mapping[str, Any], ids: Any, *, num: int, dim: int) -> Any:
    if params["weight"].shape != (num, dim):
        raise ValueError(f"embedding(num={num}, dim={dim}) has a weight of shape {params['weight'].shape}")
    return jnp.take(params["weight"], ids, axis=0)


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "dropout":   _dropout,
    "embedding": _embedding,
}
# fmt: on
