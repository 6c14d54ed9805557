"""The walk back as the diagnosis speaks of it: who uses what, and through which factor of the chain rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.fault import Factor, Fault
from crosscheck.spec.ops import OPS
from crosscheck.spec.protocols import Certifier
from crosscheck.spec.result import Array, Gradients

# The loss among the nodes.
LOSS = -1


def uses(architecture: Architecture, link: int) -> list[tuple[int, int]]:
    """(node, number of its input) of every use of a link; the loss is node -1."""
    found = [(i, k) for i, n in enumerate(architecture.nodes) for k, used in enumerate(n.inputs) if used == link]
    return found + [(LOSS, k) for k, used in enumerate(architecture.loss.inputs) if used == link]


def factor_of_input(architecture: Architecture, node: int, number: int) -> Fault:
    """The factor of the chain rule that leads through input `number` of a node."""
    if node == LOSS:
        return Fault(architecture.loss.op, Factor.LOSS, str(number) if len(architecture.loss.inputs) > 1 else "")
    op = architecture.nodes[node].op
    if OPS[op].kind == "activation":
        return Fault(op, Factor.SLOPE)
    return Fault(op, Factor.INPUT, str(number))


def certified_nodes(case: Case, arbiter: Certifier) -> Mapping[int, Array]:
    """∂C/∂(each node's output), certified."""
    asked: Certifier = replace(arbiter, by_node=True)  # type: ignore[type-var]
    found: Gradients = asked.certify(case).reference.gradients
    return found.by_node
