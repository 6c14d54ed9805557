"""No op reads integers as indices yet: an integer or boolean input takes part as a number, for every party alike."""

from __future__ import annotations

import numpy as np
import pytest
from builders import case_of, off_by

from crosscheck.backprop import network
from crosscheck.checking import Witnesses, check
from crosscheck.oracles import jax_grad, torch_autograd
from crosscheck.oracles.jax_grad import JaxGrad
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Verdict
from crosscheck.subjects.builtin import Builtin

WITNESSES = Witnesses((TorchAutograd(), JaxGrad()))
MASKED = "x[2,3]; m[2,3]:bool; x -> multiply(m) -> dense(2) -> sse"
# The function is applied to the integers alone: what follows must have the dtype, and the rounding, of the case.
TEXTS = [
    MASKED,
    "x[2,3]; k[2,3]:int64; k -> gelu -> multiply(x) -> sse",
    "k[2,3]:int64 -> dense(2) -> sin -> sse",
    "m[3]:bool -> tanh -> dense(2, bias=false) -> softmax_cross_entropy",
]


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSCHECK_CACHE", "off")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", TEXTS)
def test_all_parties_agree(text: str, dtype: str) -> None:
    assert check(case_of(text, dtype=dtype), Builtin(), WITNESSES).verdict is Verdict.AGREES


def test_a_wrong_gradient_behind_a_mask_is_found() -> None:
    assert check(case_of(MASKED), off_by("1.weight", 1.5), WITNESSES).verdict is Verdict.DISAGREES


@pytest.mark.parametrize("gradients", [network.gradients, torch_autograd.gradients, jax_grad.gradients])
def test_the_answer_is_in_the_dtype_that_was_asked(gradients: object) -> None:
    case = case_of("k[2,3]:int64 -> gelu -> cotangent", dtype="float32")
    found = gradients(case) if gradients is network.gradients else gradients(case, "float32")
    assert (found.loss.dtype, found.outputs.dtype) == (np.float32, np.float32)
    assert dict(found.tensors()) == {}


@pytest.mark.parametrize("text", ["x[3]:bool -> tanh -> sse", "x[3]:int64 -> sse"])
def test_a_network_without_anything_to_differentiate_is_not_verified(text: str) -> None:
    for dtype in ("float64", "float32"):
        assert check(case_of(text, dtype=dtype), Builtin(), WITNESSES).verdict is Verdict.UNCHECKED
