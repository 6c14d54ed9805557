"""How the tests have a failure located, and known bugs of one factor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crosscheck import mutants
from crosscheck.checking import Witnesses, check
from crosscheck.diagnosis.locate import Located, locate
from crosscheck.mutants.mutant import Mutant
from crosscheck.oracles.ball import Ball
from crosscheck.spec import Case, Subject, Verdict
from crosscheck.spec.fault import Factor, Fault, Symptom
from crosscheck.spec.ops import OPS

BALL = Ball()


PROOF = Witnesses((BALL,), differences=False)
BY_NAME: Mapping[str, Mutant] = {mutant.name: mutant for mutant in mutants.mutants()}


def planted(op: str, factor: Factor, part: str = "") -> Mutant:
    """Some known bug of this one factor alone that shows on ordinary numbers."""
    return next(
        m
        for m in BY_NAME.values()
        if m.faults == (Fault(op, factor, part),)
        and m.source == "systematic"
        and not m.fixed
        and not m.families
        and m.symptom not in (Symptom.BOUNDARY, Symptom.ONE_SIDE)
    )


def located(case: Case, subject: Subject, ops: object = frozenset(OPS)) -> Located | None:
    with np.errstate(all="ignore"):
        judgement = check(case, subject, PROOF)
        assert judgement.verdict is Verdict.DISAGREES
        return locate(case, judgement, subject, BALL, ops)  # type: ignore[arg-type]
