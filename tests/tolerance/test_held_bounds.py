"""At a parted point the bound has two parts: what the branch does, and what rounding does on one side of it."""

from __future__ import annotations

import numpy as np

from crosscheck.spec import Case, parse
from crosscheck.tolerance.bounds import bound, spread_in_pairs


def relu_case(x: float) -> Case:
    """x -> relu -> dense -> sse at two points: at the kink (or near it), and far from it."""
    network = parse("x[1] -> relu -> dense(1, bias=false) -> sse")
    return Case(
        network,
        {"1.weight": np.array([[[3.0]], [[3.0]]])},
        {"x": np.array([[x], [1.0]])},
        np.array([[1.0], [1.0]]),
    )


def test_at_a_kink_the_bound_spans_the_branches_and_the_held_bound_does_not() -> None:
    found = bound(relu_case(0.0), "float64")
    assert found.parted.tolist() == [True, False]
    # dC/dx is 0 on one side and 2(0 - 1)·3 = -6 on the other.
    assert found.gradients["x"][0, 0] > 6.0
    assert found.held["x"][0, 0] < 1e-12
    assert found.held["x"][0, 0] >= 6.0 * 2.0**-53


def test_the_held_bound_of_the_branch_that_the_plain_run_did_not_take_is_not_zero() -> None:
    """The plain run is on the side of slope 0, where nothing rounds: who takes the other side must not be accused."""
    case = relu_case(0.0)
    true_other_side = 2.0 * (0.0 - 1.0) * 3.0
    found = bound(case, "float32")
    rounded = np.float32(true_other_side) * (1.0 + 2.0**-24)
    assert abs(rounded - true_other_side) <= found.held["x"][0, 0]


def test_away_from_kinks_both_are_one() -> None:
    found = bound(relu_case(0.5), "float64")
    assert not found.parted.any()
    assert found.held["x"] is found.gradients["x"]
    assert found.near == {}


def test_near_says_how_far_a_kink_reaches_and_only_where_the_samples_parted() -> None:
    network = parse("x[1] -> dense(1) -> relu -> sse")
    case = Case(
        network,
        {"0.weight": np.array([[[0.1]], [[0.1]]]), "0.bias": np.array([[-0.3], [5.0]])},
        {"x": np.array([[3.0], [3.0]])},
        np.array([[1.0], [1.0]]),
    )
    found = bound(case, "float64")
    assert found.parted.tolist() == [True, False]
    assert set(found.near) == {1}
    # 0.1 · 3 - 0.3 is 0 on paper and 5.6e-17 in float64: within the rounding of its own product.
    assert 1e-16 < found.near[1][0, 0] < 1e-14
    assert found.near[1][1, 0] == 0.0


def test_the_kink_of_a_loss_is_near_the_target() -> None:
    case = Case(parse("x[2] -> mae"), {}, {"x": np.array([[1.0, 2.0]])}, np.array([[1.0, 0.0]]))
    found = bound(case, "float32")
    assert set(found.near) == {-1}
    assert found.near[-1].shape == (1, 2)


def test_the_centre_is_the_plain_run_of_the_textbook_rows() -> None:
    found = bound(relu_case(0.5), "float64")
    assert found.centre["x"].tolist() == [[3.0], [12.0]]


def test_pairs_show_rounding_alone_and_the_largest_of_them_counts() -> None:
    branches = np.repeat([0.0, 10.0, 0.0, 10.0], 2)
    noise = np.array([1.0, -1.0, 3.0, -3.0, 0.0, 0.0, 1.0, 1.0])
    samples = (branches + noise)[:, np.newaxis]
    assert spread_in_pairs(samples).item() == 6.0 / np.sqrt(2.0)


def test_a_pair_that_is_not_finite_leaves_no_bound() -> None:
    with np.errstate(invalid="ignore"):
        assert np.isinf(spread_in_pairs(np.array([[1.0], [np.inf], [1.0], [1.0]])).item())
        assert np.isinf(spread_in_pairs(np.array([[np.inf], [np.inf], [1.0], [1.0]])).item())
