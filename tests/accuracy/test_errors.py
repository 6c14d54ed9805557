"""From answers and truth to figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crosscheck.accuracy import errors
from crosscheck.accuracy.truth import Exact


def exact(*numbers: float) -> Exact:
    high = np.array(numbers)
    return Exact(high, np.zeros(len(high)), np.zeros(len(high), np.int64))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_ulp_is_numpy_s_spacing(dtype: str) -> None:
    limits = np.finfo(dtype)
    numbers = [1.0, 1.5, -2.0, 3.3, 1e-30, limits.max / 3, limits.tiny, limits.tiny / 3, limits.smallest_subnormal, 0.0]
    sizes = np.abs(np.array(numbers, dtype))
    np.testing.assert_array_equal(errors.ulp(np.array(numbers, np.float64), dtype)[:-1], np.spacing(sizes)[:-1])
    assert errors.ulp(np.zeros(1), dtype)[0] == limits.smallest_subnormal


def test_nan_is_infinitely_wrong_and_what_has_no_truth_is_left_out() -> None:
    found = np.array([1.0, np.nan, np.inf, 1.0, np.inf])
    off = errors.in_ulps(found, exact(1.0 + 2.0**-52, 1.0, 1.0, np.nan, np.inf), "float64")
    assert off[:3].tolist() == [1.0, math.inf, math.inf]
    assert np.isnan(off[3:]).all()


def test_what_float32_cannot_hold_is_left_out() -> None:
    off = errors.in_ulps(np.array([np.inf, 3e38]), exact(1e39, 3e38), "float32")
    assert np.isnan(off[0])
    assert off[1] == 0


def test_largest_and_median_and_the_largest_of_normal_results() -> None:
    off, z = np.array([1.0, 9.0, 2.0, np.nan, 8.0]), np.array([-1.0, 5.0, 7.0, 8.0, 1e-310])
    found = errors.errors(off, exact(1.0, 1e-310, 1.0, np.nan, 1.0), z, None, "float64")
    assert found is not None
    assert (found.points, found.median) == (4, 5.0)
    assert (found.worst.error, found.worst.at, found.worst.target) == (9.0, 5.0, None)
    assert found.normal is not None
    assert (found.normal.error, found.normal.at) == (2.0, 7.0)
    assert errors.errors(np.full(2, np.nan), exact(1.0, 1.0), z[:2], None, "float64") is None


def test_absolute_errors_are_in_units_of_the_largest_slope() -> None:
    found = errors.absolute(np.array([4.0, 1.0 + 2.0**-50]), exact(4.0, 1.0), np.array([3.0, 2.0]), "float64")
    assert found is not None
    assert (found.error, found.at) == (2.0, 2.0)


def test_stretches_on_which_the_truth_is_lost() -> None:
    z = np.array([5.0, 1.0, 2.0, 3.0, 4.0, 6.0])  # in any order
    found = np.array([0.0, 0.5, 0.0, 0.0, 0.1, 0.0])
    true = exact(1e-10, 0.5, 3e-20, 1e-20, 0.1, 0.0)
    lost = errors.lost(found, true, z, "float64")
    assert [(s.low, s.high, s.largest) for s in lost] == [(5.0, 5.0, 1e-10), (2.0, 3.0, 3e-20)]


def test_zero_for_less_than_the_smallest_number_is_no_loss() -> None:
    assert errors.lost(np.zeros(1), exact(1e-46), np.ones(1), "float32") == ()
    assert len(errors.lost(np.zeros(1), exact(1e-44), np.ones(1), "float32")) == 1


def test_the_curve_has_the_largest_error_of_each_stretch_and_beyond() -> None:
    edges = np.array(errors.EDGES)
    assert (np.diff(edges) > 0).all()
    z = np.array([-1e308, 0.0, 1.05, 1.06, 1e300])
    curve = errors.curve(np.array([7.0, 1.0, 2.0, 3.0, math.inf]), z)
    assert len(curve) == len(edges) - 1
    assert curve[0] == 7.0
    assert curve[-1] == "inf"
    assert curve[int(np.searchsorted(edges, 1.05, side="right")) - 1] == 3.0
    assert curve[len(edges) // 2 - 1] == 1.0
    assert sum(v is not None for v in curve) == 4
