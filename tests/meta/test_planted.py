"""The checker must fail: every planted bug is caught within 60 networks, and it is the subject that is accused."""

from __future__ import annotations

import numpy as np
import pytest
from meta.planted import BUGS, CONTROLS, Bug

from crosscheck.checking import Witnesses, check
from crosscheck.judge.compare import Status
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.search import Hunt, Limits, hunt
from crosscheck.spec import Subject, Verdict
from crosscheck.spec.ops import OPS
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import Space
from crosscheck.subjects.builtin import Builtin

NETWORKS = 60
SEED = 2
PASSING = (Verdict.AGREES, Verdict.UNDECIDABLE, Verdict.ORACLE_DISAGREES)
WITNESSES = Witnesses((TorchAutograd(),), differences=True)
PROOF = Witnesses((Ball(),), differences=False)


def source_of(bug: Bug) -> Source:
    return Source(cases(Space.of(bug.ops), points=4), SEED)


def the_subjects_own(result: Hunt) -> list[int]:
    """Indices of the failures that are not an oracle's."""
    return [f.index for f in result.failures if f.kind.verdict is not Verdict.ORACLE_DISAGREES]


@pytest.mark.thorough
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught_and_the_subject_accused(bug: Bug) -> None:
    """Where one witness alone can resolve the difference (tiny numbers), who is right stays open: then a later one."""
    source = source_of(bug)
    for index in range(NETWORKS):
        case = source.case(index)
        assert case is not None
        judgement = check(case, bug.subject, WITNESSES)
        if judgement.verdict in PASSING:
            continue
        assert judgement.verdict.name == bug.verdict
        assert judgement.odd_one_out in ("subject", None), "a witness was accused"
        if judgement.odd_one_out == "subject" or bug.verdict != "DISAGREES":
            return
    pytest.fail(f"{bug.name} got through {NETWORKS} networks")


@pytest.mark.thorough
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_truth_alone_catches_it_and_leaves_nothing_open(bug: Bug) -> None:
    source = source_of(bug)
    for index in range(NETWORKS):
        case = source.case(index)
        assert case is not None
        judgement = check(case, bug.subject, PROOF)
        if judgement.verdict in PASSING:
            continue
        assert judgement.verdict.name == bug.verdict
        assert judgement.odd_one_out == "subject" or bug.verdict != "DISAGREES"
        return
    pytest.fail(f"{bug.name} got through {NETWORKS} networks")


@pytest.mark.thorough
def test_the_built_in_passes_where_the_bugs_are_caught() -> None:
    result = hunt(source_of(BUGS[0]), Builtin(), WITNESSES, Limits(NETWORKS))
    assert the_subjects_own(result) == []
    assert result.tally.verdicts["AGREES"] > NETWORKS / 2
    assert result.tally.status[Status.DISAGREE] == 0


# Where a formula of lower accuracy is at its worst; and where conventions at kinks differ.
HARD = ("large", "saturating", "decades", "integers")
AT_KINKS = ("integers", "dyadic")


def _op(subject: Builtin) -> str:
    return next(op for op, row in subject.rows.items() if row is not Builtin().rows[op])


@pytest.mark.thorough
@pytest.mark.parametrize("witnesses", [WITNESSES, PROOF], ids=["witnesses", "proof"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CONTROLS)
def test_a_right_formula_of_lower_accuracy_is_not_accused(name: str, dtype: str, witnesses: Witnesses) -> None:
    subject: Subject = CONTROLS[name]
    op = _op(CONTROLS[name])
    kinks = OPS[op].kinks({a.name: a.default for a in OPS[op].attributes if a.default is not None})
    space = Space.of(["dense", "concat", op, "sse", "cotangent"])
    source = Source(cases(space, dtypes=(dtype,), points=4, families=AT_KINKS if kinks else HARD), SEED)
    verdicts = []
    another = False
    for index in range(12):
        case = source.case(index)
        assert case is not None
        verdicts.append(check(case, subject, witnesses).verdict)
        own, sound = dict(subject.gradients(case).tensors()), dict(Builtin().gradients(case).tensors())
        another |= any(not np.array_equal(own[k], sound[k], equal_nan=True) for k in sound)
    assert set(verdicts) <= set(PASSING)
    assert verdicts.count(Verdict.AGREES) > 3
    assert another, "the control computes the very bits of the built-in: it controls nothing"
