"""Certified truth as the arbiter: every party is held against it, each within a bound of its own.

Where a witness has proved the true value, nobody votes: a party is right if it lies within its bound of what is
proved, and who is not is named. At a kink the proof is the hull of the one-sided derivatives; any value in it is
accepted, and what is accepted there says nothing, so it stays undecidable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crosscheck.judge.compare import (
    ALONE,
    NOBODY,
    TOLERANCE,
    Party,
    Status,
    TensorJudgement,
    by_point,
    difference,
    resolved,
    too_coarse,
)
from crosscheck.spec.result import Array, Bools, Floats

# The largest finite number of each format.
LARGEST = {
    "float64": (2.0 - 2.0**-52) * 2.0**1023,
    "float32": (2.0 - 2.0**-23) * 2.0**127,
    "float16": (2.0 - 2.0**-10) * 2.0**15,
    "bfloat16": (2.0 - 2.0**-7) * 2.0**127,
}


@dataclass(frozen=True, eq=False)
class Truth:
    """What is proved of one tensor, and how far every party is from it.

    `answered` (P, …) says where; `errors`, `bounds`, `wrong` and `resolutions` are by party, "subject" among them.
    `void` (P, …): where the run from which the bounds are taken is off the truth itself; None where it was not asked.
    """

    name: str
    answered: Bools
    errors: Mapping[str, Floats]
    bounds: Mapping[str, Floats]
    wrong: Mapping[str, Bools]
    resolutions: Mapping[str, Floats]
    void: Bools | None = None


@dataclass(frozen=True, eq=False)
class Centre:
    """The plain run around which the spread was taken, and its own bound: it must lie at the truth too.

    It speaks for the samples: σ is their root mean square around it, so that their mean is within σ of it.
    """

    values: Array
    bound: Floats


def arbitrate(
    judged: TensorJudgement,
    subject: Party,
    witnesses: tuple[Party, ...],
    arbiter: str,
    *,
    parted: Bools,
    point_scale: Floats,
    centre: Centre | None = None,
) -> TensorJudgement:
    """The judgement with every entry that `arbiter` answers settled by it; the others stay as they were voted.

    A truth beyond the subject's dtype overflows, whoever computes it.
    Where the centre of the stochastic run is not at the truth, the bounds are void: the tolerance is what is wrong, and
    no agreement counts there. A subject that is off the truth as well is not excused by that: a rule that it shares
    with the run from which its bound is taken is wrong in both.
    """
    proof = next(w for w in witnesses if w.name == arbiter)
    answered = proof.answers
    if not answered.any():
        return judged
    truth = _distances(subject, witnesses, proof, point_scale)
    right = ~truth.wrong["subject"]
    resolution = np.where(answered, truth.resolutions["subject"], judged.resolution)
    status = np.where(answered, Status.AGREE, judged.status).astype(np.int8)
    odd = np.where(answered, NOBODY, judged.odd_one_out).astype(np.int8)
    limit = too_coarse(subject.values.dtype.name)
    coarse = answered & (resolution > limit)
    status[coarse] = Status.UNINFORMATIVE
    # Where rounding alone is not too much for the largest value of the hull, the hull is.
    of_rounding = resolved(subject.held, np.abs(proof.values) + proof.bound, point_scale)
    status[coarse & by_point(parted, status) & ~(of_rounding > limit)] = Status.UNDECIDABLE
    for i, w in enumerate(witnesses):
        if w.estimate:
            continue  # how far it is off is told; a budget of steps that was too small accuses nobody
        alone = answered & right & (odd == NOBODY) & truth.wrong.get(w.name, np.False_)
        status[alone], odd[alone] = Status.ORACLE_DISAGREES, i
    status[answered & ~right], odd[answered & ~right] = Status.DISAGREE, ALONE
    if centre is not None:
        off = answered & np.isfinite(centre.bound)
        off &= ~(difference(centre.values, proof.values) <= centre.bound + proof.bound)
        truth = replace(truth, void=off)
        status[off & right], odd[off & right] = Status.ORACLE_DISAGREES, TOLERANCE
    unbounded = answered & ~np.isfinite(subject.held)
    status[unbounded], odd[unbounded] = Status.UNINFORMATIVE, NOBODY
    beyond = answered & ((np.abs(proof.values) > LARGEST[subject.values.dtype.name]) | subject.overflows)
    status[beyond], odd[beyond] = Status.OVERFLOW, NOBODY
    return replace(
        judged,
        status=status,
        resolution=np.where(beyond | unbounded, np.inf, resolution),
        odd_one_out=odd,
        against=_sides(judged, truth, proof.name),
        truth=truth,
    )


def _distances(subject: Party, witnesses: tuple[Party, ...], proof: Party, point_scale: Floats) -> Truth:
    errors, bounds, wrong, resolutions = {}, {}, {}, {}
    for party in (subject, *(w for w in witnesses if w is not proof)):
        errors[party.name] = difference(party.values, proof.values)
        bounds[party.name] = party.held + proof.bound
        asked = proof.answers & np.isfinite(party.held)
        wrong[party.name] = asked & ~(errors[party.name] <= bounds[party.name])
        # Right, it is off by its bound at most; it is accused from its bound and the radius on.
        resolutions[party.name] = resolved(party.held + 0.5 * proof.bound, proof.values, point_scale)
    return Truth(proof.name, proof.answers, errors, bounds, wrong, resolutions)


def _sides(judged: TensorJudgement, truth: Truth, proof: str) -> dict[str, Bools]:
    """Who stands against the subject: where it is wrong the proof and who differs from it, else who is wrong."""
    subject = truth.wrong["subject"]
    result: dict[str, NDArray[np.bool_]] = {}
    for w, against in judged.against.items():
        opposed = subject if w == proof else np.where(subject, against, truth.wrong[w])
        result[w] = np.where(truth.answered, opposed, against)
    return result
