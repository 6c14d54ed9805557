"""What each loss is, computed here from its definition, element by element; its slope against differences of that."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Context, Decimal, localcontext

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


# --- at the ends of the range, and where p is nearly y: within 6 ulps of the larger term, by decimal arithmetic -------

ULPS = 6.0
# Many digits, and no exponential below the smallest number is taken for zero.
EXACTLY = Context(prec=1000)


def assert_few_ulps_off(found: float, true: Decimal, larger_term: Decimal | None = None) -> None:
    size = float(true if larger_term is None else larger_term)
    off = abs(Decimal(float(found)) - true) / Decimal(float(np.spacing(abs(size))))
    assert off <= ULPS, f"{found!r} for {float(true)!r}: {float(off):.3g} ulps"


def elementwise(loss: str, a: float, y: float) -> tuple[float, float]:
    """The value of one element, and its slope."""
    case = with_arrays(case_of(f"x[1] -> {loss}", points=1), inputs={"x": np.array([[a]])}, targets=np.array([[y]]))
    found = network.gradients(case)
    return float(found.loss[0]), float(found["x"][0, 0])


@pytest.mark.parametrize("y", [0.0, 1.0, 0.25, 1.0 - 2.0**-53, 1e-300])
@pytest.mark.parametrize("z", [0.0, -1e-12, 0.7, 3.0, 36.0, 37.5, 40.0, 523.3, 709.9, 1e5, 1e308])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_bce_loses_no_digits_where_p_is_nearly_y(sign: float, z: float, y: float) -> None:
    value, slope = elementwise("bce_with_logits", sign * z, y)
    with localcontext(EXACTLY):
        e, Y = (-Decimal(z)).exp(), Decimal(y)
        near, far = 1 / (1 + e), e / (1 + e)
        p, rest = (near, far) if sign > 0 else (far, near)
        paid = Decimal(z) * (1 - Y if sign > 0 else Y)
        assert_few_ulps_off(value, paid + (1 + e).ln())
        assert_few_ulps_off(slope, p * (1 - Y) - rest * Y, max(p * (1 - Y), rest * Y))


LOGITS = [
    [0.1, -0.4, 0.3],
    [40.0, 0.0, -3.0],
    [-50.23927927486994, -12.220818989660536, 55.77929488158665],
    [400.0, -300.0, 0.0],
    [1e5, 0.0, -1e5],
    [7.0, 7.0, 7.0],
    [1e308, -1e308, 1.0],
]


@pytest.mark.parametrize("targets", ["classes", "probabilities"])
@pytest.mark.parametrize("wanted", [0, 1, 2])
@pytest.mark.parametrize("logits", LOGITS)
def test_cross_entropy_loses_no_digits_where_one_class_has_it_all(
    logits: list[float], wanted: int, targets: str
) -> None:
    given = np.array([[wanted]]) if targets == "classes" else np.eye(3)[np.array([[wanted]])]
    case = case_of(f"x[1,3] -> softmax_cross_entropy(targets={targets})", points=1)
    found = network.gradients(with_arrays(case, inputs={"x": np.array([[logits]])}, targets=given))
    with localcontext(EXACTLY):
        z = [Decimal(v) for v in logits]
        e = [(v - max(z)).exp() for v in z]
        lost = max(z) - z[wanted] + sum(e).ln()
        if lost > Decimal(np.finfo(np.float64).max):
            assert found.loss[0] == np.inf
        else:
            assert_few_ulps_off(found.loss[0], lost)
        for k in range(3):
            others = sum(e[j] for j in range(3) if j != wanted)
            assert_few_ulps_off(found["x"][0, 0, k], (-others if k == wanted else e[k]) / sum(e))


@pytest.mark.parametrize(
    ("loss", "a", "y"),
    [
        ("huber(delta=0.001)", 1.7e308, -1.7e308),
        ("huber(delta=0.001)", 1e308, 3.0),
        ("huber(delta=1e160)", 1e153, -1e153),
        ("huber", 0.75, 0.5),
        ("huber", 5e-324, 0.0),
        ("sse", 1.3e154, 0.0),
        ("sse", 1e308, 1e308),
        ("mae", 1e308, -7e307),
    ],
)
def test_a_loss_of_a_huge_distance_overflows_only_where_it_must(loss: str, a: float, y: float) -> None:
    value, slope = elementwise(loss, a, y)
    with localcontext(EXACTLY):
        d = Decimal(a) - Decimal(y)
        delta = Decimal(float(loss[len("huber(delta=") : -1])) if "delta" in loss else Decimal(1)
        if loss.startswith("huber"):
            true = d * d / 2 if abs(d) <= delta else delta * (abs(d) - delta / 2)
            true_slope = max(min(d, delta), -delta)
        else:
            true, true_slope = (d * d, 2 * d) if loss == "sse" else (abs(d), Decimal(1).copy_sign(d))
        assert_few_ulps_off(value, true)
        assert_few_ulps_off(slope, true_slope)


def test_what_must_overflow_does() -> None:
    assert elementwise("sse", 1e308, 0.0) == (np.inf, np.inf)
    assert elementwise("sse", 1e155, 0.0) == (np.inf, 2e155)
