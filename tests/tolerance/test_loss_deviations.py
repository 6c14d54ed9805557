"""Every known deviation of a framework's loss: as large as its row says, met where it says, and accused of no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crosscheck import checking
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.jax_grad import JaxGrad
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Case, Verdict, parse
from crosscheck.spec.protocols import Oracle
from crosscheck.subjects.builtin import Builtin
from crosscheck.tolerance.bounds import deviations_met
from crosscheck.tolerance.loss_deviations import LOSS_DEVIATIONS, LossDeviation

WITNESSES: dict[str, Oracle] = {"torch": TorchAutograd(), "jax": JaxGrad()}


def one(text: str, targets: object, **inputs: object) -> Case:
    arrays = {name: np.asarray(value, np.float64)[np.newaxis] for name, value in inputs.items()}
    y = np.asarray(targets)[np.newaxis]
    return Case(parse(text), {}, arrays, y if y.dtype == np.int64 else y.astype(np.float64))


# One case inside of each region, and the same network with numbers outside of it.
# fmt: off
CASES: dict[tuple[str, str], tuple[Case, Case]] = {
    ("torch", "bce"): (
        one("x[3] -> bce", [1.0, 0.25, 0.0], x=[1e-14, 1e-60, 0.5]),
        one("x[3] -> bce", [1.0, 0.25, 0.0], x=[1e-9, 0.3, 0.5])),
    ("jax", "bce"): (
        one("x[2] -> sigmoid -> bce", [1.0, 0.0], x=[40.0, 1.0]),
        one("x[2] -> sigmoid -> bce", [1.0, 0.0], x=[3.0, 1.0])),
    ("torch", "gaussian_nll"): (
        one("x[2]; v[2]; x -> gaussian_nll(v, eps=0.5)", [1.0, -2.0], x=[0.5, 3.0], v=[0.25, 2.0]),
        one("x[2]; v[2]; x -> gaussian_nll(v, eps=0.5)", [1.0, -2.0], x=[0.5, 3.0], v=[0.75, 2.0])),
    ("torch", "cosine_similarity"): (
        one("x[2,2] -> cosine_similarity(eps=0.5)", [[1.0, 2.0], [3.0, -1.0]], x=[[0.25, 0.125], [3.0, 4.0]]),
        one("x[2,2] -> cosine_similarity(eps=0.5)", [[1.0, 2.0], [3.0, -1.0]], x=[[0.0, 0.0], [3.0, 4.0]])),
    ("jax", "focal"): (
        one("x[2] -> focal(gamma=0.0)", [1.0, 0.5], x=[40.0, 1.0]),
        one("x[2] -> focal(gamma=0.0)", [1.0, 0.5], x=[4.0, 1.0])),
    ("torch", "nll"): (
        one("x[2,3] -> nll(reduction=mean)", [-100, -100], x=np.eye(3)[:2]),
        one("x[2,3] -> nll(reduction=mean)", [-100, 1], x=np.eye(3)[:2])),
    ("torch", "softmax_cross_entropy"): (
        one("x[2,3] -> softmax_cross_entropy(reduction=mean)", [-100, -100], x=np.eye(3)[:2]),
        one("x[2,3] -> softmax_cross_entropy(reduction=sum)", [-100, -100], x=np.eye(3)[:2])),
}
# fmt: on
# What is off in a shorter format alone, test_losses_in_half.py has.
IN_FLOAT64 = [known for known in LOSS_DEVIATIONS if known.beyond_rounding]
EVERY = pytest.mark.parametrize("known", IN_FLOAT64, ids=lambda k: f"{k.witness} {k.op}")


def met(case: Case, witness: str) -> list[str]:
    return [known.op for known, _ in deviations_met(case, [witness]) if isinstance(known, LossDeviation)]


def verdict(case: Case) -> tuple[Verdict, str | None]:
    found = checking.check(case, Builtin(), checking.Witnesses((Ball(), *WITNESSES.values())))
    return found.verdict, found.odd_one_out


def test_every_deviation_has_its_cases() -> None:
    assert {(known.witness, known.op) for known in IN_FLOAT64} == set(CASES)


@EVERY
def test_a_deviation_is_met_inside_of_its_region_alone(known: LossDeviation) -> None:
    inside, outside = CASES[known.witness, known.op]
    assert met(inside, known.witness) == [known.op]
    assert met(outside, known.witness) == []


@EVERY
def test_the_witness_alone_is_odd_inside_and_nobody_outside(known: LossDeviation) -> None:
    inside, outside = CASES[known.witness, known.op]
    assert verdict(inside) == (Verdict.ORACLE_DISAGREES, known.witness)
    assert verdict(outside)[0] is Verdict.AGREES or known.where.startswith("no sample")


@EVERY
def test_a_deviation_is_as_large_as_its_row_says(known: LossDeviation) -> None:
    case, _ = CASES[known.witness, known.op]
    if case.architecture.nodes:
        pytest.skip("its slope is NaN, which the sigmoid before it passes on")
    theirs, true = WITNESSES[known.witness].references(case).gradients, Ball().references(case).gradients
    own = {k: v for k, v in case.architecture.loss.attributes.items() if k not in ("reduction", "scale", "weighted")}
    given = tuple(a[np.newaxis] for a in (*case.inputs.values(), case.targets))
    with np.errstate(all="ignore"):
        said, value = known.slopes(given, own), known.value(given, own)
    for name, off in zip(case.inputs, said, strict=True):
        np.testing.assert_allclose(theirs[name] - true[name], off[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(theirs.loss - true.loss, value[0].reshape(1, -1).sum(axis=1), rtol=1e-12, atol=1e-13)


@EVERY
def test_a_deviation_excuses_nothing_that_is_larger(known: LossDeviation) -> None:
    """An error of the same kind twenty times as large is not the known one."""
    case, _ = CASES[known.witness, known.op]
    given = tuple(a[np.newaxis] for a in (*case.inputs.values(), case.targets))
    if case.architecture.nodes or "NaN" in known.size:
        assert "NaN" in known.size, "of which there is no larger one"
        return
    bounds = checking.deviating_bounds(case, [known])[known.witness].gradients
    true, gradients = Ball().references(case).gradients, replace(WITNESSES[known.witness].references(case)).gradients
    with np.errstate(all="ignore"):
        off = known.slopes(given, dict(case.architecture.loss.attributes))
    for name, error in zip(case.inputs, off, strict=True):
        moved = error[0] != 0
        assert (np.abs(gradients[name] - true[name]) <= bounds[name]).all()
        assert (20.0 * np.abs(error[0])[moved] > bounds[name][moved]).all()
