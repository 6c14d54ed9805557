"""A large network with differences alone: directions move what the sample leaves out, and what is wrong is named."""

from __future__ import annotations

import numpy as np
import pytest
from builders import Wrong, as_callable, case_of, changed

from crosscheck import session
from crosscheck.api import GradientMismatch, check
from crosscheck.checking import DIFFERENCED_ENTRIES, Witnesses
from crosscheck.checking import check as check_case
from crosscheck.judge.compare import Status
from crosscheck.spec import Case, Gradients, Verdict
from crosscheck.subjects.builtin import Builtin

NET = "x[2,30] -> dense(60) -> tanh -> dense(40) -> gelu -> dense(5) -> sse"
ALONE = Witnesses((), differences=True)
PLACE = (7, 11)


def one_wrong(_case: Case, gradients: Gradients) -> Gradients:
    def spoil(g: np.ndarray) -> np.ndarray:
        g[(slice(None), *PLACE)] *= 1.001
        return g

    return changed(gradients, "0.weight", spoil) if "0.weight" in gradients else gradients


@pytest.mark.parametrize("seed", range(4))
def test_one_wrong_entry_that_the_sample_leaves_out_is_named(seed: int) -> None:
    judgement = check_case(case_of(NET, points=2, seed=seed), Wrong(one_wrong), ALONE)
    assert judgement.verdict is Verdict.DISAGREES
    for name, tensor in judgement.tensors.items():
        places = {tuple(int(i) for i in place[1:]) for place in np.argwhere(tensor.status == Status.DISAGREE)}
        assert places == ({PLACE} if name == "0.weight" else set())
    assert judgement.directed is not None
    found = [(w.tensor, w.index) for _, hunted in judgement.directed.by_point for w in hunted.wrong]
    assert set(found) == {("0.weight", PLACE[0] * 30 + PLACE[1])}


@pytest.mark.parametrize("seed", range(4))
def test_what_a_direction_alone_has_tested_is_not_compared(seed: int) -> None:
    case = case_of(NET, points=2, seed=seed)
    judgement = check_case(case, Builtin(), ALONE)
    assert judgement.verdict is Verdict.AGREES
    total = sum(tensor.status.size for tensor in judgement.tensors.values())
    assert judgement.count(Status.NOT_COMPARED) >= total - case.n_points * DIFFERENCED_ENTRIES
    assert judgement.directed is not None
    assert len(judgement.directed.by_point) == case.n_points
    assert judgement.directed.seen() < 1e-3


def test_where_another_witness_or_all_differences_answer_no_direction_is_asked() -> None:
    small = check_case(case_of("x[2,3] -> dense(4) -> tanh -> sse"), Builtin(), ALONE)
    assert small.directed is not None
    assert small.directed.by_point == ()


@pytest.mark.thorough
def test_a_users_callable_on_a_large_network_is_told_which_entry_is_wrong() -> None:
    with pytest.raises(GradientMismatch, match=r"0\.weight\[7,11\]"):
        check(as_callable(Wrong(one_wrong)), NET, oracles=("differences",), max_examples=2, points=1)


def test_the_record_says_what_directions_have_seen() -> None:
    settings = session.Settings(Builtin(), architecture=NET, oracles=("differences",), examples=2, points=1)
    run = session.verify(settings).run_file.run
    said = [w for w in run.warnings if "along random directions" in w]
    assert len(said) == 1
    assert said[0].startswith("in 2 networks entries that nobody was asked about were moved along random directions")


class OwnForward:
    """A subject whose loss is another than the one asked for: half of it and a constant, with one wrong entry."""

    name = "own forward"
    supports = Builtin().supports
    error_model = None

    def gradients(self, case: Case) -> Gradients:
        found = one_wrong(case, Builtin().gradients(case))
        return Gradients(
            self.loss(case),
            {k: v / 2 for k, v in found.by_param.items()},
            {k: v / 2 for k, v in found.by_input.items()},
        )

    def loss(self, case: Case) -> np.ndarray:
        return np.asarray(Builtin().gradients(case).loss / 2 + 1.0)


def test_a_backward_is_held_against_its_own_forward_in_every_entry() -> None:
    judgement = check_case(case_of(NET, points=2), OwnForward(), ALONE)
    assert judgement.verdict is Verdict.FORWARD_DISAGREES
    for name, tensor in judgement.own.items():
        places = {tuple(int(i) for i in place[1:]) for place in np.argwhere(tensor.status == Status.DISAGREE)}
        assert places == ({PLACE} if name == "0.weight" else set())
