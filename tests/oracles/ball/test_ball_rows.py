"""Each activation against closed forms in decimal arithmetic of 150 digits, and at the ends of float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, getcontext, localcontext
from typing import Any

import pytest
from builders import every_variant
from flint import arb

from crosscheck.oracles.ball import activations, value_and_slope, vector_value_and_vjp
from crosscheck.oracles.ball.arithmetic import precision
from crosscheck.oracles.ball.branches import Row
from crosscheck.spec import OPS, parse
from crosscheck.spec.errors import SpecError

D = Decimal
DIGITS = 150
# What is left of the digits after a subtraction of numbers e⁴⁰ apart.
TRUSTED = 100

PI = D(
    "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534211706798214808651"
)


def exp(x: Decimal) -> Decimal:
    return x.exp()


def sigma(x: Decimal) -> Decimal:
    return 1 / (1 + exp(-x))


def tanh(x: Decimal) -> Decimal:
    return 1 - 2 / (1 + exp(2 * x))


def density(x: Decimal) -> Decimal:
    return exp(-x * x / 2) / (2 * PI).sqrt()


def normal(x: Decimal) -> Decimal:
    """Φ by its Taylor series: φ(x) Σ x^(2n+1) / (1·3·5 ⋯ (2n+1))."""
    term, total = x, x
    for n in range(1, 1500):
        term = term * x * x / (2 * n + 1)
        total += term
    return D("0.5") + density(x) * total


def sine(x: Decimal, first: Decimal) -> Decimal:
    """Σ of the Taylor series that starts with `first`: sin from x, cos from 1."""
    power = 1 if first == x else 0
    term, total = first, first
    for n in range(power + 2, 400, 2):
        term = -term * x * x / (n * (n - 1))
        total += term
    return total


def inner(x: Decimal) -> Decimal:
    return (2 / PI).sqrt() * (x + D("0.044715") * x**3)


def gelu_tanh_slope(x: Decimal) -> Decimal:
    t = tanh(inner(x))
    return (1 + t) / 2 + x / 2 * (1 - t * t) * (2 / PI).sqrt() * (1 + 3 * D("0.044715") * x * x)


def softplus(x: Decimal) -> Decimal:
    return (1 + exp(x)).ln()


def mish_slope(x: Decimal) -> Decimal:
    t = tanh(softplus(x))
    return t + x * (1 - t * t) * sigma(x)


LAMBDA, ALPHA = D(1.0507009873554805), D(1.6732632423543772)
Function = Callable[[Decimal], Decimal]

# fmt: off
TRUTH: dict[str, tuple[dict[str, Any], Function, Function]] = {  # attributes, value, derivative
    "identity":    ({}, lambda x: x, lambda x: D(1)),
    "relu":        ({}, lambda x: max(x, D(0)), lambda x: D(x > 0)),
    "tanh":        ({}, tanh, lambda x: 1 - tanh(x) ** 2),
    "sigmoid":     ({}, sigma, lambda x: sigma(x) * (1 - sigma(x))),
    "leaky_relu":  ({"negative_slope": 0.01}, lambda x: x if x > 0 else D(0.01) * x,
                    lambda x: D(1) if x > 0 else D(0.01)),
    "gelu":        ({"approximate": "none"}, lambda x: x * normal(x), lambda x: normal(x) + x * density(x)),
    "gelu tanh":   ({"approximate": "tanh"}, lambda x: x / 2 * (1 + tanh(inner(x))), gelu_tanh_slope),
    "silu":        ({}, lambda x: x * sigma(x), lambda x: sigma(x) * (1 + x * (1 - sigma(x)))),
    "softplus":    ({}, softplus, sigma),
    "elu":         ({"alpha": 0.3}, lambda x: x if x > 0 else D(0.3) * (exp(x) - 1),
                    lambda x: D(1) if x > 0 else D(0.3) * exp(x)),
    "celu":        ({"alpha": 0.3}, lambda x: x if x > 0 else D(0.3) * (exp(x / D(0.3)) - 1),
                    lambda x: D(1) if x > 0 else exp(x / D(0.3))),
    "selu":        ({}, lambda x: LAMBDA * (x if x > 0 else ALPHA * (exp(x) - 1)),
                    lambda x: LAMBDA * (D(1) if x > 0 else ALPHA * exp(x))),
    "mish":        ({}, lambda x: x * tanh(softplus(x)), mish_slope),
    "softsign":    ({}, lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2),
    "hardtanh":    ({"min_val": -0.7, "max_val": 2.0}, lambda x: min(max(x, D(-0.7)), D(2)),
                    lambda x: D(D(-0.7) < x < 2)),
    "hardsigmoid": ({}, lambda x: min(max(x / 6 + D("0.5"), D(0)), D(1)), lambda x: D(-3 < x < 3) / 6),
    "log_sigmoid": ({}, lambda x: -softplus(-x), lambda x: sigma(-x)),
    "sin":         ({}, lambda x: sine(x, x), lambda x: sine(x, D(1))),
}
# fmt: on
POINTS = (-20.0, -3.5, -1.0, -0.3, -(2.0**-30), 2.0**-30, 0.1, 0.75, 1.9, 4.0, 20.0)
ELEMENTWISE = [op for op, row in activations.ROWS.items() if isinstance(row, Row)]


def around(number: Decimal) -> Any:
    """The ball of what the decimal computation is trusted to have found."""
    return arb(str(number), str(abs(number).scaleb(-TRUSTED) + D(10) ** -TRUSTED))


def test_every_elementwise_row_has_a_truth() -> None:
    assert {name.split()[0] for name in TRUTH} == set(ELEMENTWISE)


@pytest.mark.parametrize("z", POINTS)
@pytest.mark.parametrize("name", TRUTH)
def test_value_and_slope_are_the_closed_forms(name: str, z: float) -> None:
    attributes, value, derivative = TRUTH[name]
    with localcontext() as context, precision(400):
        context.prec = DIGITS
        found = value_and_slope(name.split()[0], attributes, z, bits=300)
        for ball, closed in zip(found, (value, derivative), strict=True):
            assert ball.overlaps(around(closed(D(z)))), closed
            assert ball.is_zero() or ball.rel_accuracy_bits() > 250


def test_the_closed_forms_are_not_all_one() -> None:
    """The comparison can fail: a slope that is off by one unit in 10⁶⁰ does not overlap."""
    _, slope = value_and_slope("tanh", {}, 0.75, bits=300)
    with localcontext() as context, precision(400):
        context.prec = DIGITS
        assert not slope.overlaps(around(TRUTH["tanh"][2](D(0.75)) * (1 + D(10) ** -60)))


@pytest.mark.parametrize("z", [-800.0, -300.0, -40.0, -1e-300, -5e-324, 5e-324, 1e-300, 40.0, 300.0, 800.0])
@pytest.mark.parametrize("name", sorted({*TRUTH} - {"sin", "hardsigmoid"}))
def test_nothing_cancels_at_the_precision_that_is_tried_first(name: str, z: float) -> None:
    value, slope = value_and_slope(name.split()[0], TRUTH[name][0], z, bits=128)
    # An exponential of 2²⁵, gelu_tanh's at -800, takes that many bits off the 128.
    assert value.is_exact() or value.rel_accuracy_bits() > 96
    assert slope.is_exact() or slope.rel_accuracy_bits() > 96


@pytest.mark.parametrize("z", [-1e308, -1e200, -1e20, 1e20, 1e200, 1e308])
@pytest.mark.parametrize("name", TRUTH)
def test_the_ends_of_float64_are_answered(name: str, z: float) -> None:
    value, slope = value_and_slope(name.split()[0], TRUTH[name][0], z, bits=1400)
    assert value.is_finite()
    assert slope.is_finite()
    assert abs(slope) < 2
    assert abs(value) <= abs(arb(z)) * 2 + 2
    if name not in ("sin", "softsign"):  # nothing else has a slope between its two ends so far out
        assert min(abs(float(slope) - end) for end in (0.0, 1.0, float(LAMBDA), 0.01)) < 1e-15


@pytest.mark.parametrize("falling", [True, False])
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu tanh", "silu", "softplus", "mish", "log_sigmoid"])
def test_the_two_forms_of_a_function_are_one(name: str, falling: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    op, attributes = name.split()[0], TRUTH[name][0]
    wanted = [value_and_slope(op, attributes, z) for z in POINTS]
    monkeypatch.setattr(activations, "falls", lambda _x: falling)
    for z, pair in zip(POINTS, wanted, strict=True):
        for one, other in zip(value_and_slope(op, attributes, z, bits=300), pair, strict=True):
            assert one.overlaps(other)
            assert one.rel_accuracy_bits() > 60


@pytest.mark.parametrize("op", ELEMENTWISE)
def test_the_places_of_a_row_are_the_kinks_and_knots_of_the_spec(op: str) -> None:
    row = activations.ROWS[op]
    assert isinstance(row, Row)
    for text in every_variant(op):
        own = parse(text).nodes[0].attributes
        places = row.places(own)
        assert len(row.formulas) == len(places) + 1
        assert list(places) == sorted(set(places))
        assert set(places) == {*OPS[op].kinks(own), *OPS[op].knots(own)}


def test_constants_are_the_spec_s_own() -> None:
    with precision(300):
        sixth = value_and_slope("hardsigmoid", {}, 1.0, bits=300)[1]
        assert sixth.contains(arb(1) / 6)
        assert not sixth.contains(arb(1 / 6))
        for constant, decimal in (
            (activations.SELU_SCALE, "1.0507009873554804934193349852946"),
            (activations.SELU_ALPHA, "1.6732632423543772848170429916717"),
        ):
            assert constant.is_exact()
            assert float(constant) == float(arb(decimal))
            assert not constant.overlaps(arb(decimal))


def test_attributes_left_out_are_the_spec_s_defaults() -> None:
    assert value_and_slope("gelu", {}, 1.5)[0].overlaps(value_and_slope("gelu", {"approximate": "none"}, 1.5)[0])
    with pytest.raises(SpecError, match="tanh has no attribute 'alpha'"):
        value_and_slope("tanh", {"alpha": 1.0}, 0.0)


def test_a_vector_s_function_is_asked_as_one() -> None:
    with pytest.raises(KeyError, match="vector_value_and_vjp"):
        value_and_slope("softmax", {}, 1.0)
    with pytest.raises(KeyError, match="value_and_slope"):
        vector_value_and_vjp("tanh", {}, [1.0], [1.0])


VECTOR, UPSTREAM = [0.5, -1.25, 3.0, 2.5], [1.0, -0.5, 2.0, 0.25]


def softmax(z: list[float]) -> list[Decimal]:
    e = [exp(D(v)) for v in z]
    return [v / sum(e) for v in e]


def test_softmax_is_the_closed_form() -> None:
    with localcontext() as context, precision(400):
        context.prec = DIGITS
        values, vjp = vector_value_and_vjp("softmax", {}, VECTOR, UPSTREAM, bits=300)
        p, u = softmax(VECTOR), [D(v) for v in UPSTREAM]
        middle = sum(a * b for a, b in zip(p, u, strict=True))
        for i in range(4):
            assert values[i].overlaps(around(p[i]))
            assert vjp[i].overlaps(around(p[i] * (u[i] - middle)))
            assert min(values[i].rel_accuracy_bits(), vjp[i].rel_accuracy_bits()) > 250


def test_log_softmax_is_the_closed_form() -> None:
    with localcontext() as context, precision(400):
        context.prec = DIGITS
        values, vjp = vector_value_and_vjp("log_softmax", {}, VECTOR, UPSTREAM, bits=300)
        p, u = softmax(VECTOR), [D(v) for v in UPSTREAM]
        for i in range(4):
            assert values[i].overlaps(around(p[i].ln()))
            assert vjp[i].overlaps(around(u[i] - p[i] * sum(u)))


@pytest.mark.parametrize("op", ["softmax", "log_softmax"])
def test_a_class_that_has_it_all_loses_nothing_to_cancellation(op: str) -> None:
    """1 - p of the winner is 1e-348: at 128 bits it would be 0 ± 2⁻¹²⁸ were it computed as a difference."""
    _, vjp = vector_value_and_vjp(op, {}, [0.0, 800.0, -3.0], [0.0, 1.0, 0.0], bits=128)
    assert min(v.rel_accuracy_bits() for v in vjp) > 100
    with precision(128):
        assert float(vjp[1] * arb(800).exp()) == pytest.approx(1.0 + math.exp(-3), rel=1e-15)


@pytest.mark.parametrize("op", ["softmax", "log_softmax"])
def test_one_class_alone(op: str) -> None:
    values, vjp = vector_value_and_vjp(op, {}, [3.0], [2.0])
    assert (float(values[0]), float(vjp[0])) == ((1.0, 0.0) if op == "softmax" else (0.0, 0.0))
    assert values[0].is_exact()
    assert vjp[0].is_exact()


def test_the_decimal_context_is_left_alone() -> None:
    assert getcontext().prec < DIGITS
