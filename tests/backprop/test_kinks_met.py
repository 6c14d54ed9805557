"""Counting who stands on a kink: every element, every place, every node."""

from __future__ import annotations

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.backprop.branches import met
from crosscheck.spec import Case, parse


def alone(text: str, x: list[float], y: float = 0.0) -> Case:
    return Case(parse(text), {}, {"x": np.array([x])}, np.full((1, len(x)), y))


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("x[4] -> relu -> sse", [0.0, -0.0, 1.0, 1e-300], {("relu", 0.0): (2, 0)}),
        ("x[3] -> hardsigmoid -> sse", [3.0, -3.0, 3.0], {("hardsigmoid", -3.0): (1, 0), ("hardsigmoid", 3.0): (2, 0)}),
        ("x[2] -> softsign -> sse", [0.0, 1.0], {("softsign", 0.0): (1, 0)}),
        ("x[2] -> tanh -> sse", [0.0, 1.0], {}),
        ("x[3] -> mae", [0.0, 1.0, 0.0], {("mae", 0.0): (2, 0)}),
        ("x[3] -> huber(delta=0.5)", [0.5, -0.5, 0.0], {("huber", -0.5): (1, 0), ("huber", 0.5): (1, 0)}),
        ("x[3] -> relu -> relu -> sse", [0.0, 1.0, -1.0], {("relu", 0.0): (3, 0)}),
    ],
)
def test_elements_exactly_on_a_place_are_counted(
    text: str, x: list[float], expected: dict[tuple[str, float], tuple[int, int]]
) -> None:
    assert met(alone(text, x), {}) == expected


def test_the_loss_stands_on_output_less_target() -> None:
    assert met(alone("x[3] -> mae", [1.5, 2.0, 0.0], y=1.5), {}) == {("mae", 0.0): (1, 0)}


def test_elements_within_the_width_are_near_and_not_exact() -> None:
    case = alone("x[4] -> relu -> mae", [0.0, 1e-9, -1e-9, 1e-3], y=1.0)
    near = {0: np.full((1, 4), 1e-8), -1: np.zeros((1, 4))}
    assert met(case, near) == {("relu", 0.0): (1, 2), ("mae", 0.0): (0, 0)}


def test_windows_with_several_largest_numbers_are_ties() -> None:
    x = np.array([[[[1.0, 1.0, 0.0, 2.0, 3.0, 3.0]]]])
    case = with_arrays(case_of("x[1,1,6] -> max_pool1d -> sse", points=1), inputs={"x": x})
    assert met(case, {}) == {("max_pool1d", None): (2, 0)}


@pytest.mark.parametrize(
    ("text", "x", "ties"),
    [
        ("x[1,1,1,2] -> max_pool2d(kernel=1x2) -> sse", [[3, 3]], 1),
        ("x[1,1,2,1] -> max_pool2d(kernel=2x1) -> sse", [[3], [2]], 0),
        ("x[1,1,2,4] -> max_pool2d -> sse", [[3, 1, 5, 5], [2, 3, 5, 5]], 2),
        ("x[1,1,3,2] -> max_pool2d(kernel=1x2) -> sse", [[0, 1], [0, 1], [0, 1]], 0),
        ("x[1,1,3,2] -> max_pool2d(kernel=1x2) -> sse", [[1, 1], [0, 1], [1, 1]], 2),
    ],
)
def test_ties_are_counted_window_by_window_and_not_from_window_to_window(
    text: str, x: list[list[float]], ties: int
) -> None:
    case = with_arrays(case_of(text, points=1), inputs={"x": np.array([[[x]]], dtype=np.float64)})
    assert met(case, {}) == {("max_pool2d", None): (ties, 0)}


def test_it_is_the_same_in_every_dtype() -> None:
    for dtype in ("float32", "float16"):
        case = case_of("x[3,4] -> dense(2) -> relu -> mae", family="integers", points=6)
        assert met(case, {}) == met(case.astype(dtype), {})
