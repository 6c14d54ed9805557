"""What the evaluator moves by NumPy is what XLA moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from crosscheck.oracles.jax_grad.evaluate import RULES, evaluate

X = np.arange(1.0, 25.0, dtype=np.float32).reshape(2, 3, 4)
ZERO = np.float32(0.0)

# fmt: off
MOVED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "split":            ("split", lambda x: jnp.split(x, 2, axis=-1)),
    "split unevenly":   ("split", lambda x: jnp.split(x, [1, 3], axis=2)),
    "pad":              ("pad", lambda x: lax.pad(x, ZERO, [(1, 2, 0), (0, 0, 0), (0, 3, 0)])),
    "pad between":      ("pad", lambda x: lax.pad(x, ZERO, [(0, 0, 2), (1, 0, 1), (0, 0, 0)])),
    "pad by less than nothing": ("pad", lambda x: lax.pad(x, ZERO, [(0, 1, 0), (-1, 0, 0), (-1, -2, 1)])),
    "pad of one":       ("pad", lambda x: lax.pad(x[:1], ZERO, [(0, 0, 3), (0, 0, 0), (0, 0, 0)])),
    "pad with one":     ("pad", lambda x: lax.pad(x, np.float32(1.0), [(1, 1, 1), (0, 0, 0), (2, -1, 0)])),
    "squeeze":          ("squeeze", lambda x: jnp.squeeze(x[:, :1], axis=1)),
}
# fmt: on


@pytest.mark.parametrize("name", MOVED)
def test_a_movement_is_xlas(name: str) -> None:
    primitive, f = MOVED[name]
    program = jax.make_jaxpr(f)(X)
    assert primitive in str(program.jaxpr)
    assert primitive in RULES
    found = evaluate(program.jaxpr, program.consts, [X])
    wanted = jax.tree_util.tree_leaves(f(X))
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, np.asarray(other))


def test_whether_a_number_is_finite_is_asked_of_xla() -> None:
    program = jax.make_jaxpr(jnp.isfinite)(X)
    x = np.where(X > 20, np.float32(np.inf), np.where(X < 3, np.float32(np.nan), X))
    (found,) = evaluate(program.jaxpr, program.consts, [x])
    np.testing.assert_array_equal(found, np.isfinite(x))
