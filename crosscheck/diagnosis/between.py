"""Between which nodes an error enters, where a subject answers for one network and gives no intermediates.

A wrong factor spoils every gradient that the walk reaches through it, and no other: which gradients are wrong and which
are right leaves a few factors. All that such a factor spoils is made of one wrong ∂C/∂(a link) by sound rules: where no
∂C/∂(that link) gives the wrong gradients, it is not that factor. Of those left an activation's slope depends on z alone
and not on what comes from above: with other targets, and so another ∂C/∂a, the same wrong ∂a/∂z = (∂C/∂z) / (∂C/∂a)
shows where ∂C/∂z can be read off the gradients of a dense layer, and another where something else is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from crosscheck.backprop import network
from crosscheck.diagnosis import local
from crosscheck.diagnosis.seen import Seen, Tensor, asked
from crosscheck.diagnosis.walked import LOSS, certified_nodes, factor_of_input, uses
from crosscheck.judge.compare import Status
from crosscheck.judge.verdict import Judgement
from crosscheck.spec.architecture import Architecture, Loss
from crosscheck.spec.case import Case
from crosscheck.spec.dtypes import dtype_named
from crosscheck.spec.errors import ContractBroken, SpecError
from crosscheck.spec.fault import Factor, Fault
from crosscheck.spec.ops import OPS
from crosscheck.spec.protocols import Certifier, Subject
from crosscheck.spec.result import Array, Bools, Gradients
from crosscheck.tolerance.formats import FORMATS

# Two measured slopes are one if they differ by less than this part of it: each is a quotient of gradients, which lose
# some digits; a wrong factor that changes with what comes from above changes by itself, not by a millionth.
SAME = 1e-6
# A link of more numbers is not asked about: its Jacobian has so many rows.
LARGEST_LINK = 256
# They carry ∂C/∂(their state) from step to step.
RECURRENT = ("rnn", "lstm", "gru")


@dataclass(frozen=True)
class Hypothesis:
    """One factor as the wrong one, the gradients that it spoils, and the link whose ∂C/∂(link) it makes wrong."""

    node: int | None
    fault: Fault
    spoils: frozenset[str]
    link: int | None = None


Place = tuple[int | None, Fault]


@dataclass(frozen=True)
class Narrowed:
    """The factors any one of which explains which gradients are wrong, the likeliest first.

    Where none does but several of one node together do, `found` is the first of them and `with_it` the others. Empty
    where that is not so either: more than one node is wrong, or what was made of the gradients afterwards. `cleared`
    are the factors that are right.
    """

    found: tuple[Place, ...] = ()
    with_it: tuple[Fault, ...] = ()
    cleared: tuple[Place, ...] = ()


def narrowed(case: Case, judgement: Judgement, subject: Subject, arbiter: Certifier) -> Narrowed:
    """What the gradients that are wrong, and those that are right, say of every factor."""
    wrong, right = _parted(judgement)
    if not wrong:
        return Narrowed()
    seen, every = asked(case, subject, arbiter), list(hypotheses(case.architecture))
    told = {link: None if link is None else _is_spoilt_at(link, seen) for link in {h.link for h in every}}
    # A right gradient clears what it is made of, unless just this error is seen to cancel in it: a sum over the
    # samples is blind to their order.
    possible = [
        h
        for h in every
        if h.spoils & wrong and (told[h.link] is True or (told[h.link] is None and not right & h.spoils))
    ]
    cleared = [h for h in every if h.spoils & right and h not in possible and h.fault.factor is not Factor.SUM]
    fitting = [h for h in possible if wrong <= h.spoils]
    within = _of_one_node(possible, wrong, case.architecture)
    kept = tuple((h.node, h.fault) for h in cleared)
    if not fitting and (first := _of_one_operation(every, wrong, seen)) is not None:
        sound = tuple((h.node, h.fault) for h in cleared if h.fault != first.fault)
        return Narrowed(((first.node, first.fault),), (), sound)
    if not fitting and not within and (first := _of_one_role(every, wrong)) is not None:
        return Narrowed(((first.node, first.fault),), (), kept)
    if not fitting:
        return Narrowed(
            tuple((h.node, h.fault) for h in within[:1]), tuple(h.fault for h in within[1:]), kept if within else ()
        )
    slopes = [h for h in fitting if h.fault.factor is Factor.SLOPE]
    if len(fitting) > 1 and slopes:
        alone = {h: _depends_on_z_alone(h, case, subject, arbiter) for h in slopes}
        held, unknown = [h for h in slopes if alone[h]], [h for h in slopes if alone[h] is None]
        rest = [h for h in fitting if h not in slopes]
        fitting = [*held, *unknown] if held else [*unknown, *rest]
    # What is remembered from step to step leads to all gradients of the node at once, as a wrong ∂C/∂a does.
    if within and case.architecture.nodes[within[0].node or 0].op in RECURRENT:
        fitting += [h for h in within[:1] if h not in fitting]
    return Narrowed(tuple((h.node, h.fault) for h in fitting), (), kept)


def _parted(judgement: Judgement) -> tuple[set[str], set[str]]:
    """The gradients that are wrong somewhere, and those that are right throughout."""
    wrong = {name for name, t in judgement.tensors.items() if t.count(Status.DISAGREE)}
    return wrong, {name for name, t in judgement.tensors.items() if t.count(Status.AGREE)} - wrong


def _of_one_node(possible: Sequence[Hypothesis], wrong: set[str], architecture: Architecture) -> list[Hypothesis]:
    """The factors of the node nearest the loss that together explain all that is wrong; empty where none do."""
    for node in reversed(range(len(architecture.nodes))):
        own = [h for h in possible if h.node == node and h.fault.op is not None]
        if len(own) > 1 and wrong <= frozenset().union(*(h.spoils for h in own)):
            return own
    return []


def _of_one_operation(every: Sequence[Hypothesis], wrong: set[str], seen: Seen) -> Hypothesis | None:
    """The factor nearest the loss of an operation that is wrong wherever it stands; None where that explains less.

    Code that is called for several layers has its bug in all of them. What one of them does to ∂C/∂(its input) and
    what the next one does to that then are errors at several links.
    """
    for first in every:
        if first.link is None or first.node is None or first.node < 0 or first.fault.op is None:
            continue
        alike = [h for h in every if h.fault == first.fault]
        links = tuple(h.link for h in alike if h.link is not None)
        if len(alike) > 1 and wrong <= first.spoils and _is_spoilt_at(first.link, seen, links):
            return first
    return None


def _of_one_role(every: Sequence[Hypothesis], wrong: set[str]) -> Hypothesis | None:
    """The factor nearest the loss of a parameter's role, where just the gradients of that role are wrong, and all."""
    for first in every:
        alike = [h for h in every if h.fault == first.fault]
        if first.fault.factor is Factor.PARAM and frozenset().union(*(h.spoils for h in alike)) == wrong:
            return first
    return None


