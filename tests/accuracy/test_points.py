"""The points: numbers of the dtype, over its whole range, the same every time, and none on a kink."""

from __future__ import annotations

import numpy as np
import pytest

from crosscheck.accuracy import points
from crosscheck.accuracy.questions import Question, questions

DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])


@DTYPES
@pytest.mark.parametrize("question", questions(), ids=lambda q: q.name)
def test_points_are_numbers_of_the_dtype_and_off_every_place(question: Question, dtype: str) -> None:
    z, y = points.drawn(question, dtype, 1000)
    assert len(z) == len(y) >= (150 if question.is_loss else 800)
    for numbers in (z, y):
        assert np.isfinite(numbers).all()
        np.testing.assert_array_equal(numbers, numbers.astype(dtype).astype(np.float64))
    assert not np.isin(question.placed(z, y), question.places).any()
    assert not question.takes.positive or ((z > 0) & (z < question.takes.under)).all()
    again = points.drawn(question, dtype, 1000)
    np.testing.assert_array_equal(again, (z, y))


@DTYPES
def test_points_reach_both_ends_and_stand_where_exponentials_underflow(dtype: str) -> None:
    z, _ = points.drawn(Question("tanh"), dtype, 2000)
    limits = np.finfo(dtype)
    for side in (z[z > 0], -z[z < 0]):
        assert side.max() == float(limits.max)
        assert side.min() == float(limits.smallest_subnormal)
    edge = -np.log(float(limits.tiny))
    assert ((z < -edge) & (z > -1.06 * edge)).sum() >= 2
    assert (np.abs(z) < 40).sum() > 1000


def test_both_sides_of_a_kink_are_asked_at_distances_of_every_size() -> None:
    z, _ = points.drawn(Question("hardtanh"), "float64", 2000)
    for kink in (-1.0, 1.0):
        for away in (z - kink, kink - z):
            near = away[(away > 0) & (away < 1)]
            assert near.min() < 1e-11


@pytest.mark.parametrize("op", ["bce", "bce_with_logits"])
def test_targets_of_bce_are_in_the_unit_interval_and_often_at_its_ends(op: str) -> None:
    _, y = points.drawn(Question(op), "float64", 4000)
    assert ((y >= 0) & (y <= 1)).all()
    assert 0.3 < np.isin(y, (0.0, 1.0)).mean() < 0.7


def test_probabilities_crowd_towards_0_and_1() -> None:
    z, _ = points.drawn(Question("bce"), "float64", 4000)
    assert z.min() < 1e-300
    assert z.max() == 1.0 - 2.0**-53
    for low, high in ((0.0, 1e-10), (1e-3, 0.1), (0.1, 0.9), (0.9, 1.0 - 1e-3), (1.0 - 1e-10, 1.0)):
        assert ((z > low) & (z < high)).sum() > 5


@pytest.mark.parametrize(
    ("op", "kinds"), [("focal", [0, 1]), ("hinge", [-1, 1]), ("poisson_nll", [0, 1])], ids=lambda v: str(v)
)
def test_other_targets_are_of_the_kind_that_the_loss_takes(op: str, kinds: list[int]) -> None:
    _, y = points.drawn(Question(op), "float64", 1000)
    assert np.unique(y).tolist() == kinds


def test_the_worst_points_are_asked_about_again() -> None:
    question = Question("tanh")
    z = np.array([-3.0, 0.5, 20.0])
    off = np.array([0.0, 1.0, 1e6])
    more, targets = points.around(question, "float64", z, np.zeros(3), [off])
    assert len(more) == len(targets) == 3 * points.AGAIN
    assert (np.abs(more / 20.0 - 1) < 0.11).sum() == points.AGAIN
    only, _ = points.around(question, "float64", np.arange(1.0, 101.0), np.zeros(100), [np.arange(100.0)])
    assert len(only) == points.WORST * points.AGAIN
    assert only.min() > 80
