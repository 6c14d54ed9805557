"""The Taylor slope of a failure: a second opinion that asks no witness, run before the failure is shown.

Where the arbiter can evaluate the asked loss, the remainder is exact: rounding hides nothing, and an error of 1e-12
shows its slope of 1 as clearly as one of 1. Otherwise, and for a loss of the subject's own, it is taken in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crosscheck.checking import Witnesses, derive_bounds, own_loss, sound_loss
from crosscheck.differences.taylor import TaylorSlope, from_remainders, taylor
from crosscheck.judge.compare import Status
from crosscheck.judge.verdict import Judgement
from crosscheck.spec.case import Case
from crosscheck.spec.protocols import HasLoss, Subject
from crosscheck.spec.record import Taylor, number
from crosscheck.spec.result import Array, Bound, Verdict

# h = 2⁻², 2⁻⁴ … 2⁻⁵⁰: exact remainders stand clear of rounding far below where those of float64 drown.
EXACT_STEPS = np.ldexp(1.0, -2 * np.arange(1, 26))


@dataclass(frozen=True)
class Question:
    """A tensor at one point, along one random signed direction."""

    case: Case
    tensor: str
    point: int
    direction: Array


def of_failure(
    case: Case, judgement: Judgement, subject: Subject, witnesses: Witnesses, tensor: str | None
) -> Taylor | None:
    """The slopes with the gradient that is accused and with one that is trusted; None where there is no gradient."""
    accused = _accused(judgement, tensor)
    trusted = _trusted(judgement)
    if tensor is None or accused is None or trusted is None:
        return None
    exact = case.astype("float64")
    base = exact.params[tensor] if tensor in exact.params else exact.inputs[tensor]
    direction = np.random.default_rng(int(case.key[:16], 16)).choice([-1.0, 1.0], size=base.shape[1:])
    question = Question(exact, tensor, _wrong_point(judgement, tensor), direction)
    bounds = derive_bounds(case, subject, witnesses)
    slope = _asker(question, judgement, subject, witnesses, bounds["subject"])
    claimed = slope(accused[question.point])
    reference = slope(judgement.references[trusted].gradients[tensor][question.point])
    return Taylor(
        claimed=claimed.slope,
        reference=reference.slope,
        reference_name=trusted,
        steps=claimed.steps,
        claimed_remainders=tuple(number(r) for r in claimed.remainders),
        reference_remainders=tuple(number(r) for r in reference.remainders),
    )


def _accused(judgement: Judgement, tensor: str | None) -> Array | None:
    """The gradient in question: the odd witness's, else the subject's."""
    if tensor is None or judgement.claimed is None:
        return None
    odd = judgement.odd_one_out
    if judgement.verdict is Verdict.ORACLE_DISAGREES:
        return judgement.references[odd].gradients[tensor] if odd is not None and odd in judgement.references else None
    forward = judgement.forward
    if forward is not None and forward.disagrees and forward.ratio is None:
        return None  # gradients of another loss than that of the witnesses
    claimed = dict(judgement.claimed.tensors())
    return claimed.get(tensor)


def _trusted(judgement: Judgement) -> str | None:
    return next((w for w in judgement.references if w != judgement.odd_one_out), None)


def _asker(
    question: Question, judgement: Judgement, subject: Subject, witnesses: Witnesses, bound: Bound
) -> Callable[[Array], TaylorSlope]:
    """Who evaluates the loss: the subject its own, where it has one; the arbiter, exactly; else the sound forward."""
    case, tensor, point, direction = question.case, question.tensor, question.point, question.direction
    arbiter = witnesses.arbiter
    # Rescaled gradients belong to the loss that was asked for, others to the subject's own.
    forward = judgement.forward is not None and judgement.forward.disagrees
    own = isinstance(subject, HasLoss) and judgement.verdict is not Verdict.ORACLE_DISAGREES and not forward
    if not own and arbiter is not None and not arbiter.gaps(case.architecture):
        # What rounding may do to g·v is no error of the gradient.
        noise = float(np.sum(np.abs(direction) * bound.held[tensor][point]))

        def exactly(gradient: Array) -> TaylorSlope:
            found = arbiter.remainders(case, point, tensor, direction, gradient, EXACT_STEPS)
            return from_remainders(EXACT_STEPS, found, EXACT_STEPS * noise)

        return exactly
    function = own_loss(case, subject) if own and isinstance(subject, HasLoss) else sound_loss(case)
    base = case.params[tensor] if tensor in case.params else case.inputs[tensor]
    spread = bound.loss_spread

    def in_float64(gradient: Array) -> TaylorSlope:
        return taylor(function, tensor, base, gradient, direction, point, spread)

    return in_float64


def _wrong_point(judgement: Judgement, tensor: str) -> int:
    wrong = [Status.DISAGREE, Status.ORACLE_DISAGREES]
    found = judgement.tensors.get(tensor)
    if found is None or not np.isin(found.status, wrong).any():
        found = judgement.own.get(tensor, found)
    if found is None:
        return 0
    return int(np.argmax(np.isin(found.status, wrong).reshape(len(found.status), -1).any(axis=1)))
