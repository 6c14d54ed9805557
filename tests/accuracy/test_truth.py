"""The certified numbers, against decimal arithmetic, to twice the digits of float64."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

import numpy as np
import pytest

pytest.importorskip("flint")

from crosscheck.accuracy.questions import Question
from crosscheck.accuracy.truth import Exact, truth

EXACTLY = Context(prec=800)


def sigmoid(z: Decimal) -> tuple[Decimal, Decimal]:
    e = (-z).exp()
    return 1 / (1 + e), e / (1 + e) ** 2


def as_decimal(numbers: Exact, i: int) -> Decimal:
    return (Decimal(numbers.high[i]) + Decimal(numbers.low[i])) / (Decimal(2) ** int(numbers.shift[i]))


def test_value_and_slope_have_more_digits_than_a_float() -> None:
    z = np.array([-744.5, -700.0, -40.0, -0.1, 0.0, 1e-300, 20.0, 800.0])
    found = truth(Question("sigmoid"), z, np.zeros(len(z)))
    with localcontext(EXACTLY):
        for i, number in enumerate(z.tolist()):
            for exact, true in zip(found, sigmoid(Decimal(number)), strict=True):
                assert abs(as_decimal(exact, i) / true - 1) < Decimal(2) ** -74


def test_distance_is_in_the_unit_given_however_small_the_numbers() -> None:
    for z in (-744.5, -700.0, 3.0):
        (value, _) = truth(Question("sigmoid"), np.array([z]), np.zeros(1))
        nearest = value.nearest
        unit = np.spacing(nearest)
        for steps in (-2, 0, 1):
            off = value.distance(nearest + steps * unit, unit)
            assert abs(off - abs(steps)) <= 0.5


def test_what_is_smaller_than_every_number_is_known_to_be() -> None:
    """Of the exponent of gelu's tanh, 10⁹⁰⁰, no precision that is tried has the digits that a relative error takes."""
    question = Question("gelu", (("approximate", "tanh"),))
    for exact in truth(question, np.array([-1.2e253, -2.4e288, -1.79e308]), np.zeros(3)):
        assert exact.nearest.tolist() == [0.0, 0.0, 0.0]


def test_nothing_is_said_on_a_kink_and_everything_beside_it() -> None:
    value, slope = truth(Question("relu"), np.array([-1e-300, 0.0, 1e-300]), np.zeros(3))
    assert value.nearest.tolist() == [0.0, 0.0, 1e-300]
    assert slope.nearest[[0, 2]].tolist() == [0.0, 1.0]
    assert np.isnan(slope.nearest[1])


def test_a_loss_is_told_its_target() -> None:
    value, slope = truth(Question("sse"), np.array([3.0, 1e308]), np.array([1.0, 0.0]))
    assert (value.nearest[0], slope.nearest[0]) == (4.0, 4.0)
    assert value.nearest[1] == np.inf


def test_of_a_vector_the_first_place_counts() -> None:
    z = np.array([2.0, 50.0])
    like = truth(Question("sigmoid"), z, np.zeros(2))
    found = truth(Question("softmax"), z, np.zeros(2))
    for a, b in zip(like, found, strict=True):
        np.testing.assert_array_equal(a.nearest, b.nearest)
    _, slope = truth(Question("softmax_cross_entropy"), z, np.zeros(2))
    np.testing.assert_array_equal(slope.nearest, -truth(Question("sigmoid"), -z, np.zeros(2))[0].nearest)


def test_flint_s_precision_is_left_as_it_was() -> None:
    from flint import ctx

    before = ctx.prec, ctx.cap
    truth(Question("gelu"), np.array([-30.0]), np.zeros(1))
    assert (ctx.prec, ctx.cap) == before
