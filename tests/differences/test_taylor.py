"""The Taylor slope: 2 for a right gradient, 1 for a wrong one, and none where noise hides it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.backprop import network
from crosscheck.checking import sound_loss
from crosscheck.differences.taylor import STEPS, TaylorSlope, taylor
from crosscheck.spec import Case
from crosscheck.tolerance.bounds import bound

NETS = [
    "x[3] -> dense(3) -> tanh -> dense(2) -> sse",
    "x[2,3] -> dense(4) -> gelu -> dense(3) -> softmax_cross_entropy",
    "x[2,3] -> dense(4) -> h: softplus -> dense(4) -> multiply(h) -> sse",
]


def slope_of(
    case: Case, name: str, wrong: Callable[[np.ndarray], np.ndarray] = lambda g: g, *, spread: float | None = None
) -> TaylorSlope:
    """The slope at point 1 along a random direction, for `wrong` of the true gradient."""
    base = case.params[name] if name in case.params else case.inputs[name]
    gradient = wrong(np.array(network.gradients(case)[name][1]))
    direction = np.random.default_rng(3).standard_normal(gradient.shape)
    noise = bound(case, "float64").loss_spread if spread is None else np.full(case.n_points, spread)
    return taylor(sound_loss(case), name, base, gradient, direction, 1, noise)


@pytest.mark.parametrize("name", ["0.weight", "0.bias", "x"])
@pytest.mark.parametrize("text", NETS)
def test_a_right_gradient_has_slope_two(text: str, name: str) -> None:
    found = slope_of(case_of(text), name)
    assert found.slope == pytest.approx(2.0, abs=0.15)
    assert found.steps == tuple(STEPS.tolist())
    assert len(found.remainders) == len(STEPS)


@pytest.mark.parametrize("wrong", [lambda g: 1.5 * g, lambda g: -g, lambda g: 0.0 * g])
@pytest.mark.parametrize("text", NETS)
def test_a_wrong_gradient_has_slope_one(text: str, wrong: Callable[[np.ndarray], np.ndarray]) -> None:
    found = slope_of(case_of(text), "0.weight", wrong)
    assert found.slope == pytest.approx(1.0, abs=0.25)


def test_an_error_in_a_single_entry_is_enough() -> None:
    def wrong(gradient: np.ndarray) -> np.ndarray:
        gradient.flat[4] += 0.5
        return gradient

    assert slope_of(case_of(NETS[0]), "0.weight", wrong).slope == pytest.approx(1.0, abs=0.2)


def test_the_scale_of_the_loss_does_not_matter() -> None:
    text = "x[3] -> dense(3) -> tanh -> dense(2) -> sse(scale={})"
    right = [slope_of(case_of(text.format(s)), "0.weight").slope for s in ("1e-150", "1.0", "1e150")]
    assert right == [pytest.approx(right[1], abs=1e-6)] * 3


def test_noise_hides_the_slope() -> None:
    assert slope_of(case_of(NETS[0]), "0.weight", spread=1e3).slope is None


def test_a_function_without_curvature_has_no_remainder_and_no_slope() -> None:
    assert slope_of(case_of("x[3] -> dense(2) -> cotangent"), "x").slope is None


def test_steps_across_a_kink_are_left_out() -> None:
    """relu at -1/64: the four steps above 1/64 cross the kink, on the flat side the gradient 0 is exact."""
    case = case_of("x[1] -> relu -> sse", points=2)
    case = with_arrays(case, inputs={"x": np.array([[5.0], [-(2.0**-6)]])}, targets=np.array([[1.0], [1.0]]))
    across = taylor(sound_loss(case), "x", case.inputs["x"], np.zeros(1), np.ones(1), 1, np.zeros(2))
    assert sum(r > 0 for r in across.remainders) == 4
    assert across.slope is None


def test_a_loss_that_is_not_finite_is_left_out() -> None:
    case = case_of(NETS[0])
    sound = sound_loss(case)

    def overflowing(name: str, values: np.ndarray):  # type: ignore[no-untyped-def]
        found = sound(name, values)
        loss = np.array(found.loss)
        loss[1:4] = np.inf
        return type(found)(loss, found.signature)

    gradient = network.gradients(case)["x"][1]
    found = taylor(overflowing, "x", case.inputs["x"], gradient, np.ones(3), 1, np.zeros(3))
    assert found.slope == pytest.approx(2.0, abs=0.1)
    assert np.isinf(found.remainders[0])
