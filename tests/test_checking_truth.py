"""One case held against certified truth: kinks, overflow, what is asked of whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders import as_callable, case_of, off_by, with_arrays

from crosscheck.backprop import network
from crosscheck.backprop.rows import Activation, Layer, Site
from crosscheck.checking import Witnesses, check, derive_bounds
from crosscheck.diagnosis import describe
from crosscheck.differences import ridders
from crosscheck.judge.compare import Status
from crosscheck.oracles.ball import Ball
from crosscheck.spec import HasLoss, Verdict
from crosscheck.spec.case import Case
from crosscheck.spec.result import Gradients, Reference, Rigour
from crosscheck.store.tally import Tally
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.python_callable import PythonCallable
from crosscheck.tolerance import rows as tolerance

Arrays = Any
Returned = tuple[tuple[Arrays, ...], dict[str, Arrays]]
PROOF = Witnesses((Ball(),), differences=False)


def with_slope_at_zero(slope: float) -> Builtin:
    """relu whose derivative exactly at the kink is whatever one likes."""
    row = Activation(
        lambda z: np.maximum(z, 0.0),
        lambda z, a, da: np.where(z > 0, da, np.where(z == 0, slope * da, 0.0)),
    )
    return Builtin(rows={**network.ROWS, "relu": row}, name="relu")


def at_the_kink(dtype: str = "float64") -> Case:
    case = case_of("x[1,2] -> dense(2, bias=false) -> relu -> cotangent", points=1, dtype=dtype)
    whole = {"0.weight": np.array([[[1.0, -1.0], [2.0, 1.0]]], dtype)}
    return with_arrays(case, params=whole, inputs={"x": np.array([[[3.0, 3.0]]], dtype)})


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_any_slope_between_the_one_sided_ones_is_right_at_a_kink(slope: float, dtype: str) -> None:
    found = check(at_the_kink(dtype), with_slope_at_zero(slope), PROOF)
    assert found.verdict is Verdict.AGREES
    assert found.count(Status.UNDECIDABLE) == 4, "the first row of the weights, and the inputs it feeds"
    assert found.count(Status.AGREE) == 2, "the second row is decided, beside a kink"


@pytest.mark.parametrize("slope", [-0.01, 1.01, 7.0])
def test_no_other_is(slope: float) -> None:
    found = check(at_the_kink(), with_slope_at_zero(slope), PROOF)
    assert (found.verdict, found.odd_one_out) == (Verdict.DISAGREES, "subject")


def test_beside_the_truth_a_kink_that_only_rounding_reaches_is_one_too() -> None:
    """0.1 · 3 - 0.3 is 5.6e-17 in float64 and 2.8e-17 on paper: who rounds otherwise may be on either side."""
    case = case_of("x[1,1] -> dense(1) -> relu -> cotangent", points=1)
    near = with_arrays(
        case,
        params={"0.weight": np.array([[[0.1]]]), "0.bias": np.array([[-0.3]])},
        inputs={"x": np.array([[[3.0]]])},
    )
    found = check(near, Builtin(), PROOF)
    assert found.verdict is Verdict.UNDECIDABLE
    other = changed_slope(near)
    assert check(near, other, PROOF).verdict is Verdict.UNDECIDABLE


def changed_slope(_case: Case) -> Builtin:
    """A relu that is on the other side of everything within 1e-15 of its kink."""
    row = Activation(lambda z: np.maximum(z, 0.0), lambda z, a, da: np.where(z > 1e-15, da, 0.0))
    return Builtin(rows={**network.ROWS, "relu": row}, name="relu")


def test_a_true_gradient_beyond_the_dtype_is_undecidable_overflow() -> None:
    case = case_of("x[1,1] -> dense(1, bias=false) -> dense(1, bias=false) -> cotangent", points=1, dtype="float32")
    huge = np.array([[[1e30]]], np.float32)
    found = check(
        with_arrays(case, params={"0.weight": huge, "1.weight": huge}, inputs={"x": np.array([[[1e30]]], np.float32)}),
        Builtin(),
        PROOF,
    )
    assert found.verdict is Verdict.UNDECIDABLE
    assert found.count(Status.OVERFLOW) == found.tensors["x"].status.size * 3
    assert found.count(Status.DISAGREE) == 0


def test_a_parted_point_has_the_bound_of_a_suspect_from_the_start() -> None:
    """Its resolution is a promise: what settles a suspect must not be wider than what was reported."""
    case = case_of("x[2,3] -> dense(4) -> relu -> dense(3) -> leaky_relu -> sse", family="integers", points=6)
    first = derive_bounds(case, Builtin(), PROOF)["subject"]
    assert first.parted.any()
    points = [int(p) for p in np.flatnonzero(first.parted)]
    again = derive_bounds(case.take(points), Builtin(), PROOF, samples=256, key=case.key)["subject"]
    for name, values in again.held.tensors():
        np.testing.assert_array_equal(first.held[name][points], values)


def test_differences_of_its_own_loss_do_not_accuse_what_is_proved_right(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(case: Case, _function: object, _spread: object, ask: ridders.Ask, **_settle: bool) -> Reference:
        zeros = {k: np.zeros((case.n_points, *case.params[k].shape[1:])) for k in case.params}
        inputs = {k: np.zeros((case.n_points, *v.shape[1:])) for k, v in case.inputs.items()}
        radius = Gradients(np.zeros(case.n_points), dict(zeros), dict(inputs))
        return Reference(Gradients(np.zeros(case.n_points), zeros, inputs), Rigour.ESTIMATED, radius)

    monkeypatch.setattr(ridders, "differentiate", wrong)
    case = case_of("x[3,4] -> dense(2) -> tanh -> sse")
    subject = PythonCallable(as_callable(Builtin()))
    assert isinstance(subject, HasLoss)
    assert check(case, subject, Witnesses((), differences=False)).verdict is Verdict.DISAGREES
    assert check(case, subject, PROOF).verdict is Verdict.AGREES


def test_every_entry_says_how_far_everybody_is_from_the_truth() -> None:
    found = check(case_of("x[3,4] -> dense(2) -> gelu -> sse"), Builtin(), PROOF)
    assert found.certified is not None
    assert (found.certified.bits > 0).all()
    for tensor in found.tensors.values():
        assert tensor.truth is not None
        assert tensor.truth.answered.all()
        assert (tensor.truth.errors["subject"] <= tensor.truth.bounds["subject"]).all()
        assert (tensor.own_bounds["ball"] <= 0.1 * tensor.truth.bounds["subject"]).all(), "lost in what it judges"


@pytest.mark.parametrize(("certify", "proved"), [("every", 3), ("sample", 1), ("suspects", 0)])
def test_who_is_certified_before_anybody_is_suspected(certify: str, proved: int) -> None:
    witnesses = replace(PROOF, certify=certify, differences=True)
    found = check(case_of("x[3,4] -> dense(2) -> tanh -> sse", points=3), Builtin(), witnesses)
    asked = 0 if found.certified is None else int(np.count_nonzero(found.certified.bits))
    assert asked == proved
    assert found.verdict is Verdict.AGREES


@pytest.mark.parametrize("certify", ["sample", "suspects"])
def test_a_suspect_is_certified_always(certify: str) -> None:
    witnesses = replace(PROOF, certify=certify, differences=True)
    found = check(case_of("x[3,4] -> dense(2) -> tanh -> sse", points=3), off_by("0.weight", 1.001), witnesses)
    assert (found.verdict, found.odd_one_out) == (Verdict.DISAGREES, "subject")
    assert found.certified is not None
    assert (found.certified.bits > 0).all()


def test_an_arbiter_with_a_gap_leaves_the_case_to_the_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    from crosscheck.oracles.torch_autograd import TorchAutograd
    from crosscheck.spec import Gap

    monkeypatch.setattr(Ball, "gaps", lambda self, architecture: (Gap("tanh", "ball", "not today"),))
    witnesses = Witnesses((Ball(), TorchAutograd()))
    found = check(case_of("x[3,4] -> dense(2) -> tanh -> sse"), off_by("0.weight", 1.001), witnesses)
    assert found.verdict is Verdict.DISAGREES
    assert found.certified is None
    assert "ball" not in found.references
    assert all(t.truth is None for t in found.tensors.values())


def wrong_under_both(monkeypatch: pytest.MonkeyPatch, dense: Layer) -> Builtin:
    """The built-in with this dense row, which the run behind the bounds uses as well."""
    for model in tolerance.ROWS:
        monkeypatch.setitem(tolerance.ROWS[model], "dense", dense)
    return Builtin(rows={**network.ROWS, "dense": dense}, name="dense")


def sound_dense() -> Layer:
    row = tolerance.ROWS[None]["dense"]
    assert isinstance(row, Layer)
    return row


def test_a_bug_in_a_rule_that_the_bound_uses_too_is_the_subjects_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = sound_dense()

    def backward(site: Site, dz: Arrays, inputs: tuple[Arrays, ...], params: Mapping[str, Arrays]) -> Returned:
        below, gradients = sound.backward(site, dz, inputs, params)
        return below, {**gradients, "bias": gradients["bias"] * (1.0 + 1e-9)}

    subject = wrong_under_both(monkeypatch, Layer(sound.forward, backward))
    case = case_of("x[3,2] -> dense(2) -> tanh -> dense(2) -> sse", points=2)
    found = check(case, subject, PROOF)
    assert (found.verdict, found.odd_one_out) == (Verdict.DISAGREES, "subject")
    assert found.tensors["0.bias"].count(Status.DISAGREE) == found.tensors["0.bias"].status.size
    assert found.tensors["0.weight"].count(Status.AGREE) == found.tensors["0.weight"].status.size
    said = describe.message(found, describe.culprit(case.architecture, found))
    assert said.endswith("a rule that both use is wrong, or the bound too narrow")


def test_a_run_behind_the_bound_that_alone_is_off_the_truth_is_no_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = sound_dense()

    def forward(site: Site, inputs: tuple[Arrays, ...], params: Mapping[str, Arrays]) -> Arrays:
        return sound.forward(site, inputs, params) * (1.0 + 1e-9)

    wrong_under_both(monkeypatch, Layer(forward, sound.backward))
    case = case_of("x[3,2] -> dense(2) -> tanh -> dense(2) -> sse", points=2)
    found = check(case, Builtin(), PROOF)
    assert (found.verdict, found.odd_one_out) == (Verdict.ORACLE_DISAGREES, "tolerance")
    tally = Tally()
    tally.add(case, found)
    entries = tally.entries()
    assert entries.void == entries.disagreeing > 0
    assert entries.resolved == entries.informative
