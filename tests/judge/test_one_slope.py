"""One slope for each element on a kink: what two entries say of it together, from values and bounds alone."""

from __future__ import annotations

import numpy as np
import pytest

from crosscheck.judge.arbiter import Truth
from crosscheck.judge.compare import NOBODY, Status, TensorJudgement
from crosscheck.judge.one_slope import contradiction, with_contradictions
from crosscheck.judge.verdict import Contradiction, Judgement
from crosscheck.spec import Gradients, Reference, Rigour, Verdict
from crosscheck.spec.result import Bound, Floats, OneSided

BOUND = 1e-12


def gradients(values: Floats) -> Gradients:
    return Gradients(np.zeros(1), {"w": np.asarray(values, np.float64)[np.newaxis]})


def proved(values: Floats, radius: float = 0.0) -> Reference:
    return Reference(gradients(values), Rigour.CERTIFIED, gradients(np.full(np.shape(values), radius)))


def sides(left: list[float], *moves: list[float], radius: float = 0.0) -> OneSided:
    start = np.array(left)
    return OneSided(
        "relu",
        1,
        tuple((0, i) for i in range(len(moves))),
        (0.0,) * len(moves),
        ((0.0, 1.0),) * len(moves),
        proved(start, radius),
        tuple(proved(start + np.array(move), radius) for move in moves),
    )


def bound(size: float, entries: int) -> Bound:
    wide = gradients(np.full(entries, size))
    flag = np.zeros(1, np.bool_)
    return Bound(wide, wide, wide, flag, {}, np.zeros(1), np.zeros(1), flag)


def tensor(claimed: list[float], *, answered: bool = True, status: Status = Status.UNDECIDABLE) -> TensorJudgement:
    values = np.array([claimed])
    zero, no = np.zeros_like(values), np.zeros(values.shape, np.bool_)
    truth = Truth("ball", ~no if answered else no, {"subject": zero}, {"subject": zero}, {"subject": no}, {})
    return TensorJudgement(
        "w",
        np.full(values.shape, status, np.int8),
        zero,
        {},
        {},
        {"ball": no, "torch": no},
        np.full(values.shape, NOBODY, np.int8),
        {},
        {},
        truth,
    )


def found(
    claimed: list[float], asked: OneSided, *, size: float = BOUND, judged: TensorJudgement | None = None
) -> Contradiction | None:
    return contradiction(
        gradients(np.array(claimed)), asked, bound(size, len(claimed)), {"w": judged or tensor(claimed)}, 0
    )


ONE = sides([0.0, 0.0, 5.0], [2.0, -4.0, 0.0])
TWO = sides([0.0, 0.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 1.0])  # the last entry is the sum over both


@pytest.mark.parametrize("share", [0.0, 1.0, 0.3, 0.5])
def test_any_one_share_explains_all_entries(share: float) -> None:
    assert found([2.0 * share, -4.0 * share, 5.0], ONE) is None


@pytest.mark.parametrize("shares", [(0.0, 0.0), (1.0, 0.0), (0.25, 0.75), (1.0, 1.0)])
def test_two_elements_may_take_different_slopes(shares: tuple[float, float]) -> None:
    assert found([shares[0], shares[1], sum(shares)], TWO) is None


def test_two_entries_that_take_different_slopes_contradict_each_other() -> None:
    said = found([0.0, -4.0, 5.0], ONE)
    assert said is not None
    assert (said.op, said.node, said.element, said.at) == ("relu", 1, (0, 0), 0.0)
    first, second = said.strands
    assert (first.tensor, first.index, first.slope) == ("w", (0,), pytest.approx(0.0))
    assert (second.index, second.slope) == ((1,), pytest.approx(1.0))
    assert first.error == pytest.approx(2.0), "what the other's slope would make of it"
    assert second.error == pytest.approx(4.0)
    assert first.bound < 1e-10
    assert second.bound < 1e-10


def test_a_sum_over_two_elements_may_contradict_the_entries_of_each() -> None:
    said = found([0.0, 0.0, 1.0], TWO)
    assert said is not None
    assert {said.strands[0].index, said.strands[1].index} <= {(0,), (1,), (2,)}
    assert (2,) in {strand.index for strand in said.strands}


def test_entries_that_mix_elements_alone_decide_nothing() -> None:
    """Two entries, each of both elements: many a pair of shares explains them."""
    assert found([1.0, 0.5], sides([0.0, 0.0], [1.0, 0.5], [1.0, 0.25])) is None


def test_what_is_within_the_bounds_is_no_contradiction() -> None:
    assert found([0.0, -1e-13, 5.0], ONE) is None
    assert found([0.0, -4.0, 5.0], ONE, size=3.0) is None
    assert found([0.0, -4.0, 5.0], sides([0.0, 0.0, 5.0], [2.0, -4.0, 0.0], radius=1.0)) is None


def test_entries_of_which_nothing_is_known_say_nothing() -> None:
    assert found([0.0, -4.0, 5.0], ONE, judged=tensor([0.0, -4.0, 5.0], answered=False)) is None
    assert found([0.0, -4.0, 5.0], ONE, judged=tensor([0.0, -4.0, 5.0], status=Status.OVERFLOW)) is None
    assert found([0.0, np.nan, 5.0], ONE) is None
    assert found([0.0, -4.0, 5.0], ONE, size=np.inf) is None


def test_a_contradiction_is_the_subjects_and_marks_both_entries() -> None:
    claimed = [0.0, -4.0, 5.0]
    said = found(claimed, ONE)
    assert said is not None
    before = Judgement(
        Verdict.AGREES, {"w": tensor(claimed)}, None, None, gradients(np.array(claimed)), {}, suspects=(7,)
    )
    after = with_contradictions(before, [said], "ball")
    assert after.verdict is Verdict.DISAGREES
    assert after.odd_one_out == "subject"
    assert after.suspects == (0, 7)
    assert after.contradictions == (said,)
    marked = after.tensors["w"]
    assert marked.status[0].tolist() == [Status.DISAGREE, Status.DISAGREE, Status.UNDECIDABLE]
    assert marked.against["ball"][0].tolist() == [True, True, False]
    assert not marked.against["torch"].any()
    assert marked.truth is not None
    assert marked.truth.wrong["subject"][0].tolist() == [True, True, False]
    assert not before.tensors["w"].against["ball"].any(), "the first judgement stays what it was"
