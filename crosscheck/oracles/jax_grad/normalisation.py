"""Normalisations as JAX's users write them: `row(params, a, **attributes)`, for one point.

The variance is `jnp.var`, the mean of the squared distances from the mean. Flax has E[a²] - E[a]² unless asked
otherwise (`use_fast_variance`): that is another formula, which loses the digits that a large mean takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

Params = Mapping[str, Any]


def _batch_norm(params: Params, a: Any, *statistics: Any, eps: float, affine: bool, mode: str) -> Any:
    channels = (1, -1, *(1,) * (a.ndim - 2))
    if mode == "training":
        axes = tuple(axis for axis in range(a.ndim) if axis != 1)
        mean, var = a.mean(axes, keepdims=True), a.var(axes, keepdims=True)
    else:
        mean, var = (statistic.reshape(channels) for statistic in statistics)
    x = jax.nn.standardize(a, mean=mean, variance=var, epsilon=eps)
    return x * params["weight"].reshape(channels) + params["bias"].reshape(channels) if affine else x


def _layer_norm(params: Params, a: Any, *, axes: int, eps: float, affine: bool) -> Any:
    x = _standardized(a, tuple(range(-axes, 0)), eps)
    return x * params["weight"] + params["bias"] if affine else x


def _rms_norm(params: Params, a: Any, *, eps: float, affine: bool) -> Any:
    x = a * jax.lax.rsqrt(jnp.mean(jnp.square(a), axis=-1, keepdims=True) + eps)
    return x * params["weight"] if affine else x


def _group_norm(params: Params, a: Any, *, groups: int, eps: float, affine: bool) -> Any:
    x = _standardized(a.reshape(a.shape[0], groups, -1), -1, eps).reshape(a.shape)
    channels = (1, -1, *(1,) * (a.ndim - 2))
    return x * params["weight"].reshape(channels) + params["bias"].reshape(channels) if affine else x


def _standardized(a: Any, axes: Any, eps: float) -> Any:
    return jax.nn.standardize(a, axes, variance=jnp.var(a, axes, keepdims=True), epsilon=eps)


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "rms_norm":   _rms_norm,
    "group_norm": _group_norm,
}
# fmt: on
