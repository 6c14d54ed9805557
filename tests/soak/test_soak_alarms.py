"""The soak itself must fail where it should: on a wrong subject, and on a witness that no known deviation excuses."""

from __future__ import annotations

from dataclasses import dataclass, replace

from builders import case_of, off_by
from soak.alarms import explained, in_words, soak

from crosscheck.checking import Witnesses, check
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.jax_grad import JaxGrad
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec.case import Case
from crosscheck.spec.op import Gap
from crosscheck.spec.result import Reference, Verdict
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import Space
from crosscheck.subjects.builtin import Builtin

SPACE = Space.of(["dense", "tanh", "sse"])
SEED = 5


@dataclass(frozen=True)
class TorchOffBy:
    """PyTorch, with one parameter's gradient multiplied."""

    tensor: str
    factor: float
    name: str = "torch"

    def gaps(self, _architecture: object) -> tuple[Gap, ...]:
        return ()

    def references(self, case: Case) -> Reference:
        reference = TorchAutograd().references(case)
        by_param = dict(reference.gradients.by_param)
        by_param[self.tensor] = by_param[self.tensor] * self.factor
        return replace(reference, gradients=replace(reference.gradients, by_param=by_param))


def test_a_wrong_subject_raises_an_alarm_that_says_how_to_draw_it_again() -> None:
    found = soak(Source(cases(SPACE), SEED), SEED, off_by("0.weight", 1.0 + 1e-6), range(12))
    assert len(found.false_alarms) == found.verdicts["DISAGREES"] > 3
    assert found.false_alarms[0].startswith(f"seed {SEED} index ")
    assert "0.weight" in found.false_alarms[0]


def test_a_right_subject_raises_none() -> None:
    found = soak(Source(cases(SPACE), SEED), SEED, Builtin(), range(12))
    assert (found.false_alarms, found.wrongly_odd) == ([], [])
    assert found.informative > 0


def test_a_wrong_witness_is_not_explained_by_a_deviation_that_is_far_too_small() -> None:
    case = case_of("x[3,2] -> dense(2) -> hardsigmoid -> sse", family="small")
    right = check(case, Builtin(), Witnesses((Ball(), TorchAutograd(), JaxGrad())))
    assert right.verdict is Verdict.ORACLE_DISAGREES
    assert explained(case, right)

    wrong = check(case, Builtin(), Witnesses((Ball(), TorchOffBy("0.weight", 1.0 + 1e-5), JaxGrad())))
    assert wrong.verdict is Verdict.ORACLE_DISAGREES
    assert not explained(case, wrong)
    assert "(torch)" in in_words(SEED, 0, case, wrong)


def test_a_wrong_witness_without_any_known_deviation_is_not_explained() -> None:
    case = case_of("x[3,2] -> dense(2) -> tanh -> sse")
    judgement = check(case, Builtin(), Witnesses((Ball(), TorchOffBy("0.weight", 1.0 + 1e-9), JaxGrad())))
    assert judgement.verdict is Verdict.ORACLE_DISAGREES
    assert judgement.odd_one_out == "torch"
    assert not explained(case, judgement)
