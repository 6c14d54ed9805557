"""The Taylor slope of a failure: a second opinion that asks no witness, run on every failure before it is shown.

Where entries of a gradient are accused, those move. Where none are (the loss is another, the contract is broken), all
tensors whose gradient was given move together. A gradient that belongs to another loss is held against
both: the subject's own and the one that was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from crosscheck.checking import Witnesses
from crosscheck.diagnosis.claims import Failure, given, of_breach, own_loss, testimony
from crosscheck.diagnosis.describe import TOLERANCE, WRONG
from crosscheck.diagnosis.remainder import Claim, Loss, Measure, NoSlope, Question, exactly, in_float64
from crosscheck.judge.compare import Status, TensorJudgement
from crosscheck.judge.verdict import Judgement
from crosscheck.spec.case import Case
from crosscheck.spec.errors import ContractBroken
from crosscheck.spec.protocols import HasLoss, Subject
from crosscheck.spec.record import Taylor
from crosscheck.spec.result import Bools, Gradients, Verdict


@dataclass(frozen=True)
class Slopes:
    """`taylor` is the slope that a finding is shown with, `own` that of the subject's own loss where it is another.

    `missing` says why there is none, or none of the subject's own loss.
    """

    taylor: Taylor | None = None
    own: Taylor | None = None
    missing: str | None = None


def of_failure(
    case: Case, judgement: Judgement, subject: Subject, witnesses: Witnesses, tensor: str | None, verdict: Verdict
) -> Slopes:
    """The slopes of a finding of this verdict: with the gradient that is in question and with one that is trusted.

    `tensor` is the one that is accused, if one is. The verdict is the judgement's, or DISAGREES for a wrong backward
    beside a wrong forward. Raises OracleCrashed.
    """
    failure = Failure(case, judgement, subject, witnesses)
    try:
        if verdict is Verdict.FORWARD_DISAGREES:
            return _of_forward(failure)
        if verdict is Verdict.BROKE_CONTRACT:
            return Slopes(_of_breach(failure))
        if verdict is Verdict.ORACLE_DISAGREES:
            return Slopes(_of_witness(failure, tensor))
        return Slopes(_of_backward(failure, tensor))
    except NoSlope as why:
        return Slopes(missing=str(why))


def _asked_loss(failure: Failure, point: int) -> Loss:
    """The loss that was asked for: exactly where there is an arbiter, else by the sound forward."""
    return in_float64(failure.case, point, None) if failure.arbiter is None else exactly(failure.arbiter)


def _own_loss(failure: Failure, point: int) -> Loss:
    return in_float64(failure.case, point, failure.subject.error_model, own_loss(failure.subject))


def _of_backward(failure: Failure, tensor: str | None) -> Taylor:
    """The subject's gradient of one tensor: by the loss that was asked for, unless only its own loss speaks."""
    judgement = failure.judgement
    found, own = judgement.tensors.get(tensor or ""), judgement.own.get(tensor or "")
    if tensor is None or not any(t is not None and _wrong(t).any() for t in (found, own)):
        raise NoSlope("no entry of a gradient is wrong by itself")
    if found is None or not _wrong(found).any() or (failure.another_loss and failure.ratio is None):
        return _of_own_backward(failure, tensor)
    point = _wrong_point(found)
    wrong = {tensor: _wrong(found)[point]}
    against = [w for w, where in found.against.items() if (where[point] & wrong[tensor]).any()]
    accused = failure.of_subject(failure.judged, [tensor], point).only(wrong)
    trusted = failure.trusted(judgement.references, [tensor], point, against, wrong)
    question = Question.of(failure.case, point, accused, trusted)
    if failure.arbiter is not None:
        return exactly(failure.arbiter, failure.ratio).record(question, accused, trusted)
    if not failure.another_loss and not isinstance(failure.subject, HasLoss):
        return _asked_loss(failure, point).record(question, accused, trusted)
    times = failure.ratio or 1.0
    return _recorded(
        _own_loss(failure, point), question, accused.times(times), None if trusted is None else trusted.times(times)
    )


def _of_own_backward(failure: Failure, tensor: str) -> Taylor:
    """By the subject's own loss; its differences are trusted, where they were taken."""
    own = failure.judgement.own.get(tensor)
    if own is None:
        raise NoSlope("no differences of the subject's own loss were taken")
    point, (witness,) = _wrong_point(own), own.bounds
    accused = failure.of_subject(failure.returned, [tensor], point).only({tensor: _wrong(own)[point]})
    trusted = Claim("differences", {tensor: own.values[witness][point]}, {tensor: own.own_bounds[witness][point]})
    question = Question.of(failure.case, point, accused, trusted)
    return _recorded(_own_loss(failure, point), question, accused, trusted)


