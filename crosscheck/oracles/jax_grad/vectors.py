"""Gates, a learned slope, log-sum-exp and norm as JAX's users write them: `row(params, z, **attributes)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp


def _prelu(params: Mapping[str, Any], z: Any, *, per_channel: bool) -> Any:
    """As Flax has it, with one slope; for several, its channels moved to the second axis."""
    slope = params["weight"]
    if per_channel:
        slope = slope.reshape(1, -1, *[1] * (z.ndim - 2))
    elif z.ndim == 0:
        slope = slope[0]
    return jnp.where(z >= 0, z, slope * z)


def _swiglu(_params: Mapping[str, Any], z: Any, *, axis: int) -> Any:
    gate, value = jnp.split(z, 2, axis=axis)
    return jax.nn.silu(gate) * value


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "prelu":     _prelu,
    "glu":       lambda _, z, axis: jax.nn.glu(z, axis=axis),
    "swiglu":    _swiglu,
    "logsumexp": lambda _, z, axis, keepdims: jax.nn.logsumexp(z, axis=axis, keepdims=keepdims),
    "norm":      lambda _, z, axis, keepdims: jnp.linalg.norm(z, axis=axis, keepdims=keepdims),
}
# fmt: on