def hypotheses(architecture: Architecture) -> Iterator[Hypothesis]:
    """Every factor of a network, nearest the loss first; then the sums at its forks."""
    for number, link in enumerate(architecture.loss.inputs):
        yield Hypothesis(LOSS, factor_of_input(architecture, LOSS, number), above(architecture, link), link)
    for i in reversed(range(len(architecture.nodes))):
        node = architecture.nodes[i]
        for role, key in node.params.items():
            yield Hypothesis(i, Fault(node.op, Factor.PARAM, role), frozenset({key}))
        for number, link in enumerate(node.inputs):
            yield Hypothesis(i, factor_of_input(architecture, i, number), above(architecture, link), link)
    links = [*range(len(architecture.nodes)), *(-i - 1 for i in range(len(architecture.inputs)))]
    for link in links:
        if len(uses(architecture, link)) > 1:
            yield Hypothesis(link, Fault(None, Factor.SUM), above(architecture, link), link)


def above(architecture: Architecture, link: int) -> frozenset[str]:
    """The parameters and inputs whose gradients are made of ∂C/∂(this link)."""
    if link < 0:
        item = architecture.inputs[-link - 1]
        return frozenset({item.name}) if item.dtype == "float" else frozenset()
    node = architecture.nodes[link]
    return frozenset(node.params.values()).union(*(above(architecture, used) for used in node.inputs))


