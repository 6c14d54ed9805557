"""Gathers and scatter-adds of rows, brought to standard sizes, are what JAX makes of them itself."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from crosscheck.oracles.jax_grad import lookups
from crosscheck.oracles.jax_grad.evaluate import evaluate


def taken(weight: Any, ids: Any) -> Any:
    return jnp.take(weight, ids, axis=0)


def summed(weight: Any, ids: Any, d: Any) -> Any:
    return jax.grad(lambda w: jnp.sum(taken(w, ids) * d))(weight)


def arrays(points: int, num: int, dim: int, shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
    g = np.random.default_rng(num)
    weight, d = g.standard_normal((points, num, dim)), g.standard_normal((points, *shape, dim))
    return weight.astype(np.float32), g.integers(0, num, (points, *shape)).astype(np.int32), d.astype(np.float32)


@pytest.mark.thorough
@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (2, 1, 9)])
@pytest.mark.parametrize(("points", "num", "dim"), [(1, 1, 1), (3, 2, 5), (8, 9, 2)])
def test_rows_are_taken_and_added_to_as_jax_does(points: int, num: int, dim: int, shape: tuple[int, ...]) -> None:
    given = arrays(points, num, dim, shape)
    for function, used in ((jax.vmap(taken), given[:2]), (jax.vmap(summed), given)):
        program = jax.make_jaxpr(function)(*used)
        (found,) = evaluate(program.jaxpr, program.consts, used)
        assert np.allclose(found, function(*used), rtol=1e-6, atol=1e-6)


def test_another_gather_is_left_to_jax() -> None:
    a, index = np.arange(12.0, dtype=np.float32).reshape(3, 4), np.array([2, 0], np.int32)
    program = jax.make_jaxpr(lambda a, i: a[:, i])(a, index)
    equation = next(e for e in _equations(program.jaxpr) if e.primitive.name == "gather")
    assert not lookups.takes_rows(equation, [a, index[:, np.newaxis]])
    assert np.array_equal(evaluate(program.jaxpr, program.consts, [a, index])[0], a[:, [2, 0]])


def test_an_index_out_of_range_is_left_to_jax() -> None:
    weight, _, _ = arrays(2, 3, 2, (4,))
    ids = np.array([[0, 1, 7, 2], [2, 2, 0, 1]], np.int32)
    function = jax.vmap(taken)
    program = jax.make_jaxpr(function)(weight, ids)
    (found,) = evaluate(program.jaxpr, program.consts, [weight, ids])
    assert np.isnan(found[0, 2]).all()
    assert np.array_equal(found, function(weight, ids), equal_nan=True)


def _equations(jaxpr: Any) -> Any:
    for equation in jaxpr.eqns:
        yield equation
        for inner in equation.params.values():
            if hasattr(inner, "jaxpr"):
                yield from _equations(inner.jaxpr)
