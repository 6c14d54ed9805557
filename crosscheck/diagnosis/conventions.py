"""What each party takes for the derivative exactly at a kink: every one of them is asked for the op alone.

Between the one-sided derivatives any answer is as right as any other; frameworks differ (leaky_relu at 0 is its
negative slope in PyTorch and 1 in JAX), and who compares them with `==` should know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from crosscheck.checking import Witnesses
from crosscheck.spec.architecture import Architecture, Input, Loss, Node
from crosscheck.spec.case import Case
from crosscheck.spec.errors import ContractBroken, CrosscheckError
from crosscheck.spec.op import Op
from crosscheck.spec.ops import OPS
from crosscheck.spec.protocols import Subject
from crosscheck.spec.record import Convention, number
from crosscheck.spec.result import Gradients
from crosscheck.subjects.held import held_to_contract


def at_kinks(names: Iterable[str], witnesses: Witnesses, subject: Subject | None) -> tuple[Convention, ...]:
    """The conventions of all parties for these ops, at their default attributes; nothing without an arbiter.

    Nor of layers, whose kinks lie where their parameters put them.
    """
    alone = (OPS[name] for name in names if OPS[name].kind != "layer")
    return tuple(found for op in alone for found in _of(op, witnesses, subject))


def _of(op: Op, witnesses: Witnesses, subject: Subject | None) -> Iterator[Convention]:
    arbiter = witnesses.arbiter
    attributes = op.complete({}, op.name)
    if op.kind == "loss" and op.places_of not in ("a - y", "y a"):
        return  # no single number is on its kink
    for place in op.kinks(attributes):
        case = _alone(op, place)
        if arbiter is None or arbiter.gaps(case.architecture):
            return
        proof = arbiter.certify(case).reference
        if proof.radius is None:
            return
        middle, half = _slope(proof.gradients), _slope(proof.radius)
        values = {
            oracle.name: number(_slope(oracle.references(case).gradients))
            for oracle in witnesses.oracles
            if oracle is not arbiter and not oracle.gaps(case.architecture)
        }
        if subject is not None and set(case.architecture.ops) <= subject.supports:
            try:
                claimed = held_to_contract(subject, case)
            except (ContractBroken, CrosscheckError):
                claimed = None  # it answers for networks, not for an op alone: no convention of its own to show
            if claimed is not None and "x" in claimed:
                values = {"subject": number(_slope(claimed)), **values}
        # A ball's radius has some thirty bits: the ends are known to as many.
        low, high = (round(end, 6) + 0.0 for end in (middle - half, middle + half))
        yield Convention(op=op.name, at=place, low=low, high=high, values=values)


def _slope(gradients: Gradients) -> float:
    return float(gradients.by_input["x"].item())


def _alone(op: Op, place: float) -> Case:
    """The op at its kink, and nothing else: the gradient of x is its derivative."""
    x = np.array([[place]])
    if op.kind == "loss":
        architecture = Architecture((Input("x", (1,)),), (), Loss(op.name, {}, (-1,)))
        return Case(architecture, {}, {"x": x}, x - place if op.places_of == "a - y" else np.ones((1, 1)))
    node = Node(op.name, {}, (-1,), {})
    architecture = Architecture((Input("x", (1,)),), (node,), Loss("cotangent", {}, (0,)))
    return Case(architecture, {}, {"x": x}, np.ones((1, 1)))
