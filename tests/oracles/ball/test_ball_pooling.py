"""The largest of a window in balls: the hull where it ties, and what settles it."""

from __future__ import annotations

import numpy as np
from flint import arb

from crosscheck.oracles.ball import Ball
from crosscheck.oracles.ball.convolution import largest
from crosscheck.oracles.ball.tape import Tape, Variable
from crosscheck.spec import Case, parse

POOL = "x[1,1,3] -> max_pool1d(3) -> cotangent"


def case(x: list[float]) -> Case:
    return Case(parse(POOL), {}, {"x": np.array([[[x]]])}, np.array([[[[4.0]]]]))


def test_the_winner_has_all_of_it() -> None:
    found = Ball().certify(case([1.0, 3.0, 2.0])).reference
    assert found.radius is not None
    assert found.gradients.by_input["x"].ravel().tolist() == [0.0, 4.0, 0.0]
    assert found.radius.by_input["x"].ravel().tolist() == [0.0, 0.0, 0.0]


def test_at_a_tie_each_may_have_any_part() -> None:
    found = Ball().certify(case([3.0, 1.0, 3.0]))
    radius = found.reference.radius
    assert radius is not None
    assert found.hull.all()
    assert found.kinks == (("max_pool1d", 0),)
    assert found.bits.tolist() == [128]
    low = found.reference.gradients.by_input["x"] - radius.by_input["x"]
    high = found.reference.gradients.by_input["x"] + radius.by_input["x"]
    assert low[..., [0, 2]].max() <= 0.0
    assert high[..., [0, 2]].min() >= 4.0
    assert high[..., 1] == 0.0


def test_a_width_makes_a_tie() -> None:
    near = {0: np.full((1, 1, 1, 3), 0.25)}
    assert not Ball().certify(case([3.0, 1.0, 2.0]), widths=near).hull.any()
    assert Ball().certify(case([3.0, 1.0, 2.5]), widths=near).hull.all()
    assert not Ball().certify(case([3.0, 1.0, 2.5])).hull.any()


def met(*balls: arb) -> Tape:
    tape = Tape()
    largest(tape, Variable(list(balls)), [list(range(len(balls)))])
    return tape


def test_more_bits_are_asked_for_where_they_may_part_a_tie() -> None:
    assert met(arb(1, 0.5), arb(1.25, 0.5)).unsettled
    assert not met(arb(1), arb(1)).unsettled
    assert not met(arb(1, 0.5), arb(1, 0.5)).unsettled, "alike to the last bit: more bits leave them alike"
    assert not met(arb(1, 0.1), arb(2, 0.1)).jumps


def test_the_value_covers_all_that_may_be_the_largest() -> None:
    tape = Tape()
    value = largest(tape, Variable([arb(1, 0.5), arb(1.25, 0.5)]), [[0, 1]]).balls[0]
    assert value.contains(arb(1.75))
    assert value.contains(arb(0.75))
    assert not value.contains(arb(0.7))
