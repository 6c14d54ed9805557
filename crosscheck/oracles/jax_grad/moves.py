"""What only moves numbers as JAX's users write it: `row(params, a, **attributes)`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax


def _flatten(_params: Any, a: Any, *, start: int) -> Any:
    return lax.collapse(a, start)


def _reshape(_params: Any, a: Any, *, shape: int | str) -> Any:
    sizes = [int(part) for part in str(shape).split("x")]
    given = math.prod(size for size in sizes if size > 0)
    return jnp.reshape(a, [size if size > 0 else a.size // given for size in sizes])


def _slice(_params: Any, a: Any, *, axis: int, start: int, stop: int, step: int) -> Any:
    start, stop, step = slice(start, stop, step).indices(a.shape[axis])
    return lax.slice_in_dim(a, start, stop, step, axis=axis)


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "flatten":   _flatten,
    "reshape":   _reshape,
    "transpose": lambda _, a, axis1, axis2: jnp.swapaxes(a, axis1, axis2),
    "slice":     _slice,
}
# fmt: on
