"""What lies otherwise in memory, for speed, has the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from crosscheck.backprop.activations import not_the_top
from crosscheck.backprop.likelihoods import one_hot
from crosscheck.backprop.losses import class_by_class
from crosscheck.backprop.rows import product_beside
from crosscheck.tolerance.rounding import Rounded

DZ = np.arange(24.0).reshape(2, 3, 4)
W = np.arange(20.0).reshape(1, 4, 5) - 7.0


@pytest.mark.parametrize("rows_first", [True, False])
def test_a_product_lies_in_memory_as_what_it_is_read_beside(*, rows_first: bool) -> None:
    like = np.ones((2, 3, 5)) if rows_first else np.ones((2, 5, 3)).swapaxes(-1, -2)
    product = product_beside(like, DZ, W)
    assert (product == DZ @ W).all()
    assert product.flags.c_contiguous == rows_first
    assert product.shape == like.shape


def test_classes_are_outermost_in_memory_and_nothing_else_changed() -> None:
    found = class_by_class(DZ)
    assert (found == DZ).all()
    assert found.strides[-1] > found.strides[-2]
    assert class_by_class(DZ[0, 0]) is not None
    assert (class_by_class(DZ[0, 0]) == DZ[0, 0]).all(), "one axis has no other order"


def test_one_at_the_class_and_of_no_class_nothing() -> None:
    found = one_hot(DZ, np.array([[0, 3, -100], [2, 2, 1]]))
    assert found.tolist() == [
        [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]],
        [[0, 0, 1, 0], [0, 0, 1, 0], [0, 1, 0, 0]],
    ]
    assert found.dtype == DZ.dtype


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_what_is_below_the_top_is_told_without_a_comparison_too(dtype: str) -> None:
    """By arithmetic alone, as numbers with their rounding errors are asked."""
    smallest = np.finfo(dtype).smallest_subnormal
    half = np.array([0.0, -0.0, -smallest, -1.0, -np.inf], dtype)
    plain = not_the_top(half)
    assert plain.tolist() == [0, 0, 1, 1, 1]
    assert plain.dtype == half.dtype
    if dtype != "float16":
        assert np.asarray(not_the_top(half.view(Unplain))).tolist() == plain.tolist()


class Unplain(np.ndarray):
    """An array of another type, which is not asked by comparisons."""


def test_numbers_with_rounding_errors_are_those_that_are_not_plain() -> None:
    assert not issubclass(Rounded, np.ndarray)
