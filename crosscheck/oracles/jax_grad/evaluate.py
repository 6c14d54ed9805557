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
and computes nothing: broadcast, reshape, transpose, concatenate, slice, pad, reverse. Not tested: XLA's fusion of
several primitives into one kernel under `jax.jit`, and its kernels of convolutions and reduced windows, which are
products of matrices and reductions here (`windows.py`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from crosscheck.oracles.jax_grad import cache, lookups, windows
from crosscheck.spec.dtypes import is_floating

Array = NDArray[Any]
Shape = tuple[int, ...]
Rule = Callable[[Any, list[Array]], Array | list[Array]]

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
        found = RULES[name](equation, given)
        return found if isinstance(found, list) else [found]
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
        return _reduce(equation.primitive, equation.params, given[0], neutral)

    return rule


def _reduce(primitive: Any, params: dict[str, Any], array: Array, neutral: float) -> Array:
    axes = params["axes"]
    kept = [axis for axis in range(array.ndim) if axis not in axes]
    moved = array.transpose(*kept, *axes)
    shape = moved.shape[: len(kept)]
    rows, columns = math.prod(shape), math.prod(moved.shape[len(kept) :])
    padded = np.full((_size(rows, least=16, factor=4), _size(columns, least=16, factor=4)), neutral, moved.dtype)
    padded[:rows, :columns] = moved.reshape(rows, columns)
    result: Array = _run(primitive, params | {"axes": (1,)}, [padded])
    return result[:rows].reshape(shape)


BATCH_OF_MATRICES = (((2,), (2,)), ((0,), (0,)))


def _dot(equation: Any, given: list[Array]) -> Array:
    """Σ_k left[b, m, k] right[b, n, k], in the shape (*b, *m, *n) of lax.dot_general."""
    contracted, batched = equation.params["dimension_numbers"]
    left, right = (_matrices(a, b, c) for a, b, c in zip(given, batched, contracted, strict=True))
    return _product(equation, left, right).reshape(equation.outvars[0].aval.shape)


def _product(equation: Any, left: Array, right: Array) -> Array:
    """(b, m, k) and (b, n, k) → (b, m, n), by this equation's dot_general."""
    params = equation.params | {"dimension_numbers": BATCH_OF_MATRICES}
    result: Array = _run(equation.primitive, params, [_padded(left), _padded(right)])
    return result[: left.shape[0], : left.shape[1], : right.shape[1]]


def _conv(equation: Any, given: list[Array]) -> Array:
    """A convolution as a product of matrices."""
    left, right, back = windows.matrices(equation, given)
    return back(_product(_the_equation("dot_general", left.dtype.name), left, right))


def _scattered(equation: Any, given: list[Array]) -> Array:
    """To the selected number of each window."""
    if not is_floating(given[1].dtype):
        return _as_it_is(equation, given)[0]
    params, arrays, back = windows.selection(equation, given, functools.partial(_size, least=4, factor=4))
    return back(_run(equation.primitive, params, arrays))


def _rows(equation: Any, given: list[Array]) -> Array:
    return lookups.rows(given) if lookups.takes_rows(equation, given) else _as_it_is(equation, given)[0]


def _added_to_rows(equation: Any, given: list[Array]) -> Array:
    if not lookups.adds_to_rows(equation, given):
        return _as_it_is(equation, given)[0]
    params, arrays, back = lookups.addition(equation, given, functools.partial(_size, least=8, factor=4))
    return back(_run(equation.primitive, params, arrays))


def _windowed(reduction: str, neutral: float) -> Rule:
    """A reduction of windows as one of their numbers side by side."""

    def rule(equation: Any, given: list[Array]) -> Array:
        seen = windows.laid_out(equation, given[0], neutral)
        of_axes = _the_equation(reduction, seen.dtype.name)
        axes = tuple(range(given[0].ndim, seen.ndim))
        return _reduce(of_axes.primitive, of_axes.params | {"axes": axes}, seen, neutral)

    return rule


@functools.cache
def _the_equation(name: str, dtype: str) -> Any:
    """An equation of this primitive, with the parameters that JAX gives it."""
    functions = {
        "dot_general": lambda x: jax.lax.dot_general(x, x, BATCH_OF_MATRICES, precision=jax.lax.Precision.HIGHEST),
        "reduce_sum": lambda x: jax.lax.reduce(x, np.zeros((), dtype), jax.lax.add, (1,)),
        "reduce_max": lambda x: jax.lax.reduce(x, np.asarray(-math.inf, dtype), jax.lax.max, (1,)),
    }
    program = jax.make_jaxpr(functions[name])(jax.ShapeDtypeStruct((1, 1, 1), dtype))
    return next(equation for equation in program.jaxpr.eqns if equation.primitive.name == name)


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
    order = equation.params.get("dimensions")  # batched convolutions have their axes in another order first
    return (given[0] if order is None else given[0].transpose(order)).reshape(equation.outvars[0].aval.shape)


def _slice(equation: Any, given: list[Array]) -> Array:
    starts, stops = equation.params["start_indices"], equation.params["limit_indices"]
    strides = equation.params["strides"] or [1] * len(starts)
    return given[0][tuple(map(slice, starts, stops, strides))]


def _split(equation: Any, given: list[Array]) -> list[Array]:
    ends = np.cumsum(equation.params["sizes"])[:-1]
    return np.split(given[0], ends, axis=equation.params["axis"])


def _pad(equation: Any, given: list[Array]) -> Array:
    """The operand among so many padding values: before it, behind it and between its entries; fewer than 0 cut off."""
    array, value = given
    for axis, (before, behind, between) in enumerate(equation.params["padding_config"]):
        spread = [*array.shape[:axis], max((array.shape[axis] - 1) * (between + 1) + 1, 0), *array.shape[axis + 1 :]]
        wider = np.full([n + max(before, 0) + max(behind, 0) if i == axis else n for i, n in enumerate(spread)], value)
        entries = [slice(None)] * axis
        wider[(*entries, slice(max(before, 0), max(before, 0) + spread[axis], between + 1))] = array
        array = wider[(*entries, slice(max(-before, 0), wider.shape[axis] - max(-behind, 0)))]
    return array


# fmt: off
ELEMENTWISE = (
    "abs", "add", "add_any", "and", "convert_element_type", "cos", "div", "eq", "erf", "erfc", "exp", "expm1", "ge",
    "gt", "integer_pow", "is_finite", "le", "log", "log1p", "logistic", "lt", "max", "min", "mul", "ne", "neg", "not",
    "or", "pow", "rsqrt", "select_n", "sign", "sin", "sqrt", "square", "sub", "tanh",
)
RULES: dict[str, Rule] = dict.fromkeys(ELEMENTWISE, _elementwise) | {
    "reduce_sum":       _reduction(0),
    "reduce_max":       _reduction(-math.inf),
    "dot_general":      _dot,
    "conv_general_dilated": _conv,
    "reduce_window_sum": _windowed("reduce_sum", 0.0),
    "select_and_scatter_add": _scattered,
    "gather":           _rows,
    "scatter-add":      _added_to_rows,
    "reduce_window_max": _windowed("reduce_max", -math.inf),
    "broadcast_in_dim": _broadcast,
    "reshape":          _reshape,
    "squeeze":          lambda equation, given: given[0].reshape(equation.outvars[0].aval.shape),
    "transpose":        lambda equation, given: given[0].transpose(equation.params["permutation"]),
    "concatenate":      lambda equation, given: np.concatenate(given, axis=equation.params["dimension"]),
    "slice":            _slice,
    "split":            _split,
    "pad":              _pad,
    "rev":              lambda equation, given: np.flip(given[0], equation.params["dimensions"]),
    "copy":             lambda _, given: given[0],
    "stop_gradient":    lambda _, given: given[0],
}
# fmt: on
