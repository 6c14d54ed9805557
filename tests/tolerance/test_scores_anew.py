"""Attention that multiplies its scores again on the way back, as FlashAttention does: as right as who keeps p.

Scores of thousands have a last digit that p = exp(s - logsumexp s) shows, if the two products were summed in different
orders. C = a - y log a makes d = 1 - y/a of an output a = p v: with a large y the error that p has on the way forward
is not in p d, and that of the second p is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.backprop import attention, network
from crosscheck.backprop.attention import Softmax
from crosscheck.checking import Witnesses, check
from crosscheck.oracles.ball import Ball
from crosscheck.spec import Case, Verdict
from crosscheck.subjects import frameworks
from crosscheck.subjects.builtin import Builtin

HIDDEN = {"none": "", "padding": ", mask"}


def _anew(q: Any, k: Any, s: Any, seen: Any, scale: float) -> Any:
    """exp(s' - logsumexp s), s' summed from its last term to its first."""
    below = s if seen is None else np.where(seen, s, -np.inf)
    top = below.max(axis=-1, keepdims=True)
    log_sum = top + np.log(np.exp(below - top).sum(axis=-1, keepdims=True))
    products = q[..., :, np.newaxis, ::-1] * k[..., np.newaxis, :, ::-1]
    again = products.cumsum(axis=-1)[..., -1] * scale
    return np.exp((again if seen is None else np.where(seen, again, -np.inf)) - log_sum)


AGAIN = Builtin(
    network.ROWS | attention.rows(Softmax(attention.weights, attention.weights_pulled_back, _anew)), name="again"
)


def saturated(mask: str, dtype: str) -> Case:
    inputs = "mask[1,3]:bool; " if mask == "padding" else ""
    case = case_of(
        f"x[1,2,8]; k[1,3,8]; v[1,3,2]; {inputs}x -> attention(k, v{HIDDEN[mask]}, mask={mask})"
        " -> poisson_nll(log_input=false)",
        seed=5,
        dtype=dtype,
        points=8,
    )
    large = {"x": 100.0 * case.inputs["x"], "k": 30.0 * case.inputs["k"], "v": abs(case.inputs["v"]) + 0.5}
    if mask == "padding":
        large["mask"] = np.broadcast_to([True, True, False], case.inputs["mask"].shape)
    inputs_now = {name: a.astype(case.inputs[name].dtype) for name, a in large.items()}
    return with_arrays(case, inputs={**case.inputs, **inputs_now}, targets=np.full_like(case.targets, 1e9))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("mask", HIDDEN)
def test_nobody_is_accused_for_multiplying_the_scores_again(mask: str, dtype: str) -> None:
    case = saturated(mask, dtype)
    for subject in (AGAIN, Builtin(), frameworks.torch(), frameworks.jax()):
        found = check(case, subject, Witnesses((Ball(),), differences=False))
        assert found.verdict is Verdict.AGREES, f"{subject.name}, {mask}, {dtype}"
        assert any(tensor.informative.any() for tensor in found.tensors.values())


@pytest.mark.parametrize("mask", HIDDEN)
def test_it_costs_digits_there(mask: str) -> None:
    case = saturated(mask, "float64")
    truth = Ball().certify(case, points=range(case.n_points)).reference.gradients
    off = [float(np.abs(subject.gradients(case)["v"] - truth["v"]).max()) for subject in (AGAIN, Builtin())]
    assert off[0] > 20.0 * off[1]
