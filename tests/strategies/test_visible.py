"""Networks that show nothing: their gradients are 0 or next to it, whatever the numbers; of all others some are not."""

from __future__ import annotations

import numpy as np
import pytest
from builders import case_of

from crosscheck.checking import Witnesses, check
from crosscheck.oracles.ball import Ball
from crosscheck.spec import parse
from crosscheck.strategies import visible
from crosscheck.subjects.builtin import Builtin

# fmt: off
NOTHING = [
    "x[3,1] -> layer_norm(affine=false) -> sse",
    "x[1,2] -> layer_norm(axes=2, affine=false) -> leaky_relu -> focal(alpha=-1.0, gamma=0.0)",
    "x[2,2] -> group_norm(2, affine=false) -> sse",
    "x[2,1] -> rms_norm(affine=false) -> sse",
    "x[1,3] -> batch_norm(affine=false) -> tanh -> sse",
    "x[2,3] -> dense(1) -> softmax -> sse",
    "x[1,3] -> dense(2) -> log_softmax(axis=-2) -> nll",
    "x[2,3] -> dense(1) -> softmax_cross_entropy",
    "x[1,5] -> logsumexp(keepdims=true) -> tanh -> layer_norm(eps=0.5, affine=false) -> leaky_relu -> slice -> sse",
]
SOMETHING = [
    "x[3,1] -> layer_norm -> sse",
    "x[3,3] -> layer_norm(affine=false) -> sse",
    "x[2,2] -> group_norm(1, affine=false) -> dense(2) -> sse",
    "x[2,1] -> layer_norm(affine=false) -> dense(2) -> sse",
    "x[2,1] -> h: tanh -> layer_norm(affine=false) -> add(h) -> sse",
    "x[2,2] -> rms_norm(affine=false) -> sse",
    "x[2,3,2] -> batch_norm(affine=false) -> sse",
    "x[1,3]; m[3]; v[3]; x -> batch_norm(m, v, affine=false, mode=evaluation) -> sse",
    "x[2,1] -> softmax(axis=-2) -> sse",
    "x[2,3] -> dense(2) -> softmax_cross_entropy",
    "ids[2]:int64 -> embedding(3, 2) -> sse",
]
# fmt: on


def sizes(text: str) -> float:
    """The largest entry of any gradient."""
    found = Builtin().gradients(case_of(text, points=4, seed=2))
    return max(float(np.abs(g).max()) for _, g in found.tensors())


@pytest.mark.parametrize("text", NOTHING)
def test_of_these_every_gradient_is_nothing(text: str) -> None:
    assert not visible.shows(parse(text))
    assert sizes(text) < 1e-3


@pytest.mark.parametrize("text", SOMETHING)
def test_of_these_some_gradient_shows(text: str) -> None:
    assert visible.shows(parse(text))
    assert sizes(text) > 1e-3
    judgement = check(case_of(text, points=4, seed=2), Builtin(), Witnesses((Ball(),), differences=False))
    assert any(tensor.informative.any() for tensor in judgement.tensors.values())


def test_a_penalty_shows_whatever_the_output_does() -> None:
    assert visible.penalised(parse("x[2,3] -> dense(1) -> softmax_cross_entropy(l2=0.25)"))
    assert not visible.penalised(parse("x[2,3] -> dense(1) -> softmax_cross_entropy"))
    assert not visible.penalised(parse("x[2,3] -> tanh -> sse(l2=0.25)")), "it counts no weight"
