"""Where to look first, who stands where, and the sentence for each verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from builders import Wrong, case_of, changed

from crosscheck.checking import Witnesses, check
from crosscheck.diagnosis import describe
from crosscheck.judge.verdict import Judgement
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Architecture, Case, Gap, Gradients, Reference
from crosscheck.subjects.builtin import Builtin

BOTH = Witnesses((TorchAutograd(),), differences=True)
NET = "x[2,3] -> dense(3) -> tanh -> h: dense(3) -> add(x) -> dense(1) -> sse"
Spoil = Callable[[Case, Gradients], Gradients]


def spoilt(*names: str) -> Spoil:
    def spoil(_case: Case, found: Gradients) -> Gradients:
        for name in names:
            found = changed(found, name, lambda g: g + 1.0)
        return found

    return spoil


def judged(spoil: Spoil, witnesses: Witnesses = BOTH, text: str = NET) -> tuple[Case, Judgement]:
    case = case_of(text, points=2)
    return case, check(case, Wrong(spoil), witnesses)


@dataclasses.dataclass(frozen=True)
class Liar:
    """An oracle that is the built-in, except for what it makes of its gradients."""

    spoil: Spoil
    name: str = "torch"

    def gaps(self, architecture: Architecture) -> tuple[Gap, ...]:
        return ()

    def references(self, case: Case) -> Reference:
        honest = TorchAutograd().references(case)
        return dataclasses.replace(honest, gradients=self.spoil(case, honest.gradients))


# fmt: off
PLACES: list[tuple[Sequence[str], tuple[str | None, int | None, str | None]]] = [
    (["0.weight"],                       ("0.weight", 0, "dense")),
    (["0.weight", "2.bias"],             ("2.bias", 2, "dense")),
    (["0.weight", "2.bias", "4.weight"], ("4.weight", 4, "dense")),
    (["2.bias", "2.weight"],             ("2.weight", 2, "dense")),
    (["x"],                              ("x", None, "input")),
    (["x", "0.bias"],                    ("0.bias", 0, "dense")),
    ([],                                 (None, None, None)),
]
# fmt: on


@pytest.mark.parametrize(("wrong", "place"), PLACES)
def test_the_culprit_is_the_wrong_tensor_nearest_the_loss(
    wrong: Sequence[str], place: tuple[str | None, int | None, str | None]
) -> None:
    case, judgement = judged(spoilt(*wrong))
    assert dataclasses.astuple(describe.culprit(case.architecture, judgement)) == place


def test_the_culprit_is_the_same_in_a_case_that_was_read_from_a_file() -> None:
    case, judgement = judged(spoilt("2.bias", "2.weight"))
    again = Case.from_bytes(case.to_bytes())
    assert describe.culprit(again.architecture, judgement) == describe.culprit(case.architecture, judgement)


def test_a_shared_parameter_is_found_at_its_use_nearest_the_loss() -> None:
    text = "x[2,3] -> dense(3) -> tanh -> dense(3, weight=@0.weight, bias=@0.bias) -> sse"
    case, judgement = judged(spoilt("0.weight"), text=text)
    assert describe.culprit(case.architecture, judgement) == describe.Culprit("0.weight", 2, "dense")


def test_a_breach_of_contract_is_found_at_its_tensor() -> None:
    case, judgement = judged(lambda c, g: changed(g, "2.bias", lambda d: d * np.nan))
    assert describe.culprit(case.architecture, judgement) == describe.Culprit("2.bias", 2, "dense")
    sentence = describe.message(judgement, describe.culprit(case.architecture, judgement))
    assert sentence == "subject returned NaN for 2.bias[0] at point 0; the true gradient there is finite"


def message(case: Case, judgement: Judgement) -> str:
    return describe.message(judgement, describe.culprit(case.architecture, judgement))


def test_against_witnesses_that_agree_the_subject_is_told() -> None:
    case, judgement = judged(spoilt("2.bias"))
    assert message(case, judgement) == "the gradient of 2.bias differs from witnesses that agree with each other"
    assert describe.sides(judgement, "2.bias") == {"the subject": ("subject",), "against it": ("torch", "differences")}


def test_against_one_witness_alone_it_is_open() -> None:
    case, judgement = judged(spoilt("2.bias"), Witnesses((TorchAutograd(),), differences=False))
    assert message(case, judgement) == "the gradient of 2.bias differs from a witness; who is right is open"
    assert describe.sides(judgement, "2.bias") == {"the subject": ("subject",), "against it": ("torch",)}


def test_a_witness_that_stands_alone_is_told() -> None:
    case, judgement = judged(lambda c, g: g, Witnesses((Liar(spoilt("2.bias")),), differences=True))
    expected = "torch stands alone on the gradient of 2.bias; the subject agrees with the other witnesses"
    assert message(case, judgement) == expected
    sides = {"with the subject": ("subject", "differences"), "against it": ("torch",)}
    assert describe.sides(judgement, "2.bias") == sides


@dataclasses.dataclass(frozen=True)
class OwnLoss(Wrong):
    """Also answers for its loss alone."""

    def loss(self, case: Case) -> np.ndarray:
        return Builtin().gradients(case).loss


def test_a_backward_that_does_not_match_its_forward_is_told_where_nobody_else_can() -> None:
    case = case_of(NET, points=2)
    judgement = check(case, OwnLoss(spoilt("2.bias")), Witnesses((), differences=False))
    assert message(case, judgement) == (
        "the gradient of 2.bias is not the derivative of the subject's own loss: "
        "the backward does not match its forward"
    )
    (entry, *_) = describe.entries(judgement, "2.bias")
    assert set(entry.values) == {"subject", "own loss"}


# Entries and severity.


def test_the_worst_entries_lead_those_of_the_culprit_first() -> None:
    def spoil(_case: Case, found: Gradients) -> Gradients:
        found = changed(found, "0.weight", lambda g: g + 1e6)
        return changed(found, "4.weight", lambda g: g + np.array([[[1e-3, 1e-2, 1e-1]]]))

    _, judgement = judged(spoil)
    found = describe.entries(judgement, "4.weight")
    assert len(found) == describe.MOST_ENTRIES
    assert [e.tensor for e in found] == ["4.weight"] * 6 + ["0.weight"] * 2
    sizes = [float(e.error) / float(e.bound) for e in found[:6]]
    assert sizes == sorted(sizes, reverse=True)
    assert found[0].index == (0, 2)
    assert describe.severity(judgement) > 1e17


def test_an_entry_has_every_value_that_was_asked_and_none_else() -> None:
    _, judgement = judged(spoilt("4.bias"))
    entry = describe.entries(judgement, "4.bias")[0]
    assert list(entry.values) == ["subject", "torch", "differences"]
    values = [float(v) for v in entry.values.values() if v is not None]
    assert values[0] == pytest.approx(values[1] + 1.0)
    assert float(entry.error) == pytest.approx(1.0)
    assert entry.resolution is not None
    assert entry.resolution < 1e-10


def test_agreement_has_no_entries_and_no_severity() -> None:
    _, judgement = judged(lambda c, g: g)
    assert describe.entries(judgement, None) == ()
    assert describe.severity(judgement) == 0.0


def test_nan_is_as_bad_as_it_gets() -> None:
    _, judgement = judged(lambda c, g: changed(g, "2.bias", lambda d: d * np.nan))
    assert describe.severity(judgement) > 1e300
    assert describe.entries(judgement, "2.bias")[0].values["subject"] == "nan"
