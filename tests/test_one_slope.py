"""A subject that takes two slopes at one kink: caught, named, and nobody else with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from builders import Wrong, case_of, changed

from crosscheck import session
from crosscheck.checking import Witnesses, check
from crosscheck.diagnosis.describe import contradiction
from crosscheck.mutants import controls, mutants
from crosscheck.oracles.ball import Ball
from crosscheck.report import terminal
from crosscheck.spec import Case, Subject, Verdict, parse
from crosscheck.spec.dtypes import DTYPES
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.named import subject_named
from crosscheck.subjects.planted import Planted
from crosscheck.subjects.python_callable import PythonCallable

BALL = Witnesses((Ball(),), differences=False)
RELU = "x[2,3] -> dense(4) -> relu -> cotangent"
MAE = "x[2,3] -> dense(4) -> mae"
AIMING = ("dyadic", "integers", "ones", "sparse")


def dense_then(slope: Callable[[Any, str], Any], value: Callable[[Any, Any], Any], place: str) -> PythonCallable:
    """x -> dense -> one elementwise op: ∂C/∂z = c slope(z, gradient's name), asked for each gradient anew."""

    def backprop(_architecture: Any, point: Any) -> Any:
        x, y = point.inputs["x"], point.targets
        W, b = point.params["0.weight"], point.params["0.bias"]
        z = x @ W.T + b
        c = y if place == "relu" else 1.0
        at = z if place == "relu" else z - y
        return value(z, y), {
            "0.weight": (c * slope(at, "weight")).T @ x,
            "0.bias": (c * slope(at, "bias")).sum(0),
            "x": (c * slope(at, "x")) @ W,
        }

    return PythonCallable(backprop)


def relu(at_zero: dict[str, float]) -> PythonCallable:
    return dense_then(
        lambda z, name: np.where(z == 0, at_zero[name], z > 0), lambda z, y: (np.maximum(z, 0) * y).sum(), "relu"
    )


def mae(at_zero: dict[str, float]) -> PythonCallable:
    return dense_then(
        lambda d, name: np.where(d == 0, at_zero[name], np.sign(d)), lambda z, y: np.abs(z - y).sum(), "mae"
    )


def alike(slope: float) -> dict[str, float]:
    return dict.fromkeys(("weight", "bias", "x"), slope)


def verdicts(subject: Subject, text: str, **options: Any) -> set[str]:
    found = set()
    for family in AIMING:
        for seed in range(4):
            judgement = check(case_of(text, family=family, seed=seed, points=8, **options), subject, BALL)
            found.add("two slopes" if judgement.contradictions else judgement.verdict.name)
            assert not judgement.contradictions or judgement.verdict is Verdict.DISAGREES
    return found


@pytest.mark.parametrize("slope", [0.0, 1.0, 0.3])
def test_any_one_slope_between_the_one_sided_ones_is_right(slope: float) -> None:
    assert verdicts(relu(alike(slope)), RELU) == {"AGREES"}
    assert verdicts(mae(alike(2.0 * slope - 1.0)), MAE) == {"AGREES"}


@pytest.mark.parametrize("other", ["weight", "bias", "x"])
def test_two_slopes_at_one_kink_are_wrong(other: str) -> None:
    """Each entry lies in its hull: entry by entry all of them were accepted."""
    assert "two slopes" in verdicts(relu(alike(0.0) | {other: 1.0}), RELU)
    assert "two slopes" in verdicts(mae(alike(0.0) | {other: 1.0}), MAE)


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["builtin", "torch"])
def test_nobody_who_is_right_takes_two(name: str, dtype: str) -> None:
    for text in (RELU, MAE, "x[2,3] -> dense(3) -> hardtanh -> dense(2) -> leaky_relu -> mae"):
        assert verdicts(subject_named(name), text, dtype=dtype) <= {"AGREES", "UNDECIDABLE"}


POOLED = "x[2,1,4] -> conv1d(2, 1) -> max_pool1d(stride=1) -> cotangent"
TIES = {mutant.name: mutant for mutant in mutants() if "max_pool1d" in mutant.ops}
PARTED = {control.name: control for control in controls() if "max_pool1d" in control.rows}


@pytest.mark.parametrize("name", PARTED)
def test_any_parts_that_make_one_are_right_at_a_tie(name: str) -> None:
    found = verdicts(Planted(PARTED[name]), POOLED)
    assert found <= {"AGREES", "UNDECIDABLE"}
    assert "AGREES" in found


