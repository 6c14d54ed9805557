"""The bound of each entry: it covers what float32 really does, and is wide only where a branch is open."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.backprop import network
from crosscheck.spec import Case
from crosscheck.spec.ops import OPS
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import Space
from crosscheck.tolerance.bounds import SMALLEST, bound
from crosscheck.tolerance.rounding import FORMATS, MULTIPLE

TIGHT = {"float64": 1e-11, "float32": 1e-3}


def random_cases(count: int) -> Iterator[Case]:
    source = Source(cases(Space.of(list(OPS)), dtypes=("float32",), points=4), seed=2024)
    for index in range(count):
        case = source.case(index)
        assert case is not None
        yield case


@pytest.mark.thorough
def test_float32_stays_within_16_sigma_and_the_sigma_is_not_idle() -> None:
    """error/σ of the float32 built-in against float64; what rounding does not move, or has no bound, is left out."""
    floor = SMALLEST * FORMATS["float32"].smallest
    found = []
    for case in random_cases(300):
        bounds = bound(case, "float32")
        ours, true = network.gradients(case), network.gradients(case.astype("float64"))
        for name, values in ours.tensors():
            with np.errstate(divide="ignore", invalid="ignore"):  # what overflows in both has no bound
                error = np.abs(values.astype(np.float64) - true[name])
                sigma = (bounds.gradients[name] - floor) / MULTIPLE
                counted = np.isfinite(bounds.gradients[name]) & ~(error <= floor)
                found.append(error[counted] / sigma[counted])
    ratios = np.concatenate(found)
    assert len(ratios) > 10_000
    assert not np.isnan(ratios).any()
    assert ratios.max() <= MULTIPLE
    assert ratios.max() > 1.0, "a σ of a sixteenth would do as well"
    assert np.median(ratios) > 0.02


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_bounds_are_small_and_have_the_shapes_of_the_gradients(dtype: str) -> None:
    case = case_of("x[3,4] -> dense(5) -> tanh -> dense(2) -> sse", dtype=dtype)
    bounds, truth = bound(case, dtype), network.gradients(case.astype("float64"))
    for name, values in truth.tensors():
        assert bounds.gradients[name].shape == values.shape
        assert 0 < np.median(bounds.gradients[name] / np.abs(values)) < TIGHT[dtype]
    assert (bounds.loss_spread > 0).all()
    assert (bounds.gradients.loss < TIGHT[dtype] * truth.loss).all()
    assert not bounds.parted.any()


def test_float32_bounds_are_those_of_float64_times_the_ratio_of_the_units() -> None:
    case = case_of("x[3,4] -> dense(5) -> softsign -> dense(2) -> sse", dtype="float32")
    wide, narrow = bound(case, "float32", samples=256, key="k"), bound(case, "float64", samples=256, key="k")
    for name, values in wide.gradients.tensors():
        assert np.median(values / narrow.gradients[name]) == pytest.approx(2.0**29, rel=0.1)


NETS = [
    "x[3,4] -> dense(5) -> gelu -> dense(3) -> softmax_cross_entropy",
    "x[2,3] -> dense(3) -> h: relu -> dense(3) -> add(h) -> softmax -> mae",
]


@pytest.mark.parametrize("family", ["normal", "integers", "saturating"])
@pytest.mark.parametrize("text", NETS)
def test_a_point_alone_has_the_bound_that_it_has_in_a_stack(text: str, family: str) -> None:
    case = case_of(text, points=6, family=family)
    whole = bound(case, "float64")
    alone = bound(case.take([3]), "float64", key=case.key)
    np.testing.assert_array_equal(whole.gradients.loss[3], alone.gradients.loss[0])
    np.testing.assert_array_equal(whole.loss_spread[3], alone.loss_spread[0])
    for name, values in alone.gradients.tensors():
        np.testing.assert_array_equal(whole.gradients[name][3], values[0], err_msg=name)


def test_the_key_of_the_case_seeds_the_samples() -> None:
    case = case_of(NETS[0])
    one, same, other = bound(case, "float64"), bound(case, "float64", key=case.key), bound(case, "float64", key="other")
    np.testing.assert_array_equal(one.gradients["0.weight"], same.gradients["0.weight"])
    assert (one.gradients["0.weight"] != other.gradients["0.weight"]).any()


# Open branches. Each entry: the network, its arrays, and which entries of x's gradient may be wide.
def on(text: str, dtype: str = "float64", **arrays: list[float]) -> Case:
    case = case_of(text, points=1, dtype=dtype)
    given = {k: np.array([v], dtype) for k, v in arrays.items()}
    targets = given.pop("y", case.targets)
    return with_arrays(case, inputs={k: given[k] for k in case.inputs}, targets=targets)


SUM = "x[2]; u[2]; v[2]; x -> add(u, v) -> relu -> cotangent"
CLIP = "hardtanh(min_val=-1.0, max_val=1.0)"
# fmt: off
KINKS = {
    "relu":         (lambda: on("x[3] -> relu -> cotangent", x=[0.0, 1.0, -1.0]),                 [True, False, False]),
    "leaky relu":   (lambda: on("x[3] -> leaky_relu -> cotangent", x=[1.0, 0.0, -0.0]),           [False, True, True]),
    "elu":          (lambda: on("x[2] -> elu(alpha=0.5) -> cotangent", x=[0.0, 0.5]),             [True, False]),
    "selu":         (lambda: on("x[2] -> selu -> cotangent", x=[0.0, 0.5]),                       [True, False]),
    "hardtanh":     (lambda: on(f"x[3] -> {CLIP} -> cotangent", x=[1.0, -1.0, 0.5]),              [True, True, False]),
    "hardsigmoid":  (lambda: on("x[3] -> hardsigmoid -> cotangent", x=[3.0, 2.9, -3.0]),          [True, False, True]),
    "mae":          (lambda: on("x[3] -> mae", x=[1.0, 2.0, 3.0], y=[1.0, 2.5, 3.0]),             [True, False, True]),
    "rounding":     (lambda: on(SUM, x=[0.1, 0.1], u=[0.2, 0.2], v=[-0.3, 0.3]),                  [True, False]),
    "float32":      (lambda: on(SUM, "float32", x=[0.1, 0.1], u=[0.2, 0.2], v=[-0.3, 0.3]),       [True, False]),
}
# fmt: on


@pytest.mark.parametrize("name", KINKS)
def test_an_exact_kink_widens_the_entries_that_depend_on_it_and_no_other(name: str) -> None:
    made, expected = KINKS[name]
    case = made()
    found = bound(case, case.dtype)
    # Wide is a step of g' times the cotangent. The rest of a float64 point with an open branch is as coarse as
    # the simulation's 2⁻⁴⁰, because a step must not be scaled back.
    wide = found.gradients["x"][0] > 0.1
    assert wide.tolist() == expected
    assert (found.gradients["x"][0][~wide] < (1e-9 if case.dtype == "float64" else 1e-4)).all()
    assert found.parted.tolist() == [True]


@pytest.mark.parametrize("made", [lambda: on("x[2] -> relu -> cotangent", x=[1e-300, -1e-300]),
                                  lambda: on("x[2] -> elu -> cotangent", x=[0.1, -0.1]),
                                  lambda: on("x[2] -> softsign -> cotangent", x=[0.0, 0.0]),
                                  lambda: on("x[2] -> mae", x=[1.0, 2.0], y=[1.0 + 1e-15, 2.5])])  # fmt: skip
def test_beside_a_kink_nothing_is_open(made: Callable[[], Case]) -> None:
    found = bound(made(), "float64")
    assert not found.parted.any()
    assert (found.gradients["x"] < 1e-12).all()


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "selu"])
def test_all_zero_weights_open_what_passes_through_the_kink_and_nothing_else(activation: str) -> None:
    case = case_of(f"x[3,2] -> dense(2, bias=false) -> {activation} -> dense(2) -> sse", points=2)
    x = np.abs(case.inputs["x"])  # so that all of z changes sign with the weights
    case = with_arrays(case, params={"0.weight": np.zeros((2, 2, 2))}, inputs={"x": x})
    found, claimed = bound(case, "float64").gradients, network.gradients(case)
    steps = []
    for side in (1e-12, -1e-12):
        beside = network.gradients(with_arrays(case, params={"0.weight": np.full((2, 2, 2), side)}))
        steps.append(np.abs(claimed["0.weight"] - beside["0.weight"]))
        assert (steps[-1] <= found["0.weight"]).all(), "the derivative of one side is outside the bound"
    assert max(s.max() for s in steps) > 0.1
    for name in ("2.bias", "2.weight"):
        assert (found[name] < 1e-8).all()
    assert bound(case, "float64").parted.all()


def test_only_the_points_at_a_kink_are_marked() -> None:
    case = case_of("x[2] -> relu -> cotangent", points=3)
    found = bound(with_arrays(case, inputs={"x": np.array([[1.0, 2.0], [0.0, 2.0], [-1.0, 2.0]])}), "float64")
    assert found.parted.tolist() == [False, True, False]
    assert (found.gradients["x"][[0, 2]] < 1e-12).all()


def test_overflow_in_float32_has_an_infinite_bound_and_in_float64_none() -> None:
    case = case_of("x[2]; u[2]; x -> multiply(x, u) -> sse", points=2, dtype="float32")
    x = np.array([[1e15, 1.0], [1.0, 2.0]], np.float32)
    case = with_arrays(case, inputs={"x": x, "u": x})
    narrow, wide = bound(case, "float32"), bound(case, "float64")
    assert np.isinf(narrow.gradients["x"]).tolist() == [[True, False], [False, False]]
    assert np.isinf(narrow.gradients.loss).tolist() == [True, False]
    assert np.isfinite(wide.gradients["x"]).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_the_loss_does_not_reach_may_be_off_by_underflow_alone(dtype: str) -> None:
    case = case_of("x[2,3]; u[2,2]; x -> dense(2) -> tanh; u -> dense(2) -> sse", dtype=dtype)
    found = bound(case, dtype)
    for name in ("0.weight", "0.bias", "x"):
        assert (found.gradients[name] == SMALLEST * FORMATS[dtype].smallest).all()
    assert (found.gradients["2.weight"] > 1e-20).all()


def test_the_signal_is_the_largest_gradient_that_reaches_a_node() -> None:
    """Behind a dead relu every gradient is zero; what stops there is what it is small against."""
    case = case_of("x[2] -> relu -> dense(2) -> sse", points=2)
    case = with_arrays(case, inputs={"x": np.array([[-1.0, -2.0], [1.0, 2.0]])})
    found, truth = bound(case, "float64"), network.gradients(case, by_node=True)
    largest = np.maximum(np.abs(truth.by_node[0]), np.abs(truth.by_node[1])).max(axis=1)
    assert not truth["x"][0].any()
    np.testing.assert_allclose(found.signal, largest, rtol=1e-12)
