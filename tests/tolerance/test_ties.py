"""The place of the largest rounding number: where it is open the samples part ways, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crosscheck.tolerance.rounding import Rounded, Rounding

SAMPLES = 16


def rounding(dtype: str = "float64", points: int = 1) -> Rounding:
    return Rounding.of(dtype, "a key", SAMPLES, points)


def places(values: Any, dtype: str = "float64") -> tuple[np.ndarray, np.ndarray]:
    """The winners of one point's windows (window, entry), (samples, windows), and whether the point parted."""
    run = rounding(dtype)
    found = np.argmax(run.array(np.asarray(values)[np.newaxis]) * 1.0, axis=-1)
    return found[:, 0], run.parted


def test_what_is_decided_is_the_plain_answer() -> None:
    found, parted = places([[1.0, 3.0, 2.0], [5.0, -1.0, 0.0]])
    np.testing.assert_array_equal(np.broadcast_to(found, (SAMPLES, 2)), [[1, 0]] * SAMPLES)
    assert not parted.any()


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_all_that_tie_are_taken_and_no_other(dtype: str) -> None:
    found, parted = places([[2.0, 1.0, 2.0, 2.0]] * 6, dtype)
    assert parted.all()
    assert set(found.ravel().tolist()) == {0, 2, 3}


def test_pairs_take_the_same_and_the_first_two_the_first_and_the_last() -> None:
    found, _ = places([[2.0, 1.0, 2.0, 2.0]] * 6)
    np.testing.assert_array_equal(found[::2], found[1::2])
    assert set(found[:2].ravel().tolist()) == {0}
    assert set(found[2:4].ravel().tolist()) == {3}


def test_a_tie_for_the_second_place_parts_nobody() -> None:
    found, parted = places([[1.0, 1.0, 5.0, 1.0]])
    assert set(found.ravel().tolist()) == {2}
    assert not parted.any()


def test_what_rounding_may_turn_round_is_a_tie() -> None:
    near = 1.0 + 2.0**-23
    assert places([[1.0, near]], "float32")[1].all()
    assert not places([[1.0, near]], "float64")[1].any()


@pytest.mark.parametrize("filled", [-np.inf, np.finfo(np.float64).min])
def test_padding_is_never_taken(filled: float) -> None:
    run = rounding()
    padded = np.where([[[True, True, False], [True, False, True]]], filled, run.array(np.full((1, 2, 3), -3.0)) * 1.0)
    with np.errstate(all="ignore"):
        found = np.argmax(padded, axis=-1)
    np.testing.assert_array_equal(found, [[[2, 1]]] * SAMPLES)
    assert not run.parted.any()


def test_asked_again_it_answers_alike() -> None:
    run = rounding()
    x = run.array(np.zeros((1, 5, 3))) * 1.0
    np.testing.assert_array_equal(np.argmax(x, axis=-1), np.argmax(x, axis=-1))


def test_only_the_points_with_a_tie_are_noted() -> None:
    run = rounding(points=2)
    np.argmax(run.array([[[1.0, 2.0]], [[2.0, 2.0]]]) * 1.0, axis=-1)
    assert run.parted.tolist() == [False, True]


def test_other_ways_to_ask_raise() -> None:
    x: Rounded = rounding().array(np.zeros((1, 2, 2)))
    with pytest.raises(TypeError, match="argmax is not on the rounding array's list"):
        np.argmax(x)
