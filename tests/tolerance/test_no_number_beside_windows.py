"""Where one slope is no number, XLA's gradient of a convolution by its weights has none at all: that is allowed for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crosscheck.checking import Witnesses, check
from crosscheck.judge.compare import Status
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.jax_grad import JaxGrad
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Case, Verdict, parse
from crosscheck.strategies.values import make_case
from crosscheck.subjects.builtin import Builtin
from crosscheck.tolerance.bounds import deviating_bounds, deviations_met


def certain_beside_the_window() -> Case:
    """Two outputs: 0, which the one weight has a part in, and 50, the bias alone, whose sigmoid is 1 and surely so."""
    text = "x[1,1,1,1] -> conv_transpose2d(1, 1, output_padding=0x1, dilation=1x2) -> sigmoid -> bce"
    case = make_case(parse(text), family="ones", seed=0, points=1, dtype="float64")
    return replace(
        case,
        params={"0.weight": np.full((1, 1, 1, 1, 1), 1.0), "0.bias": np.full((1, 1), 50.0)},
        inputs={"x": np.full((1, 1, 1, 1, 1), -50.0)},
        targets=np.ones((1, 1, 1, 1, 2)),
    )


def test_jax_has_no_number_for_a_weight_that_has_no_part_in_it() -> None:
    found = JaxGrad().references(certain_beside_the_window()).gradients
    assert np.isnan(found["0.weight"]).all()
    assert np.isfinite(found["x"]).all()
    assert np.isfinite(TorchAutograd().references(certain_beside_the_window()).gradients["0.weight"]).all()


def test_it_is_within_what_is_known_of_jax() -> None:
    case = certain_beside_the_window()
    with np.errstate(all="ignore"):
        known = [k for k, _ in deviations_met(case, ("jax",))]
        allowed = deviating_bounds(case, known)["jax"].gradients
    assert np.isinf(allowed["0.weight"]).all()
    assert np.isfinite(allowed["x"]).all(), "what has no part in it has a bound as ever"


def test_the_witness_is_named_with_what_is_known_and_the_subject_agrees() -> None:
    with np.errstate(all="ignore"):
        judgement = check(certain_beside_the_window(), Builtin(), Witnesses((Ball(), TorchAutograd(), JaxGrad())))
    assert (judgement.verdict, judgement.odd_one_out) == (Verdict.ORACLE_DISAGREES, "jax")
    assert not any((t.status == Status.DISAGREE).any() for t in judgement.tensors.values())
    assert any(d.witness == "jax" and d.op == "bce" for d in judgement.deviations)
