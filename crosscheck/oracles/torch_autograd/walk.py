"""The walk over the graph: tensors of all points forward, then one call of autograd for all of them.

Every tensor has the leading axis P (points). The points do not see each other, so the gradient of the sum
of their losses holds the gradient of each point's own loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from crosscheck.oracles.torch_autograd import activations, layers, losses, merges
from crosscheck.spec.architecture import Architecture, Node
from crosscheck.spec.case import Case
from crosscheck.spec.dtypes import dtype_named, is_floating
from crosscheck.spec.result import Array, Gradients

Tensor = Any


@dataclass(frozen=True)
class Graph:
    """What the forward pass built: leaves by name, the output of each node, the loss (P,)."""

    params: dict[str, Tensor]
    inputs: dict[str, Tensor]
    nodes: tuple[Tensor, ...]
    output: Tensor
    loss: Tensor


def answers(op: str) -> bool:
    """Whether one of the tables has a row for this op."""
    return any(op in table for table in (activations.ROWS, layers.ROWS, merges.ROWS, losses.ROWS))


def forward(case: Case, dtype: str) -> Graph:
    """Run the network on every point, computing in `dtype`."""
    architecture = case.architecture
    params = {key: _leaf(array, dtype) for key, array in case.params.items()}
    # Where no op takes it as indices or a mask, an integer or boolean input takes part as a number, like the others.
    inputs = {name: _leaf(array, dtype) for name, array in case.inputs.items()}
    indices = {i.name: _indices(case.inputs[i.name]) for i in architecture.inputs if i.dtype != "float"}
    nodes: list[Tensor] = []

    def value(link: int) -> Tensor:
        return nodes[link] if link >= 0 else inputs[architecture.inputs[-link - 1].name]

    for i, node in enumerate(architecture.nodes):
        given = tuple(
            value(link) if slot.dtype == "float" else indices[architecture.inputs[-link - 1].name]
            for link, slot in zip(node.inputs, architecture.slots(i), strict=True)
        )
        nodes.append(_apply(node, given, params))
    outputs = tuple(value(link) for link in architecture.loss.inputs)
    losses_of_points = _losses(architecture, outputs, _targets(case, dtype), _weights(case, dtype), params)
    return Graph(params, inputs, tuple(nodes), outputs[0], losses_of_points)


def _leaf(array: Array, dtype: str) -> Tensor:
    return _tensor(array, dtype).requires_grad_()


def _tensor(array: Array, dtype: str) -> Tensor:
    # astype copies: the arrays of a case are read-only, and a tensor must own what it may write to.
    own = array.astype(dtype_named(dtype, "oracle torch"))
    # Neither way does PyTorch take NumPy's bfloat16 for its own: the bits travel as integers.
    return torch.from_numpy(own.view(np.int16)).view(torch.bfloat16) if dtype == "bfloat16" else torch.from_numpy(own)


def _targets(case: Case, dtype: str) -> Tensor:
    return _tensor(case.targets, dtype) if is_floating(case.targets.dtype) else torch.from_numpy(case.targets.copy())


def _indices(array: Array) -> Tensor:
    return torch.from_numpy(array.copy())


def _weights(case: Case, dtype: str) -> Tensor | None:
    return None if case.weights is None else _tensor(case.weights, dtype)


def _apply(node: Node, given: tuple[Tensor, ...], params: dict[str, Tensor]) -> Tensor:
    if node.op in activations.ROWS:
        return activations.ROWS[node.op](given[0], **node.attributes)
    if node.op in merges.ROWS:
        return merges.ROWS[node.op](given, node.attributes)
    return _layer(layers.ROWS[node.op], node, given, params)


def _layer(row: Callable[..., Tensor], node: Node, given: tuple[Tensor, ...], params: dict[str, Tensor]) -> Tensor:
    """The row on one point after the other, stacked."""
    inputs = zip(*(tensor.unbind(0) for tensor in given), strict=True)
    if not node.params:
        return torch.stack([row(point, {}, node.attributes) for point in inputs])
    own = zip(*(params[key].unbind(0) for key in node.params.values()), strict=True)
    return torch.stack(
        [
            row(point, dict(zip(node.params, values, strict=True)), node.attributes)
            for point, values in zip(inputs, own, strict=True)
        ]
    )


def _losses(
    architecture: Architecture,
    outputs: tuple[Tensor, ...],
    targets: Tensor,
    weights: Tensor | None,
    params: dict[str, Tensor],
) -> Tensor:
    attributes, found = architecture.loss.attributes, []
    for p in range(len(targets)):
        given = losses.Given(tuple(a[p] for a in outputs), targets[p], None if weights is None else weights[p])
        value = losses.point_loss(architecture.loss.op, attributes, given)
        found.append(value + losses.penalty(attributes, [params[key][p] for key in architecture.penalised]))
    return torch.stack(found)


def gradients(case: Case, dtype: str, *, by_node: bool) -> Gradients:
    """Loss and gradients of every point in `dtype`; zeros for whatever the loss does not depend on."""
    # The caller's own no_grad or inference_mode must not reach in here.
    with torch.inference_mode(mode=False), torch.enable_grad():
        graph = forward(case, dtype)
        floats = {name: graph.inputs[name] for name in case.architecture.float_inputs}
        nodes = dict(enumerate(graph.nodes)) if by_node else {}
        wanted = (*graph.params.values(), *floats.values(), *nodes.values())
        slopes = torch.autograd.grad(graph.loss.sum(), wanted, materialize_grads=True) if wanted else ()
    found = iter(slopes)
    return Gradients(
        loss=_array(graph.loss),
        by_param={key: _array(next(found)) for key in graph.params},
        by_input={name: _array(next(found)) for name in floats},
        by_node={index: _array(next(found)) for index in nodes},
        outputs=_array(graph.output),
    )


def _array(tensor: Tensor) -> Array:
    """An array of its own: autograd hands the same memory, or a broadcast view, to several leaves."""
    if tensor.dtype == torch.bfloat16:
        bits = np.array(tensor.detach().view(torch.int16).numpy(), order="C")
        return bits.view(dtype_named("bfloat16", "oracle torch"))
    return np.array(tensor.detach().numpy(), order="C")
