"""Wrong entries of large gradients, found in few forward passes; and nothing accused where nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.backprop import network
from crosscheck.differences import losses
from crosscheck.differences.directions import Group, Prober, Span
from crosscheck.differences.group_testing import search
from crosscheck.differences.hunted import Hunted
from crosscheck.spec import Case
from crosscheck.tolerance.bounds import bound

SMALL = "x[2,40] -> dense(100) -> tanh -> dense(60) -> gelu -> dense(5) -> softmax_cross_entropy"
KINKED = "x[2,40] -> dense(100) -> relu -> dense(60) -> relu -> dense(5) -> sse"
MILLION = "x[2,784] -> dense(1024) -> {f} -> dense(192) -> {f} -> dense(10) -> sse"
WIDE = "x[2,1000] -> dense(1000) -> tanh -> sse"
Place = tuple[str, int]


class Scene:
    """A network with the weights of a usual initialisation, its gradient and bounds at one point."""

    def __init__(self, case: Case) -> None:
        self.case, self.bound, self.gradients = case, bound(case, "float64"), network.gradients(case)
        self.at = {k: a[0] for k, a in (*case.params.items(), *case.inputs.items())}
        self.held = {k: self.bound.gradients[k][0] + self.bound.held[k][0] for k in self.at}

    @classmethod
    def of(cls, text: str, *, scale: float = 1.0, seed: int = 0) -> Scene:
        case = case_of(text, points=1, seed=seed)
        params = {k: a * scale / np.sqrt(a.shape[-1]) for k, a in case.params.items()}
        return cls(with_arrays(case, params=params))

    def claimed(self) -> dict[str, np.ndarray]:
        return {k: np.array(self.gradients[k][0]) for k in self.at}

    def with_factor(self, places: Iterable[Place], factor: float) -> dict[str, np.ndarray]:
        claimed = self.claimed()
        for name, index in places:
            claimed[name].flat[index] *= factor
        return claimed

    def search(self, claimed: dict[str, np.ndarray], *, seed: int = 0, most: int = 100) -> Hunted:
        loss, spread = losses.sound(self.case), float(self.bound.loss_spread[0])
        return search(loss, self.at, claimed, spread, f"{seed:016x}", held=self.held, most_forwards=most)

    def draw(self, seed: int, count: int) -> list[Place]:
        """Entries drawn over all tensors, none of them nearly zero: a relative error there is none."""
        generator = np.random.default_rng(seed)
        names, sizes = list(self.at), np.array([a.size for a in self.at.values()])
        found: list[Place] = []
        while len(found) < count:
            name = names[generator.choice(len(names), p=sizes / sizes.sum())]
            g = self.gradients[name][0]
            place = (name, int(generator.integers(g.size)))
            if abs(g.flat[place[1]]) > 0.1 * np.sqrt(np.mean(g**2)) and place not in found:
                found.append(place)
        return found


@cache
def scene(text: str) -> Scene:
    return Scene.of(text)


def found(hunted: Hunted) -> list[Place]:
    return sorted((w.tensor, w.index) for w in hunted.wrong)


@pytest.mark.thorough
@pytest.mark.parametrize("text", [WIDE, MILLION.format(f="tanh"), MILLION.format(f="relu")])
def test_one_wrong_entry_of_a_million_is_named_in_a_hundred_forward_passes(text: str) -> None:
    """A relative error of 1e-3, at six places."""
    large = scene(text)
    assert sum(a.size for a in large.at.values()) > 1_000_000
    for seed in range(6):
        places = large.draw(seed, 1)
        hunted = large.search(large.with_factor(places, 1.001), seed=seed)
        assert found(hunted) == places
        assert hunted.forwards <= 100
        assert (hunted.untraced, hunted.spread, hunted.unasked) == ((), (), ())
        entry = hunted.wrong[0]
        true = large.gradients[entry.tensor][0].flat[entry.index]
        assert abs(entry.derivative - true) <= entry.budget
        assert abs(entry.claimed - true) > entry.budget


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [5007, 5010, 5022, 5024, 5027, 5031, 5037, 5038])
def test_a_step_that_is_too_long_takes_no_place_of_one_that_finds_the_entry(seed: int) -> None:
    """Small ones among a million, beside the noise of a loss of 2,000 terms: a table in vain was one too many here."""
    large = scene(WIDE)
    places = large.draw(seed, 1)
    hunted = large.search(large.with_factor(places, 1.001), seed=seed)
    assert found(hunted) == places
    assert hunted.forwards <= 100


@pytest.mark.parametrize("text", [SMALL, KINKED])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_several_wrong_entries_are_all_named(text: str, count: int) -> None:
    net = scene(text)
    for seed in range(8):
        places = net.draw(100 + seed, count)
        hunted = net.search(net.with_factor(places, 1.01), seed=seed, most=1500)
        assert found(hunted) == sorted(places)
        assert (hunted.untraced, hunted.spread, hunted.exhausted) == ((), (), False)


@pytest.mark.parametrize("text", [SMALL, KINKED])
def test_a_lost_sign_of_one_entry(text: str) -> None:
    net = scene(text)
    for seed in range(8):
        places = net.draw(seed, 1)
        assert found(net.search(net.with_factor(places, -1.0), seed=seed, most=150)) == places


@pytest.mark.parametrize("factor", [-1.0, 2.0, 0.0, 1.001])
@pytest.mark.parametrize("tensor", ["0.weight", "2.bias", "x"])
def test_a_tensor_that_is_wrong_by_a_factor_is_told_whole(tensor: str, factor: float) -> None:
    net = scene(SMALL)
    claimed = net.claimed()
    claimed[tensor] *= factor
    hunted = net.search(claimed, most=300)
    assert hunted.wrong == ()
    assert [(s.group.tensors, s.group.size) for s in hunted.spread] == [((tensor,), net.at[tensor].size)]
    assert hunted.spread[0].factor == pytest.approx(factor, abs=1e-4)


def test_a_tensor_that_is_wrong_throughout_is_told_whole_and_not_by_a_thousand_indices() -> None:
    net = scene(SMALL)
    claimed = net.claimed()
    claimed["2.weight"] *= np.random.default_rng(0).uniform(0.5, 1.5, claimed["2.weight"].shape)
    hunted = net.search(claimed, most=300)
    assert [(s.group, s.factor) for s in hunted.spread] == [(Group((Span("2.weight", 0, 6000),)), None)]
    assert all(w.tensor == "2.weight" for w in hunted.wrong)
    assert 1 <= len(hunted.wrong) <= 3


@pytest.mark.parametrize(
    "net",
    [
        lambda seed: Scene.of(SMALL, seed=seed),
        lambda seed: Scene.of(KINKED, seed=seed),
        lambda seed: Scene.of(SMALL, seed=seed, scale=30.0),
        lambda seed: Scene.of(SMALL, seed=seed, scale=1e-3),
        lambda seed: Scene.of("x[3,20]" + " -> dense(20) -> tanh" * 12 + " -> dense(3) -> sse", seed=seed, scale=3.0),
        lambda seed: Scene.of("x[3,20] -> layer_norm -> dense(40) -> gelu -> dense(3) -> sse", seed=seed, scale=100.0),
    ],
    ids=["usual", "kinked", "saturated", "tiny", "deep", "normed, steep"],
)
def test_where_nothing_is_wrong_nobody_is_accused(net: Callable[[int], Scene]) -> None:
    answered = 0
    for seed in range(10):
        drawn = net(seed)
        hunted = drawn.search(drawn.claimed(), seed=seed)
        assert not hunted.accuses
        answered += sum(d.slope.answered for d in hunted.directions)
    assert answered > 10


def test_errors_that_cancel_in_a_sum_are_seen() -> None:
    """What directions of positive entries alone are blind to: the same error added here and taken away there."""
    net = scene(SMALL)
    claimed = net.claimed()
    claimed["0.weight"].flat[[17, 2900]] += (1e-3, -1e-3)
    assert np.sum(claimed["0.weight"]) == pytest.approx(np.sum(net.gradients["0.weight"]), rel=1e-12)
    assert found(net.search(claimed, most=300)) == [("0.weight", 17), ("0.weight", 2900)]


def test_where_forward_passes_run_out_what_is_left_is_told() -> None:
    net = scene(SMALL)
    places = net.draw(3, 5)
    hunted = net.search(net.with_factor(places, 1.5), most=80)
    assert hunted.exhausted
    assert hunted.forwards <= 80
    assert hunted.untraced
    for place in set(places) - set(found(hunted)):
        assert any(group.holds(*place) for group in hunted.untraced)
    assert set(found(hunted)) <= set(places)


def test_too_few_to_ask_anything_is_no_pass() -> None:
    net = scene(SMALL)
    hunted = net.search(net.claimed(), most=5)
    assert not hunted.accuses
    assert not hunted.clean
    assert sum(group.size for group in hunted.unasked) == sum(a.size for a in net.at.values())


@pytest.mark.parametrize("strange", [np.nan, np.inf, -1e308])
def test_what_is_no_number_is_named_beside_what_is_merely_wrong(strange: float) -> None:
    net = scene(SMALL)
    claimed = net.with_factor([("2.weight", 4000)], 1.1)
    claimed["0.weight"].flat[5] = strange
    assert found(net.search(claimed, most=200)) == [("0.weight", 5), ("2.weight", 4000)]


def test_a_point_exactly_on_a_kink_is_not_answered() -> None:
    case = case_of("x[2,4] -> dense(3) -> relu -> sse", points=1)
    bias = np.zeros_like(case.params["0.bias"])
    flat = Scene(with_arrays(case, params={"0.bias": bias}, inputs={"x": np.zeros_like(case.inputs["x"])}))
    hunted = flat.search({k: g + 1.0 for k, g in flat.claimed().items()})
    assert not hunted.wrong
    assert not hunted.clean
    assert hunted.unasked


def test_every_forward_pass_is_counted() -> None:
    net = scene(SMALL)
    rows = 0
    sound = losses.sound(net.case)

    def counted(moved: dict[str, np.ndarray]) -> object:
        nonlocal rows
        rows += max(len(v) for v in moved.values())
        return sound(moved)

    hunted = search(counted, net.at, net.with_factor(net.draw(0, 1), 1.01), 1e-15, "0" * 16, held=net.held)  # type: ignore[arg-type]
    assert hunted.forwards == rows > 0


def test_what_would_have_been_seen_is_seen() -> None:
    """An error of the size that a direction claims to see, in a typical entry of each tensor."""
    net = scene(SMALL)
    for direction in net.search(net.claimed()).directions:
        for name, relative in direction.seen.items():
            claimed = net.claimed()
            typical = np.sqrt(np.mean(claimed[name] ** 2))
            claimed[name].flat[claimed[name].size // 2] += 1.001 * relative * typical
            assert any(d.slope.wrong for d in net.search(claimed).directions if name in d.tensors)


def test_the_slope_of_a_direction_is_within_its_budget_of_the_true_one() -> None:
    for seed in range(20):
        net = Scene.of(SMALL, seed=seed)
        probe = Prober(losses.sound(net.case), net.at, net.claimed(), 1e-15, f"{seed:016x}", 1000, net.held)
        for name, array in net.at.items():
            slope = probe.along(Group((Span(name, 0, array.size),)), 0.0)
            assert abs(slope.error) <= slope.budget < 1e-3 * abs(slope.claimed)
