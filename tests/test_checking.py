"""One case: who is asked, with which bounds, and what is asked again before anything is said."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from builders import Wrong, case_of, changed, off_by
from meta.planted import BUGS

from crosscheck import checking
from crosscheck.checking import DIFFERENCED_ENTRIES, Clock, Witnesses, check, derive_bounds
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Architecture, Case, ContractBroken, Gap, Gradients, HasLoss, Reference, Verdict
from crosscheck.spec.errors import OracleCrashed
from crosscheck.subjects.builtin import Builtin
from crosscheck.tolerance.bounds import SAMPLES, SAMPLES_FOR_SUSPECTS

TORCH = TorchAutograd()
BOTH = Witnesses((TORCH,), differences=True)
LARGE = "x[5,5] -> dense(5) -> tanh -> dense(5) -> tanh -> dense(5) -> tanh -> dense(5) -> sse"


@dataclass(frozen=True)
class Oracle:
    """PyTorch, with a gap or a crash where asked for; it counts how often it is asked."""

    name: str = "torch"
    gap: str | None = None
    crash: bool = False
    asked: list[Case] = dataclasses.field(default_factory=list)

    def gaps(self, architecture: Architecture) -> tuple[Gap, ...]:
        return (Gap(self.gap, self.name, "not known"),) if self.gap in architecture.ops else ()

    def references(self, case: Case) -> Reference:
        self.asked.append(case)
        if self.crash:
            raise OracleCrashed("oracle torch raised RuntimeError: no")
        return TORCH.references(case)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_built_in_agrees(dtype: str) -> None:
    judgement = check(case_of(dtype=dtype), Builtin(), BOTH)
    assert judgement.verdict is Verdict.AGREES
    assert set(judgement.references) == {"torch", "differences"}
    assert judgement.suspects == ()


def test_without_a_witness_nothing_is_checked() -> None:
    judgement = check(case_of(), Builtin(), Witnesses((), differences=False))
    assert judgement.verdict is Verdict.UNCHECKED


def test_a_witness_with_a_gap_is_not_asked() -> None:
    oracle = Oracle(gap="tanh")
    judgement = check(case_of(), off_by("0.weight", 2.0), Witnesses((oracle,), differences=True))
    assert oracle.asked == []
    assert set(judgement.references) == {"differences"}
    assert judgement.verdict is Verdict.DISAGREES


def test_a_breach_of_contract_is_a_judgement() -> None:
    def breach(_case: Case, _found: Gradients) -> Gradients:
        raise ContractBroken("subject returned None", rule="type")

    oracle = Oracle()
    judgement = check(case_of(), Wrong(breach), Witnesses((oracle,)))
    assert judgement.verdict is Verdict.BROKE_CONTRACT
    assert judgement.contract is not None
    assert judgement.contract.rule == "type"
    assert oracle.asked == [], "nobody need testify"


def test_a_crashed_oracle_is_an_error_and_no_verdict() -> None:
    with pytest.raises(OracleCrashed, match="oracle torch raised"):
        check(case_of(), Builtin(), Witnesses((Oracle(crash=True),)))


def test_the_clock_knows_each_part() -> None:
    clock = Clock()
    check(case_of(), off_by("0.weight", 2.0), BOTH, clock)
    assert set(clock.seconds) == {"subject", "tolerance", "torch", "differences", "suspects"}
    assert all(seconds > 0 for seconds in clock.seconds.values())


# Bounds.


@pytest.mark.parametrize("bug", BUGS[:4], ids=lambda bug: bug.name)
def test_bounds_are_never_taken_from_the_code_that_is_judged(bug: Any) -> None:
    case = case_of("x[3,4] -> dense(2) -> sigmoid -> sse")
    sound, its = derive_bounds(case, Builtin(), BOTH), derive_bounds(case, bug.subject, BOTH)
    for name, values in sound["subject"].gradients.tensors():
        assert (its["subject"].gradients[name] == values).all()


def test_the_subject_is_bounded_in_its_dtype_and_the_oracles_in_float64() -> None:
    bounds = derive_bounds(case_of(dtype="float32"), Builtin(), BOTH)
    subject, torch = bounds["subject"].gradients["0.weight"], bounds["torch"].gradients["0.weight"]
    assert (subject > 1e6 * torch).all()


def spied(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(points, samples) of every bound that is derived."""
    asked: list[tuple[int, int]] = []
    real = checking.bound

    def bound(case: Case, dtype: str, model: str | None = None, *, samples: int = SAMPLES, **rest: Any) -> Any:
        asked.append((case.n_points, samples))
        return real(case, dtype, model, samples=samples, **rest)

    monkeypatch.setattr(checking, "bound", bound)
    return asked


def at_point_2(_case: Case, found: Gradients) -> Gradients:
    def spoil(g: np.ndarray) -> np.ndarray:
        g[2] *= 2.0
        return g

    return changed(found, "0.weight", spoil)


