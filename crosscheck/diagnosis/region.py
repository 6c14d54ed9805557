"""Where a framework is off: the operation, and the inputs at which its derivative differs most from the truth.

The framework is asked for the gradient before and behind every activation, and before the loss. The arbiter is asked
of each such operation alone: what is the gradient at its input, given the one that the framework has behind it? So no
error from nearer the loss is in what the two differ by. An error from farther off is, by way of z: the first operation
that is off is the one named. Only one that alone uses its input says something about itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crosscheck.backprop import network
from crosscheck.checking import Witnesses
from crosscheck.judge.compare import difference
from crosscheck.spec.architecture import Architecture, Input, Loss, Node
from crosscheck.spec.case import Case
from crosscheck.spec.ops import OPS
from crosscheck.spec.protocols import Certifier, HasNodes, Subject
from crosscheck.spec.result import Array, Floats, Gradients
from crosscheck.tolerance.formats import FORMATS

# A derivative that is off by less, in units of the roundoff, is as good as any.
ROUNDINGS = 64.0
# Elements that differ by less than this part of the worst are put down to it.
FADED = 1e-3
# The losses whose derivative is a function of the output - target.
OF_THE_DIFFERENCE = ("sse", "mse", "mae", "huber")
# They have no derivative of their own to be off.
PLAIN = ("identity", "cotangent")

ByLink = Mapping[int, Array]


@dataclass(frozen=True)
class Off:
    """Elements at which an operation is off: by how much, and at what input, which is called `symbol`."""

    op: str
    symbol: str
    size: Floats
    at: Floats


def sentence(
    cases: Iterable[Case], witness: str | None, subject: Subject, witnesses: Witnesses, ops: Iterable[str]
) -> str | None:
    """`torch softplus is off at z from 20.6 to 88` over these cases; None where nothing can be said.

    Accused is the witness of that name, or the subject where that is None. Of `ops` only activations and losses are
    looked at.
    """
    ask, arbiter = _asker(witness, subject, witnesses), witnesses.arbiter
    wanted = {op for op in ops if OPS[op].kind in ("activation", "loss") and op not in PLAIN}
    if ask is None or arbiter is None or not wanted:
        return None
    found: dict[tuple[str, str], list[float]] = {}
    for case in cases:
        if arbiter.gaps(case.architecture):
            continue
        roundoff = FORMATS[case.dtype if witness is None else "float64"].roundoff
        first = _first(list(_all_off(case, wanted, _by_link(case, ask(case)), arbiter, roundoff)))
        if first is not None:
            found.setdefault((first.op, first.symbol), []).extend(first.at.tolist())
    who = subject.name if witness is None else witness
    return "; ".join(f"{who} {op} is off {_place(symbol, at)}" for (op, symbol), at in found.items()) or None


def _place(symbol: str, at: list[float]) -> str:
    low, high = f"{min(at):.4g}", f"{max(at):.4g}"
    return f"at {symbol} = {low}" if low == high else f"at {symbol} from {low} to {high}"


def _asker(witness: str | None, subject: Subject, witnesses: Witnesses) -> Callable[[Case], Gradients] | None:
    """Who can be asked for the gradient of every node: an oracle, or a subject that offers it."""
    if witness is None:
        return subject.node_gradients if isinstance(subject, HasNodes) else None
    return next((_with_nodes(o) for o in witnesses.oracles if o.name == witness and hasattr(o, "by_node")), None)


def _with_nodes(oracle: Any) -> Callable[[Case], Gradients]:
    asked = replace(oracle, by_node=True)

    def ask(case: Case) -> Gradients:
        found: Gradients = asked.references(case).gradients
        return found

    return ask


def _by_link(case: Case, gradients: Gradients) -> ByLink:
    """∂C/∂z by link, of nodes and inputs, in float64."""
    names = {item.name: -k - 1 for k, item in enumerate(case.architecture.inputs)}
    found = dict(gradients.by_node) | {names[name]: values for name, values in gradients.by_input.items()}
    return {link: values.astype(np.float64) for link, values in found.items()}


def _first(seen: list[Off]) -> Off | None:
    """The first of these operations that is off by more than a trace of the worst, where it is."""
    # What follows from an error is smaller by far than the error itself, or comes after it.
    least = FADED * max((float(off.size.max(initial=0.0)) for off in seen), default=0.0)
    for off in seen:
        worst = off.size >= least
        if worst.any():
            return replace(off, size=off.size[worst], at=off.at[worst])
    return None


def _all_off(case: Case, wanted: set[str], said: ByLink, arbiter: Certifier, roundoff: float) -> Iterator[Off]:
    """The elements at which each wanted operation is off, in the order of the nodes, the loss last."""
    architecture, exact = case.architecture, case.astype("float64")
    with np.errstate(all="ignore"):
        tape = network.forward(architecture, exact.params, exact.inputs, exact.targets, weights=exact.weights)
    for i, node in enumerate(architecture.nodes):
        (link, *_) = node.inputs
        if node.op in wanted and _alone(architecture, link) and {link, i} <= said.keys():
            yield _node_off(node, tape.value(link), said[i], said[link], arbiter, roundoff)
    loss = architecture.loss
    (link, *others) = loss.inputs
    if loss.op in wanted and not others and _alone(architecture, link) and link in said:
        yield _loss_off(exact, tape.value(link), said[link], arbiter, roundoff)


def _alone(architecture: Architecture, link: int) -> bool:
    """Whether one operation alone uses this link."""
    return sum(n.inputs.count(link) for n in architecture.nodes) + (link in architecture.loss.inputs) == 1


def _node_off(node: Node, z: Array, behind: Array, before: Array, arbiter: Certifier, roundoff: float) -> Off:
    """Where `before`, the gradient at its input z, is not what follows from the one `behind` it."""
    z = np.broadcast_to(z, before.shape)
    known, scale = np.isfinite(z) & np.isfinite(behind), np.abs(behind)
    if "axis" in node.attributes:  # every element is made of all of them
        axis = int(node.attributes["axis"])
        known = np.broadcast_to(known.all(axis=axis, keepdims=True), z.shape)
        scale = scale.max(axis=axis, keepdims=True)
    cotangent = Loss("cotangent", OPS["cotangent"].complete({}, "loss"), (0,))
    alone = Architecture((Input("x", z.shape[1:]),), (Node(node.op, node.attributes, (-1,), {}),), cotangent)
    case = Case(alone, {}, {"x": np.where(known, z, 0.0)}, np.where(known, behind, 0.0))
    size = np.where(known, _beyond_rounding(before, case, arbiter, roundoff, scale), 0.0)
    return Off(node.op, "z", size[size > 0], z[size > 0])


def _loss_off(exact: Case, z: Array, before: Array, arbiter: Certifier, roundoff: float) -> Off:
    """Where `before`, the gradient at the loss's input z, is not its derivative."""
    loss, z = exact.architecture.loss, np.broadcast_to(z, before.shape)
    (slot,) = OPS[loss.op].slots(loss.attributes, 1)
    known = np.isfinite(z) & ((z > 0) & (z < slot.under) if slot.positive else True)
    alone = Architecture((Input("x", z.shape[1:]),), (), Loss(loss.op, loss.attributes, (-1,)))
    case = replace(exact, architecture=alone, params={}, inputs={"x": np.where(known, z, 0.5)})
    size = np.where(known, _beyond_rounding(before, case, arbiter, roundoff, 0.0), 0.0)
    if loss.op in OF_THE_DIFFERENCE:
        return Off(loss.op, "a - y", size[size > 0], (z - exact.targets)[size > 0])
    return Off(loss.op, "z", size[size > 0], z[size > 0])


def _beyond_rounding(own: Array, case: Case, arbiter: Certifier, roundoff: float, scale: Floats | float) -> Floats:
    """|own - truth| of the gradient at `x`, 0 where rounding explains it or, at a kink, any slope is right."""
    reference = arbiter.references(case)
    true, radius = reference.gradients["x"], reference.radius
    off = difference(own, true)
    allowed = ROUNDINGS * roundoff * np.maximum(np.abs(true), scale) + (0.0 if radius is None else radius["x"])
    return np.where(off <= allowed, 0.0, np.where(np.isnan(off), np.inf, off))
