"""Runs a jaxpr, one equation at a time, on few compiled kernels.

XLA compiles for each shape, 10–50 ms a time, and random networks never stop bringing new shapes: that, not
the arithmetic, is what `jax.grad` costs here. So each equation is brought to a standard shape before XLA
sees it: elementwise operands laid flat, sums as a matrix, products as a batch of matrices; padded to a few
sizes, the padding cut off again. Padding is 1 beside the elements of an elementwise kernel, and the neutral
element of a sum, a maximum or a product; at most it changes the order in which a sum is added up. Measured on
400 random small networks of sizes 1, 2, 3, 5, with 8 points: 50 kernels; 5 s for the first 100 networks without
a disk cache, then a median of 20 ms each, of which 15 are JAX's tracing. `jax.vmap` of `jax.grad` run
eagerly took over 1 s a network.

What is tested is JAX's own derivative rules, batching rules and transposition (the jaxpr is what `jax.vmap`
of `jax.value_and_grad` gives), and XLA's CPU kernel for each primitive in it. NumPy does what moves data
and computes nothing: broadcast, reshape, transpose, concatenate, slice. Not tested: XLA's fusion of several
primitives into one kernel under `jax.jit`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from crosscheck.oracles.jax_grad import cache
from crosscheck.spec.dtypes import is_floating

Array = NDArray[Any]
Shape = tuple[int, ...]
Rule = Callable[[Any, list[Array]], Array]

# Equations that hold a jaxpr of their own and mean no more than it; where they keep it.
CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr"}


def evaluate(jaxpr: Any, consts: Sequence[Any], args: Sequence[Any]) -> list[Array]:
    """The outputs of a jaxpr, as NumPy arrays (possibly read-only views); shapes as the jaxpr has them."""
    values: dict[Any, Array] = {}
    for variables, given in ((jaxpr.constvars, consts), (jaxpr.invars, args)):
        values.update(zip(variables, map(np.asarray, given), strict=True))

    def value(atom: Any) -> Array:
        return np.asarray(atom.val, atom.aval.dtype) if hasattr(atom, "val") else values[atom]

    for equation in jaxpr.eqns:
        given = [value(atom) for atom in equation.invars]
        values.update(zip(equation.outvars, _results(equation, given), strict=True))
    return [value(atom) for atom in jaxpr.outvars]


def _results(equation: Any, given: list[Array]) -> list[Array]:
    name = equation.primitive.name
    if name in CALLS:
        inner = equation.params[CALLS[name]]
        return evaluate(inner.jaxpr, inner.consts, given)
    if name in RULES:
        return [RULES[name](equation, given)]
    return _as_it_is(equation, given)


def _as_it_is(equation: Any, given: list[Array]) -> list[Array]:
    """Any other equation: compiled for its own shapes."""
    results = _run(equation.primitive, equation.params, given)
    return results if isinstance(results, list) else [results]


# --- kernels ------------------------------------------------------------------------------------------------


def _run(primitive: Any, params: dict[str, Any], given: list[Array]) -> Any:
    signature = tuple((array.shape, array.dtype) for array in given)
    result = _kernel(primitive, tuple(params.items()), signature)(*given)
    return [np.asarray(r) for r in result] if primitive.multiple_results else np.asarray(result)


@functools.lru_cache(maxsize=4096)
def _kernel(primitive: Any, params: tuple[tuple[str, Any], ...], signature: tuple[Any, ...]) -> Any:
    """One primitive compiled for one signature; from the disk cache where it is there."""

    def call(*given: Any) -> Any:
        return primitive.bind(*given, **dict(params))

    call.__name__ = primitive.name
    shapes = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in signature]
    with cache.on_disk():
        return jax.jit(call).lower(*shapes).compile()


def _size(n: int, *, least: int, factor: int) -> int:
    """The standard size for n: the first of least, least·factor, … that holds it."""
    size = least
    while size < n:
        size *= factor
    return size


# --- equations in standard shapes ---------------------------------------------------------------------------


def _elementwise(equation: Any, given: list[Array]) -> Array:
    shape = equation.outvars[0].aval.shape
    n = math.prod(shape)
    size = _size(n, least=1024, factor=4)
    flat = [_flat(array, shape, n, size) for array in given]
    result: Array = _run(equation.primitive, equation.params, flat)
    return result[:n].reshape(shape)


def _flat(array: Array, shape: Shape, n: int, size: int) -> Array:
    flat = np.empty(size, array.dtype)
    flat[:n].reshape(shape)[...] = array
    flat[n:] = 1
    return flat


def _reduction(neutral: float) -> Rule:
    def rule(equation: Any, given: list[Array]) -> Array:
        if not is_floating(given[0].dtype):  # no -inf among the integers
            return _as_it_is(equation, given)[0]
        axes = equation.params["axes"]
        kept = [axis for axis in range(given[0].ndim) if axis not in axes]
        moved = given[0].transpose(*kept, *axes)
        shape = moved.shape[: len(kept)]
        rows, columns = math.prod(shape), math.prod(moved.shape[len(kept) :])
        padded = np.full((_size(rows, least=16, factor=4), _size(columns, least=16, factor=4)), neutral, moved.dtype)
        padded[:rows, :columns] = moved.reshape(rows, columns)
        result: Array = _run(equation.primitive, equation.params | {"axes": (1,)}, [padded])
        return result[:rows].reshape(shape)

    return rule


BATCH_OF_MATRICES = (((2,), (2,)), ((0,), (0,)))


def _dot(equation: Any, given: list[Array]) -> Array:
    """Σ_k left[b, m, k] right[b, n, k], in the shape (*b, *m, *n) of lax.dot_general."""
    contracted, batched = equation.params["dimension_numbers"]
    left, right = (_matrices(a, b, c) for a, b, c in zip(given, batched, contracted, strict=True))
    params = equation.params | {"dimension_numbers": BATCH_OF_MATRICES}
    result: Array = _run(equation.primitive, params, [_padded(left), _padded(right)])
    b, m, n = left.shape[0], left.shape[1], right.shape[1]
    return result[:b, :m, :n].reshape(equation.outvars[0].aval.shape)


def _matrices(array: Array, batch: Shape, contracted: Shape) -> Array:
    free = tuple(axis for axis in range(array.ndim) if axis not in (*batch, *contracted))
    sizes = (math.prod(array.shape[axis] for axis in axes) for axes in (batch, free, contracted))
    return array.transpose(*batch, *free, *contracted).reshape(*sizes)


def _padded(array: Array) -> Array:
    padded = np.zeros([_size(n, least=8, factor=2) for n in array.shape], array.dtype)
    padded[tuple(slice(n) for n in array.shape)] = array
    return padded


# --- what only moves data -----------------------------------------------------------------------------------


def _broadcast(equation: Any, given: list[Array]) -> Array:
    shape = equation.params["shape"]
    between = [1] * len(shape)
    for axis, size in zip(equation.params["broadcast_dimensions"], given[0].shape, strict=True):
        between[axis] = size
    return np.broadcast_to(given[0].reshape(between), shape)


def _reshape(equation: Any, given: list[Array]) -> Array:
    return given[0].reshape(equation.outvars[0].aval.shape)


def _slice(equation: Any, given: list[Array]) -> Array:
    starts, stops = equation.params["start_indices"], equation.params["limit_indices"]
    strides = equation.params["strides"] or [1] * len(starts)
    return given[0][tuple(map(slice, starts, stops, strides))]


# fmt: off
ELEMENTWISE = (
    "abs", "add", "add_any", "and", "convert_element_type", "cos", "div", "eq", "erf", "erfc", "exp", "expm1", "ge",
    "gt", "integer_pow", "le", "log", "log1p", "logistic", "lt", "max", "min", "mul", "ne", "neg", "not", "or", "pow",
    "rsqrt", "select_n", "sign", "sin", "sqrt", "square", "sub", "tanh",
)
RULES: dict[str, Rule] = dict.fromkeys(ELEMENTWISE, _elementwise) | {
    "reduce_sum":       _reduction(0),
    "reduce_max":       _reduction(-math.inf),
    "dot_general":      _dot,
    "broadcast_in_dim": _broadcast,
    "reshape":          _reshape,
    "squeeze":          _reshape,
    "transpose":        lambda equation, given: given[0].transpose(equation.params["permutation"]),
    "concatenate":      lambda equation, given: np.concatenate(given, axis=equation.params["dimension"]),
    "slice":            _slice,
    "copy":             lambda _, given: given[0],
    "stop_gradient":    lambda _, given: given[0],
}
# fmt: on
