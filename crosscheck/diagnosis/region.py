"""Where a framework is off: the operation, and the inputs z at which its derivative differs most from the truth.

The gradients before and behind each such node are asked of the framework and of the arbiter, and their ratio is g'(z)
as each has it; the elements at which the two differ most say where. Only a node that alone uses its input says
something about itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from crosscheck.backprop import network
from crosscheck.checking import Witnesses
from crosscheck.judge.compare import difference
from crosscheck.spec.case import Case
from crosscheck.spec.ops import OPS
from crosscheck.spec.protocols import HasNodes, Subject
from crosscheck.spec.result import Gradients
from crosscheck.tolerance.formats import FORMATS

# A derivative that is off by less, in units of the roundoff, is as good as any.
ROUNDINGS = 64.0
# Elements that differ by less than this part of the worst are put down to it.
FADED = 1e-3


def sentence(
    cases: Iterable[Case], accused: str, subject: Subject, witnesses: Witnesses, ops: Iterable[str]
) -> str | None:
    """`torch softplus is off at z from 20.6 to 88` over these cases; None where nothing can be said.

    `accused` is the name of a witness, or the subject's.
    """
    ask = _asker(accused, subject, witnesses)
    arbiter = witnesses.arbiter
    wanted = [op for op in ops if OPS[op].kind == "activation" and op != "identity"]
    if ask is None or arbiter is None or len(wanted) != 1:
        return None
    found: list[float] = []
    for case in cases:
        if not arbiter.gaps(case.architecture):
            found += _worst_inputs(
                case, wanted[0], _by_link(case, ask(case)), _by_link(case, _with_nodes(arbiter)(case))
            )
    if not found:
        return None
    low, high = min(found), max(found)
    place = f"at z = {low:.4g}" if low == high else f"at z from {low:.4g} to {high:.4g}"
    return f"{accused} {wanted[0]} is off {place}"


def _asker(accused: str, subject: Subject, witnesses: Witnesses) -> Callable[[Case], Gradients] | None:
    """Who can be asked for the gradient of every node: an oracle, or a subject that offers it."""
    if accused == subject.name and isinstance(subject, HasNodes):
        return subject.node_gradients
    return next((_with_nodes(o) for o in witnesses.oracles if o.name == accused and hasattr(o, "by_node")), None)


def _with_nodes(oracle: Any) -> Callable[[Case], Gradients]:
    asked = replace(oracle, by_node=True)

    def ask(case: Case) -> Gradients:
        found: Gradients = asked.references(case).gradients
        return found

    return ask


def _by_link(case: Case, gradients: Gradients) -> dict[int, Any]:
    """∂C/∂z by link, of nodes and inputs."""
    names = {item.name: -k - 1 for k, item in enumerate(case.architecture.inputs)}
    return dict(gradients.by_node) | {names[name]: values for name, values in gradients.by_input.items()}


def _worst_inputs(case: Case, op: str, said: dict[int, Any], true: dict[int, Any]) -> list[float]:
    architecture = case.architecture
    found: list[tuple[float, float]] = []
    exact = case.astype("float64")
    with np.errstate(all="ignore"):
        tape = network.forward(architecture, exact.params, exact.inputs, exact.targets)
    for i, node in enumerate(architecture.nodes):
        link = node.inputs[0]
        users = sum(n.inputs.count(link) for n in architecture.nodes) + (link in architecture.loss.inputs)
        if node.op != op or users != 1 or not {link, i} <= said.keys() & true.keys():
            continue
        z, own, sound, signal = (
            np.broadcast_to(v, said[link].shape).reshape(case.n_points, -1).astype(np.float64)
            for v in (tape.value(link), _slope(said, link, i), _slope(true, link, i), true[i])
        )
        off = difference(own, sound)
        # Rounding is nobody's region.
        clear = off > ROUNDINGS * FORMATS[case.dtype].roundoff * np.maximum(np.abs(sound), 1.0)
        weight = np.where(clear, off * np.abs(signal), 0.0)
        found += [(float(w), float(at)) for w, at in zip(weight.ravel(), z.ravel(), strict=True) if w > 0]
    # What follows from an error before it is smaller by far than the error itself.
    least = FADED * max((w for w, _ in found), default=0.0)
    return [at for w, at in found if w >= least]


def _slope(by_link: dict[int, Any], link: int, node: int) -> Any:
    """∂(the node's output)/∂(its input), element by element, as these gradients have it."""
    with np.errstate(all="ignore"):
        return by_link[link] / by_link[node]
