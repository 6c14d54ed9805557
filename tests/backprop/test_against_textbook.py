"""The vectorised walk against the textbook's scalar loops: random dense chains, within the derived bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
from builders import case_of

from crosscheck.backprop import network
from crosscheck.backprop import textbook as tb
from crosscheck.spec import Case, Gradients
from crosscheck.tolerance.bounds import bound

EVERY = [
    *tb.ROWS.keys() - {"gelu", "leaky_relu", "elu", "celu", "hardtanh"},
    "gelu",
    "gelu(approximate=tanh)",
    "leaky_relu(negative_slope=-0.5)",
    "elu(alpha=0.3)",
    "celu(alpha=0.3)",
    "hardtanh(min_val=-0.25, max_val=2.0)",
]
ROLES = ("weight", "bias")
# What the textbook multiplies each sample's loss by, for a batch of 3 and 2 outputs.
REDUCTIONS = {"sse": 1.0, "sse(reduction=batch_mean, scale=-1.5)": -0.5, "mse(scale=4.0)": 4.0 / 6.0}


def layers_of(case: Case, point: int) -> list[tb.Layer]:
    """The dense chain of a case as the textbook's layers; an activation belongs to the dense node before it."""
    layers: list[tb.Layer] = []
    for node in case.architecture.nodes:
        if node.op == "dense":
            w, b = (case.params[node.params[r]][point].tolist() if r in node.params else None for r in ROLES)
            layers.append(tb.Layer(w, b))
        else:
            last = layers.pop()
            layers.append(tb.Layer(last.weight, last.bias, node.op, node.attributes))
    return layers


def textbook(case: Case, share: float) -> Gradients:
    """The textbook's answer at every point, under the walk's names."""
    keys = [node.params for node in case.architecture.nodes if node.op == "dense"]
    found = [
        tb.gradients(layers_of(case, p), case.inputs["x"][p].tolist(), case.targets[p].tolist(), share)
        for p in range(case.n_points)
    ]
    by_param = {}
    for l, roles in enumerate(keys, start=2):
        by_param[roles["weight"]] = np.array([f.weights[l] for f in found])
        if "bias" in roles:
            by_param[roles["bias"]] = np.array([f.biases[l] for f in found])
    return Gradients(np.array([f.loss for f in found]), by_param, {"x": np.array([f.inputs for f in found])})


def assert_within_the_bound(case: Case, own: Gradients, other: Gradients) -> float:
    """Each differs from the truth by at most the bound of float64. Returns the median relative bound."""
    bounds = bound(case, "float64")
    relative = []
    for name, values in (("loss", own.loss), *own.tensors()):
        expected = other.loss if name == "loss" else other[name]
        allowed = bounds.gradients.loss if name == "loss" else bounds.gradients[name]
        assert values.shape == expected.shape, name
        off = np.abs(values - expected)
        assert (off <= 2 * allowed).all(), f"{name}: off by {(off / allowed).max():.2g} bounds"
        relative.append((allowed / np.maximum(np.abs(expected), 1e-300)).ravel())
    return float(np.median(np.concatenate(relative)))


@pytest.mark.parametrize("family", ["normal", "large", "integers", "decades", "saturating"])
@pytest.mark.parametrize("activation", sorted(EVERY))
def test_gradients_are_the_textbooks_within_the_bound(activation: str, family: str) -> None:
    text = f"x[3,4] -> dense(5) -> {activation} -> dense(1, bias=false) -> {activation} -> dense(2) -> sse"
    case = case_of(text, seed=3, family=family, points=4)
    resolution = assert_within_the_bound(case, network.gradients(case), textbook(case, 1.0))
    if family == "normal":
        assert resolution < 1e-12  # the bound is no blank cheque


@pytest.mark.parametrize("loss", REDUCTIONS)
def test_reductions_and_scale_are_the_textbooks_share_of_each_sample(loss: str) -> None:
    case = case_of(f"x[3,2] -> dense(3) -> tanh -> dense(2) -> sigmoid -> {loss}", points=5)
    assert_within_the_bound(case, network.gradients(case), textbook(case, REDUCTIONS[loss]))


@pytest.mark.parametrize("seed", range(8))
def test_random_chains_of_any_depth_and_width(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = sorted(EVERY)
    steps = [f"dense({rng.integers(1, 5)}) -> {rng.choice(names)}" for _ in range(rng.integers(1, 6))]
    case = case_of(" -> ".join([f"x[{rng.integers(1, 4)},{rng.integers(1, 4)}]", *steps, "sse"]), seed=seed)
    assert_within_the_bound(case, network.gradients(case), textbook(case, 1.0))


@pytest.mark.parametrize("factor", [1.0 + 1e-9, -1.0, math.nan])
def test_a_wrong_gradient_is_not_within_the_bound(factor: float) -> None:
    case = case_of("x[3,4] -> dense(5) -> tanh -> dense(2) -> sse")
    other = textbook(case, 1.0)
    wrong = Gradients(other.loss, other.by_param | {"2.bias": other["2.bias"] * factor}, other.by_input)
    with pytest.raises(AssertionError, match=r"2\.bias: off by"):
        assert_within_the_bound(case, network.gradients(case), wrong)
