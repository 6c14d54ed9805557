"""Every op has a row; each row means what the spec says, and its gradient is the slope of its own loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

from crosscheck.oracles.jax_grad import GAPS, JaxGrad, activations, layers, losses, merges
from crosscheck.spec import OPS, Architecture, Case, parse

rng = np.random.default_rng(20)


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSCHECK_CACHE", "off")


def case_of(architecture: Architecture, points: int) -> Case:
    """One drawn point, `points` times."""

    def drawn(shape: tuple[int, ...]) -> np.ndarray:
        return np.repeat(rng.normal(size=(1, *shape)), points, axis=0)

    targets = rng.random((1, *architecture.target_shape))
    if architecture.target_dtype == "int64":
        targets = (targets * architecture.shape_of(architecture.loss.inputs[0])[-1]).astype(np.int64)
    return Case(
        architecture,
        {key: drawn(shape) for key, shape in architecture.param_shapes.items()},
        {i.name: drawn(i.shape) for i in architecture.inputs},
        np.repeat(targets, points, axis=0),
    )


def perturbed(case: Case, h: float) -> tuple[Case, list[tuple[str, tuple[int, ...]]]]:
    """Point 0 as it is; points 2k + 1 and 2k + 2 with entry k of params and inputs moved up and down."""
    arrays = {name: array.copy() for name, array in {**case.params, **case.inputs}.items()}
    entries = [(name, index) for name, array in arrays.items() for index in np.ndindex(array.shape[1:])]
    for k, (name, index) in enumerate(entries):
        arrays[name][(2 * k + 1, *index)] += h
        arrays[name][(2 * k + 2, *index)] -= h
    params = {key: arrays[key] for key in case.params}
    inputs = {name: arrays[name] for name in case.inputs}
    return Case(case.architecture, params, inputs, case.targets), entries


def assert_gradient_is_slope(text: str) -> None:
    architecture, h = parse(text), 1e-5
    single = case_of(architecture, 1)
    count = sum(array.size for array in (*single.params.values(), *single.inputs.values()))
    case, entries = perturbed(case_of(architecture, 2 * count + 1), h)
    gradients = JaxGrad().references(case).gradients
    assert len(entries) == count > 0
    for k, (name, index) in enumerate(entries):
        slope = (gradients.loss[2 * k + 1] - gradients.loss[2 * k + 2]) / (2 * h)
        assert gradients[name][(0, *index)] == pytest.approx(slope, rel=1e-6, abs=1e-8), (name, index)


ATTRIBUTES = {
    "leaky_relu": "negative_slope=0.3",
    "elu": "alpha=0.7",
    "celu": "alpha=0.7",
    "hardtanh": "min_val=-0.5, max_val=2.0",
}


def test_every_op_has_a_row_or_a_gap() -> None:
    tables = {"layer": layers.ROWS, "activation": activations.ROWS, "merge": merges.ROWS, "loss": losses.ROWS}
    gaps = {gap.op for gap in GAPS}
    for kind, table in tables.items():
        assert set(table) | gaps >= {op.name for op in OPS.values() if op.kind == kind}
        assert set(table) <= {op.name for op in OPS.values() if op.kind == kind}
        assert not set(table) & gaps


@pytest.mark.parametrize("name", activations.ROWS)
def test_gradient_of_activation(name: str) -> None:
    assert_gradient_is_slope(f"x[2,3] -> dense(2) -> {name}({ATTRIBUTES.get(name, '')}) -> cotangent")


def test_gradient_of_gelu_tanh() -> None:
    assert_gradient_is_slope("x[2,3] -> gelu(approximate=tanh) -> cotangent")


@pytest.mark.parametrize("step", ["add(h, x)", "multiply(h, x)", "concat(h, x)"])
def test_gradient_of_merge(step: str) -> None:
    assert_gradient_is_slope(f"x[2,3] -> h: dense(3) -> tanh -> {step} -> cotangent")


@pytest.mark.parametrize(
    "loss",
    [
        "sse(scale=0.5)",
        "sse(reduction=mean)",
        "sse(reduction=batch_mean)",
        "mse",
        "mae(reduction=mean)",
        "huber(delta=0.4, reduction=batch_mean)",
        "bce_with_logits(scale=3.0)",
        "softmax_cross_entropy(reduction=mean)",
        "softmax_cross_entropy(targets=probabilities, reduction=batch_mean)",
        "cotangent",
    ],
)
def test_gradient_of_loss(loss: str) -> None:
    assert_gradient_is_slope(f"x[3,2] -> dense(2, bias=false) -> {loss}")


@pytest.mark.parametrize("shape", ["4", "2,1,3"])
def test_gradient_of_dense_at_any_rank(shape: str) -> None:
    assert_gradient_is_slope(f"x[{shape}] -> dense(2) -> tanh -> sse")


# fmt: off
VALUES: dict[str, Callable[..., Any]] = {
    "identity":    lambda z: z,
    "relu":        lambda z: np.where(z > 0, z, 0),
    "tanh":        np.tanh,
    "sigmoid":     special.expit,
    "leaky_relu":  lambda z: np.where(z > 0, z, 0.3 * z),
    "gelu":        lambda z: z * special.ndtr(z),
    "silu":        lambda z: z * special.expit(z),
    "softplus":    lambda z: np.log(1 + np.exp(z)),
    "elu":         lambda z: np.where(z > 0, z, 0.7 * (np.exp(z) - 1)),
    "celu":        lambda z: np.where(z > 0, z, 0.7 * (np.exp(z / 0.7) - 1)),
    "selu":        lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * (np.exp(z) - 1)),
    "mish":        lambda z: z * np.tanh(np.log(1 + np.exp(z))),
    "softsign":    lambda z: z / (1 + abs(z)),
    "hardtanh":    lambda z: np.minimum(np.maximum(z, -0.5), 2),
    "hardsigmoid": lambda z: np.minimum(np.maximum(z / 6 + 0.5, 0), 1),
    "log_sigmoid": lambda z: -np.log(1 + np.exp(-z)),
    "sin":         np.sin,
    "softmax":     lambda z: np.exp(z) / np.exp(z).sum(-1, keepdims=True),
    "log_softmax": lambda z: z - np.log(np.exp(z).sum(-1, keepdims=True)),
}
# fmt: on
Z = np.array([[[0.3, -1.7, 3.5], [-4.2, 0.9, -0.4]]])


@pytest.mark.parametrize("name", activations.ROWS)
def test_value_of_activation(name: str) -> None:
    architecture = parse(f"x[2,3] -> {name}({ATTRIBUTES.get(name, '')}) -> cotangent")
    outputs = JaxGrad().references(Case(architecture, {}, {"x": Z}, np.ones((1, 2, 3)))).gradients.outputs
    np.testing.assert_allclose(outputs, VALUES[name](Z), rtol=1e-13, atol=1e-15)


def test_value_of_gelu_tanh() -> None:
    architecture = parse("x[2,3] -> gelu(approximate=tanh) -> cotangent")
    outputs = JaxGrad().references(Case(architecture, {}, {"x": Z}, np.ones((1, 2, 3)))).gradients.outputs
    expected = Z / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (Z + 0.044715 * Z**3)))
    np.testing.assert_allclose(outputs, expected, rtol=1e-12)


Y = np.array([[[0.2, 0.7, 0.1], [0.5, 0.1, 0.4]]])
D = abs(Z - Y)
LOG_P = VALUES["log_softmax"](Z)


@pytest.mark.parametrize(
    ("loss", "targets", "expected"),
    [
        ("sse(scale=0.5)", Y, 0.5 * (D**2).sum()),
        ("sse(reduction=mean)", Y, (D**2).sum() / 6),
        ("sse(reduction=batch_mean)", Y, (D**2).sum() / 2),
        ("mse", Y, (D**2).sum() / 6),
        ("mae", Y, D.sum()),
        ("huber(delta=0.7)", Y, np.where(D <= 0.7, D**2 / 2, 0.7 * (D - 0.35)).sum()),
        ("bce_with_logits", Y, (np.maximum(Z, 0) - Z * Y + np.log1p(np.exp(-abs(Z)))).sum()),
        ("softmax_cross_entropy(targets=probabilities)", Y, -(Y * LOG_P).sum()),
        ("softmax_cross_entropy(reduction=mean)", np.array([[2, 0]]), -(LOG_P[0, 0, 2] + LOG_P[0, 1, 0]) / 2),
        ("cotangent(scale=2.0)", Y, 2 * (Z * Y).sum()),
    ],
)
def test_value_of_loss(loss: str, targets: np.ndarray, expected: float) -> None:
    case = Case(parse(f"x[2,3] -> {loss}"), {}, {"x": Z}, targets)
    assert JaxGrad().references(case).gradients.loss == pytest.approx([expected], rel=1e-13)


def test_class_of_probability_zero_does_not_make_nan() -> None:
    case = Case(parse("x[3] -> softmax_cross_entropy"), {}, {"x": np.array([[1e308, -1e308, 0.0]])}, np.array([0]))
    gradients = JaxGrad().references(case).gradients
    assert gradients.loss == [0.0]
    np.testing.assert_array_equal(gradients["x"], np.zeros((1, 3)))
