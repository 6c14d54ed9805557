"""The network as a function of one point, and its gradient as JAX traces it.

`jax.vmap` of `jax.value_and_grad` is traced to a jaxpr, which `evaluate` then runs: what is differentiated
is the whole network, so the chain rule, the sums over fan-out and over shared parameters are JAX's own.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from crosscheck.oracles.jax_grad import activations, layers, losses, merges
from crosscheck.oracles.jax_grad.evaluate import evaluate
from crosscheck.spec import Architecture, Case, Gradients
from crosscheck.spec.dtypes import dtype_named, is_floating

try:
    from jax import enable_x64
except ImportError:  # jax < 0.8
    from jax.experimental import enable_x64

Arrays = Mapping[str, Any]
UNARY_AND_MERGES = activations.ROWS | merges.ROWS


def network(architecture: Architecture, params: Arrays, inputs: Arrays) -> Any:
    """The value that the loss stands on, for one point: `params` by key, `inputs` by name."""
    values: list[Any] = []

    def value(link: int) -> Any:
        return values[link] if link >= 0 else inputs[architecture.inputs[-link - 1].name]

    for node in architecture.nodes:
        given = [value(link) for link in node.inputs]
        if node.op in layers.ROWS:
            roles = {role: params[key] for role, key in node.params.items()}
            values.append(layers.ROWS[node.op](roles, *given, **node.attributes))
        else:
            values.append(UNARY_AND_MERGES[node.op](*given, **node.attributes))
    return value(architecture.loss.inputs[0])


def loss_and_gradients(architecture: Architecture) -> Any:
    """A function of (params, floating inputs, other inputs, targets), each with the leading axis P.

    It returns ((loss (P,), outputs (P, …)), (gradients by param, gradients by floating input)).
    """
    loss = architecture.loss

    def of_one_point(params: Arrays, floating: Arrays, other: Arrays, targets: Any) -> tuple[Any, Any]:
        outputs = network(architecture, params, {**floating, **other})
        return losses.ROWS[loss.op](outputs, targets, **loss.attributes), outputs

    return jax.vmap(jax.value_and_grad(of_one_point, argnums=(0, 1), has_aux=True))


def gradients(case: Case, dtype: str) -> Gradients:
    """Loss, outputs and gradients of every point in `dtype`, any that a case may have, on the CPU.

    Arrays are fresh, of `dtype`, with the leading axis P. A parameter or input that the loss does not
    reach gets zeros. The process's own JAX settings are neither used nor changed.
    """
    numbers = _numbers(case, dtype_named(dtype, "oracle jax"))
    with ExitStack() as stack:
        for setting in _settings(x64=dtype == "float64"):
            stack.enter_context(setting)
        program, tree = _traced(case.architecture, case.n_points, dtype)
        flat = evaluate(program.jaxpr, program.consts, jax.tree_util.tree_leaves(numbers))
        own = [np.array(array, order="C") for array in flat]
    (loss, outputs), (by_param, by_input) = jax.tree_util.tree_unflatten(tree, own)
    return Gradients(loss=loss, by_param=by_param, by_input=by_input, outputs=outputs)


def _numbers(case: Case, dtype: np.dtype[Any]) -> tuple[Any, ...]:
    floating = case.architecture.float_inputs
    cast = functools.partial(_cast, dtype=dtype)
    return (
        {key: cast(array) for key, array in case.params.items()},
        {name: cast(case.inputs[name]) for name in floating},
        # No op reads integers as indices: an integer or boolean input takes part as a number, like the others.
        {name: array.astype(dtype) for name, array in case.inputs.items() if name not in floating},
        cast(case.targets),
    )


def _cast(array: NDArray[Any], *, dtype: np.dtype[Any]) -> NDArray[Any]:
    if is_floating(array.dtype):
        return array.astype(dtype)
    # Without x64, JAX has no int64.
    return array.astype(np.int32) if array.dtype == np.int64 and dtype != np.float64 else array


def _settings(*, x64: bool) -> tuple[Any, ...]:
    """Context managers for whatever a user's global JAX settings could change in the answer."""
    return (
        enable_x64(x64),
        jax.default_device(jax.local_devices(backend="cpu")[0]),
        jax.default_matmul_precision("highest"),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        jax.debug_nans(False),
        jax.debug_infs(False),
        jax.disable_jit(False),
    )


@functools.lru_cache(maxsize=128)
def _traced(architecture: Architecture, points: int, dtype: str) -> tuple[Any, Any]:
    """The jaxpr of the gradients, and the tree of what it returns.

    Tracing costs more than evaluating (15 ms against 5), and a case that is shrunk or asked again has the
    same jaxpr: numbers are not part of it.
    """
    kind = dtype_named(dtype, "oracle jax")
    whole = np.dtype(np.int64 if dtype == "float64" else np.int32)
    kinds = {"float": kind, "int64": whole}

    def like(shape: tuple[int, ...], of: str) -> Any:
        return jax.ShapeDtypeStruct((points, *shape), kinds[of])

    program, shapes = jax.make_jaxpr(loss_and_gradients(architecture), return_shape=True)(
        {key: like(shape, "float") for key, shape in architecture.param_shapes.items()},
        {i.name: like(i.shape, "float") for i in architecture.inputs if i.dtype == "float"},
        {i.name: like(i.shape, "float") for i in architecture.inputs if i.dtype != "float"},
        like(architecture.target_shape, architecture.target_dtype),
    )
    return program, jax.tree_util.tree_structure(shapes)