def _is_spoilt_at(link: int, seen: Seen, links: tuple[int, ...] = ()) -> bool | None:
    """Whether some wrong ∂C/∂(this link), and sound rules above it, give what the gradients are off by.

    With `links` errors may enter at each of them, of which this one is nearest the loss. The gradient of an input that
    is among them may be anything.

    Of a link of as many numbers as there are gradients above it that is so of every error: None, nothing is told.
    Everything is counted in units of its own bound: a gradient in which rounding hides the error says nothing, however
    much larger its rounding is than what another is off by.
    """
    case = seen.case
    inner = sorted({link, *(other for other in links if other >= 0)}, reverse=True)
    sizes = [int(np.prod(case.architecture.shape_of(at))) for at in inner]
    if link < 0 or sum(sizes) > LARGEST_LINK:
        return None
    told, roundoff = None, FORMATS[case.dtype].roundoff
    free = {case.architecture.inputs[-other - 1].name for other in links if other < 0}
    names = [name for name in seen.tensors if name in above(case.architecture, link) and name not in free]
    if not names:
        return None
    for point in range(case.n_points):
        jacobians = [_jacobian(case.take([point] * size), at) for size, at in zip(sizes, inner, strict=True)]
        tensors = [(seen.tensors[name], seen.tensors[name].decided[point]) for name in names]
        off = np.concatenate([(t.claimed - t.true)[point][decided] for t, decided in tensors])
        room = np.concatenate([t.bound[point][decided] for t, decided in tensors])
        rows = np.concatenate(
            [
                np.concatenate([_of(jacobian, t, size)[:, decided] for t, decided in tensors], axis=1)
                for jacobian, size in zip(jacobians, sizes, strict=True)
            ]
        )
        # Of a true 0 there is no bound, and a wrong number in its place is rounded as any other.
        rounded = roundoff * np.concatenate([np.abs(t.claimed - t.true)[point][decided] for t, decided in tensors])
        room = np.maximum(room, rounded)
        unit = np.where(room > 0.0, room, room[room > 0.0].min(initial=1.0))
        off, rows = off / unit, rows / unit
        if not np.isfinite(off).all() or not np.isfinite(rows).all():
            continue
        found, _, rank, _ = np.linalg.lstsq(rows.T, off, rcond=None)
        if np.linalg.norm(off - found @ rows) > SAME * np.linalg.norm(off) + np.sqrt(len(off)):
            return False
        told = True if rank < len(off) and np.linalg.norm(off) > np.sqrt(len(off)) else told
    return told


def _of(jacobian: Gradients, tensor: Tensor, size: int) -> Array:
    """∂(every number of a link)/∂(a tensor), zeros where the link is not made of it."""
    if tensor.name in jacobian:
        return jacobian[tensor.name].astype(np.float64)
    return np.zeros((size, *tensor.claimed.shape[1:]))


def _jacobian(case: Case, link: int) -> Gradients:
    """∂(every number of a link)/∂(all that is above it): the case has a point for each number."""
    shape = case.architecture.shape_of(link)
    asked = msgspec.structs.replace(
        case.architecture, loss=Loss("cotangent", OPS["cotangent"].complete({}, "loss"), (link,))
    )
    unit = np.eye(case.n_points, dtype=dtype_named(case.dtype, "targets")).reshape(case.n_points, *shape)
    return network.gradients(replace(case, architecture=asked, targets=unit, weights=None))


