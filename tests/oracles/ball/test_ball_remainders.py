"""Taylor remainders: exact where the loss is a polynomial, slope 2 for a right gradient and 1 for a wrong one."""

from __future__ import annotations

from fractions import Fraction

import flint
import numpy as np
import pytest
from builders import case_of

from crosscheck.oracles.ball import Ball, activations
from crosscheck.spec import Case, SpecError
from crosscheck.spec.errors import OracleCrashed
from crosscheck.spec.result import Array, Floats

STEPS = np.ldexp(1.0, -2 * np.arange(1, 26))
NET = "x[3,4] -> dense(3) -> tanh -> dense(2) -> softmax_cross_entropy"


def signs(case: Case, tensor: str) -> Array:
    return np.random.default_rng(0).choice([-1.0, 1.0], size={**case.params, **case.inputs}[tensor].shape[1:])


def asked(case: Case, tensor: str, gradient: Array, **ball: int) -> Floats:
    return Ball(**ball).remainders(case, 1, {tensor: signs(case, tensor)}, {tensor: gradient}, STEPS)


def slopes(remainders: Floats) -> Floats:
    return np.diff(np.log2(remainders)) / np.diff(np.log2(STEPS))


@pytest.mark.parametrize("tensor", ["0.weight", "0.bias", "2.weight", "x"])
def test_the_slope_is_2_for_a_right_gradient_and_1_for_a_wrong_one(tensor: str) -> None:
    case = case_of(NET)
    right = Ball().references(case).gradients[tensor][1]
    np.testing.assert_allclose(slopes(asked(case, tensor, right))[6:12], 2.0, atol=1e-2)
    wrong = right + 1e-9 * signs(case, tensor)
    np.testing.assert_allclose(slopes(asked(case, tensor, wrong))[-6:], 1.0, atol=1e-2)


def test_the_remainder_of_a_square_is_exact() -> None:
    """(x + hv - y)² - (x - y)² - 2h(x - y)v = h²v², whatever h."""
    case = case_of("x[2,3] -> sse")
    x, y = case.inputs["x"][1], case.targets[1]
    gradient = 2 * (x - y)
    direction = np.array([[0.3, -1.0, 2.0], [1e-3, 0.0, 5.0]])
    found = Ball().remainders(case, 1, {"x": direction}, {"x": gradient}, STEPS)
    for h, remainder in zip(STEPS, found, strict=True):
        exact = sum(
            (Fraction(h) * Fraction(v)) ** 2
            + Fraction(h) * Fraction(v) * (2 * (Fraction(a) - Fraction(b)) - Fraction(g))
            for v, a, b, g in zip(direction.flat, x.flat, y.flat, gradient.flat, strict=True)
        )
        assert remainder == pytest.approx(abs(float(exact)), rel=1e-3)


def test_several_tensors_move_together() -> None:
    """w x + b - y along (u, v, c): the square of h(u x + w v + c) + h²uv is left beyond what is linear in h."""
    case = case_of("x[1] -> dense(1) -> sse", family="dyadic")
    w, b, x, y = (float(a[1].ravel()[0]) for a in (*case.params.values(), case.inputs["x"], case.targets))
    assert list(case.params) == ["0.weight", "0.bias"]
    direction = {"0.weight": np.array([[0.5]]), "x": np.array([-1.0]), "0.bias": np.array([0.75])}
    (u,), v, c = direction["0.weight"][0], direction["x"][0], direction["0.bias"][0]
    gradient = {k: np.array(g[1]) for k, g in Ball().references(case).gradients.tensors()}
    found = Ball().remainders(case, 1, direction, gradient, STEPS)
    first, d = u * x + w * v + c, w * x + b - y
    expected = [abs((first + h * u * v) ** 2 + 2 * d * u * v) * h * h for h in STEPS]
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    # An error of the one tensor is not made up for by the other's being right.
    spoilt = gradient | {"x": gradient["x"] + 1e-9}
    np.testing.assert_allclose(slopes(Ball().remainders(case, 1, direction, spoilt, STEPS))[-6:], 1.0, atol=1e-2)


def test_what_does_not_move_is_not_read() -> None:
    case = case_of("x[3] -> cotangent", family="dyadic")
    direction = {"x": np.array([1.0, 0.0, 2.0])}
    gradient = {"x": np.where([True, False, True], case.targets[1], np.nan)}
    assert Ball().remainders(case, 1, direction, gradient, STEPS).tolist() == [0.0] * len(STEPS)


def test_a_linear_loss_leaves_nothing() -> None:
    case = case_of("x[2,3] -> cotangent", family="dyadic")
    assert asked(case, "x", case.targets[1]).tolist() == [0.0] * len(STEPS)


def test_where_no_precision_tells_it_is_not_a_number() -> None:
    """c(sin u + x) is linear in x: what is left is 0, which no ball around sin u can prove."""
    case = case_of("x[3]; u[3]; u -> sin -> add(x) -> cotangent", family="dyadic")
    assert np.isnan(asked(case, "x", case.targets[1], most_bits=600)).all()


def test_a_gradient_that_is_not_finite_has_no_remainder() -> None:
    case = case_of(NET)
    assert np.isnan(asked(case, "0.bias", np.array([np.nan, 1.0, 2.0]))).all()
    assert np.isnan(asked(case, "0.bias", np.array([np.inf, 1.0, 2.0]))).all()


def test_numbers_of_another_dtype_are_taken_exactly() -> None:
    case = case_of(NET, dtype="float32")
    right = Ball().references(case).gradients["0.bias"][1].astype(np.float32)
    found = asked(case, "0.bias", right)
    # Rounded to float32 the gradient is off by 1e-8: its slope is 2 at first, and 1 in the end.
    assert slopes(found)[4] == pytest.approx(2.0, abs=0.05)
    assert slopes(found)[-1] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("tensor", ["3.weight", "m"])
def test_a_tensor_without_a_gradient_is_refused(tensor: str) -> None:
    case = case_of("x[3]; m[3]:bool; x -> multiply(m) -> sse")
    with pytest.raises(SpecError, match=f"no tensor '{tensor}' with a gradient"):
        Ball().remainders(case, 0, {tensor: np.ones(3)}, {tensor: np.ones(3)}, STEPS)


def test_a_crash_is_named_and_flint_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_asked: object) -> object:
        raise ZeroDivisionError("by a ball")

    monkeypatch.setitem(activations.ROWS, "tanh", broken)
    before = flint.ctx.prec, flint.ctx.cap
    case = case_of(NET)
    with pytest.raises(OracleCrashed, match="oracle ball raised ZeroDivisionError on point 1 of x"):
        asked(case, "0.bias", np.ones(3))
    assert (flint.ctx.prec, flint.ctx.cap) == before