def test_suspect_points_and_no_others_are_asked_again_with_more_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = spied(monkeypatch)
    judgement = check(case_of(points=4), Wrong(at_point_2), BOTH)
    assert judgement.suspects == (2,)
    assert (1, SAMPLES_FOR_SUSPECTS) in asked
    assert {points for points, samples in asked if samples == SAMPLES_FOR_SUSPECTS} == {1}


def test_nothing_is_asked_again_where_nothing_is_suspect(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = spied(monkeypatch)
    check(case_of(points=4), Builtin(), BOTH)
    assert {samples for _, samples in asked} == {SAMPLES, SAMPLES // 2}, "half as many for the neighbourhood"


# Differences.


def test_of_a_large_network_a_sample_is_differenced_and_then_every_suspect() -> None:
    case = case_of(LARGE, points=1)
    bounds = derive_bounds(case, Builtin(), BOTH)
    first = checking.testify(case, BOTH, bounds, Clock(), None)["differences"]
    assert first.radius is not None
    sampled = {name: np.isfinite(radius[0]) for name, radius in first.radius.tensors()}
    assert 0 < sum(map(np.count_nonzero, sampled.values())) <= DIFFERENCED_ENTRIES
    left_out = np.argwhere(~sampled["2.weight"])[0]

    def spoil(g: np.ndarray) -> np.ndarray:
        g[(0, *left_out)] += 1.0
        return g

    judgement = check(case, Wrong(lambda c, found: changed(found, "2.weight", spoil)), BOTH)
    again = judgement.references["differences"].radius
    assert again is not None
    assert np.isfinite(again["2.weight"][(0, *left_out)]), "the suspect is differenced too"
    assert judgement.odd_one_out == "subject"


def test_differences_alone_catch_what_lies_in_their_sample() -> None:
    judgement = check(case_of(), off_by("0.bias", 1.0 + 1e-6), Witnesses((), differences=True))
    assert judgement.verdict is Verdict.DISAGREES


# The subject's own forward.


@dataclass(frozen=True)
class Own(Wrong):
    """Answers for its own loss, a multiple of the asked one plus nothing, or something else altogether."""

    factor: float = 1.0
    asked: list[Case] = dataclasses.field(default_factory=list)

    def loss(self, case: Case) -> np.ndarray:
        self.asked.append(case)
        return self.factor * Builtin().gradients(case).loss

    def gradients(self, case: Case) -> Gradients:
        found = super().gradients(case)
        return dataclasses.replace(found, loss=self.factor * found.loss)


def scaled(factor: float) -> Any:
    def spoil(_case: Case, found: Gradients) -> Gradients:
        for name, _ in list(found.tensors()):
            found = changed(found, name, lambda g: factor * g)
        return found

    return spoil


def test_a_subject_with_a_loss_is_one() -> None:
    assert isinstance(Own(scaled(1.0)), HasLoss)
    assert not isinstance(Builtin(), HasLoss)


# fmt: off
OWN = [  # factor of its loss, of its gradients, verdict, whether its own differences contradict it
    (1.0, 1.0, Verdict.AGREES,            False),
    (1.0, 2.0, Verdict.DISAGREES,         True),
    (0.5, 0.5, Verdict.FORWARD_DISAGREES, False),
    (0.5, 1.0, Verdict.FORWARD_DISAGREES, True),
]
# fmt: on


@pytest.mark.parametrize(("loss", "gradients", "verdict", "own_wrong"), OWN)
def test_forward_and_backward_are_told_apart(loss: float, gradients: float, verdict: Verdict, own_wrong: bool) -> None:
    judgement = check(case_of(), Own(scaled(gradients), factor=loss), BOTH)
    assert judgement.verdict is verdict
    assert any(np.any(t.against["own loss"]) for t in judgement.own.values()) == own_wrong
    if verdict is Verdict.FORWARD_DISAGREES:
        assert judgement.forward is not None
        assert judgement.forward.message == "your loss is 0.5 × sse: pass scale=0.5"
        rescaled_wrong = any(np.any(t.status >= 4) for t in judgement.tensors.values())
        assert rescaled_wrong == own_wrong, "the gradients are judged after rescaling"


def test_its_own_loss_is_asked_at_few_points_and_in_float64_alone() -> None:
    few = Own(scaled(1.0))
    judgement = check(case_of(points=8), few, BOTH)
    assert few.asked
    asked_at = [
        np.isfinite(t.own_bounds["own loss"]).any(axis=(1, 2)) for n, t in judgement.own.items() if n == "0.weight"
    ]
    assert asked_at[0].tolist() == [True, True] + [False] * 6
    single = Own(scaled(1.0))
    check(case_of(dtype="float32"), single, BOTH)
    assert single.asked == []


def test_a_loss_that_breaks_the_contract_is_the_verdict() -> None:
    class Broken(Own):
        def loss(self, case: Case) -> np.ndarray:
            raise ContractBroken("subject's loss raised ZeroDivisionError", rule="raised")

    judgement = check(case_of(), Broken(scaled(1.0)), BOTH)
    assert judgement.verdict is Verdict.BROKE_CONTRACT
    assert judgement.claimed is not None, "what it claimed is kept"
