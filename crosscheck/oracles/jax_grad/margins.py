"""Losses of a margin or a distance, as JAX's users write them: see `losses`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp


def _safe_norm(x: Any, least: float) -> Any:
    """max(‖x‖, least), whose slope is 0 where the norm is smaller: as optax's safe_norm.

    The square root is not asked at 0, where its slope is infinite.
    """
    square = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
    small = square <= least * least
    return jnp.where(small, least, jnp.sqrt(jnp.where(small, 1.0, square)))


def _cosine_similarity(a: Any, y: Any, *, eps: float) -> Any:
    """As optax's cosine_distance."""
    return 1 - jnp.sum(a / _safe_norm(a, eps) * (y / _safe_norm(y, eps)), axis=-1)


def _distance(a: Any, b: Any, eps: float) -> Any:
    return _safe_norm(a - b + eps, 0.0)[..., 0]


def _triplet(a: Any, p: Any, n: Any, _y: Any, *, margin: float, eps: float) -> Any:
    return jnp.maximum(_distance(a, p, eps) - _distance(a, n, eps) + margin, 0.0)


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "hinge":             lambda a, y: jnp.maximum(0, 1 - a * y),
    "cosine_similarity": _cosine_similarity,
    "triplet":           _triplet,
}
# fmt: on