def test_all_for_each_that_ties_is_wrong() -> None:
    """Each entry lies between nothing and all: entry by entry it was accepted."""
    subject = Planted(TIES["max_pool1d: all that tie"])
    assert "two slopes" in verdicts(subject, POOLED)
    judgement = check(case_of("x[1,1,2] -> max_pool1d -> cotangent", family="ones", points=1), subject, BALL)
    assert contradiction(judgement.contradictions[0]) == (
        "exactly at a tie, max_pool1d at 1 (input[0,0,1], node 0), the part of its window's gradient that goes to it "
        "is 0 by x[0,0,0] and 1 by x[0,0,1]: each lies between none and all of it, but no one part explains both"
    )


def test_what_further_ties_leave_free_is_no_part_of_what_is_said() -> None:
    """Of four that tie, what one entry leaves the part of another lies from -2 to 0, by what the others may take."""
    (mutant,) = (m for m in mutants() if m.name == "max_pool2d: all that tie")
    judgement = check(case_of("x[1,1,2,2] -> max_pool2d -> cotangent", family="ones", points=1), Planted(mutant), BALL)
    assert contradiction(judgement.contradictions[0]) == (
        "exactly at a tie, max_pool2d at 1 (input[0,0,0,1], node 0), the part of its window's gradient that goes to it "
        "is 0 by x[0,0,0,0] and 1 by x[0,0,0,1]: each lies between none and all of it, but no one part explains both"
    )


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["builtin", "torch"])
def test_nobody_who_is_right_has_more_than_one_at_a_tie(name: str, dtype: str) -> None:
    assert verdicts(subject_named(name), POOLED, dtype=dtype) <= {"AGREES", "UNDECIDABLE"}


def test_it_is_told_apart_from_other_failures_and_said_in_words() -> None:
    outcome = session.verify(
        session.Settings(relu(alike(0.0) | {"bias": 1.0}), architecture=RELU, examples=15, oracles=("ball",), seed=3)
    )
    (finding,) = outcome.run_file.run.findings
    assert (finding.verdict, finding.odd_one_out) == ("DISAGREES", "subject")
    assert {entry.tensor for entry in finding.entries} == {"0.weight", "0.bias"}
    assert "the slope taken is 0 in 0.weight[" in finding.message
    assert "and 1 in 0.bias[" in finding.message
    text = " ".join(terminal.render(outcome.run_file, width=120, color=False).split())
    assert "exactly at a kink, relu at 0 (input[" in text
    assert "but no one slope explains both" in text
    assert "the gradient is the true one times" not in text, "no constant factor is made up"


def test_a_subject_that_is_wrong_elsewhere_too_is_accused_of_that() -> None:
    """A gradient outside its hull needs no second argument."""
    case = case_of(RELU, family="dyadic", points=8)

    class Doubled(Builtin):
        def gradients(self, case: Any) -> Any:
            found = super().gradients(case)
            return type(found)(found.loss, {k: 2.0 * v for k, v in found.by_param.items()}, found.by_input)

    judgement = check(case, Doubled(), BALL)
    assert judgement.verdict is Verdict.DISAGREES
    assert not judgement.contradictions


def test_what_no_choice_at_a_tie_moves_must_be_what_it_is() -> None:
    """Whichever of two equal numbers is taken for the largest, the bias that made both has a gradient of exactly 2."""
    architecture = parse("x[1,1,2] -> conv1d(1, 1) -> max_pool1d -> sse")
    case = Case(
        architecture,
        params={"0.weight": np.zeros((1, 1, 1, 1)), "0.bias": np.ones((1, 1))},
        inputs={"x": np.array([[[[1.0, 2.0]]]])},
        targets=np.zeros((1, 1, 1, 1)),
    )
    assert check(case, Builtin(), BALL).verdict is Verdict.AGREES
    wrong = Wrong(lambda _case, found: changed(found, "0.bias", lambda g: 2.0 * g))
    judgement = check(case, wrong, BALL)
    assert judgement.verdict is Verdict.DISAGREES
    assert judgement.odd_one_out == "subject"
    truth = judgement.tensors["0.bias"].truth
    assert truth is not None
    assert truth.errors["subject"][0, 0] == pytest.approx(2.0), "4 is claimed, and any choice gives 2"
