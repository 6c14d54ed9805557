"""Softmax on the way back of what took its logarithm: p has roundings of its own, and so has Σ of the others for 1 - p.

C = Σ eᵃ of a = log softmax z is 1 whatever z is: ∂C/∂z = p - p Σ p is 0 only where both p round alike. Of C = eᵃ with
a = logsumexp z the slope eᵃ p is e^z, and has the rounding of a where p was not made with it. And behind targets that
sum to 1 Σ ∂C/∂a is 0: the slope is ∂C/∂a then, and a right one is allowed what the formula loses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.backprop import network
from crosscheck.backprop.rows import Activation, Loss
from crosscheck.checking import Witnesses, check
from crosscheck.oracles.ball import Ball
from crosscheck.spec import Case, Subject, Verdict
from crosscheck.subjects import frameworks
from crosscheck.subjects.builtin import Builtin


def shares(z: Any, axis: int) -> tuple[Any, Any]:
    """p, and Σ of the other p."""
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    total = e.sum(axis=axis, keepdims=True)
    return e / total, sum(np.roll(e, k, axis) for k in range(1, z.shape[axis])) / total


def of_its_own(z: Any, _a: Any, da: Any, axis: int) -> Any:
    return da - shares(z, axis)[0] * da.sum(axis=axis, keepdims=True)


def by_the_others(z: Any, _a: Any, da: Any, axis: int) -> Any:
    p, others = shares(z, axis)
    return da * others - p * (da.sum(axis=axis, keepdims=True) - da)


def cross_entropy_by_the_others(z: Any, y: Any, **_own: Any) -> Any:
    p, others = shares(z, -1)
    return p * (y.sum(axis=-1, keepdims=True) - y) - y * others


def with_slope(dz: Any, da: Any = None) -> Subject:
    table = dict(network.ROWS)
    row, loss = table["log_softmax"], table["softmax_cross_entropy"]
    assert isinstance(row, Activation)
    assert isinstance(loss, Loss)
    table["log_softmax"] = Activation(row.f, dz)
    if da is not None:
        table["softmax_cross_entropy"] = Loss(loss.value, da, per_sample=True, counts=loss.counts)
    return Builtin(table, name=dz.__name__)


def far_apart(text: str, *, targets: float | None = None, dtype: str = "float64") -> Case:
    case = case_of(text, seed=7, dtype=dtype, points=100)
    x = (30.0 * case.inputs["x"]).astype(dtype)
    y = case.targets if targets is None else np.full_like(case.targets, targets)
    return with_arrays(case, inputs={"x": x}, targets=y)


CASES = {
    "p of its own": far_apart("x[8,2] -> log_softmax -> poisson_nll", targets=0.0),
    "p of its own in float32": far_apart("x[8,2] -> log_softmax -> poisson_nll", targets=0.0, dtype="float32"),
    "of a logarithm": far_apart("x[8,3] -> logsumexp -> poisson_nll"),
    "soft targets": far_apart("x[4,6] -> log_softmax -> softmax_cross_entropy(targets=probabilities)"),
}


@pytest.mark.parametrize("name", CASES)
def test_nobody_is_accused_of_another_way_to_the_shares(name: str) -> None:
    parties = (
        with_slope(of_its_own),
        with_slope(by_the_others, cross_entropy_by_the_others),
        Builtin(),
        frameworks.torch(),
        frameworks.jax(),
    )
    for subject in parties:
        found = check(CASES[name], subject, Witnesses((Ball(),), differences=False))
        assert found.verdict is Verdict.AGREES, f"{subject.name}, {name}"
        worst = max(
            float(np.nanmax(np.where(t.informative, t.errors["ball"] / t.bounds["ball"], 0.0)))
            for t in found.tensors.values()
        )
        assert worst < 0.5, f"{subject.name} is {worst:.2f} bounds off"
