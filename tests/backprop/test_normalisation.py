"""Normalisations by hand: right by every witness, accurate where little is left, and each wrong variant is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import normed
import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.backprop import network
from crosscheck.backprop.normalisation import (
    TWO_PASSES,
    Groups,
    batch_norm,
    by_channel,
    by_group,
    by_last_axes,
    by_last_axis,
    norm,
)
from crosscheck.backprop.rows import Layer
from crosscheck.checking import Witnesses, check
from crosscheck.judge.compare import Status
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.jax_grad import JaxGrad
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Case, Verdict
from crosscheck.subjects.builtin import Builtin

NORMS = ("batch_norm", "layer_norm", "rms_norm", "group_norm")
EVERYBODY = Witnesses((Ball(), TorchAutograd(), JaxGrad()))
GIVEN = "x[3,2,2]; mean[2]; var[2]; x -> batch_norm(mean, var, eps=0.5, mode=evaluation) -> tanh -> cotangent"
ONE_EACH = (
    "x[3,2,2] -> batch_norm(eps=0.5) -> tanh -> cotangent",
    GIVEN,
    "x[2,3,2] -> layer_norm(axes=2, eps=0.5) -> tanh -> cotangent",
    "x[3,4] -> rms_norm(eps=0.5) -> tanh -> cotangent",
    "x[2,4,2] -> group_norm(2, eps=0.5) -> tanh -> cotangent",
    "x[2,4,2] -> group_norm(4, eps=0.5, affine=false) -> tanh -> cotangent",
)


@pytest.mark.thorough
def test_random_networks_agree_with_ball_and_torch() -> None:
    agreed, compared = 0, 0
    for case in normed.cases(NORMS, seed=5, count=120):
        found = check(case, Builtin(), Witnesses((Ball(), TorchAutograd())))
        assert found.verdict in (Verdict.AGREES, Verdict.UNDECIDABLE), f"{found.verdict} on {case.architecture}"
        agreed += found.verdict is Verdict.AGREES
        compared += found.count(Status.AGREE)
    assert agreed > 110
    assert compared > 5000


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", ONE_EACH)
def test_each_agrees_with_every_witness(text: str, dtype: str) -> None:
    found = check(case_of(text, seed=3, points=2, dtype=dtype), Builtin(), EVERYBODY)
    assert found.verdict is Verdict.AGREES
    assert set(found.references) == {"ball", "torch", "jax", "differences"}
    assert found.count(Status.AGREE) > 0.9 * sum(t.status.size for t in found.tensors.values())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("text", ONE_EACH)
def test_each_agrees_in_half(text: str, dtype: str) -> None:
    found = check(case_of(text, seed=3, points=2, dtype=dtype), Builtin(), Witnesses((Ball(),)))
    assert found.verdict is Verdict.AGREES


# --- wrong ones are found ---------------------------------------------------------------------------------------


def mean(a: Any, groups: Groups) -> Any:
    return a.mean(axis=groups.axes, keepdims=True)


def parts(g: Any, a: Any, groups: Groups, eps: float) -> tuple[Any, Any, Any]:
    """g less its mean, x, and σ."""
    d = a - mean(a, groups) if groups.centred else a
    sigma = np.sqrt(mean(d * d, groups) + a.dtype.type(eps))
    return (g - mean(g, groups) if groups.centred else g), d / sigma, sigma


def one_statistic_constant(g: Any, a: Any, groups: Groups, eps: float) -> Any:
    """As if σ did not depend on a."""
    c, _, sigma = parts(g, a, groups, eps)
    return c / sigma


def both_constant(g: Any, a: Any, groups: Groups, eps: float) -> Any:
    return g / parts(g, a, groups, eps)[2]


def without_the_mean_of_g(g: Any, a: Any, groups: Groups, eps: float) -> Any:
    _, x, sigma = parts(g, a, groups, eps)
    return (g - x * mean(g * x, groups)) / sigma


def wrong_sign(g: Any, a: Any, groups: Groups, eps: float) -> Any:
    c, x, sigma = parts(g, a, groups, eps)
    return (c + x * mean(c * x, groups)) / sigma


def summed_for_averaged(g: Any, a: Any, groups: Groups, eps: float) -> Any:
    c, x, sigma = parts(g, a, groups, eps)
    return (c - x * (c * x).sum(axis=groups.axes, keepdims=True)) / sigma


def eps_forgotten(g: Any, a: Any, groups: Groups, _eps: float) -> Any:
    return TWO_PASSES.da(g, a, groups, 1e-12)


def eps_outside_the_root(g: Any, a: Any, groups: Groups, eps: float) -> Any:
    c, x, sigma = parts(g, a, groups, 1e-12)
    return (c - x * mean(c * x, groups)) / (sigma + a.dtype.type(eps))


def unbiased(g: Any, a: Any, groups: Groups, eps: float) -> Any:
    """By a variance divided by n - 1."""
    c, x, sigma = parts(g, a, groups, eps)
    n = np.prod([groups.shape[axis] for axis in groups.axes])
    return (c - x * mean(c * x, groups) * a.dtype.type(n / (n - 1))) / sigma


WRONG = (
    one_statistic_constant,
    both_constant,
    without_the_mean_of_g,
    wrong_sign,
    summed_for_averaged,
    eps_forgotten,
    eps_outside_the_root,
    unbiased,
)
BY = {"batch_norm": by_channel, "layer_norm": by_last_axes, "rms_norm": by_last_axis, "group_norm": by_group}
# The mean of g has no part in rms_norm.
BUGS = [(op, bug) for op in NORMS for bug in WRONG if (op, bug) != ("rms_norm", without_the_mean_of_g)]


def with_row(op: str, row: Layer) -> Builtin:
    return Builtin({**network.ROWS, op: batch_norm(row, row) if op == "batch_norm" else row})


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("op", "bug"), BUGS)
def test_a_wrong_backward_is_found(op: str, bug: Callable[..., Any], dtype: str) -> None:
    case = case_of(next(text for text in ONE_EACH if op in text), seed=1, points=2, dtype=dtype)
    subject = with_row(op, norm(BY[op], replace(TWO_PASSES, da=bug)))
    assert check(case, subject, Witnesses((Ball(),))).verdict is Verdict.DISAGREES


@pytest.mark.parametrize("op", NORMS)
def test_weights_without_the_standardised_input_are_found(op: str) -> None:
    case = case_of(next(text for text in ONE_EACH if op in text), seed=1, points=2)
    subject = with_row(op, norm(BY[op], replace(TWO_PASSES, again=lambda a, groups, eps: a)))
    assert check(case, subject, Witnesses((Ball(),))).verdict is Verdict.DISAGREES


@pytest.mark.parametrize("axis", [0, 1])
def test_weights_summed_over_the_wrong_axes_are_found(axis: int) -> None:
    """The bias of a batch norm on a square: by row, not by column; and of one sample alone."""

    def backward(site: Any, d_out: Any, inputs: Any, params: Any) -> Any:
        d_inputs, gradients = network.ROWS["batch_norm"].backward(site, d_out, inputs, params)  # type: ignore[union-attr]
        spoilt = d_out.sum(axis=-1) if axis else d_out[..., 0, :]
        return d_inputs, gradients | {"bias": spoilt}

    row = replace(network.ROWS["batch_norm"], backward=backward)  # type: ignore[type-var]
    case = case_of("x[3,3] -> batch_norm -> tanh -> cotangent", seed=1)
    subject = Builtin({**network.ROWS, "batch_norm": row})
    assert check(case, subject, Witnesses((Ball(),))).verdict is Verdict.DISAGREES


@pytest.mark.parametrize(("tensor", "factor"), [("mean", -1.0), ("var", 2.0), ("x", 0.5)])
def test_a_wrong_gradient_of_given_statistics_is_found(tensor: str, factor: float) -> None:
    sound = network.ROWS["batch_norm"]
    place = {"x": 0, "mean": 1, "var": 2}[tensor]

    def backward(site: Any, d_out: Any, inputs: Any, params: Any) -> Any:
        d_inputs, gradients = sound.backward(site, d_out, inputs, params)  # type: ignore[union-attr]
        return tuple(d * factor if i == place else d for i, d in enumerate(d_inputs)), gradients

    subject = Builtin({**network.ROWS, "batch_norm": replace(sound, backward=backward)})  # type: ignore[type-var]
    assert check(case_of(GIVEN, seed=1), subject, Witnesses((Ball(),))).verdict is Verdict.DISAGREES


# --- hard places ------------------------------------------------------------------------------------------------


def shifted(case: Case, by: float) -> Case:
    return with_arrays(case, inputs={"x": case.inputs["x"] + case.inputs["x"].dtype.type(by)})


def off(case: Case, tensor: str) -> float:
    """The largest error of the built-in against truth, over the largest entry."""
    truth = Ball().certify(case, points=range(case.n_points)).reference.gradients[tensor]
    found = Builtin().gradients(case)[tensor]
    return float(np.max(np.abs(found - truth)) / np.max(np.abs(truth)))


@pytest.mark.parametrize("text", [text for text in ONE_EACH if text != GIVEN and "rms" not in text])
def test_a_large_mean_costs_no_digits(text: str) -> None:
    """By one mean alone 1e-9 would be lost of every entry."""
    assert off(shifted(case_of(text, seed=2), 1e6), "x") < 1e-14


@pytest.mark.parametrize("text", ["x[4,2] -> layer_norm -> cotangent", "x[4,1] -> rms_norm -> cotangent"])
def test_what_is_left_of_a_difference_of_two_that_are_alike_is_right(text: str) -> None:
    """The gradient is ε/σ² of its two terms: 1e-5 and less."""
    assert off(case_of(text, seed=2), "x") < 1e-14


@pytest.mark.parametrize("scale", [1e-170, 1e-12, 1e12, 1e170])
@pytest.mark.parametrize("op", ["layer_norm", "rms_norm", "batch_norm"])
def test_no_square_overflows_or_underflows(op: str, scale: float) -> None:
    case = case_of(f"x[4,3] -> {op} -> cotangent", seed=2)
    assert off(with_arrays(case, inputs={"x": case.inputs["x"] * scale}), "x") < 1e-13


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", [text for text in ONE_EACH if text != GIVEN and "rms" not in text])
def test_without_variance_eps_decides(text: str, dtype: str) -> None:
    """All numbers alike: x is 0, the output the bias, and ∂C/∂a what the mean leaves of g, over √ε."""
    case = case_of(text.replace("tanh -> ", ""), seed=2, dtype=dtype)
    flat = with_arrays(case, inputs={"x": np.full_like(case.inputs["x"], 0.1)})
    tape = network.forward(flat.architecture, flat.params, flat.inputs, flat.targets)
    bias = flat.params.get("0.bias", np.zeros_like(tape.outputs[0][..., :0]))
    assert np.isin(tape.outputs[0], np.append(bias.ravel(), 0.0)).all()
    assert np.abs(Builtin().gradients(flat).by_input["x"]).max() > 0.1
    assert check(flat, Builtin(), EVERYBODY).verdict is Verdict.AGREES


@pytest.mark.parametrize(
    "text",
    [
        "x[1,3] -> batch_norm -> cotangent",
        "x[3,1] -> layer_norm -> cotangent",
        "x[2,3] -> group_norm(3) -> cotangent",
    ],
)
def test_of_a_single_number_nothing_is_left(text: str) -> None:
    """And the frameworks, which refuse it or not, say the same."""
    case = case_of(text, seed=2)
    assert not Builtin().gradients(case).by_input["x"].any()
    assert not Builtin().gradients(case).by_param["0.weight"].any()
    assert check(case, Builtin(), EVERYBODY).verdict in (Verdict.AGREES, Verdict.UNDECIDABLE)


def test_instance_norm_is_group_norm_with_a_group_for_each_channel() -> None:
    case = case_of("x[2,3,4] -> group_norm(3) -> cotangent", seed=4)
    x = case.inputs["x"]
    own = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    tape = network.forward(case.architecture, case.params, case.inputs, case.targets)
    weight, bias = (case.params[f"0.{role}"][:, np.newaxis, :, np.newaxis] for role in ("weight", "bias"))
    assert np.allclose(tape.outputs[0], own * weight + bias, rtol=1e-13)
