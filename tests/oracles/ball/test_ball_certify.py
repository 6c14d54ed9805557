"""The proof of a case: goals, precision, points, and the ends of float64."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.oracles.ball import Ball, Certified
from crosscheck.spec import Case, Gradients, parse

TINY = 2.0**-1074
NET = "x[3,5] -> dense(5) -> tanh -> dense(3) -> gelu -> dense(2) -> softmax_cross_entropy"


def goal_of(case: Case, size: float) -> Gradients:
    """The same bound for every entry."""
    tensors = {**case.params, **case.inputs}
    return Gradients(
        np.full(case.n_points, size),
        {k: np.full(a.shape, size) for k, a in case.params.items()},
        {k: np.full(tensors[k].shape, size) for k in case.architecture.float_inputs},
    )


def radius(found: Certified) -> Gradients:
    assert found.reference.radius is not None
    return found.reference.radius


def scalar(text: str, x: float, y: float, dtype: str = "float64") -> Case:
    """One number in, and a target (or cotangent) of one."""
    return Case(parse(text), {}, {"x": np.array([[x]], dtype)}, np.array([[y]], dtype), dtype)


# --- exact networks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_network_of_integers_is_exact(dtype: str) -> None:
    case = case_of("x[2,3] -> dense(4) -> dense(2) -> sse", family="integers", dtype=dtype)
    found = Ball(by_node=True).certify(case)
    a = case.inputs["x"].astype(object)
    (w, b), (v, c) = ((case.params[f"{i}.weight"], case.params[f"{i}.bias"]) for i in (0, 1))
    h = a @ w.transpose(0, 2, 1).astype(object) + b[:, None].astype(object)
    d = 2 * (h @ v.transpose(0, 2, 1).astype(object) + c[:, None].astype(object) - case.targets.astype(object))
    gradients = found.reference.gradients
    np.testing.assert_array_equal(gradients["1.weight"], (d.transpose(0, 2, 1) @ h).astype(float))
    np.testing.assert_array_equal(gradients["1.bias"], d.sum(axis=1).astype(float))
    np.testing.assert_array_equal(gradients["x"], (d @ v.astype(object) @ w.astype(object)).astype(float))
    np.testing.assert_array_equal(gradients.by_node[1], d.astype(float))
    np.testing.assert_array_equal(gradients.loss, (d * d / 4).sum(axis=(1, 2)).astype(float))
    for _, wide in radius(found).tensors():
        assert not wide.any()
    assert not radius(found).loss.any()
    assert set(found.bits) == {128}


def test_a_number_between_two_floats_is_within_half_a_unit() -> None:
    found = Ball().certify(scalar("x[1] -> sse", 0.1, 0.3))
    truth = 2 * (Fraction(0.1) - Fraction(0.3))
    value, wide = found.reference.gradients.by_input["x"][0, 0], radius(found).by_input["x"][0, 0]
    assert value == float(truth)
    assert abs(Fraction(value) - truth) <= Fraction(wide) <= Fraction(0.51 * np.spacing(abs(value)))


def test_what_the_loss_does_not_reach_is_0_with_radius_0() -> None:
    case = case_of("x[2,3]; u[2,3]; u -> dense(4) -> tanh; x -> dense(2) -> sse")
    found = Ball(by_node=True).certify(case)
    gradients, wide = found.reference.gradients, radius(found)
    for name in ("0.weight", "0.bias", "u"):
        assert gradients[name].shape == {**case.params, **case.inputs}[name].shape
        assert not gradients[name].any()
        assert not wide[name].any()
    assert not gradients.by_node[0].any()
    assert gradients["2.weight"].all()


def test_integers_and_booleans_take_part_as_numbers() -> None:
    case = case_of("x[4]; m[4]:bool; k[4]:int64; x -> multiply(m) -> add(k) -> cotangent")
    case = with_arrays(case, inputs={"k": case.inputs["k"] + 2**53 + 1})
    found = Ball().certify(case).reference.gradients
    assert set(found.by_input) == {"x"}
    np.testing.assert_array_equal(found.by_input["x"], case.targets * case.inputs["m"])
    exact = [
        Fraction(x) * int(m) + int(k)
        for x, m, k in zip(case.inputs["x"].flat, case.inputs["m"].flat, case.inputs["k"].flat, strict=True)
    ]
    assert found.outputs is not None
    assert found.outputs.ravel().tolist() == [float(v) for v in exact]


def test_a_network_of_integers_alone_has_a_loss_and_no_gradients() -> None:
    found = Ball().references(case_of("k[4]:int64 -> tanh -> sse")).gradients
    assert dict(found.tensors()) == {}
    assert found.loss.all()


def test_a_scalar_network() -> None:
    case = case_of("x[] -> h: tanh -> multiply(h) -> add(h) -> sse")
    h, y = np.tanh(case.inputs["x"]), case.targets
    found = Ball().references(case).gradients
    np.testing.assert_allclose(found.by_input["x"], 2 * (h * h + h - y) * (2 * h + 1) * (1 - h * h), rtol=1e-13)
    assert found.outputs is not None
    assert found.outputs.shape == (3,)


def test_a_shared_parameter_gathers_both_uses() -> None:
    text = "x[2,3] -> dense(3{}) -> tanh -> dense(3{}) -> sse"
    shared = case_of(text.format("", ", weight=@0.weight, bias=@0.bias"))
    twice = {**shared.params, "2.weight": shared.params["0.weight"], "2.bias": shared.params["0.bias"]}
    apart = Case(parse(text.format("", "")), twice, shared.inputs, shared.targets)
    together, single = Ball().references(shared).gradients, Ball().references(apart).gradients
    for role in ("weight", "bias"):
        np.testing.assert_allclose(together[f"0.{role}"], single[f"0.{role}"] + single[f"2.{role}"], rtol=1e-13)


# --- goals -----------------------------------------------------------------------------------------------------


def test_a_mild_goal_is_met_at_the_first_precision() -> None:
    case = case_of(NET)
    found = Ball().certify(case, goal_of(case, 1e-13))
    assert found.bits.tolist() == [128] * 3
    assert not found.at_limit.any()


@pytest.mark.parametrize(("goal", "least", "most"), [(1e-60, 205, 400), (1e-200, 670, 900), (4 * TINY, 1078, 1400)])
def test_a_goal_takes_the_bits_that_it_takes(goal: float, least: int, most: int) -> None:
    case = case_of(NET)
    found = Ball().certify(case, goal_of(case, goal))
    assert ((least <= found.bits) & (found.bits <= most)).all()
    assert not found.at_limit.any()


def test_an_infinite_goal_and_none_for_a_tensor_are_no_demand() -> None:
    case = case_of(NET)
    assert set(Ball().certify(case, goal_of(case, np.inf)).bits) == {128}
    assert set(Ball().certify(case, goal_of(case, np.nan)).bits) == {128}
    assert set(Ball(by_node=True).certify(case, Gradients(np.full(3, np.inf), {})).bits) == {128}


def test_only_the_points_that_still_fail_are_asked_again() -> None:
    case = case_of(NET)
    goal = goal_of(case, 1e-12)
    goal.by_param["2.bias"][1, 2] = 1e-250
    found = Ball().certify(case, goal)
    assert found.bits[[0, 2]].tolist() == [128, 128]
    assert found.bits[1] > 830


def test_without_a_goal_every_entry_is_exact_to_its_last_place() -> None:
    case = case_of(NET, family="saturating")
    found = Ball().certify(case)
    for name, value in found.reference.gradients.tensors():
        assert (radius(found)[name] <= 0.51 * np.spacing(np.abs(value)) + 3 * TINY).all()


def test_a_goal_that_cannot_be_met_is_reported_and_what_is_proved_stands() -> None:
    case = case_of(NET)
    impossible = Ball(most_bits=300).certify(case, goal_of(case, 0.0))
    assert impossible.at_limit.all()
    assert impossible.bits.tolist() == [300] * 3
    fine = Ball().certify(case)
    for name, value in impossible.reference.gradients.tensors():
        np.testing.assert_array_equal(value, fine.reference.gradients[name])
        assert np.isfinite(radius(impossible)[name]).all()


def test_an_exact_entry_meets_any_goal() -> None:
    case = case_of("x[2,3] -> relu -> sse", family="dyadic")
    found = Ball().certify(case, goal_of(case, 0.0))
    assert not found.at_limit[~found.hull].any()
    assert set(found.bits) == {128}


def test_few_bits_prove_less() -> None:
    case = case_of(NET)
    coarse, fine = Ball(most_bits=40).certify(case), Ball().certify(case)
    assert coarse.at_limit.all()
    for name, value in coarse.reference.gradients.tensors():
        wide = radius(coarse)[name]
        assert (wide > radius(fine)[name]).all()
        assert (np.abs(value - fine.reference.gradients[name]) <= wide + radius(fine)[name]).all()


def test_a_hull_is_no_reason_for_more_bits() -> None:
    case = with_arrays(
        case_of("x[1,3] -> relu -> tanh -> dense(2) -> sse", points=1), inputs={"x": np.zeros((1, 1, 3))}
    )
    found = Ball().certify(case, goal_of(case, 1e-14))
    assert found.bits[0] == 128
    assert found.hull[0]
    assert not found.at_limit[0]
    assert radius(found).by_input["x"].min() > 1e-3


def test_a_difference_that_needs_a_thousand_bits_gets_them() -> None:
    """sigmoid(800) - 1 = -3.7e-348, below the smallest float64: proved to be within it, and not by luck."""
    text = "x[1]; u[1]; x -> sigmoid -> add(u) -> cotangent"
    case = Case(parse(text), {}, {"x": np.array([[800.0]]), "u": np.array([[-1.0]])}, np.array([[1.0]]))
    found = Ball().certify(case, goal_of(case, 4 * TINY))
    assert 1078 <= found.bits[0] < 1400
    assert abs(found.reference.gradients.loss[0]) == 0.0
    assert 0 < radius(found).loss[0] <= 3 * TINY
    low = Ball(most_bits=500).certify(case, goal_of(case, 4 * TINY))
    assert low.at_limit[0]
    assert radius(low).loss[0] > 1e-160


def test_a_difference_just_above_the_smallest_float_is_found() -> None:
    """sigmoid(700) - 1 = -exp(-700)/(1 + exp(-700))."""
    text = "x[1]; u[1]; x -> sigmoid -> add(u) -> cotangent"
    case = Case(parse(text), {}, {"x": np.array([[700.0]]), "u": np.array([[-1.0]])}, np.array([[1.0]]))
    found = Ball().certify(case)
    assert found.reference.gradients.loss[0] == pytest.approx(-math.exp(-700), rel=1e-13)
    assert radius(found).loss[0] <= 0.51 * np.spacing(math.exp(-700))


def test_a_sine_far_out_is_right() -> None:
    """sin(1e300) as arbitrary-precision libraries have it; a cube of that size, which 128 bits round, takes as many."""
    found = Ball().certify(scalar("x[1] -> sin -> cotangent", 1e300, 1.0))
    assert found.reference.gradients.loss[0] == -0.8178819121159085
    cube = Ball().certify(scalar("x[1] -> multiply(x, x) -> sin -> cotangent", 1e100 / 3, 1.0))
    assert 128 + 900 < cube.bits[0] < 2048
    assert radius(cube).loss[0] < 1e-16


# --- the ends of float64 ---------------------------------------------------------------------------------------


def test_beyond_float64_is_an_infinity_of_radius_0() -> None:
    found = Ball().certify(scalar("x[1] -> sse", -1e300, 0.0))
    assert found.reference.gradients.loss[0] == math.inf
    assert radius(found).loss[0] == 0.0
    assert found.reference.gradients.by_input["x"][0, 0] == -2e300
    cube = Ball().certify(scalar("x[1] -> multiply(x, x) -> cotangent", -1e300, 1.0)).reference.gradients
    assert cube.loss[0] == -math.inf
    assert cube.by_input["x"][0, 0] == math.inf


def test_an_overflow_on_the_way_is_none_for_a_ball() -> None:
    """1e300² overflows float64, and its log is 1381.55…"""
    found = Ball().certify(scalar("x[1] -> multiply(x) -> softsign -> cotangent", 1e300, 1.0)).reference.gradients
    assert found.loss[0] == 1.0
    assert found.by_input["x"][0, 0] == 0.0
    logistic = Ball().certify(scalar("x[1] -> multiply(x) -> sigmoid -> sse", 1e200, 0.5)).reference.gradients
    assert logistic.loss[0] == 0.25


@pytest.mark.parametrize("exponent", [-1000, -1030, -1073, -1074, -1076, -1200])
def test_subnormal_results_are_correctly_rounded(exponent: int) -> None:
    """x² with x = 3 · 2^(exponent/2): exact, so the nearest float64 is known."""
    half = exponent // 2
    found = Ball().certify(scalar("x[1] -> sse", 3.0 * 2.0**half, 0.0))
    truth = Fraction(9) * Fraction(2) ** (2 * half)
    assert Fraction(found.reference.gradients.loss[0]) == Fraction(float(truth))
    assert (
        abs(Fraction(found.reference.gradients.loss[0]) - truth)
        <= Fraction(radius(found).loss[0])
        <= 3 * Fraction(TINY)
    )


def test_the_numbers_of_a_float32_case_and_the_ends_of_its_range() -> None:
    found = Ball().certify(scalar("x[1] -> sse", 1e-45, 0.0, "float32")).reference.gradients
    assert found.by_input["x"][0, 0] == 2 * float(np.float32(1e-45))
    assert found.loss[0] == float(np.float32(1e-45)) ** 2


def test_only_the_points_asked_are_answered() -> None:
    case = case_of(NET, points=4)
    found, whole = Ball().certify(case, points=[3, 1]), Ball().certify(case)
    assert (found.bits > 0).tolist() == [False, True, False, True]
    for name, value in found.reference.gradients.tensors():
        np.testing.assert_array_equal(value[[1, 3]], whole.reference.gradients[name][[1, 3]])
        np.testing.assert_array_equal(radius(found)[name][[1, 3]], radius(whole)[name][[1, 3]])
        assert not value[[0, 2]].any()
        assert np.isinf(radius(found)[name][[0, 2]]).all()
    assert np.isinf(radius(found).loss[[0, 2]]).all()
    assert not found.hull.any()


def test_no_points_at_all() -> None:
    found = Ball().certify(case_of(NET), points=[])
    assert not found.bits.any()
    assert np.isinf(radius(found).loss).all()


def test_points_do_not_see_each_other() -> None:
    case = case_of(NET, points=3)
    whole = Ball().certify(case).reference.gradients
    for point in range(3):
        alone = Ball().certify(case.take([point])).reference.gradients
        for name, value in whole.tensors():
            assert value[point].tobytes() == alone[name][0].tobytes()
