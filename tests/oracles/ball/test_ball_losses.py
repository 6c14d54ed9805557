"""Losses: reductions and scale in exact arithmetic, closed forms, and nothing lost where a class has it all."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from builders import case_of, every_variant, with_arrays
from flint import arb

from crosscheck.oracles.ball import Ball, loss_value_and_slope, vector_value_and_vjp
from crosscheck.oracles.ball.arithmetic import precision
from crosscheck.oracles.ball.losses import ROWS
from crosscheck.spec import OPS

POLYNOMIAL = ("sse", "mse", "mae", "huber", "cotangent")


def element(op: str, a: Fraction, y: Fraction, delta: Fraction) -> tuple[Fraction, Fraction]:
    """Value and derivative, away from kinks."""
    d = a - y
    size, sign = abs(d), Fraction((d > 0) - (d < 0))
    if op == "cotangent":
        return a * y, y
    if op == "mae":
        return size, sign
    if op == "huber":
        return (d * d / 2, d) if size <= delta else (delta * (size - delta / 2), delta * sign)
    return d * d, 2 * d


@pytest.mark.parametrize("text", [text for op in POLYNOMIAL for text in every_variant(op)])
@pytest.mark.parametrize("shape", ["x[2,3]", "x[4,1]", "x[2,1,2]"])
def test_reductions_and_scale_in_exact_arithmetic(text: str, shape: str) -> None:
    case = case_of(text.replace("x[2,3]", shape), family="normal")
    own, op = case.architecture.loss.attributes, case.architecture.loss.op
    found = Ball().certify(case).reference
    assert found.radius is not None
    x, y = case.inputs["x"], case.targets
    for point in range(case.n_points):
        samples = [Fraction(w) for w in (np.ones(x.shape[1]) if case.weights is None else case.weights[point])]
        weights = [w for w in samples for _ in range(x[0].size // len(samples))]
        parts = {"sum": Fraction(1), "mean": sum(weights), "batch_mean": sum(samples)}[str(own["reduction"])]
        factors = [Fraction(float(own["scale"])) * w / parts for w in weights]
        pairs = [
            element(op, Fraction(a), Fraction(b), Fraction(float(own.get("delta", 1.0))))
            for a, b in zip(x[point].flat, y[point].flat, strict=True)
        ]
        loss = sum(factor * value for factor, (value, _) in zip(factors, pairs, strict=True))
        assert abs(Fraction(found.gradients.loss[point]) - loss) <= Fraction(found.radius.loss[point])
        assert found.radius.loss[point] <= 0.51 * np.spacing(abs(found.gradients.loss[point]))
        given = zip(found.gradients["x"][point].flat, found.radius["x"][point].flat, factors, pairs, strict=True)
        for value, radius, factor, (_, slope) in given:
            assert abs(Fraction(value) - factor * slope) <= Fraction(radius)
            assert radius <= 0.51 * np.spacing(abs(value))


def test_a_vector_without_a_sample_axis_and_a_scalar() -> None:
    for shape in ("x[3]", "x[]"):
        case = case_of(f"{shape} -> sse(reduction=mean)")
        d = case.inputs["x"] - case.targets
        np.testing.assert_allclose(Ball().references(case).gradients["x"], 2 * d / max(d[0].size, 1), rtol=1e-15)


@pytest.mark.parametrize("reduction", ["sum", "mean", "batch_mean"])
@pytest.mark.parametrize("targets", ["classes", "probabilities"])
@pytest.mark.parametrize("shape", ["2,3", "2,2,3"])
def test_softmax_cross_entropy_is_the_closed_form(shape: str, targets: str, reduction: str) -> None:
    case = case_of(f"x[{shape}] -> softmax_cross_entropy(targets={targets}, reduction={reduction}, scale=0.5)")
    found = Ball().references(case).gradients
    z, y = case.inputs["x"], case.targets
    if targets == "classes":
        y = np.eye(3)[y]
    samples = math.prod(z.shape[1:-1])
    factor = 0.5 / {"sum": 1, "mean": samples, "batch_mean": 2}[reduction]
    p = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
    axes = tuple(range(1, z.ndim))
    np.testing.assert_allclose(found.loss, -factor * (y * np.log(p)).sum(axis=axes), rtol=1e-13)
    np.testing.assert_allclose(found["x"], factor * (p * y.sum(axis=-1, keepdims=True) - y), rtol=1e-12, atol=1e-15)


def test_bce_with_logits_is_the_closed_form() -> None:
    with localcontext() as context, precision(300):
        context.prec = 120
        for z in (-30.0, -2.5, -0.1, 0.1, 1.0, 30.0):
            for y in (0.0, 0.25, 1.0):
                value, slope = loss_value_and_slope("bce_with_logits", {}, z, y, bits=250)
                e = Decimal(z).exp()
                for ball, closed in (
                    (value, (1 + e).ln() - Decimal(z) * Decimal(y)),
                    (slope, e / (1 + e) - Decimal(y)),
                ):
                    assert ball.overlaps(arb(str(closed), "1e-90"))
                    assert ball.rel_accuracy_bits() > 150


@pytest.mark.parametrize(("z", "y"), [(800.0, 1.0), (-800.0, 0.0)])
def test_a_certain_logit_loses_nothing_to_cancellation(z: float, y: float) -> None:
    """The slope is ∓exp(-800): at 128 bits sigmoid(800) - 1 would be 0 ± 2⁻¹²⁸."""
    value, slope = loss_value_and_slope("bce_with_logits", {}, z, y, bits=128)
    assert min(value.rel_accuracy_bits(), slope.rel_accuracy_bits()) > 100
    with precision(128):
        assert float(value * arb(800).exp()) == pytest.approx(1.0, rel=1e-15)
        assert float(slope * arb(800).exp()) == pytest.approx(-1.0 if y else 1.0, rel=1e-15)


@pytest.mark.parametrize("target", [1, [0.0, 1.0, 0.0]])
def test_a_certain_class_loses_nothing_to_cancellation(target: object) -> None:
    own = {"targets": "classes" if isinstance(target, int) else "probabilities"}
    (value,), slopes = vector_value_and_vjp(
        "softmax_cross_entropy", own, [0.0, 800.0, -1e5], [1.0], target=target, bits=128
    )
    assert min(b.rel_accuracy_bits() for b in (value, *slopes)) > 90
    with precision(128):
        scaled = [float(b * arb(800).exp()) for b in (value, slopes[0], slopes[1])]
    np.testing.assert_allclose(scaled, [1.0, 1.0, -1.0], rtol=1e-15)
    assert slopes[2] > 0


def test_a_hopeless_class_has_its_full_loss() -> None:
    (value,), slopes = vector_value_and_vjp("softmax_cross_entropy", {}, [0.0, 1e5], [1.0], target=0)
    assert float(value) == 1e5
    assert [float(s) for s in slopes] == [-1.0, 1.0]


@pytest.mark.parametrize(
    ("op", "own", "d", "low", "high"),
    [
        ("mae", {}, 0.0, -1.0, 1.0),
        ("mae", {"scale": -0.5}, 0.0, -0.5, 0.5),
        ("mae", {}, 0.25, 1.0, 1.0),
        ("huber", {"delta": 0.5}, 0.5, 0.5, 0.5),
        ("huber", {"delta": 0.5}, -0.5, -0.5, -0.5),
        ("huber", {"delta": 0.5}, 3.0, 0.5, 0.5),
        ("huber", {"delta": 0.5}, 0.25, 0.25, 0.25),
    ],
)
def test_kinks_and_knots_of_a_difference(op: str, own: dict[str, float], d: float, low: float, high: float) -> None:
    _, slope = loss_value_and_slope(op, own, 1.0 + d, 1.0)
    assert float(slope.lower()) == pytest.approx(low, abs=1e-8)
    assert float(slope.upper()) == pytest.approx(high, abs=1e-8)


# Numbers of one sample that are on the kink of each loss that has one, and targets.
ON_A_KINK: dict[str, tuple[str, dict[str, list[float]], list[float]]] = {
    "mae": ("x[1] -> mae", {"x": [0.5]}, [0.5]),
    "hinge": ("x[1] -> hinge", {"x": [-1.0]}, [-1.0]),
    "gaussian_nll": ("x[1]; v[1]; x -> gaussian_nll(v, eps=0.25)", {"x": [1.0], "v": [0.25]}, [3.0]),
    "cosine_similarity": ("x[2] -> cosine_similarity(eps=5.0)", {"x": [3.0, 4.0]}, [1.0, 2.0]),
    "triplet": ("x[2]; p[2]; n[2]; x -> triplet(p, n, eps=0.0)",
                {"x": [1.0, 2.0], "p": [1.0, 2.0], "n": [1.5, 2.0]}, []),
}  # fmt: skip


def test_every_kink_of_the_spec_is_met() -> None:
    for name, (text, inputs, targets) in ON_A_KINK.items():
        arrays = {key: np.array([values]) for key, values in inputs.items()}
        case = with_arrays(case_of(text, points=1), inputs=arrays, targets=np.array([targets]))
        assert Ball().certify(case).kinks == ((name, -1),)
    defaults = {name: OPS[name].complete({}, name) for name in ROWS}
    assert set(ON_A_KINK) == {name for name in ROWS if OPS[name].kinks(defaults[name])}


def test_beside_a_kink_there_is_none() -> None:
    for text, inputs, targets in ON_A_KINK.values():
        arrays = {key: np.array([values]) * (1 + 2.0**-40) for key, values in inputs.items()}
        arrays = {key: values * (0.5 if key == "p" else 1.0) for key, values in arrays.items()}
        case = with_arrays(case_of(text, points=1), inputs=arrays, targets=np.array([targets]))
        assert Ball().certify(case).kinks == ()


def test_the_slopes_by_an_anchor_on_its_positive_are_the_hull_of_all_directions() -> None:
    text, inputs, targets = ON_A_KINK["triplet"]
    arrays = {key: np.array([values]) for key, values in inputs.items()}
    found = Ball().certify(with_arrays(case_of(text, points=1), inputs=arrays, targets=np.array([targets]))).reference
    assert found.radius is not None
    # By p the slope of -‖a - p‖ lies between -1 and 1; by a that of ‖a - n‖, which is (-1, 0), is taken off it.
    np.testing.assert_allclose(found.gradients["p"][0], [0.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(found.radius["p"][0], [1.0, 1.0], rtol=1e-8)
    np.testing.assert_allclose(found.gradients["x"][0], [1.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(found.radius["x"][0], [1.0, 1.0], rtol=1e-8)


def test_the_scale_is_in_value_and_slope() -> None:
    once, twice = (loss_value_and_slope("sse", {"scale": s}, 3.0, 1.0) for s in (1.0, 2.0))
    assert [float(b) for b in once] == [4.0, 4.0]
    assert [float(b) for b in twice] == [8.0, 8.0]
