"""The first wrong factor of the chain rule, walking back from the loss.

Every node is asked about by itself (`local`): given what comes to it from above, are ∂C/∂(its inputs) and ∂C/∂(its
parameters) what follows? What comes from above is the subject's own intermediate, where it gives them: then an error
from nearer the loss is in both sides of the comparison, and only a node that is wrong itself differs. Where it gives
gradients of parameters alone, it is the certified value, and the subject is asked for the network of that one node.
Where it answers for one network alone, the gradients that are wrong say between which nodes the error enters.

At a fork the contributions of all uses must add up to what the subject has; so must those of the nodes that share a
parameter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import msgspec
import numpy as np

from crosscheck.checking import Witnesses, check
from crosscheck.diagnosis import between, local
from crosscheck.diagnosis.local import Question
from crosscheck.diagnosis.walked import LOSS, certified_nodes, factor_of_input, uses
from crosscheck.judge.compare import Status, TensorJudgement, difference
from crosscheck.judge.verdict import Judgement
from crosscheck.spec.allowed import Allowed
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.errors import CrosscheckError, OracleCrashed
from crosscheck.spec.fault import Factor, Fault
from crosscheck.spec.ops import OPS
from crosscheck.spec.protocols import Certifier, HasNodes, Subject
from crosscheck.spec.result import Array, Gradients, Verdict

# Of the points that fail, so many are asked about.
POINTS = 2
# A slope is shown to five digits.
READ_OFF = 1e-5
State = Literal["right", "wrong", "unknown"]
# A factor that is off by so many bounds is wrong itself; less may be what rounding made of the numbers it is given.
CLEAR = 10.0
ASKED = "each operation asked for by itself"


@dataclass(frozen=True)
class Step:
    """What is known of one factor. `node` is -1 for the loss and None for the walk; `worst` is in bounds.

    `claimed` and `certified` are of the entry at `index` of a sample's array, which is () where it has but one.
    """

    node: int | None
    fault: Fault
    state: State
    worst: float = 0.0
    claimed: float | None = None
    certified: float | None = None
    index: tuple[int, ...] = ()


@dataclass(frozen=True)
class Located:
    """The first wrong factor; `others` could not be told from it. `steps` are all that were looked at, loss first.

    `with_it` are further factors of the same node, where no single one explains what is wrong.
    """

    node: int | None
    fault: Fault
    how: str
    steps: tuple[Step, ...] = ()
    others: tuple[tuple[int | None, Fault], ...] = field(default=())
    with_it: tuple[Fault, ...] = ()


def locate(
    case: Case, judgement: Judgement, subject: Subject, arbiter: Certifier, ops: Collection[str] | None = None
) -> Located | None:
    """Where the backward first goes wrong; None where nothing that was looked at is.

    `ops` are those of which the subject answers for any network; None where it answers for this one alone.
    """
    if arbiter.gaps(case.architecture):
        return None
    part = case.take(_failing(judgement, case.n_points))
    try:
        plain = without_penalty(part)
        if plain is not None:
            alone = check(plain, subject, Witnesses((arbiter,), differences=False))
            if alone.verdict in (Verdict.AGREES, Verdict.UNDECIDABLE):
                return Located(None, Fault(None, Factor.PENALTY), "it is right without the penalty")
            part = plain
        return _located(part, judgement, subject, arbiter, ops)
    except OracleCrashed:
        raise
    except CrosscheckError:  # the subject breaks its contract when it is asked about a part
        return None


def _located(
    case: Case, judgement: Judgement, subject: Subject, arbiter: Certifier, ops: Collection[str] | None
) -> Located | None:
    own = subject.node_gradients(case) if isinstance(subject, HasNodes) else None
    given = own is not None and (own.by_node or not case.architecture.nodes)
    if own is not None and given:
        steps = list(_by_intermediates(case, own, subject, arbiter, ops))
    else:
        steps = list(_by_asking(case, subject, arbiter, ops))
    found = _first_wrong(steps, "its own intermediates" if given else ASKED)
    if found is not None and given and found.node == LOSS and _is_handed_on(case.architecture):
        # What a merge hands on may be written to after it was used, and is no witness against the loss then.
        alone = _first_wrong(list(_by_asking(case, subject, arbiter, ops)), ASKED)
        return found if alone is None or alone.fault == found.fault else alone
    if found is not None:
        return found
    if any(step.state == "right" for step in steps):
        return None
    told = between.narrowed(case, judgement, subject, arbiter)
    if not told.found:
        return None
    (node, fault), *others = told.found
    right = (Step(at, cleared, "right") for at, cleared in told.cleared)
    return Located(node, fault, "which gradients are wrong", tuple(right), tuple(others), told.with_it)


def _first_wrong(steps: Sequence[Step], how: str) -> Located | None:
    """The first factor that is clearly wrong, else the one that is wrong by most."""
    wrong = [step for step in steps if step.state == "wrong"]
    if not wrong:
        return None
    first = next((step for step in wrong if step.worst >= CLEAR), max(wrong, key=lambda step: step.worst))
    return Located(first.node, first.fault, how, tuple(steps))


def _is_handed_on(architecture: Architecture) -> bool:
    """Whether ∂C/∂(the loss's input) goes to several nodes, so that one array of it may serve them all."""
    link = architecture.loss.inputs[0]
    return link >= 0 and (OPS[architecture.nodes[link].op].kind == "merge" or len(uses(architecture, link)) > 1)


def _failing(judgement: Judgement, points: int) -> list[int]:
    hit = [p for p in judgement.suspects if p < points]
    return hit[:POINTS] or list(range(min(points, POINTS)))


def without_penalty(case: Case) -> Case | None:
    """The same case without what the loss adds for the weights; None where it adds nothing."""
    attributes = case.architecture.loss.attributes
    if not any(attributes.get(name) for name in ("l1", "l2")):
        return None
    loss = msgspec.structs.replace(case.architecture.loss, attributes={**attributes, "l1": 0.0, "l2": 0.0})
    return replace(case, architecture=msgspec.structs.replace(case.architecture, loss=loss))


def _by_intermediates(
    case: Case, own: Gradients, subject: Subject, arbiter: Certifier, ops: Collection[str] | None
) -> Iterator[Step]:
    """Every factor in the order of the walk back, held against the subject's own values above it."""
    architecture, outputs = case.architecture, local.values_of(case)
    names = {-i - 1: item.name for i, item in enumerate(architecture.inputs) if item.dtype == "float"}
    said = dict(own.by_node) | {link: own.by_input[name] for link, name in names.items() if name in own.by_input}
    questions: dict[int, Question] = {}
    for node in (LOSS, *reversed(range(len(architecture.nodes)))):
        if node != LOSS and (node not in said or not uses(architecture, node)):
            continue
        found = local.of_loss(case, outputs) if node == LOSS else local.of_node(case, outputs, node, said[node])
        if found is None:
            continue
        question = questions[node] = Question.of(found, subject, arbiter)
        yield from _of_node(question, architecture, said, own)
    yield from _sums(case, questions, said, own, _Alone(case, said, subject, arbiter, ops))


def _of_node(
    question: Question, architecture: Architecture, said: Mapping[int, Array], own: Gradients
) -> Iterator[Step]:
    """The factors of one node whose answers no other node has a part in."""
    node, links = question.local.node, question.local.links
    faults: dict[str, Fault] = {}
    claimed: dict[str, Array] = {}
    if node != LOSS:
        for role, key in architecture.nodes[node].params.items():
            if sum(key in n.params.values() for n in architecture.nodes) == 1 and key in own.by_param:
                name = f"0.{role}"
                claimed[name] = own.by_param[key]
                faults[name] = Fault(architecture.nodes[node].op, Factor.PARAM, role)
    for number, (name, link) in enumerate(links.items()):
        if (
            name in question.local.case.architecture.float_inputs
            and len(uses(architecture, link)) == 1
            and link in said
        ):
            claimed[name] = np.array(said[link])
            faults[name] = factor_of_input(architecture, node, number)
    if not claimed:
        return
    judged = question.judged(claimed)
    yield from (step_of(node, faults[name], judged.tensors[name], question) for name in claimed)


def step_of(node: int, fault: Fault, tensor: TensorJudgement, question: Question, unsure: Array | None = None) -> Step:
    """What the judgement on the gradient that a factor gives says of the factor.

    `unsure` (P,) is by how much what came from above may have been another number than it should be.
    """
    wrong = tensor.status == Status.DISAGREE
    if not wrong.any():
        known = bool((tensor.status == Status.AGREE).any())
        return Step(node, fault, "right" if known else "unknown")
    error, bound = tensor.errors[question.arbiter], tensor.bounds[question.arbiter]
    with np.errstate(all="ignore"):
        size = np.where(wrong, np.nan_to_num(error / bound, nan=np.inf, posinf=np.inf), -1.0)
    place = np.unravel_index(int(np.argmax(np.where(wrong, np.nan_to_num(error, nan=np.inf), -1.0))), error.shape)
    claimed, certified = float(tensor.values["subject"][place]), float(tensor.values[question.arbiter][place])
    from_above = question.local.above
    if fault.factor is Factor.SLOPE and from_above is not None:
        above = float(from_above[place])
        if above and "axis" not in question.local.case.architecture.nodes[0].attributes:
            claimed, certified = claimed / above, certified / above
        if unsure is not None and not float(unsure[place[0]]) <= READ_OFF * abs(above):
            return Step(node, fault, "wrong", float(size.max()))
    if unsure is not None and not np.isfinite(unsure[place[0]]):
        return Step(node, fault, "wrong", float(size.max()))
    return Step(node, fault, "wrong", float(size.max()), claimed, certified, _index(place, error))


def _index(place: tuple[np.intp, ...], like: Array) -> tuple[int, ...]:
    """The place in the array of one point, where that has more than one entry."""
    return tuple(int(i) for i in place[1:]) if math.prod(like.shape[1:]) > 1 else ()


@dataclass(frozen=True, eq=False)
class _Joined:
    """What several uses contribute to one gradient, and how far rounding may move each."""

    parts: tuple[Array, ...]
    bounds: tuple[Array, ...]
    places: tuple[tuple[int, int], ...]

    def explains(self, claimed: Array, weights: tuple[int, ...]) -> bool:
        """Whether the claimed gradient is the sum with these weights."""
        total = sum(w * part for w, part in zip(weights, self.parts, strict=True))
        room = sum(max(w, 1) * bound for w, bound in zip(weights, self.bounds, strict=True))
        return bool((difference(claimed, np.asarray(total)) <= room).all())


def _sums(
    case: Case,
    questions: Mapping[int, Question],
    said: Mapping[int, Array],
    own: Gradients,
    wrong_alone: Callable[[int, Fault], bool],
) -> Iterator[Step]:
    """Of every fork, and of every shared parameter, whether the contributions add up."""
    architecture = case.architecture
    for link in sorted(said, reverse=True):
        places = uses(architecture, link)
        if len(places) < 2 or any(node not in questions for node, _ in places):
            continue
        joined = _Joined(
            tuple(questions[node].truth.by_input[questions[node].named(k)] for node, k in places),
            tuple(_room(questions[node], questions[node].named(k)) for node, k in places),
            tuple(places),
        )
        faults = {place: factor_of_input(architecture, *place) for place in places}
        yield from _of_a_sum(np.array(said[link]), joined, faults, wrong_alone)
    for key in architecture.param_shapes:
        roles = [(i, r) for i, n in enumerate(architecture.nodes) for r, k in n.params.items() if k == key]
        if len(roles) < 2 or key not in own.by_param or any(i not in questions for i, _ in roles):
            continue
        joined = _Joined(
            tuple(questions[i].truth.by_param[f"0.{r}"] for i, r in roles),
            tuple(_room(questions[i], f"0.{r}") for i, r in roles),
            tuple((i, n) for n, (i, _) in enumerate(roles)),
        )
        faults = {
            place: Fault(architecture.nodes[i].op, Factor.PARAM, role)
            for place, (i, role) in zip(joined.places, roles, strict=True)
        }
        yield from _of_a_sum(own.by_param[key], joined, faults, wrong_alone)


def _room(question: Question, name: str) -> Array:
    radius = question.proof.reference.radius
    bound = question.bounds["subject"].held[name]
    return np.asarray(bound if radius is None else bound + radius[name])


def _of_a_sum(
    claimed: Array,
    joined: _Joined,
    faults: Mapping[tuple[int, int], Fault],
    wrong_alone: Callable[[int, Fault], bool],
) -> Iterator[Step]:
    """Right, or wrong in the sum itself, or in one of the factors that are summed."""
    ones = (1,) * len(joined.parts)
    node = max(place[0] for place in joined.places)
    if joined.explains(claimed, ones):
        yield Step(node, Fault(None, Factor.SUM), "right")
        return
    # A use that is wrong by itself is to blame; a sum of sound contributions is not a sum of sound contributions.
    guilty = [p for p in joined.places if wrong_alone(p[0], faults[p])]
    off = np.asarray(difference(claimed, np.asarray(sum(joined.parts))))
    with np.errstate(all="ignore"):
        worst = float(np.nan_to_num(off / np.asarray(sum(joined.bounds)), nan=np.inf, posinf=np.inf).max())
    place = np.unravel_index(int(np.argmax(np.nan_to_num(off, nan=np.inf))), off.shape)
    values = float(claimed[place]), float(np.asarray(sum(joined.parts))[place]), _index(place, off)
    if guilty:
        yield Step(guilty[0][0], faults[guilty[0]], "wrong", worst, *values)
    else:
        yield Step(node, Fault(None, Factor.SUM), "wrong", worst, *values)


@dataclass(frozen=True)
class _Alone:
    """Whether the subject is wrong about a factor in a network of its node alone, where it answers for that."""

    case: Case
    said: Mapping[int, Array]
    subject: Subject
    arbiter: Certifier
    ops: Collection[str] | None

    def __call__(self, node: int, fault: Fault) -> bool:
        ending, outputs = ending_of(self.ops), local.values_of(self.case)
        if ending is None:
            return False
        if node == LOSS:
            found = local.of_loss(self.case, outputs)
        else:
            found = local.of_node(self.case, outputs, node, self.said[node], ending)
        if found is None or not Allowed.of(self.ops or ()).allows(found.case.architecture):
            return False
        steps = ask(Question.of(found, self.subject, self.arbiter), self.subject)
        return any(step.state == "wrong" and step.fault == fault for step in steps)


def ending_of(ops: Collection[str] | None) -> str | None:
    """The loss in which a network of one node may end, so that anything can come to the node from above."""
    return next((loss for loss in ("cotangent", "sse") if loss in (ops or ())), None)


def ask(question: Question, subject: Subject) -> list[Step]:
    """Every factor of one node, by the subject's answer for the network of that node alone."""
    small, node = question.local.case.architecture, question.local.node
    answer = subject.gradients(question.local.case)
    judged = question.judged(dict(answer.tensors()))
    # Behind sse what comes from above is 2(a - y) of an a that the subject made itself.
    unsure = 2.0 * question.unseen_in_output(answer.loss) if small.nodes and small.loss.op == "sse" else None
    inputs = {name: number for number, name in enumerate(question.local.links)}
    steps = []
    for name, tensor in judged.tensors.items():
        if name in inputs:
            within = factor_of_input(small, 0 if small.nodes else LOSS, inputs[name])
        else:
            within = Fault(small.nodes[0].op, Factor.PARAM, name.partition(".")[2])
        steps.append(step_of(node, within, tensor, question, unsure))
    return steps


def _by_asking(case: Case, subject: Subject, arbiter: Certifier, ops: Collection[str] | None) -> Iterator[Step]:
    """Every factor in the order of the walk back, the subject asked for each node by itself."""
    ending = ending_of(ops)
    if ending is None:
        return
    architecture, outputs = case.architecture, local.values_of(case)
    above = certified_nodes(case, arbiter)
    refused = 0
    for node in (LOSS, *reversed(range(len(architecture.nodes)))):
        if node != LOSS and not uses(architecture, node):
            continue
        found = (
            local.of_loss(case, outputs) if node == LOSS else local.of_node(case, outputs, node, above[node], ending)
        )
        if found is None:
            refused += 1
            continue
        try:
            yield from ask(Question.of(found, subject, arbiter), subject)
        except OracleCrashed:
            raise
        except CrosscheckError:
            refused += 1
    if not refused:
        yield from _context(architecture)


def _context(architecture: Architecture) -> Iterator[Step]:
    """What is left where every operation by itself is right: the sums, where there are any."""
    links = [*range(len(architecture.nodes)), *(-i - 1 for i in range(len(architecture.inputs)))]
    forks = [link for link in links if len(uses(architecture, link)) > 1]
    keys = [key for node in architecture.nodes for key in node.params.values()]
    if forks or len(set(keys)) < len(keys):
        yield Step(max(forks, default=None), Fault(None, Factor.SUM), "wrong")
