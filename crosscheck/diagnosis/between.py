"""Between which nodes an error enters, where a subject answers for one network and gives no intermediates.

A wrong factor spoils every gradient that the walk reaches through it, and no other: which gradients are wrong and which
are right leaves a few factors. Of those an activation's slope depends on z alone and not on what comes from above: with
other targets, and so another ∂C/∂a, the same wrong ∂a/∂z = (∂C/∂z) / (∂C/∂a) shows where ∂C/∂z can be read off the
gradients of a dense layer, and another where something else is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from crosscheck.diagnosis import local
from crosscheck.diagnosis.walked import LOSS, certified_nodes, factor_of_input, uses
from crosscheck.judge.compare import Status
from crosscheck.judge.verdict import Judgement
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.errors import ContractBroken
from crosscheck.spec.fault import Factor, Fault
from crosscheck.spec.protocols import Certifier, Subject
from crosscheck.spec.result import Array, Gradients

# Two measured slopes are one if they differ by less than this part of it: each is a quotient of gradients, which lose
# some digits; a wrong factor that changes with what comes from above changes by itself, not by a millionth.
SAME = 1e-6


@dataclass(frozen=True)
class Hypothesis:
    """One factor as the wrong one, and the gradients that it spoils."""

    node: int | None
    fault: Fault
    spoils: frozenset[str]


def narrowed(case: Case, judgement: Judgement, subject: Subject, arbiter: Certifier) -> list[tuple[int | None, Fault]]:
    """The factors any one of which explains which gradients are wrong, the likeliest first; empty where none does."""
    wrong = {name for name, t in judgement.tensors.items() if t.count(Status.DISAGREE)}
    right = {name for name, t in judgement.tensors.items() if t.count(Status.AGREE)} - wrong
    if not wrong:
        return []
    fitting = [h for h in hypotheses(case.architecture) if wrong <= h.spoils and not right & h.spoils]
    slopes = [h for h in fitting if h.fault.factor is Factor.SLOPE]
    if len(fitting) > 1 and slopes:
        told = {h: _depends_on_z_alone(h, case, subject, arbiter) for h in slopes}
        held, unknown = [h for h in slopes if told[h]], [h for h in slopes if told[h] is None]
        rest = [h for h in fitting if h not in slopes]
        fitting = [*held, *unknown] if held else [*unknown, *rest]
    return [(h.node, h.fault) for h in fitting]


def cleared(architecture: Architecture, judgement: Judgement) -> list[Hypothesis]:
    """The factors that are right: if one were wrong, so would be a gradient that is right."""
    wrong = {name for name, t in judgement.tensors.items() if t.count(Status.DISAGREE)}
    right = {name for name, t in judgement.tensors.items() if t.count(Status.AGREE)} - wrong
    return [h for h in hypotheses(architecture) if h.spoils & right and h.fault.factor is not Factor.SUM]


def hypotheses(architecture: Architecture) -> Iterator[Hypothesis]:
    """Every factor of a network, nearest the loss first; then the sums at its forks."""
    for number, link in enumerate(architecture.loss.inputs):
        yield Hypothesis(LOSS, factor_of_input(architecture, LOSS, number), above(architecture, link))
    for i in reversed(range(len(architecture.nodes))):
        node = architecture.nodes[i]
        for role, key in node.params.items():
            yield Hypothesis(i, Fault(node.op, Factor.PARAM, role), frozenset({key}))
        for number, link in enumerate(node.inputs):
            yield Hypothesis(i, factor_of_input(architecture, i, number), above(architecture, link))
    links = [*range(len(architecture.nodes)), *(-i - 1 for i in range(len(architecture.inputs)))]
    for link in links:
        if len(uses(architecture, link)) > 1:
            yield Hypothesis(link, Fault(None, Factor.SUM), above(architecture, link))


def above(architecture: Architecture, link: int) -> frozenset[str]:
    """The parameters and inputs whose gradients are made of ∂C/∂(this link)."""
    if link < 0:
        item = architecture.inputs[-link - 1]
        return frozenset({item.name}) if item.dtype == "float" else frozenset()
    node = architecture.nodes[link]
    return frozenset(node.params.values()).union(*(above(architecture, used) for used in node.inputs))


def _depends_on_z_alone(hypothesis: Hypothesis, case: Case, subject: Subject, arbiter: Certifier) -> bool | None:
    """Whether the slope that the gradients show stays the same with other targets; None where it cannot be read off."""
    node = hypothesis.node
    if node is None or case.architecture.target_dtype != "float":
        return None
    other = replace(case, targets=np.ascontiguousarray(case.targets[..., ::-1] * case.targets.dtype.type(-0.75) + 1))
    try:
        measured = [_measured(c, node, subject, arbiter) for c in (case, other)]
    except ContractBroken:
        return None
    if measured[0] is None or measured[1] is None:
        return None
    (a, sure_a), (b, sure_b) = measured[0], measured[1]
    sure = sure_a & sure_b
    if not sure.any():
        return None
    return bool((np.abs(a - b)[sure] <= SAME * np.maximum(np.abs(a), np.abs(b))[sure]).all())


def _measured(case: Case, node: int, subject: Subject, arbiter: Certifier) -> tuple[Array, Array] | None:
    """(∂C/∂z) / (∂C/∂a) of an activation, ∂C/∂a certified and ∂C/∂z read off the dense layer that gives z."""
    (link,) = case.architecture.nodes[node].inputs
    if link < 0 or case.architecture.nodes[link].op != "dense" or len(uses(case.architecture, link)) > 1:
        return None
    dz = _read_off(case, link, subject.gradients(case))
    if dz is None:
        return None
    da = certified_nodes(case, arbiter)[node].reshape(dz.shape)
    sure = np.abs(da) > SAME * np.abs(da).max(initial=0.0)
    with np.errstate(all="ignore"):
        return np.where(sure, dz / da, 0.0), sure & np.isfinite(dz)


def _read_off(case: Case, node: int, claimed: Gradients) -> Array | None:
    """∂C/∂z (P, rows, out) of a dense layer from its weight's gradient G = (∂C/∂z)ᵀ a, where a has full row rank."""
    key, link = case.architecture.nodes[node].params["weight"], case.architecture.nodes[node].inputs[0]
    if sum(key in n.params.values() for n in case.architecture.nodes) > 1:
        return None
    given = local.values_of(case)[link] if link >= 0 else case.inputs[case.architecture.inputs[-link - 1].name]
    a = given.reshape(case.n_points, -1, given.shape[-1]).astype(np.float64)
    gradient = claimed.by_param[key].astype(np.float64)
    if a.shape[-2] > a.shape[-1] or not np.isfinite(gradient).all():
        return None
    if (np.linalg.cond(a) > 1.0 / SAME).any():
        return None
    return np.asarray(np.swapaxes(gradient @ np.linalg.pinv(a), -1, -2))
