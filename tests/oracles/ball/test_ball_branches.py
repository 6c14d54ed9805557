"""Kinks: which branches a ball touches, the hull of their slopes, and when more bits can tell."""

from __future__ import annotations

import numpy as np
import pytest
from builders import case_of, with_arrays
from flint import arb

from crosscheck.oracles.ball import Ball, activations, value_and_slope
from crosscheck.oracles.ball.arithmetic import precision
from crosscheck.oracles.ball.branches import Evaluated, Row, evaluate
from crosscheck.spec import Case, Gradients, parse

# op, attributes, kink, slope on its left, slope on its right
KINKS = [
    ("relu", {}, 0.0, 0.0, 1.0),
    ("leaky_relu", {"negative_slope": 0.25}, 0.0, 0.25, 1.0),
    ("leaky_relu", {"negative_slope": -0.5}, 0.0, -0.5, 1.0),
    ("elu", {"alpha": 0.5}, 0.0, 0.5, 1.0),
    ("selu", {}, 0.0, 1.0507009873554805 * 1.6732632423543772, 1.0507009873554805),
    ("hardtanh", {"min_val": -0.5, "max_val": 2.0}, -0.5, 0.0, 1.0),
    ("hardtanh", {"min_val": -0.5, "max_val": 2.0}, 2.0, 1.0, 0.0),
    ("hardsigmoid", {}, -3.0, 0.0, 1 / 6),
    ("hardsigmoid", {}, 3.0, 1 / 6, 0.0),
]


def at(op: str, attributes: dict[str, float], z: object, width: float = 0.0) -> Evaluated:
    row = activations.ROWS[op]
    assert isinstance(row, Row)
    with precision(128):
        return evaluate(row, [z], attributes, [width])


def assert_spans(ball: object, low: float, high: float) -> None:
    with precision(128):
        assert float(ball.lower()) == pytest.approx(low, abs=1e-8)
        assert float(ball.upper()) == pytest.approx(high, abs=1e-8)


@pytest.mark.parametrize(("op", "own", "kink", "left", "right"), KINKS)
def test_on_a_kink_the_slope_is_the_hull_and_the_value_exact(
    op: str, own: dict[str, float], kink: float, left: float, right: float
) -> None:
    value, slope = value_and_slope(op, own, kink)
    assert value.is_exact() or value.rel_accuracy_bits() > 190
    assert_spans(slope, min(left, right), max(left, right))
    found = at(op, own, arb(kink))
    assert found.jumps
    assert not found.unsettled
    assert found.picked[0].is_exact()
    assert found.slopes[0].contains(found.picked[0])


@pytest.mark.parametrize(("op", "own", "kink", "left", "right"), KINKS)
def test_beside_a_kink_there_is_one_slope(
    op: str, own: dict[str, float], kink: float, left: float, right: float
) -> None:
    for z, slope in ((np.nextafter(kink, -9), left), (np.nextafter(kink, 9), right)):
        found = value_and_slope(op, own, float(z))[1]
        assert float(found) == pytest.approx(slope, rel=1e-14)
        assert found.is_exact() or found.rel_accuracy_bits() > 190


@pytest.mark.parametrize(("op", "own", "kink", "left", "right"), KINKS)
def test_within_the_width_of_a_kink_the_slope_is_the_hull_and_the_value_is_not_widened(
    op: str, own: dict[str, float], kink: float, left: float, right: float
) -> None:
    z = kink + 2.0**-10
    near, far = at(op, own, arb(z), 2.0**-9), at(op, own, arb(z), 2.0**-11)
    assert_spans(near.slopes[0], min(left, right), max(left, right))
    assert near.jumps
    assert not far.jumps
    assert float(far.slopes[0]) == pytest.approx(right)
    assert near.values[0].rel_accuracy_bits() > 100 or near.values[0].is_exact()
    assert near.values[0].overlaps(far.values[0])


@pytest.mark.parametrize(
    ("op", "own", "z"),
    [
        ("elu", {"alpha": 1.0}, 0.0),
        ("softsign", {}, 0.0),
        ("leaky_relu", {"negative_slope": 1.0}, 0.0),
    ],
)
def test_where_the_slopes_agree_there_is_no_hull(op: str, own: dict[str, float], z: float) -> None:
    found = at(op, own, arb(z))
    assert not found.jumps
    assert found.slopes[0] == 1
    assert found.values[0] == 0


def test_a_width_of_anything_touches_every_branch() -> None:
    own = {"min_val": -1.0, "max_val": 1.0}
    found = at("hardtanh", own, arb(7), np.inf)
    assert_spans(found.slopes[0], 0.0, 1.0)
    assert found.values[0] == 1
    assert found.jumps
    assert not found.unsettled


def test_the_slope_of_a_branch_within_the_width_alone_is_that_at_its_near_end() -> None:
    """0.5 exp(3) is no slope of elu: the branch left of 0 ends there."""
    assert_spans(at("elu", {"alpha": 0.5}, arb(3), 4.0).slopes[0], 0.5, 1.0)
    assert_spans(at("elu", {"alpha": 0.5}, arb(-1), 4.0).slopes[0], 0.5 * np.exp(-1.0), 1.0)


def test_a_ball_across_a_kink_has_the_values_of_both_branches() -> None:
    with precision(128):
        found = at("relu", {}, arb(0, 0.25))
        assert_spans(found.values[0], -0.25, 0.25)
        assert_spans(found.slopes[0], 0.0, 1.0)
    assert found.unsettled


def test_a_ball_surely_within_the_width_is_settled() -> None:
    assert not at("relu", {}, arb(0, 2.0**-30), 2.0**-20).unsettled
    assert at("relu", {}, arb(0, 2.0**-30), 2.0**-40).unsettled


