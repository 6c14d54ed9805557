"""What each loss is, computed here from its definition, element by element; its slope against differences of that."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.backprop import network

Number = Callable[[float, float], float]


def log_sum_exp(row: list[float]) -> float:
    return math.log(sum(math.exp(v - max(row)) for v in row)) + max(row)


# fmt: off
ELEMENTWISE: dict[str, Number] = {
    "sse":                  lambda a, y: (a - y) ** 2,
    "mae":                  lambda a, y: abs(a - y),
    "huber":                lambda a, y: (a - y) ** 2 / 2 if abs(a - y) <= 1 else abs(a - y) - 0.5,
    "huber(delta=0.25)":    lambda a, y: (a - y) ** 2 / 2 if abs(a - y) <= 0.25 else 0.25 * (abs(a - y) - 0.125),
    "bce_with_logits":      lambda z, y: y * math.log(1 + math.exp(-z)) + (1 - y) * math.log(1 + math.exp(z)),
}
# fmt: on
# No difference is a kink or a knot: 0, 0.25 or 1.
A = np.array([[[0.55, -1.5, 2.2], [0.3, 3.0, -0.75]], [[-2.5, 0.0, 1.4], [0.1, 0.2, 0.3]]])
Y = np.array([[[0.25, 0.75, 1.0], [0.5, 0.0, 1.0]], [[1.0, 0.5, 0.0], [0.3, 0.7, 0.9]]])
CLASSES = np.array([[0, 2], [1, 1]])
# What the sum over a point of shape (2, 3) is divided by.
DIVISORS = {"sum": 1.0, "mean": 6.0, "batch_mean": 2.0}


def with_option(loss: str, **options: object) -> str:
    given = ", ".join(f"{k}={v}" for k, v in options.items())
    return f"{loss[:-1]}, {given})" if loss.endswith(")") else f"{loss}({given})"


def found_for(loss: str, targets: np.ndarray) -> tuple[list[float], np.ndarray]:
    """The loss of each point, and its slope by the output."""
    case = with_arrays(case_of(f"x[2,3] -> {loss}", points=2), inputs={"x": A}, targets=targets)
    found = network.gradients(case)
    return found.loss.tolist(), found["x"]


@pytest.mark.parametrize("scale", [1.0, -2.5])
@pytest.mark.parametrize("reduction", DIVISORS)
@pytest.mark.parametrize("loss", ELEMENTWISE)
def test_an_elementwise_loss_is_its_definition(loss: str, reduction: str, scale: float) -> None:
    factor, f = scale / DIVISORS[reduction], ELEMENTWISE[loss]
    value, slope = found_for(with_option(loss, reduction=reduction, scale=scale), Y)
    pairs = [list(zip(a.ravel().tolist(), y.ravel().tolist(), strict=True)) for a, y in zip(A, Y, strict=True)]
    assert value == [pytest.approx(factor * sum(f(a, y) for a, y in point), rel=1e-14) for point in pairs]
    h = 2.0**-16
    differences = [factor * (f(a + h, y) - f(a - h, y)) / (2 * h) for point in pairs for a, y in point]
    np.testing.assert_allclose(slope.ravel(), differences, rtol=0, atol=1e-8)


def test_mse_is_the_mean_over_all_elements() -> None:
    assert found_for("mse(scale=3.0)", Y)[0] == [
        pytest.approx(3.0 * ((a - y) ** 2).mean()) for a, y in zip(A, Y, strict=True)
    ]


@pytest.mark.parametrize("reduction", ["sum", "mean", "batch_mean"])
def test_cross_entropy_of_classes_counts_samples_not_elements(reduction: str) -> None:
    divisor = {"sum": 1.0, "mean": 2.0, "batch_mean": 2.0}[reduction]
    value, slope = found_for(f"softmax_cross_entropy(reduction={reduction})", CLASSES)
    for p in range(2):
        rows = [(row, int(c)) for row, c in zip(A[p].tolist(), CLASSES[p], strict=True)]
        assert value[p] == pytest.approx(sum(log_sum_exp(row) - row[c] for row, c in rows) / divisor, rel=1e-14)
        expected = [[math.exp(z - log_sum_exp(r)) - (k == c) for k, z in enumerate(r)] for r, c in rows]
        np.testing.assert_allclose(slope[p], np.array(expected) / divisor, rtol=0, atol=1e-15)


def test_cross_entropy_of_probabilities_that_do_not_sum_to_one() -> None:
    """∂/∂z_k of -Σ_c y_c log p_c is p_k Σ_c y_c - y_k, whatever the y are."""
    value, slope = found_for("softmax_cross_entropy(targets=probabilities)", Y)
    for p in range(2):
        rows = list(zip(A[p].tolist(), Y[p].tolist(), strict=True))
        direct = sum(y * (log_sum_exp(r) - z) for r, ys in rows for z, y in zip(r, ys, strict=True))
        assert value[p] == pytest.approx(direct, rel=1e-14)
        expected = [[math.exp(z - log_sum_exp(r)) * sum(ys) - y for z, y in zip(r, ys, strict=True)] for r, ys in rows]
        np.testing.assert_allclose(slope[p], expected, rtol=0, atol=1e-14)


def test_a_cotangent_is_its_own_slope() -> None:
    value, slope = found_for("cotangent(scale=-0.5)", Y)
    assert value == [pytest.approx(-0.5 * (a * y).sum()) for a, y in zip(A, Y, strict=True)]
    np.testing.assert_array_equal(slope, -0.5 * Y)


@pytest.mark.parametrize("loss", ["bce_with_logits", "softmax_cross_entropy", "huber", "mae"])
@pytest.mark.parametrize("size", [50.0, 800.0, 1e5])
def test_large_outputs_overflow_nothing(loss: str, size: float) -> None:
    case = case_of(f"x[1,2] -> {loss}", points=1)
    found = network.gradients(with_arrays(case, inputs={"x": np.array([[[size, -size]]])}))
    assert np.isfinite(found.loss).all()
    assert (np.abs(found["x"]) <= 1.0).all()
