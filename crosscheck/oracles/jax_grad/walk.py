"""The network as a function of one point, and its gradient as JAX traces it.

`jax.vmap` of `jax.value_and_grad` is traced to a jaxpr, which `evaluate` then runs: what is differentiated
is the whole network, so the chain rule, the sums over fan-out and over shared parameters are JAX's own.

The gradient at a node is that of a number added to its output: -0, which changes no output, not even the sign of a
zero.
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
NOTHING: Mapping[int, Any] = {}
UNARY_AND_MERGES = activations.ROWS | merges.ROWS


def network(
    architecture: Architecture,
    params: Arrays,
    inputs: Arrays,
    indices: Arrays,
    added: Mapping[int, Any] = NOTHING,
) -> tuple[Any, ...]:
    """The values that the loss stands on, for one point: `params` by key, `inputs` by name.

    `indices` are the inputs that are no floating numbers as they are, `inputs` all as numbers. `added`, by node, is
    what is added to the output of some.
    """
    values: list[Any] = []

    def value(link: int) -> Any:
        return values[link] if link >= 0 else inputs[architecture.inputs[-link - 1].name]

    for i, node in enumerate(architecture.nodes):
        given = [
            value(link) if slot.dtype == "float" else indices[architecture.inputs[-link - 1].name]
            for link, slot in zip(node.inputs, architecture.slots(i), strict=True)
        ]
        if node.op in layers.ROWS:
            roles = {role: params[key] for role, key in node.params.items()}
            output = layers.ROWS[node.op](roles, *given, **node.attributes)
        else:
            output = UNARY_AND_MERGES[node.op](*given, **node.attributes)
        values.append(output + added[i] if i in added else output)
    return tuple(value(link) for link in architecture.loss.inputs)


def loss_and_gradients(architecture: Architecture) -> Any:
    """A function of (params, floating inputs, what is added to nodes, data without a gradient).

    Everything has the leading axis P. It returns ((loss (P,), outputs (P, …)), (gradients by param, by floating
    input, by node that something is added to)).
    """
    loss = architecture.loss

    def of_one_point(params: Arrays, floating: Arrays, added: Mapping[int, Any], data: Arrays) -> tuple[Any, Any]:
        outputs = network(architecture, params, {**floating, **data["numbers"]}, data["indices"], added)
        value = losses.point_loss(loss.op, loss.attributes, outputs, data["targets"], data.get("weights"))
        for key in architecture.penalised:
            value = value + losses.penalty(params[key], loss.attributes)
        return value, outputs[0]

    return jax.vmap(jax.value_and_grad(of_one_point, argnums=(0, 1, 2), has_aux=True))


def gradients(case: Case, dtype: str, *, by_node: bool = False) -> Gradients:
    """Loss, outputs and gradients of every point in `dtype`, any that a case may have, on the CPU.

    With `by_node` ∂C/∂ each node's output too; no normal number in the rest of the answer changes. Arrays
    are fresh, of `dtype`, with the leading axis P. A parameter or input that the loss does not reach gets
    zeros. The process's own JAX settings are neither used nor changed.
    """
    numbers = _numbers(case, dtype_named(dtype, "oracle jax"), by_node=by_node)
    with ExitStack() as stack:
        for setting in _settings(x64=dtype == "float64"):
            stack.enter_context(setting)
        program, tree = _traced(case.architecture, case.n_points, dtype, by_node)
        flat = evaluate(program.jaxpr, program.consts, jax.tree_util.tree_leaves(numbers))
        own = [np.array(array, order="C") for array in flat]
    (loss, outputs), (by_param, by_input, nodes) = jax.tree_util.tree_unflatten(tree, own)
    return Gradients(loss=loss, by_param=by_param, by_input=by_input, by_node=nodes, outputs=outputs)


def _numbers(case: Case, dtype: np.dtype[Any], *, by_node: bool = False) -> tuple[Any, ...]:
    shapes = _added_shapes(case.architecture, by_node)
    floating = case.architecture.float_inputs
    cast = functools.partial(_cast, dtype=dtype)
    return (
        {key: cast(array) for key, array in case.params.items()},
        {name: cast(case.inputs[name]) for name in floating},
        {i: np.full((case.n_points, *shape), -0.0, dtype) for i, shape in shapes.items()},
        {
            # Where no op takes it as indices or a mask, an integer or boolean input is a number, like the others.
            "numbers": {name: array.astype(dtype) for name, array in case.inputs.items() if name not in floating},
            "indices": {name: cast(array) for name, array in case.inputs.items() if name not in floating},
            "targets": cast(case.targets),
            **({} if case.weights is None else {"weights": cast(case.weights)}),
        },
    )


def _added_shapes(architecture: Architecture, by_node: bool) -> dict[int, tuple[int, ...]]:
    return dict(enumerate(architecture.node_shapes)) if by_node else {}


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
def _traced(architecture: Architecture, points: int, dtype: str, by_node: bool) -> tuple[Any, Any]:
    """The jaxpr of the gradients, and the tree of what it returns.

    Tracing costs more than evaluating (15 ms against 5), and a case that is shrunk or asked again has the
    same jaxpr: numbers are not part of it.
    """
    kind = dtype_named(dtype, "oracle jax")
    whole = np.dtype(np.int64 if dtype == "float64" else np.int32)
    kinds = {"float": kind, "int64": whole, "bool": np.dtype(np.bool_)}

    def like(shape: tuple[int, ...], of: str) -> Any:
        return jax.ShapeDtypeStruct((points, *shape), kinds[of])

    program, shapes = jax.make_jaxpr(loss_and_gradients(architecture), return_shape=True)(
        {key: like(shape, "float") for key, shape in architecture.param_shapes.items()},
        {i.name: like(i.shape, "float") for i in architecture.inputs if i.dtype == "float"},
        {i: like(shape, "float") for i, shape in _added_shapes(architecture, by_node).items()},
        {
            "numbers": {i.name: like(i.shape, "float") for i in architecture.inputs if i.dtype != "float"},
            "indices": {i.name: like(i.shape, i.dtype) for i in architecture.inputs if i.dtype != "float"},
            "targets": like(architecture.target_shape, architecture.target_dtype),
            **({} if architecture.weights_shape is None else {"weights": like(architecture.weights_shape, "float")}),
        },
    )
    return program, jax.tree_util.tree_structure(shapes)