def test_a_ball_too_wide_for_a_divisor_is_unknown_and_not_a_crash() -> None:
    found = at("softsign", {}, arb(0, 5))
    assert not found.values[0].is_finite()


# --- in a network ---------------------------------------------------------------------------------------------

DIFFERENCE = "x[2] -> tanh -> dense(1, bias=false) -> relu -> cotangent"


def difference(first: float, second: float) -> Case:
    """relu(tanh(first) - tanh(second))."""
    return Case(
        parse(DIFFERENCE),
        {"1.weight": np.array([[[1.0, -1.0]]])},
        {"x": np.array([[first, second]])},
        np.array([[1.0]]),
    )


def test_precision_tells_the_side_where_it_can() -> None:
    """tanh 30 and tanh of its neighbour differ by 1e-40, which 128 bits do not see."""
    found = Ball().certify(difference(float(np.nextafter(30.0, 31.0)), 30.0))
    assert 128 < found.bits[0] < 1024
    assert not found.hull[0]
    assert not found.at_limit[0]
    assert found.kinks == ()
    assert found.reference.gradients.loss[0] > 0
    assert found.reference.gradients.by_input["x"][0, 0] > 0


def test_exactly_on_a_kink_that_no_precision_can_tell_the_limit_is_a_hull() -> None:
    found = Ball(most_bits=2048).certify(difference(0.7, 0.7))
    assert found.bits[0] == 2048
    assert found.hull[0]
    assert not found.at_limit[0], "a hull is no demand unmet"
    assert found.kinks == (("relu", 2),)
    assert found.reference.radius is not None
    value, radius = found.reference.gradients.by_input["x"][0], found.reference.radius.by_input["x"][0]
    slope = 1 - np.tanh(0.7) ** 2
    np.testing.assert_allclose([value[0] - radius[0], value[0] + radius[0]], [0.0, slope], atol=1e-8)
    np.testing.assert_allclose([value[1] - radius[1], value[1] + radius[1]], [-slope, 0.0], atol=1e-8)


def test_a_width_settles_it_at_once() -> None:
    case = difference(0.7, 0.7)
    nothing = Gradients(np.array([np.inf]), {}, {"x": np.full((1, 2), 1e-9)})
    assert Ball().certify(case, nothing).bits[0] == 4096
    found = Ball().certify(case, nothing, widths={2: np.array([[1e-12]])})
    assert (found.bits[0], bool(found.hull[0])) == (128, True)
    assert found.kinks == (("relu", 2),)


def test_widths_are_by_node_and_point() -> None:
    case = case_of("x[2,3] -> relu -> cotangent", points=3)
    widths = np.zeros((3, 2, 3))
    widths[1, 0, 2] = 10.0
    found = Ball().certify(case, widths={0: widths})
    assert found.hull.tolist() == [False, True, False]
    assert found.kinks == (("relu", 0),)
    plain, wide = Ball().references(case), found.reference
    assert plain.radius is not None
    assert wide.radius is not None
    widened = wide.radius.by_input["x"] > plain.radius.by_input["x"] + 1e-3
    expected = np.zeros((3, 2, 3), np.bool_)
    expected[1, 0, 2] = True
    np.testing.assert_array_equal(widened, expected)
    np.testing.assert_array_equal(wide.gradients.loss, plain.gradients.loss)
    np.testing.assert_array_equal(wide.radius.loss, plain.radius.loss)


def test_a_width_that_is_no_number_touches_everything() -> None:
    case = with_arrays(case_of("x[1] -> relu -> cotangent", points=1), inputs={"x": np.array([[3.0]])})
    for width in (np.nan, np.inf):
        assert Ball().certify(case, widths={0: np.array([[width]])}).hull[0]


def test_the_loss_s_own_kink_is_node_minus_one() -> None:
    case = with_arrays(case_of("x[2] -> mae", points=1), inputs={"x": np.array([[1.0, 5.0]])})
    case = with_arrays(case, targets=np.array([[1.0, 3.0]]))
    found = Ball().certify(case)
    assert found.kinks == (("mae", -1),)
    assert found.reference.radius is not None
    assert found.reference.gradients.by_input["x"].tolist() == [[0.0, 1.0]]
    np.testing.assert_allclose(found.reference.radius.by_input["x"], [[1.0, 0.0]], atol=1e-8)
    wide = Ball().certify(case, widths={-1: np.array([[0.0, 2.5]])})
    assert wide.reference.radius is not None
    np.testing.assert_allclose(wide.reference.gradients.by_input["x"], [[0.0, 0.0]], atol=1e-8)
    np.testing.assert_allclose(wide.reference.radius.by_input["x"], [[1.0, 1.0]], atol=1e-8)


def test_every_choice_of_one_sided_slopes_lies_in_the_hull() -> None:
    """Two kinks: 2 · [0, 1] · [-0.5, 1]. A product of balls is up to half as wide again as that of intervals."""
    case = Case(
        parse("x[1] -> relu -> leaky_relu(negative_slope=-0.5) -> cotangent"),
        {},
        {"x": np.zeros((1, 1))},
        np.array([[2.0]]),
    )
    found = Ball().certify(case)
    assert found.reference.radius is not None
    value, radius = found.reference.gradients.by_input["x"][0, 0], found.reference.radius.by_input["x"][0, 0]
    assert value - radius <= -1.0
    assert value + radius >= 2.0
    assert 2 * radius <= 1.5 * 3.0
    assert found.kinks == (("relu", 0), ("leaky_relu", 1))
