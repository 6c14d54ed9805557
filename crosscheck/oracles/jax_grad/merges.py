"""Merges: `row(*inputs, **attributes)`."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "add":      lambda *a: functools.reduce(operator.add, a),
    "multiply": lambda *a: functools.reduce(operator.mul, a),
    "concat":   lambda *a, axis: jnp.concatenate(a, axis=axis),
    "matmul":   jnp.matmul,
}
# fmt: on