def _of_forward(failure: Failure) -> Slopes:
    """All that the subject claims, together: by the loss that was asked for, and by its own."""
    judgement, returned = failure.judgement, failure.returned
    names = [name for name, _ in returned.tensors()]
    if not names:
        raise NoSlope("the subject returned no gradient")
    point = _forward_point(judgement, returned)
    accused = failure.of_subject(returned, names, point)
    trusted = failure.trusted(judgement.references, names, point)
    question, loss = Question.of(failure.case, point, accused, trusted), _asked_loss(failure, point)
    taylor = loss.record(question, accused, trusted)
    measure = None if trusted is None else partial(loss.slope, question, trusted)
    try:
        return Slopes(taylor, _by_own_loss(failure, names, point, measure))
    except NoSlope as why:
        return Slopes(taylor, missing=str(why))


def _by_own_loss(failure: Failure, names: list[str], point: int, measure: Measure | None) -> Taylor:
    value = float(failure.returned.loss[point])
    if not np.isfinite(value):
        raise NoSlope(f"the loss that the subject returned is {value}")
    multiple = failure.ratio is not None and failure.arbiter is not None
    accused = failure.of_subject(failure.judged if multiple else failure.returned, names, point)
    question = Question.of(failure.case, point, accused, None)
    if failure.ratio is not None and failure.arbiter is not None:
        return exactly(failure.arbiter, failure.ratio).record(question, accused, None, measure)
    return _recorded(_own_loss(failure, point), question, accused, None, measure)


def _of_witness(failure: Failure, tensor: str | None) -> Taylor:
    """The gradient of the witness that is off; of all its tensors together where it is the loss that it has wrong."""
    judgement, odd = failure.judgement, failure.judgement.odd_one_out
    names = list(judgement.tensors) if tensor is None else [tensor]
    forward = judgement.forward.losses if judgement.forward is not None else None
    found = forward if tensor is None else judgement.tensors.get(tensor)
    point = 0 if found is None else _wrong_point(found)
    if odd == TOLERANCE:
        accused = failure.of_the_bound(TOLERANCE, names, point)
    elif odd is not None and odd in judgement.references:
        accused = failure.of_witness(odd, judgement.references[odd], names, point)
    else:
        raise NoSlope("no witness is accused")
    wrong = {} if tensor is None or found is None else {tensor: _wrong(found)[point]}
    accused = accused.only(wrong) if wrong else accused
    trusted = failure.trusted(judgement.references, names, point, wrong=wrong)
    question = Question.of(failure.case, point, accused, trusted)
    return _asked_loss(failure, point).record(question, accused, trusted)


def _of_breach(failure: Failure) -> Taylor:
    """All gradients that a subject gave although it broke the contract, by the loss that was asked for."""
    contract, case = failure.judgement.contract, failure.case
    point = contract.point if contract is not None and contract.point is not None else 0
    # What broke while its own loss was asked a step away has the place of a step.
    point = point if point < case.n_points else 0
    found = given(failure, point)
    names = [name for name, _ in found.tensors()]
    if not names:
        raise NoSlope("the subject returned no gradient")
    # As it was returned: what the judge knows of a factor of the loss is left behind.
    alone = Failure(case.take([point]), replace(failure.judgement, forward=None), failure.subject, failure.witnesses)
    accused = of_breach(alone, found, names)
    trusted = alone.trusted(testimony(alone), names, 0)
    question = Question.of(alone.case, 0, accused, trusted)
    return _asked_loss(alone, 0).record(question, accused, trusted)


def _recorded(
    loss: Loss, question: Question, accused: Claim, trusted: Claim | None, measure: Measure | None = None
) -> Taylor:
    """By a loss of the subject's own, which is foreign code. Raises NoSlope where it breaks the contract."""
    try:
        return loss.record(question, accused, trusted, measure)
    except ContractBroken as contract:
        raise NoSlope(f"asked for its loss a step away, the {contract}") from contract


def _forward_point(judgement: Judgement, returned: Gradients) -> int:
    """The first point at which the loss is another and all is finite; else where the gradients are; else the first."""
    if judgement.forward is None:
        return 0
    points = np.flatnonzero(judgement.forward.losses.status == Status.DISAGREE).tolist() or [0]
    sound = [p for p in points if all(np.isfinite(g[p]).all() for _, g in returned.tensors())]
    whole = [p for p in sound if np.isfinite(returned.loss[p])]
    return int((whole or sound or points)[0])


def _wrong_point(found: TensorJudgement) -> int:
    """The first point at which an entry is wrong; 0 where none is."""
    return int(np.argmax(_wrong(found).reshape(len(found.status), -1).any(axis=1)))


def _wrong(found: TensorJudgement) -> Bools:
    return np.isin(found.status, WRONG)
