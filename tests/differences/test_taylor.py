"""The Taylor slope: 2 for a right gradient, 1 for a wrong one, and none where noise hides it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.backprop import network
from crosscheck.differences import losses
from crosscheck.differences.taylor import STEPS, TaylorSlope, along, from_remainders, taylor
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
    noise = float(bound(case, "float64").loss_spread[1]) if spread is None else spread
    return taylor(losses.sound(case), {name: base}, {name: gradient}, {name: direction}, 1, noise)


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


@pytest.mark.parametrize("size", [1e-2, 1e-4, 1e-6])
def test_a_small_error_shows_at_small_steps(size: float) -> None:
    found = slope_of(case_of(NETS[0]), "0.weight", lambda g: (1.0 + size) * g)
    assert found.slope == pytest.approx(1.0, abs=0.25)


def test_an_error_in_a_single_entry_is_enough() -> None:
    def wrong(gradient: np.ndarray) -> np.ndarray:
        gradient.flat[4] += 0.5
        return gradient

    assert slope_of(case_of(NETS[0]), "0.weight", wrong).slope == pytest.approx(1.0, abs=0.2)


def test_the_scale_of_the_loss_does_not_matter() -> None:
    """A power of two scales every rounding with it; the σ of its noise comes from other samples, of another case."""
    text = "x[3] -> dense(3) -> tanh -> dense(2) -> sse(scale={!r})"
    right = [slope_of(case_of(text.format(s)), "0.weight", spread=1e-15 * s).slope for s in (2.0**-500, 1.0, 2.0**500)]
    assert right == [pytest.approx(right[1], abs=1e-9)] * 3
    assert right[1] == pytest.approx(2.0, abs=0.05)


def test_noise_hides_the_slope() -> None:
    hidden = slope_of(case_of(NETS[0]), "0.weight", spread=1e3)
    assert (hidden.slope, hidden.vanishes) == (None, True)


def test_a_function_without_curvature_has_no_remainder_and_no_slope() -> None:
    assert slope_of(case_of("x[3] -> dense(2) -> cotangent"), "x").slope is None


def test_steps_across_a_kink_are_left_out() -> None:
    """relu at -1/64: the two steps above 1/64 cross the kink, on the flat side the gradient 0 is exact."""
    case = case_of("x[1] -> relu -> sse", points=2)
    case = with_arrays(case, inputs={"x": np.array([[5.0], [-(2.0**-6)]])}, targets=np.array([[1.0], [1.0]]))
    across = taylor(losses.sound(case), case.inputs, {"x": np.zeros(1)}, {"x": np.ones(1)}, 1, 0.0)
    assert sum(r > 0 for r in across.remainders) == 2
    assert across.slope is None
    assert across.vanishes


def test_a_loss_that_is_not_finite_is_left_out() -> None:
    case = case_of(NETS[0])
    sound = losses.sound(case)

    def overflowing(moved):  # type: ignore[no-untyped-def]
        found = sound(moved)
        loss = np.array(found.loss)
        loss[1:4] = np.inf
        return type(found)(loss, found.signature)

    gradient = {"x": network.gradients(case)["x"][1]}
    spread = float(bound(case, "float64").loss_spread[1])
    found = taylor(overflowing, case.inputs, gradient, {"x": np.ones(3)}, 1, spread)
    assert found.slope == pytest.approx(2.0, abs=0.1)
    assert np.isinf(found.remainders[0])


# Several tensors at once.


def all_at_once(
    case: Case, wrong: Callable[[np.ndarray], np.ndarray] = lambda g: g, loss: losses.Joint | None = None
) -> TaylorSlope:
    """Along a random direction of every tensor, where `wrong` spoils the gradient of the last parameter alone."""
    base = {**case.params, **case.inputs}
    gradient = {name: g[1] for name, g in network.gradients(case).tensors()}
    spoilt = list(case.params)[-1]
    gradient[spoilt] = wrong(np.array(gradient[spoilt]))
    rng = np.random.default_rng(4)
    direction = {name: rng.standard_normal(array.shape[1:]) for name, array in base.items()}
    spread = float(bound(case, "float64").loss_spread[1])
    return taylor(loss or losses.sound(case), base, gradient, direction, 1, spread)


@pytest.mark.parametrize("text", NETS)
def test_tensors_that_move_together_have_slope_two_where_all_are_right(text: str) -> None:
    assert all_at_once(case_of(text)).slope == pytest.approx(2.0, abs=0.15)
    assert all_at_once(case_of(text), lambda g: -g).slope == pytest.approx(1.0, abs=0.25)


def test_another_loss_than_the_sound_one_is_asked_of_whoever_has_it() -> None:
    """C + 3 Σ w: its gradient is larger by 3 in one weight after another, which the asked loss's does not know."""
    case = case_of(NETS[0])
    seen: list[int] = []

    def loss(asked: Case) -> np.ndarray:
        seen.append(asked.n_points)
        return network.gradients(asked).loss + 3.0 * asked.params["2.bias"].sum(axis=-1)

    function = losses.own(case, loss)
    assert all_at_once(case, lambda g: g + 3.0, function).slope == pytest.approx(2.0, abs=0.15)
    assert all_at_once(case, lambda g: g, function).slope == pytest.approx(1.0, abs=0.25)
    assert seen == [(len(STEPS) + 1) * case.n_points] * 2


def test_the_steps_that_a_slope_was_taken_over_are_told_and_others_can_be_asked_of_it() -> None:
    steps = 4.0 ** -np.arange(1, 13)
    found = from_remainders(steps, np.where(steps > 1e-4, steps, steps**2 / steps[6]), np.full(12, 1e-8))
    low, high = found.fitted or (0.0, 0.0)
    assert (low, high) == (steps[9], steps[4])
    assert found.over(steps[11], steps[7]) == pytest.approx(2.0)
    assert found.over(steps[5], steps[0]) == pytest.approx(1.0)
    assert found.over(1e-30, 1e-20) is None


def test_what_does_not_move_is_not_read() -> None:
    direction = {"x": np.array([0.0, 2.0]), "w": np.array([3.0])}
    assert along({"x": np.array([np.nan, 1.0]), "w": np.array([-1.0])}, direction) == -1.0


def test_remainders_within_the_noise_vanish_and_have_no_slope() -> None:
    steps = 4.0 ** -np.arange(1, 9)
    gone = from_remainders(steps, 1e-17 * steps, 2e-17 * steps)
    assert (gone.slope, gone.vanishes) == (None, True)
    unknown = from_remainders(steps, np.full(8, np.nan), 2e-17 * steps)
    assert (unknown.slope, unknown.vanishes) == (None, False)
    seen = from_remainders(steps, np.where(steps > 0.1, 1.0, 0.0), 2e-17 * steps)
    assert (seen.slope, seen.vanishes) == (None, False), "one remainder is beyond the noise, and no line"
