"""Differences answer within their own radius, or say that they do not answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.backprop import network
from crosscheck.checking import Witnesses, check, sound_loss
from crosscheck.differences import ridders
from crosscheck.differences.ridders import Ask, Evaluation, a_sample, differentiate, everything
from crosscheck.spec import Case
from crosscheck.spec.result import Rigour, Verdict
from crosscheck.subjects.builtin import Builtin
from crosscheck.tolerance.bounds import bound

Curve = Callable[[np.ndarray], np.ndarray]
UNIT = 2.0**-53


@dataclass(frozen=True)
class Answer:
    """What differences say of one function at many places."""

    value: np.ndarray
    radius: np.ndarray
    error: np.ndarray

    @property
    def answered(self) -> np.ndarray:
        return np.isfinite(self.radius)


def at(places: list[float] | np.ndarray) -> Case:
    """One place a point."""
    x = np.asarray(places, np.float64)
    return with_arrays(case_of("x[1] -> cotangent", points=len(x)), inputs={"x": x[:, np.newaxis]})


def function(f: Curve, kinks: tuple[float, ...] = ()) -> ridders.Function:
    def evaluate(_name: str, values: np.ndarray) -> Evaluation:
        z = values[..., 0]
        with np.errstate(all="ignore"):
            side = sum((3**i * (np.sign(z - k) + 1) for i, k in enumerate(kinks)), np.zeros_like(z))
            return Evaluation(f(z), side.astype(np.uint64))

    return evaluate


def answer(
    f: Curve,
    slope: Curve,
    places: list[float] | np.ndarray,
    *,
    kinks: tuple[float, ...] = (),
    noise: float | np.ndarray = 0.0,
) -> Answer:
    """σ of the loss is that of its last digit, and of `noise` more units."""
    case = at(places)
    x = case.inputs["x"][:, 0]
    spread = UNIT * (np.abs(f(x)) + noise) / np.sqrt(3)
    found = differentiate(case, function(f, kinks), spread, everything(case, ("x",)))
    assert found.radius is not None
    value, radius = found.gradients["x"][:, 0], found.radius["x"][:, 0]
    return Answer(value, radius, np.abs(value - slope(x)))


PLACES = np.concatenate([np.random.default_rng(1).uniform(-3, 3, 60) * scale for scale in (1.0, 1e-3, 1e-5)])
# fmt: off
CURVES: dict[str, tuple[Curve, Curve, float]] = {  # f, f' and the relative radius that half of the places reach
    "cubic":         (lambda x: x**3 - 2 * x,            lambda x: 3 * x * x - 2,             1e-12),
    "exponential":   (np.exp,                            np.exp,                              1e-11),
    "tanh":          (np.tanh,                           lambda x: 1 - np.tanh(x) ** 2,       1e-11),
    "long waves":    (lambda x: np.sin(100 * x),         lambda x: 100 * np.cos(100 * x),     1e-11),
    "waves":         (lambda x: np.sin(1e3 * x),         lambda x: 1e3 * np.cos(1e3 * x),     1e-9),
    "short waves":   (lambda x: np.sin(1e4 * x),         lambda x: 1e4 * np.cos(1e4 * x),     1e-9),
    "small waves":   (lambda x: x * x + 1e-3 * np.sin(1e3 * x), lambda x: 2 * x + np.cos(1e3 * x), 1e-9),
    "steep":         (lambda x: 1e9 * x + np.sin(x),     lambda x: 1e9 + np.cos(x),           1e-12),
    "a sharp bend":  (lambda x: np.tanh(1e4 * x),        lambda x: 1e4 * (1 - np.tanh(1e4 * x) ** 2), 1e-5),
    "a narrow bump": (lambda x: np.exp(-(1e3 * x) ** 2) + x,
                      lambda x: 1 - 2e6 * x * np.exp(-(1e3 * x) ** 2),                        1e-9),
}
# fmt: on


@pytest.mark.parametrize("name", CURVES)
def test_the_error_of_a_smooth_function_is_within_the_radius(name: str) -> None:
    f, slope, reached = CURVES[name]
    found = answer(f, slope, PLACES)
    assert found.answered.all()
    assert (found.error <= found.radius).all(), f"{(found.error / found.radius).max():.3g} radii off"
    assert np.median(found.radius / np.maximum(np.abs(slope(PLACES)), 1e-3)) < reached


@pytest.mark.parametrize("power", range(21))
def test_waves_whose_length_divides_the_steps_are_not_taken_for_a_constant(power: int) -> None:
    """sin(2π 2ᵏ x) is the same at both ends of every step of the first tables, from some k on."""
    omega = 2 * np.pi * 2.0**power
    x = PLACES[:60]
    found = answer(lambda v: np.sin(omega * v), lambda v: omega * np.cos(omega * v), x, noise=omega * np.abs(x))
    rounding = UNIT * omega**2 * np.abs(x)  # of ωx, in the derivative that it is held against
    assert (found.error <= found.radius + rounding).all()


@pytest.mark.parametrize("offset", [1.0, 1e2, 1e4, 1e6])
def test_a_bump_under_noise_is_not_overlooked(offset: float) -> None:
    """The first steps reach past the bump and agree on its far sides; the small ones, in the noise, do not."""
    x = np.concatenate([PLACES * scale for scale in (1.0, 1e-1)])
    for k in 10.0 ** np.arange(0, 3, 0.25):
        found = answer(
            lambda v: np.exp(-((k * v) ** 2)) + offset,  # noqa: B023
            lambda v: -2 * k * k * v * np.exp(-((k * v) ** 2)),  # noqa: B023
            x,
        )
        assert (found.error <= found.radius + UNIT * k).all(), f"k = {k:.3g}"


def test_a_wrong_derivative_is_outside_the_radius() -> None:
    found = answer(np.tanh, lambda x: 1.000001 - np.tanh(x) ** 2, PLACES)
    assert (found.error > found.radius).mean() > 0.9


@pytest.mark.parametrize("miss", [1e-3, 1e-6, 1e-9, 1e-12, 0.0])
def test_a_loss_near_its_minimum_is_not_thought_exact(miss: float) -> None:
    """(x - y)² where x is almost y: the losses at the ends of a stencil are far larger than σ says here, and
    where θ ± h are rounded their middle is not θ. Some x lie beside a power of two, where every step is.
    """
    x = np.concatenate([np.linspace(-1.0, 1.0, 61), [-1.0 + 1e-9, 1.0 - 1e-9, 0.5 - 1e-10, 2.0 - 3e-9]])
    target = x + miss
    found = answer(lambda v: (v - target) ** 2, lambda v: 2 * (v - target), x)
    assert found.answered.all()
    assert (found.error <= found.radius).all(), f"{(found.error / found.radius).max():.3g} radii off"


@pytest.mark.parametrize("text", ["x[1] -> sse", "x[3] -> dense(2) -> sse", "x[2] -> dense(2) -> tanh -> sse"])
def test_the_built_in_is_not_accused_near_a_perfect_fit(text: str) -> None:
    for seed in range(20):
        case = case_of(text, seed=seed, points=4)
        outputs = network.gradients(case).outputs
        assert outputs is not None
        noise = np.random.default_rng(seed).standard_normal(outputs.shape) * 10.0 ** -(3 + seed % 11)
        case = with_arrays(case, targets=outputs + noise)
        assert check(case, Builtin(), Witnesses(())).verdict in (Verdict.AGREES, Verdict.UNDECIDABLE)


@pytest.mark.parametrize("beside", [1.0, -1.0])
def test_beside_a_kink_the_answer_is_right_or_there_is_none(beside: float) -> None:
    """|x - δ| + x² at 0, for δ from half down to 2⁻⁶⁰."""
    answered = []
    for distance in 2.0 ** -np.arange(1, 60, 0.7):
        k = beside * float(distance)
        found = answer(lambda x: np.abs(x - k) + x * x, lambda x: np.sign(x - k) + 2 * x, [0.0], kinks=(k,))  # noqa: B023
        assert (found.error <= found.radius).all(), f"kink at {k}: {found}"
        answered.append(bool(found.answered[0]))
    # as far as the steps reach down, 2⁻¹⁸, there is an answer; beyond, there is none
    assert all(answered[:20])
    assert not any(answered[-20:])


@pytest.mark.parametrize("f", [np.abs, lambda x: np.maximum(x, 0.0), lambda x: np.abs(x) + np.sin(x)])
def test_at_an_exact_kink_there_is_no_answer(f: Curve) -> None:
    found = answer(f, np.zeros_like, [0.0], kinks=(0.0,))
    assert found.radius.tolist() == [np.inf]


def test_between_two_kinks_the_answer_is_the_slope_between_them() -> None:
    kinks = (-3e-3, 1e-3)
    found = answer(lambda x: np.clip(x, *kinks) * 5.0, lambda x: np.full_like(x, 5.0), [0.0], kinks=kinks)
    assert found.radius[0] < 1e-9
    assert found.error[0] <= found.radius[0]


def test_steps_that_leave_the_domain_are_left_out() -> None:
    found = answer(np.log, lambda x: 1 / x, [0.1, 1e-3, 1e-5])
    assert found.answered.all()
    assert (found.error <= found.radius).all()
    nowhere = answer(lambda x: np.where(x == 0.0, 1.0, np.nan), np.zeros_like, [0.0])
    assert not nowhere.answered.any()


def test_settling_refuses_what_smaller_steps_contradict() -> None:
    """A step 1e-10 wide looks flat from both sides to every step of the first tables."""

    def f(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.tanh(1e10 * x))

    case = at([0.0])
    ask = everything(case, ("x",))
    hasty, settled = (differentiate(case, function(f), np.zeros(1), ask, settle=s) for s in (False, True))
    assert hasty.radius is not None
    assert settled.radius is not None
    assert np.isinf(settled.radius["x"]).all()
    smooth = differentiate(at([0.3]), function(np.sin), np.full(1, UNIT), ask, settle=True)
    assert smooth.radius is not None
    assert smooth.radius["x"].item() < 1e-10


NET = "x[2,3]; u[2,2]; x -> dense(2) -> tanh -> add(u) -> softplus -> dense(2) -> sse"


def test_every_entry_of_a_network_has_its_own_answer() -> None:
    case = case_of(NET, points=3)
    names = (*case.params, *case.inputs)
    found = differentiate(case, sound_loss(case), bound(case, "float64").loss_spread, everything(case, names))
    truth, rounding = network.gradients(case), bound(case, "float64").gradients
    assert found.rigour is Rigour.ESTIMATED
    assert found.radius is not None
    assert set(found.gradients.by_param) == set(case.params)
    assert set(found.gradients.by_input) == {"x", "u"}
    np.testing.assert_allclose(found.gradients.loss, truth.loss, rtol=1e-14)
    for name, values in truth.tensors():
        allowed = found.radius[name] + rounding[name]
        assert found.gradients[name].shape == values.shape
        assert (np.abs(found.gradients[name] - values) <= allowed).all()
        assert np.median(found.radius[name] / np.abs(values)) < 1e-9


def test_what_was_not_asked_has_an_infinite_radius() -> None:
    case = case_of(NET, points=2)
    ask = Ask({"0.weight": np.array([1, 4]), "u": np.array([0])})
    found = differentiate(case, sound_loss(case), bound(case, "float64").loss_spread, ask)
    assert found.radius is not None
    assert set(found.radius.by_param) == {"0.weight"}
    for name, indices in ask.entries.items():
        finite = np.isfinite(found.radius[name].reshape(2, -1))
        assert [np.flatnonzero(row).tolist() for row in finite] == [indices.tolist()] * 2


def test_a_small_stack_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    case = case_of(NET, points=3)
    asked = (sound_loss(case), bound(case, "float64").loss_spread, everything(case, tuple(case.params)))
    whole = differentiate(case, *asked)
    monkeypatch.setattr(ridders, "STACK_LIMIT", 100)
    parts = differentiate(case, *asked)
    for name, values in whole.gradients.tensors():
        np.testing.assert_array_equal(values, parts.gradients[name])


def test_the_entries_asked_are_drawn_by_the_key_of_the_case() -> None:
    text = "x[2,5] -> dense(17) -> tanh -> dense(8) -> sse"
    one, again, other = case_of(text), case_of(text), case_of(text, seed=1)
    names = ("0.weight", "2.weight", "2.bias")
    drawn = [a_sample(case, names, 30).entries for case in (one, again, other)]
    for name in names:
        np.testing.assert_array_equal(drawn[0][name], drawn[1][name])
        assert len(set(drawn[0][name].tolist())) == len(drawn[0][name]) == min(10, one.params[name][0].size)
        assert drawn[0][name].max() < one.params[name][0].size
    assert drawn[0]["0.weight"].tolist() != drawn[2]["0.weight"].tolist()
    assert a_sample(one, names, 10_000).count == everything(one, names).count == 17 * 5 + 8 * 17 + 8
