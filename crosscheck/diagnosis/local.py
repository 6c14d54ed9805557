"""One operation of a network by itself: its own inputs and parameters, and what comes to it from above.

∂C/∂(its inputs) and ∂C/∂(its parameters) follow from ∂C/∂(its output) by its own factors of the chain rule alone: a
network of this one node, with ∂C/∂(its output) as the cotangent, asks for just these. Its tolerance is derived and its
truth proved as those of any case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from crosscheck.backprop import network
from crosscheck.checking import Witnesses, derive_bounds
from crosscheck.diagnosis.walked import LOSS
from crosscheck.judge.compare import difference
from crosscheck.judge.one_slope import held_to_one_slope
from crosscheck.judge.verdict import Judgement, judge
from crosscheck.spec.architecture import Architecture, Input, Loss, Node
from crosscheck.spec.case import Case
from crosscheck.spec.dtypes import dtype_named
from crosscheck.spec.errors import SpecError
from crosscheck.spec.losses import COMMON
from crosscheck.spec.ops import OPS
from crosscheck.spec.protocols import Certifier, ProvesSides, Subject
from crosscheck.spec.result import Array, Bound, Certified, Gradients, OneSided


@dataclass(frozen=True, eq=False)
class Local:
    """A node (or the loss) alone. `links` says, by input of the small network, which link of the whole it was.

    `above` is ∂C/∂(its output) as it was asked for, of the loss None.
    """

    node: int
    case: Case
    links: Mapping[str, int]
    above: Array | None = None


def values_of(case: Case) -> tuple[Array, ...]:
    """The output of every node, by the sound forward in the case's own dtype."""
    with np.errstate(all="ignore"):
        tape = network.forward(case.architecture, case.params, case.inputs, case.targets, weights=case.weights)
    return tuple(
        np.ascontiguousarray(np.broadcast_to(out, (case.n_points, *shape)).astype(dtype_named(case.dtype, "values")))
        for out, shape in zip(tape.outputs, case.architecture.node_shapes, strict=True)
    )


def of_node(case: Case, outputs: tuple[Array, ...], node: int, above: Array, ending: str = "cotangent") -> Local | None:
    """Node `node` alone, with `above` = ∂C/∂(its output); None where it cannot be asked with the numbers it needs.

    Its network ends in `cotangent`, or in `sse` where a subject knows that alone: 2(a - y) is `above` for one y.
    """
    architecture = case.architecture
    own = architecture.nodes[node]
    inputs, links, values = _inputs(case, outputs, own.inputs, tuple(slot.dtype for slot in architecture.slots(node)))
    params = {role: f"0.{role}" for role in own.params}
    alone = Node(own.op, own.attributes, tuple(-k - 1 for k in range(len(inputs))), params)
    made = Architecture(inputs, (alone,), Loss(ending, OPS[ending].complete({}, "loss"), (0,)))
    with np.errstate(all="ignore"):
        targets = above if ending == "cotangent" else outputs[node] - above * above.dtype.type(0.5)
    named = {f"0.{role}": case.params[key] for role, key in own.params.items()}
    found = _asked(node, links, made, named, values, targets.astype(dtype_named(case.dtype, "targets")), case, None)
    return None if found is None else replace(found, above=np.array(above))


def of_loss(case: Case, outputs: tuple[Array, ...]) -> Local | None:
    """The loss alone, without what it adds for the weights."""
    loss = case.architecture.loss
    inputs, links, values = _inputs(case, outputs, loss.inputs, ("float",) * len(loss.inputs))
    attributes = loss.attributes | {name: 0.0 for name in ("l1", "l2") if name in COMMON}
    made = Architecture(inputs, (), Loss(loss.op, dict(attributes), tuple(-k - 1 for k in range(len(inputs)))))
    return _asked(LOSS, links, made, {}, values, case.targets, case, case.weights)


def _inputs(
    case: Case, outputs: tuple[Array, ...], links: tuple[int, ...], dtypes: tuple[str, ...]
) -> tuple[tuple[Input, ...], dict[str, int], dict[str, Array]]:
    """An input for each of these links; two uses of one link are two inputs.

    The first is called as it is in a network that is drawn: a subject may know its input by that name alone.
    """
    architecture = case.architecture
    inputs, names, values = [], {}, {}
    for k, (link, dtype) in enumerate(zip(links, dtypes, strict=True)):
        given = outputs[link] if link >= 0 else case.inputs[architecture.inputs[-link - 1].name]
        own = "float" if link >= 0 else architecture.inputs[-link - 1].dtype
        first = "x" if dtype == "float" or own != "int64" else "ids"
        name = f"x{k}" if k else first
        as_number = dtype == "float" and own != "float"
        values[name] = given.astype(dtype_named(case.dtype, "input")) if as_number else given
        inputs.append(Input(name, architecture.shape_of(link), "float" if dtype == "float" else own))
        names[name] = link
    return tuple(inputs), names, values


def _asked(
    node: int,
    links: Mapping[str, int],
    architecture: Architecture,
    params: Mapping[str, Array],
    inputs: Mapping[str, Array],
    targets: Array,
    whole: Case,
    weights: Array | None,
) -> Local | None:
    try:
        case = Case(architecture, params, inputs, targets, whole.dtype, whole.family, whole.aims_at_kinks, weights)
    except SpecError:  # a number that is not finite, or that this op does not take, a probability of 1 say
        return None
    return Local(node, case, links)


@dataclass(frozen=True, eq=False)
class Question:
    """A node alone with what is proved of it and how far rounding may move an answer."""

    local: Local
    proof: Certified
    bounds: Mapping[str, Bound]
    arbiter: str
    sides: Callable[[int, int], OneSided | None] | None = None

    @classmethod
    def of(cls, local: Local, subject: Subject, arbiter: Certifier) -> Question:
        case = local.case
        bounds = derive_bounds(case, subject, Witnesses((arbiter,), differences=False))
        near = bounds["subject"].near
        proof = arbiter.certify(case, bounds["textbook"].held, None, near)
        sides = partial(arbiter.one_sided, case, near) if isinstance(arbiter, ProvesSides) else None
        return cls(local, proof, bounds, arbiter.name, sides)

    @property
    def truth(self) -> Gradients:
        return self.proof.reference.gradients

    def unseen_in_output(self, loss: Array) -> Array:
        """(P,): by how much an output may be off behind sse without its showing in the loss; infinite where it shows.

        An error δ moves (a - y)² by δ² + 2δ(a - y): by what the loss may be off, δ is at most its square root, unless
        the second term makes up for the first.
        """
        radius = self.proof.reference.radius
        room = self.bounds["subject"].held.loss + (0.0 if radius is None else radius.loss)
        seen = ~(difference(loss, self.truth.loss) <= room)
        return np.where(seen, np.inf, np.sqrt(room))

    def named(self, number: int) -> str:
        """What its input of this number is called."""
        return tuple(self.local.links)[number]

    def judged(self, claimed: Mapping[str, Array]) -> Judgement:
        """Gradients of its inputs and parameters by name, held against the truth; the loss is taken as right."""
        case, truth = self.local.case, self.truth
        names = case.architecture.param_shapes
        answer = Gradients(
            loss=truth.loss.astype(dtype_named(case.dtype, "loss")),
            by_param={k: v for k, v in claimed.items() if k in names},
            by_input={k: v for k, v in claimed.items() if k not in names},
        )
        judged = judge(case, answer, {self.arbiter: self.proof.reference}, self.bounds)
        if self.sides is None:
            return judged
        return held_to_one_slope(judged, self.bounds["subject"], self.proof, self.sides, self.arbiter)