def _depends_on_z_alone(hypothesis: Hypothesis, case: Case, subject: Subject, arbiter: Certifier) -> bool | None:
    """Whether the slope that the gradients show stays the same with other targets; None where it cannot be read off.

    Nor can it where ∂C/∂z stays the same: then what comes from above is ignored, here or before. Nor where some units
    are wrong, and others right, on one stretch of z: then it hangs on the unit, as what comes from above may.
    """
    node = hypothesis.node
    other = _with_other_targets(case)
    if node is None or other is None:
        return None
    try:
        measured = [_measured(c, node, subject, arbiter) for c in (case, other)]
    except ContractBroken:
        return None
    if measured[0] is None or measured[1] is None:
        return None
    (a, above_a, sure_a), (b, above_b, sure_b) = measured[0], measured[1]
    sure = sure_a & sure_b
    if not sure.any() or _same((a * above_a)[sure], (b * above_b)[sure]):
        return None
    if _is_of_a_unit(case, node, a, sure, arbiter):
        return None
    return _same(a[sure], b[sure])


def _is_of_a_unit(case: Case, node: int, slopes: Array, sure: Bools, arbiter: Certifier) -> bool:
    """Whether units whose slope is wrong throughout have their z among those of units where it is right throughout."""
    (link,) = case.architecture.nodes[node].inputs
    z, true = local.values_of(case)[link].reshape(slopes.shape), certified_nodes(case, arbiter)
    with np.errstate(all="ignore"):
        right = true[link].reshape(slopes.shape) / true[node].reshape(slopes.shape)
        alike = np.abs(slopes - right) <= SAME * np.abs(right)
    axes = tuple(range(slopes.ndim - 1))
    wholly_right, wholly_wrong = (alike | ~sure).all(axis=axes), (~alike | ~sure).all(axis=axes)
    some = sure.any(axis=axes)
    among, spoilt = z[..., some & wholly_right], z[..., some & wholly_wrong]
    return bool(among.size and spoilt.size and among.min() < spoilt.min() and spoilt.max() < among.max())


def _same(a: Array, b: Array) -> bool:
    return bool((np.abs(a - b) <= SAME * np.maximum(np.abs(a), np.abs(b))).all())


def _with_other_targets(case: Case) -> Case | None:
    """The same case, with another ∂C/∂a: other classes, or other numbers that its loss takes; None if none.

    Probabilities stay such when they are reversed, and what is -1 or 1 when it is negated.
    """
    targets = case.targets
    if case.architecture.target_dtype == "int64":
        classes = case.architecture.shape_of(case.architecture.loss.inputs[0])[-1]
        ignored = case.architecture.loss.attributes.get("ignore_index")
        candidates = [np.where(targets == ignored, targets, (targets + 1) % classes)]
    else:
        one = targets.dtype.type(1)
        candidates = [targets[..., ::-1] * targets.dtype.type(-0.75) + one, targets[..., ::-1], -targets]
    for candidate in candidates:
        try:
            other = replace(case, targets=np.ascontiguousarray(candidate))
        except SpecError:
            continue
        if not np.array_equal(other.targets, targets):
            return other
    return None


def _measured(case: Case, node: int, subject: Subject, arbiter: Certifier) -> tuple[Array, Array, Array] | None:
    """(∂C/∂z) / (∂C/∂a) of an activation, ∂C/∂a, and where both are sure.

    ∂C/∂a is certified, and ∂C/∂z read off the dense layer that gives z.
    """
    (link,) = case.architecture.nodes[node].inputs
    if link < 0 or case.architecture.nodes[link].op != "dense" or len(uses(case.architecture, link)) > 1:
        return None
    dz = _read_off(case, link, subject.gradients(case))
    if dz is None:
        return None
    da = certified_nodes(case, arbiter)[node].reshape(dz.shape)
    sure = np.abs(da) > SAME * np.abs(da).max(initial=0.0)
    with np.errstate(all="ignore"):
        return np.where(sure, dz / da, 0.0), da, sure & np.isfinite(dz)


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
