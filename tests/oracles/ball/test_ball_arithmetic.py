"""From exact numbers to balls and back: nothing lost on the way in, every rounding covered on the way out."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import flint
import ml_dtypes
import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from crosscheck.oracles.ball.arithmetic import exact, log2_radii, precision, read, rounded

MAX = float(np.finfo(np.float64).max)
TINY = 2.0**-1074


def power(exponent: int) -> Any:
    return arb(2) ** exponent


def out(*balls: Any) -> tuple[list[float], list[float]]:
    values, radii = rounded(balls, *read(balls))
    return values.tolist(), radii.tolist()


def fraction(ball: Any) -> Fraction:
    mantissa, exponent = ball.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", ml_dtypes.bfloat16])
def test_floats_arrive_exactly(dtype: Any) -> None:
    numbers = np.array([0.1, -3.0, 0.0, 65504.0, 6e-8]).astype(dtype)
    with precision(200):
        balls = exact(numbers)
    assert all(ball.is_exact() for ball in balls)
    assert [fraction(ball) for ball in balls] == [Fraction(float(v)) for v in numbers]


def test_integers_and_booleans_arrive_exactly() -> None:
    with precision(20):  # coarser than the numbers: making a ball does not round
        assert [fraction(b) for b in exact(np.array([2**62 + 1, -7]))] == [2**62 + 1, -7]
        assert [fraction(b) for b in exact(np.array([True, False]))] == [1, 0]
        assert [fraction(b) for b in exact(np.array([0.1]))] == [Fraction(0.1)]


def test_precision_is_restored_also_after_an_exception() -> None:
    before = flint.ctx.prec, flint.ctx.cap

    def fail() -> None:
        assert (flint.ctx.prec, flint.ctx.cap) == (777, 2)
        raise RuntimeError

    with pytest.raises(RuntimeError), precision(777):
        fail()
    assert (flint.ctx.prec, flint.ctx.cap) == before


def test_an_exact_float_has_radius_0() -> None:
    numbers = [0.0, -0.75, 5e-324, MAX, -MAX, 2.0**-1022]
    assert out(*map(arb, numbers)) == (numbers, [0.0] * len(numbers))


def test_an_exact_number_between_two_floats_goes_to_the_nearest_within_half_a_unit() -> None:
    with precision(400):
        third = 1 + power(-53) * 1.5
    values, (radius,) = out(third)
    assert values == [1 + 2.0**-52]
    assert 2.0**-54 <= radius <= 2.0**-53 * (1 + 1e-15)


@pytest.mark.parametrize(("exponent", "value"), [(-1074, TINY), (-1075, 0.0), (-1076, 0.0), (-5000, 0.0)])
def test_small_numbers_round_as_subnormals_and_are_covered(exponent: int, value: float) -> None:
    with precision(200):
        values, radii = out(power(exponent), -power(exponent))
    assert values == [value, -value]
    assert (radii == [0.0, 0.0]) == (value != 0.0)
    assert max(radii) <= 3 * TINY


def test_a_radius_too_small_for_float64_is_rounded_up_not_away() -> None:
    with precision(200):
        (value,), (radius,) = out(arb(0, power(-4000)))
    assert value == 0.0
    assert radius > 0.0


def test_beyond_float64_it_is_an_infinity_of_radius_0() -> None:
    with precision(200):
        assert out(power(1024), -power(4000), arb(1e308) * 10) == ([math.inf, -math.inf, math.inf], [0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    "ball",
    [
        lambda: arb(power(1024), power(1024)),
        lambda: arb(0, math.inf),
        lambda: arb.nan(),
        lambda: arb(0) * power(5000) + arb(0, power(5000)),
    ],
)
def test_where_nothing_is_certain_nothing_is_said(ball: Any) -> None:
    with precision(200):
        assert out(ball()) == ([0.0], [math.inf])


@given(
    st.fractions(max_denominator=10**9),
    st.integers(-1140, 1060),
    st.one_of(st.none(), st.integers(-1200, 1000)),
)
def test_the_ball_lies_within_what_is_reported(number: Fraction, exponent: int, wide: int | None) -> None:
    with precision(300):
        middle = arb(flint.fmpq(number.numerator, number.denominator)) * power(exponent)
        ball = middle if wide is None else arb(middle.mid(), power(wide))
        (value,), (radius,) = out(ball)
        if math.isinf(value):
            assert radius == 0.0
            assert abs(ball) > arb(MAX)
            return
        if math.isfinite(radius):
            mid, rad = fraction(ball.mid()), fraction(ball.rad())
            assert abs(mid - Fraction(value)) + rad <= Fraction(radius)
            # And no wider than it must be: half a unit, and what rounding up costs.
            assert (
                Fraction(radius)
                <= rad * (1 + Fraction(1, 10**9))
                + Fraction(0.5 * np.spacing(abs(value)))
                + Fraction(4 * TINY)
                + Fraction(2.0**-100) * abs(Fraction(value))
                + Fraction(float(np.spacing(radius))) * 2
            )


def test_the_logarithm_of_a_radius_reaches_below_float64() -> None:
    with precision(200):
        balls = [arb(1, 0.25), arb(7), arb(0, power(-1100)), arb(0, power(-(10**12))), arb.nan(), arb(0, power(3000))]
    logs = log2_radii(balls, read(balls)[1])
    assert logs[0] == pytest.approx(-2, abs=1e-8)
    assert logs[1] == -math.inf
    assert -1100 <= logs[2] <= -1098
    assert logs[3] <= -(10**9)
    assert logs[4] == math.inf
    assert 3000 <= logs[5] <= 3002
