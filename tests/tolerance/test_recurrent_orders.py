"""Biases that cancel each other: whoever adds them one by one is as right as who adds their sum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.backprop import network, recurrent
from crosscheck.backprop.recurrent import RELU, SIGMOID, TANH
from crosscheck.checking import Witnesses, check
from crosscheck.oracles.ball import Ball
from crosscheck.spec import Case, Verdict
from crosscheck.subjects import frameworks
from crosscheck.subjects.builtin import Builtin

OPS = ("rnn", "lstm", "gru")


def one_by_one(u: Any, v: Any, biases: tuple[Any, ...]) -> Any:
    """(W x + b) + (U h + c), for z = u + v of which b and c are parts; of a gru c is a part of v already."""
    b, c = biases
    return ((u - (b + c)) + b) + (v + c)


def cancelling(op: str, dtype: str) -> Case:
    case = case_of(f"x[2,4,3] -> {op}(3) -> sse", seed=4, dtype=dtype, points=8)
    one = 300.0 * np.sign(case.params["0.bias_ih"]) + case.params["0.bias_ih"]
    params = {**case.params, "0.bias_ih": one, "0.bias_hh": -one + case.params["0.bias_hh"]}
    return with_arrays(case, params={key: a.astype(dtype) for key, a in params.items()})


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("op", OPS)
def test_nobody_is_accused_for_the_order_in_which_biases_are_added(op: str, dtype: str) -> None:
    case = cancelling(op, dtype)
    rows = recurrent.rows(SIGMOID, TANH, RELU, joined=one_by_one if op != "gru" else recurrent.as_they_are)
    for subject in (Builtin({**network.ROWS, op: rows[op]}), Builtin(), frameworks.torch(), frameworks.jax()):
        found = check(case, subject, Witnesses((Ball(),), differences=False))
        assert found.verdict is Verdict.AGREES, f"{subject.name}, {op}, {dtype}"
        assert any(tensor.informative.any() for tensor in found.tensors.values())


@pytest.mark.parametrize("op", ["rnn", "lstm"])
def test_the_order_matters_there(op: str) -> None:
    """Added one by one they cost a hundred times the error of their sum."""
    case = cancelling(op, "float64")
    truth = Ball().certify(case, points=range(case.n_points)).reference.gradients
    rows = recurrent.rows(SIGMOID, TANH, RELU, joined=one_by_one)
    off = [
        float(np.abs(subject.gradients(case)["x"] - truth["x"]).max())
        for subject in (Builtin({**network.ROWS, op: rows[op]}), Builtin())
    ]
    assert off[0] > 20.0 * off[1]
