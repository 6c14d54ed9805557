"""The smallest case of a failure: on a network of the suspected operation alone, or cut down from the one that failed.

Where a subject answers for any network, the first wrong factor says which operation to suspect, and the smallest
networks that hold it are asked first, in an order that depends on nothing else: one bug, one minimum. What needs more
than one operation is shrunk by Hypothesis. Then one point that shows it is picked, and its numbers are rounded as long
as it fails alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from crosscheck.checking import DIFFERENCES, Witnesses, check
from crosscheck.diagnosis import describe, forward, local
from crosscheck.diagnosis.locate import Located, locate, without_penalty
from crosscheck.diagnosis.simplify import simplified
from crosscheck.judge.compare import Status
from crosscheck.judge.verdict import Judgement
from crosscheck.search import ONE_SLOPE, Failure, Kind, drawn
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.ops import OPS
from crosscheck.spec.protocols import Subject
from crosscheck.spec.result import Verdict
from crosscheck.strategies import probes
from crosscheck.strategies.by_index import NotAgain, Source
from crosscheck.strategies.values import make_case
from crosscheck.tolerance import memory

EVALUATIONS = 150
# Asked on one number, two samples, two features and both alone: the loss that is suspected is to have its turn.
PLAIN_LOSS, PLAIN_SHAPES = "sse", 4
# Of the numbers that an operation was given where it failed, so many are tried alone.
NUMBERS = 4
# A minimum shows its failure clearly: by so many bounds, where the case that was met does.
CLEAR = 10.0
# Breaches that a wrong factor can be to blame for. Others are not looked for in one: what writes to its arguments, or
# raises, would do so to whoever asks it for intermediates.
OF_A_FACTOR = (None, "nan", ONE_SLOPE)


@dataclass(frozen=True)
class Shrunk:
    """The smallest case, and how many cases were asked about on the way."""

    case: Case
    evaluations: int


@dataclass
class _Asker:
    """Whether a case fails as the one that was met does: the same kind of failure, as clearly.

    The kind is the verdict, whom the witnesses leave alone with it, and the rule that is broken. That it is in a tensor
    of the same role is not asked: a wrong slope is met in the weights of the layer before it, and the smallest network
    of the activation alone has no weights, so that it shows in the gradient of the input. What keeps the failure the
    same is that the networks that are asked first are of the suspected operation alone.
    """

    failure: Failure
    subject: Subject
    witnesses: Witnesses
    multiple: bool
    least: float = 0.0
    asked: int = 0

    def __call__(self, case: Case) -> Judgement | None:
        """The judgement where it fails alike.

        What was no multiple of the loss stays none: of a single number every loss is one.
        """
        self.asked += 1
        found = check(case, self.subject, needed(case, self.failure.kind, self.witnesses))
        multiple = found.forward is not None and found.forward.ratio is not None
        alike = self.failure.kind in Kind.of(found) and (self.multiple or not multiple)
        return found if alike and not self._faint(found) else None

    def _faint(self, judgement: Judgement) -> bool:
        """Wrong by few bounds. At a kink a bound is as wide as the one-sided derivatives are apart: not there."""
        if judgement.verdict is not Verdict.DISAGREES or describe.severity(judgement) >= self.least:
            return False
        hull = judgement.certified.hull if judgement.certified is not None else np.zeros(0, np.bool_)
        return not any(_fails(judgement, point) for point in np.flatnonzero(hull).tolist())


def shrunk(source: Source, failure: Failure, subject: Subject, witnesses: Witnesses) -> Shrunk:
    """The smallest case of the same kind, with the one point that shows it where one suffices, and short numbers.

    Raises NotAgain where the case that was met does not fail when it is asked again.
    """
    first = drawn(source, failure.index)
    ask = _Asker(failure, subject, witnesses, multiple=_is_multiple(failure, first, subject, witnesses))
    judgement = ask(first)
    if judgement is None:
        raise NotAgain(f"case {failure.index} does not fail when it is asked again")
    if describe.severity(judgement) >= CLEAR:
        ask.least = CLEAR
    most = memory.evaluations(first.architecture, first.n_points, EVALUATIONS)
    found = _suspected(source, first, judgement, ask)
    case = _on_one_operation(source, first, judgement, found, ask, most)
    if case is None:
        case = source.shrink(failure.index, lambda case: ask(case) is not None, most)
        case = _suspected_anew(source, case, found, ask, most // 3)
    return Shrunk(_short(case, source, ask), ask.asked)


def on_operation(
    source: Source, failure: Failure, found: Located, subject: Subject, witnesses: Witnesses
) -> Case | None:
    """The smallest case of the operation that is accused of a part of this failure; None where none of it alone fails.

    `found` says where in the failing case it is, and which of its factors is wrong.
    """
    first = drawn(source, failure.index)
    ask = _Asker(failure, subject, witnesses, multiple=failure.forward is not None, least=CLEAR)
    judgement = ask(first)
    if judgement is None:
        return None
    case = _on_one_operation(source, first, judgement, found, ask, EVALUATIONS)
    return None if case is None else _short(case, source, ask)


def _short(case: Case, source: Source, ask: _Asker) -> Case:
    """One point of it where one suffices, with short numbers."""
    case = _one_point(case, ask)
    return simplified(case, lambda case: ask(case) is not None) if source.ops is not None else case


def _is_multiple(failure: Failure, case: Case, subject: Subject, witnesses: Witnesses) -> bool:
    """Whether the loss that was met is a multiple of the right one, its penalties aside."""
    alone = without_penalty(case)
    if failure.forward is not None or failure.kind.verdict is not Verdict.FORWARD_DISAGREES or alone is None:
        return failure.forward is not None
    found = check(alone, subject, needed(alone, failure.kind, witnesses)).forward
    return found is not None and found.ratio is not None


def _suspected_anew(source: Source, case: Case, before: Located | None, ask: _Asker, most: int) -> Case:
    """The case, cut down already, on the operation that it lets suspect, where the larger one let suspect another.

    A deep network that overflows or dies out on the way shows that something is wrong, and not always what.
    """
    judgement = ask(case)
    found = None if judgement is None else _suspected(source, case, judgement, ask)
    if judgement is None or found is None or (before is not None and before.fault == found.fault):
        return case
    return _on_one_operation(source, case, judgement, found, ask, ask.asked + most) or case


def _on_one_operation(
    source: Source, first: Case, judgement: Judgement, found: Located | None, ask: _Asker, most: int
) -> Case | None:
    """The first of the smallest networks of the suspected operation that fails alike, before `most` were asked.

    First on numbers of every family; then on those at which the operation was wrong where it was met.
    """
    if source.ops is None or found is None:
        return None
    for architecture in _networks(first.architecture, found):
        if ask.asked > most:
            return None
        if source.ops.allows(architecture):
            case = probes.of_all_families(architecture, first.dtype)
            if ask(case) is not None:
                return _narrowest(_plainest(case, found.fault.op, source, ask), found.fault.op, source, ask)
    for case in _with_its_numbers(first, judgement, found):
        if source.ops.allows(case.architecture) and ask(case) is not None:
            return _plainest(case, found.fault.op, source, ask)
    return None


def _plainest(case: Case, op: str | None, source: Source, ask: _Asker, *, changed: bool = False) -> Case:
    """The case with every attribute of the operation at its simplest that need not be otherwise.

    What takes two attributes is met in the networks that have all of those that it was met with, and on the shapes on
    which all of them can stand: when some are `changed`, smaller shapes are asked about again. Numbers of every family
    are asked about, then those of the case.
    """
    if op is None:
        return case
    own = case.architecture
    for architecture in [*probes.plainer(own, op), *(probes.smaller(own, op) if changed else ())]:
        if source.ops is None or not source.ops.allows(architecture):
            continue
        for made in _asked_of(architecture, case):
            if ask(made) is not None:
                return _plainest(made, op, source, ask, changed=True)
    return case


def _narrowest(case: Case, op: str | None, source: Source, ask: _Asker) -> Case:
    """The case with every axis and every size as small as it can be: the shapes asked about are but a few of all.

    What shows at few numbers alone may be met by several at once first: it is asked of a part of them too.
    """
    for architecture in probes.narrower(case.architecture, op) if op is not None else ():
        if source.ops is None or not source.ops.allows(architecture):
            continue
        for made in (*_asked_of(architecture, case), *probes.parts_of(case, architecture)):
            if ask(made) is not None:
                return _narrowest(made, op, source, ask)
    return case


def _asked_of(architecture: Architecture, case: Case) -> Iterator[Case]:
    """The network on numbers of every family, and on those of the case where they are others and fit."""
    of_families, own = probes.of_all_families(architecture, case.dtype), probes.with_numbers_of(case, architecture)
    yield of_families
    if own is not None and own.key != of_families.key:
        yield own


def _networks(architecture: Architecture, found: Located) -> Iterator[Architecture]:
    """The smallest networks in which this factor can be wrong."""
    if found.fault.op is None or found.node is None:
        yield from probes.of_factor(found.fault.factor)
        return
    operation = architecture.nodes[found.node] if found.node >= 0 else architecture.loss
    # What is wrong with the reduction or the weights of one loss may be so with those of any: then with the plainest.
    if found.node < 0 and operation.op != PLAIN_LOSS:
        yield from probes.probes(PLAIN_LOSS, operation.attributes, probes.SHAPES[:PLAIN_SHAPES])
    yield from probes.probes(operation.op, operation.attributes)


def _with_its_numbers(case: Case, judgement: Judgement, found: Located) -> Iterator[Case]:
    """An activation alone on one number, each of those that it was given at a point that fails, the largest first."""
    if found.node is None or found.node < 0 or found.fault.op is None or OPS[found.fault.op].kind != "activation":
        return
    node = case.architecture.nodes[found.node]
    architecture = probes.alone(node.op, node.attributes, (1, 1))
    if architecture is None:
        return
    points = [p for p in judgement.suspects if p < case.n_points] or list(range(case.n_points))
    (link,) = node.inputs
    part = case.take(points)
    z = local.values_of(part)[link] if link >= 0 else part.inputs[part.architecture.inputs[-link - 1].name]
    numbers = np.unique(z[np.isfinite(z)])
    order = np.argsort(-np.abs(numbers.astype(np.float64)), kind="stable")
    for number in numbers[order][:NUMBERS]:
        made = make_case(architecture, family="ones", seed=0, points=1, dtype=case.dtype)
        yield replace(made, inputs={"x": np.full((1, 1, 1), number)})


def _suspected(source: Source, case: Case, judgement: Judgement, ask: _Asker) -> Located | None:
    """Where it is wrong first, with the operation to suspect."""
    arbiter = ask.witnesses.arbiter
    if arbiter is None or ask.failure.kind.verdict is Verdict.ORACLE_DISAGREES:
        return None
    if ask.failure.kind.verdict is Verdict.FORWARD_DISAGREES:
        return forward.locate(case, ask.subject, arbiter, source.ops)
    if ask.failure.kind.rule not in OF_A_FACTOR:
        return None
    return locate(case, judgement, ask.subject, arbiter, source.ops)


def _one_point(case: Case, ask: _Asker) -> Case:
    """The case with one of its points, where one suffices.

    One away from kinks is preferred: at one neither the hull nor a Taylor slope says much.
    """
    if case.n_points == 1:
        return case
    judgement = ask(case)
    if judgement is None:
        return case
    wrong = [p for p in range(case.n_points) if _fails(judgement, p)] or list(range(case.n_points))
    hull = judgement.certified.hull if judgement.certified is not None else np.zeros(case.n_points, np.bool_)
    for point in sorted(wrong, key=lambda p: (bool(hull[p]), p)):
        alone = case.take([point])
        if ask(alone) is not None:
            return alone
    return case


def _fails(judgement: Judgement, point: int) -> bool:
    tensors = [*judgement.tensors.values(), *judgement.own.values()]
    return any(bool((t.status[point] == Status.DISAGREE).any()) for t in tensors)


def needed(case: Case, kind: Kind, witnesses: Witnesses) -> Witnesses:
    """Who must be asked whether a smaller case fails alike: where the truth is known, only it and who is accused."""
    arbiter = witnesses.arbiter
    if arbiter is None or arbiter.gaps(case.architecture) or kind.odd_one_out == DIFFERENCES:
        return witnesses
    accused = tuple(o for o in witnesses.oracles if o is arbiter or o.name == kind.odd_one_out)
    return replace(witnesses, oracles=accused, differences=False, certify="every")
