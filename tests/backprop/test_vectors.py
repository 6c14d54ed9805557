"""prelu, glu, swiglu, logsumexp, norm, and softmax on any axis: by every witness, at their edges, and planted wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders import case_of, every_variant, with_arrays

from crosscheck.backprop import activations, network, vectors
from crosscheck.backprop.rows import Activation, Array, Layer, Row
from crosscheck.checking import Witnesses, check
from crosscheck.judge.compare import Status
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.jax_grad import JaxGrad
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Case, Verdict
from crosscheck.subjects.builtin import Builtin

ALL = Witnesses((Ball(), TorchAutograd(), JaxGrad()))
PROOF = Witnesses((Ball(),), differences=False)
DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])

OPS = ("softmax", "log_softmax", "prelu", "glu", "swiglu", "logsumexp", "norm")
FURTHER = (
    "x[1] -> prelu -> cotangent",
    "x[] -> prelu -> cotangent",
    "x[1,1] -> prelu(per_channel=true) -> sse",
    "x[2,3,2,2] -> prelu(per_channel=true) -> sse",
    "x[2] -> glu -> cotangent",
    "x[4,3,2] -> swiglu(axis=-3) -> cotangent",
    "x[3,1] -> logsumexp -> cotangent",
    "x[5] -> logsumexp -> cotangent",
    "x[2,3,4] -> logsumexp(axis=-3, keepdims=true) -> cotangent",
    "x[3,1] -> norm -> cotangent",
    "x[5] -> norm(keepdims=true) -> cotangent",
    "x[2,3,4] -> norm(axis=-2) -> sse",
    "x[2,3,4] -> softmax(axis=-3) -> sse",
    "x[2,3,4] -> log_softmax(axis=-2) -> sse",
    "x[3,4] -> dense(4) -> swiglu -> dense(2) -> glu -> sse",
    "x[3,4] -> h: dense(4) -> prelu -> dense(4) -> prelu(weight=@1.weight) -> add(h) -> norm -> sse",
)
TEXTS = [*(text for op in OPS for text in every_variant(op)), *FURTHER]


def on(text: str, dtype: str = "float64", **arrays: Any) -> Case:
    """One point with these numbers, by the name of the input or the key of the parameter."""
    case = case_of(text, points=1, dtype=dtype)
    given = {name: np.array([values], dtype) for name, values in arrays.items()}
    return with_arrays(
        case,
        inputs={k: v for k, v in given.items() if k in case.inputs},
        params={k: given[k] for k in case.params if k in given},
        targets=np.ones_like(case.targets),
    )


@DTYPES
@pytest.mark.parametrize("text", TEXTS)
def test_all_witnesses_agree(text: str, dtype: str) -> None:
    # A norm of zeros is a kink at which JAX says NaN: it has a test of its own.
    for family in ("normal", "large", "saturating", "tiny", *(() if "norm" in text else ("integers",))):
        judgement = check(case_of(text, family=family, dtype=dtype, points=4), Builtin(), ALL)
        assert judgement.verdict is Verdict.AGREES, family
        assert judgement.count(Status.AGREE) > 0


# --- planted ------------------------------------------------------------------------------------------------------


def with_row(op: str, row: Row) -> Builtin:
    return Builtin(network.ROWS | {op: row})


def wrong(op: str, change: Callable[[Any, Any, Any], tuple[Any, Mapping[str, Any]]]) -> Builtin:
    """The built-in with what `change`(site, d_out, found) makes of the gradients (of the input, by role)."""
    sound = network.ROWS[op]
    assert isinstance(sound, Layer)

    def backward(site: Any, d_out: Any, inputs: Any, params: Any) -> Any:
        (dz,), d_params = sound.backward(site, d_out, inputs, params)
        made, by_role = change(site, d_out, (dz, d_params, inputs[0], params))
        return (made,), dict(by_role)

    return with_row(op, replace(sound, backward=backward))


def ungated(gate: str, *, first: bool) -> Layer:
    """A gate whose slope is left out: the sum of paths has one path less."""
    row = activations.ROWS[gate]
    return vectors.gated(Activation(row.f, lambda z, a, da: da * 0.0), first=first)


def last_axis(f: Callable[..., Array]) -> Callable[..., Array]:
    return lambda *given, axis: f(*given, axis=-1)


SOFTMAX, LOG_SOFTMAX = activations.ROWS["softmax"], activations.ROWS["log_softmax"]

# fmt: off
PLANTED: dict[str, tuple[str, Builtin]] = {
    "prelu: weight's gradient not summed over the rows": ("x[3,2] -> prelu(per_channel=true) -> sse", wrong(
        "prelu", lambda site, d, f: (f[0], {"weight": np.where(f[2] > 0, 0.0, d * f[2])[..., 0, :]}))),
    "prelu: weight's gradient counts what is positive": ("x[3,2] -> prelu -> sse", wrong(
        "prelu", lambda site, d, f: (f[0], {"weight": (d * f[2]).sum(axis=(-1, -2))[..., np.newaxis]}))),
    "prelu: slope 0 below zero, as relu": ("x[3,2] -> prelu -> sse", wrong(
        "prelu", lambda site, d, f: (np.where(f[2] > 0, d, 0.0), f[1]))),
    "prelu: channels taken from the last axis": ("x[2,3,3] -> prelu(per_channel=true) -> sse", wrong(
        "prelu", lambda site, d, f: (f[0], {"weight": np.where(f[2] > 0, 0.0, d * f[2]).sum(axis=(-2, -3))}))),
    "glu: gate not differentiated": ("x[2,4] -> glu -> sse", with_row("glu", ungated("sigmoid", first=False))),
    "glu: halves swapped": ("x[2,4] -> glu -> sse", wrong(
        "glu", lambda site, d, f: (np.roll(f[0], 2, axis=-1), f[1]))),
    "swiglu: gate not differentiated": ("x[2,4] -> swiglu -> sse", with_row("swiglu", ungated("silu", first=True))),
    "swiglu: sigmoid for silu'": ("x[2,4] -> swiglu -> sse", with_row("swiglu", vectors.gated(Activation(
        activations.ROWS["silu"].f, lambda z, a, da: da * activations.sigmoid(z)), first=True))),
    "logsumexp: d alone": ("x[2,4] -> logsumexp -> sse", wrong(
        "logsumexp", lambda site, d, f: (0.0 * f[0] + d[..., np.newaxis], f[1]))),
    "logsumexp: softmax on the other axis": ("x[3,3] -> logsumexp -> sse", wrong(
        "logsumexp", lambda site, d, f: (d[..., np.newaxis] * activations.softmax(f[2], -2), f[1]))),
    "norm: not divided by the norm": ("x[2,4] -> norm -> sse", wrong(
        "norm", lambda site, d, f: (d[..., np.newaxis] * f[2], f[1]))),
    "norm: that of the square": ("x[2,4] -> norm -> sse", wrong(
        "norm", lambda site, d, f: (2.0 * f[0], f[1]))),
    "softmax: always the last axis": ("x[3,3] -> softmax(axis=-2) -> sse", with_row(
        "softmax", replace(SOFTMAX, dz=last_axis(SOFTMAX.dz)))),
    "log_softmax: always the last axis": ("x[3,3] -> log_softmax(axis=-2) -> sse", with_row(
        "log_softmax", replace(LOG_SOFTMAX, dz=last_axis(LOG_SOFTMAX.dz)))),
    "celu: slope of elu": ("x[2,3] -> celu(alpha=0.3) -> sse", with_row(
        "celu", replace(activations.ROWS["celu"], dz=lambda z, a, da, alpha: da * activations.elu_slope(z, alpha)))),
    "celu: slope not divided by alpha": ("x[2,3] -> celu(alpha=0.3) -> sse", with_row(
        "celu", replace(activations.ROWS["celu"], dz=lambda z, a, da, alpha: da * np.where(
            z > 0, 1.0, alpha * np.exp(np.minimum(z, 0.0) / alpha))))),
}
# fmt: on


@DTYPES
@pytest.mark.parametrize("name", PLANTED)
def test_a_wrong_derivative_is_found(name: str, dtype: str) -> None:
    text, subject = PLANTED[name]
    judgement = check(case_of(text, points=4, dtype=dtype), subject, PROOF)
    assert judgement.verdict is Verdict.DISAGREES
    assert judgement.odd_one_out == "subject"


# --- edges --------------------------------------------------------------------------------------------------------


def value_and_gradient(case: Case) -> tuple[Array, Array]:
    found = network.gradients(case)
    assert found.outputs is not None
    return found.outputs[0], found.by_input["x"][0]


def test_prelu_takes_the_slope_from_below_at_its_kink_and_any_between_is_right() -> None:
    case = on("x[2] -> prelu -> cotangent", x=[0.0, -2.0], **{"0.weight": [0.25]})
    assert value_and_gradient(case)[1].tolist() == [0.25, 0.25]
    proof = Ball().certify(case)
    assert proof.kinks == (("prelu", 0),)
    middle, radius = (g.by_input["x"][0] for g in (proof.reference.gradients, proof.reference.radius))
    assert (middle[0] - radius[0], middle[0] + radius[0]) == pytest.approx((0.25, 1.0), abs=1e-8)
    assert (middle[1], radius[1]) == pytest.approx((0.25, 0.0), abs=1e-30)
    assert check(case, Builtin(), ALL).verdict is Verdict.AGREES
    steep = wrong("prelu", lambda site, d, f: (1.5 * np.where(f[2] < 0, 0.25 * d, d), f[1]))
    assert check(case, steep, ALL).verdict is Verdict.DISAGREES


def test_prelu_away_from_its_kink_is_proved_without_cancelling() -> None:
    proof = Ball().certify(on("x[2] -> prelu -> cotangent", x=[1e-300, -1e280], **{"0.weight": [1e20]}))
    assert proof.bits.tolist() == [128]
    assert proof.reference.gradients.by_param["0.weight"][0].tolist() == [-1e280]


@DTYPES
def test_a_norm_of_zeros_has_slope_zero_and_any_up_to_one_is_right(dtype: str) -> None:
    case = on("x[2,3] -> norm -> cotangent", dtype, x=[[0.0, 0.0, 0.0], [3.0, 0.0, -4.0]])
    value, gradient = value_and_gradient(case)
    assert value.tolist() == [0.0, 5.0]
    np.testing.assert_allclose(gradient, [[0.0, 0.0, 0.0], [0.6, 0.0, -0.8]], rtol=1e-6)
    proof = Ball().certify(case)
    assert proof.kinks == (("norm", 0),)
    middle, radius = (g.by_input["x"][0] for g in (proof.reference.gradients, proof.reference.radius))
    np.testing.assert_allclose(middle[0], np.zeros(3), atol=1e-8)
    np.testing.assert_allclose(radius[0], np.ones(3), atol=1e-8)
    assert (radius[1] < 1e-16).all()
    for slope, verdict in ((0.5, Verdict.UNDECIDABLE), (1.5, Verdict.DISAGREES)):
        subject = wrong("norm", lambda site, d, f, s=slope: (np.where(f[2] == 0, f[0].dtype.type(s), f[0]), f[1]))
        subject_case = on("x[2] -> norm -> cotangent", dtype, x=[0.0, 0.0])
        assert check(subject_case, subject, PROOF).verdict is verdict


def test_jax_says_nothing_of_a_norm_of_zeros_and_is_the_one_named() -> None:
    judgement = check(on("x[2,3] -> norm -> cotangent", x=[[0.0, 0.0, 0.0], [3.0, 0.0, -4.0]]), Builtin(), ALL)
    assert judgement.verdict is Verdict.ORACLE_DISAGREES
    assert judgement.odd_one_out == "jax"
    assert [(d.witness, d.op) for d in judgement.deviations] == [("jax", "norm")]
    single = check(on("x[2,3] -> norm -> cotangent", x=[[0.0, 1.0, 0.0], [3.0, 0.0, -4.0]]), Builtin(), ALL)
    assert (single.verdict, single.deviations) == (Verdict.AGREES, ())


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e-160, 1.0, 1e160, 1e300])
def test_a_norm_neither_overflows_nor_underflows_on_its_way(size: float) -> None:
    value, gradient = value_and_gradient(on("x[2] -> norm -> cotangent", x=[3.0 * size, -4.0 * size]))
    assert value == pytest.approx(5.0 * size, rel=1e-12)
    np.testing.assert_allclose(gradient, [0.6, -0.8], rtol=1e-12)


def test_a_norm_of_one_is_the_absolute_value() -> None:
    value, gradient = value_and_gradient(on("x[3,1] -> norm -> cotangent", x=[[-2.0], [0.0], [7.0]]))
    assert (value.tolist(), gradient.ravel().tolist()) == ([2.0, 0.0, 7.0], [-1.0, 0.0, 1.0])


@pytest.mark.parametrize("top", [-1e308, -745.0, 0.0, 710.0, 1e308])
def test_logsumexp_does_not_overflow(top: float) -> None:
    value, gradient = value_and_gradient(on("x[2] -> logsumexp -> cotangent", x=[top, top]))
    assert value == pytest.approx(top + np.log(2.0), rel=1e-15)
    assert gradient.tolist() == [0.5, 0.5]


def test_logsumexp_of_one_is_it() -> None:
    value, gradient = value_and_gradient(on("x[2,1] -> logsumexp -> cotangent", x=[[0.1], [-1e308]]))
    assert (value.tolist(), gradient.tolist()) == ([0.1, -1e308], [[1.0], [1.0]])


def test_logsumexp_loses_nothing_of_a_small_rest() -> None:
    value, gradient = value_and_gradient(on("x[2] -> logsumexp -> cotangent", x=[0.0, -700.0]))
    assert value == pytest.approx(np.exp(-700.0), rel=1e-14)
    assert gradient[1] == pytest.approx(np.exp(-700.0), rel=1e-14)


def test_glu_and_swiglu_halve_the_axis_that_is_asked() -> None:
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    half = 1 / (1 + np.exp(-x))
    for text, wanted in {
        "x[2,2] -> glu -> cotangent": (x[:, 0] * half[:, 1])[:, np.newaxis],
        "x[2,2] -> glu(axis=-2) -> cotangent": (x[0] * half[1])[np.newaxis],
        "x[2,2] -> swiglu -> cotangent": (x[:, 0] * half[:, 0] * x[:, 1])[:, np.newaxis],
        "x[2,2] -> swiglu(axis=-2) -> cotangent": (x[0] * half[0] * x[1])[np.newaxis],
    }.items():
        np.testing.assert_allclose(value_and_gradient(on(text, x=x))[0], wanted, rtol=1e-15)


@DTYPES
@pytest.mark.parametrize("alpha", [1e-3, 0.3, 1.0, 7.1, 1e30])
def test_celu_is_proved_at_every_alpha(alpha: float, dtype: str) -> None:
    x = np.array([-1e-30, -0.37, -2.0, -50.0, 0.0, 3.0]) * min(alpha, 1e3)
    case = on(f"x[6] -> celu(alpha={alpha}) -> cotangent", dtype, x=x)
    judgement = check(case, Builtin(), PROOF)
    assert judgement.verdict is Verdict.AGREES
    assert judgement.count(Status.AGREE) > 0


@DTYPES
def test_a_celu_too_large_to_be_split_stays_finite(dtype: str) -> None:
    alpha = float(np.finfo(dtype).max) / 2
    value, gradient = value_and_gradient(on(f"x[3] -> celu(alpha={alpha!r}) -> cotangent", dtype, x=[-1.0, 0.0, 2.0]))
    np.testing.assert_allclose(value, [-1.0, 0.0, 2.0], rtol=1e-6)
    np.testing.assert_allclose(gradient, [1.0, 1.0, 1.0], rtol=1e-6)
