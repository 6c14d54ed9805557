"""Either side of a kink: which points it is said of, and that the gradients in between are those of every choice."""

from __future__ import annotations

import numpy as np
import pytest
from builders import with_arrays

from crosscheck.oracles.ball import Ball
from crosscheck.spec import Case, Gradients, parse
from crosscheck.spec.result import Floats, OneSided

RELU = "x[2,2] -> dense(2) -> relu -> cotangent"


def relu_case(x: list[list[float]], bias: list[float] | None = None, text: str = RELU) -> Case:
    """z = x + bias in front of the relu."""
    params = {"0.weight": np.eye(2)[np.newaxis], "0.bias": np.array([bias or [0.0, 0.0]])}
    return Case(parse(text), params, {"x": np.array([x])}, np.array([[[1.0, 2.0], [3.0, 4.0]]]))


def sides(case: Case, widths: dict[int, Floats] | None = None) -> OneSided | None:
    return Ball().one_sided(case, widths or {}, 0, 128)


def said(case: Case) -> OneSided:
    found = sides(case)
    assert found is not None
    return found


def test_both_sides_of_a_relu() -> None:
    found = said(relu_case([[0.0, 1.0], [2.0, -1.0]]))
    assert (found.op, found.node, found.elements, found.at, found.slopes) == (
        "relu",
        1,
        ((0, 0),),
        (0.0,),
        ((0.0, 1.0),),
    )
    np.testing.assert_array_equal(found.left.gradients["0.bias"], [[3.0, 2.0]])
    (right,) = found.right
    np.testing.assert_array_equal(right.gradients["0.bias"], [[4.0, 2.0]])
    np.testing.assert_array_equal(right.gradients["x"], [[[1.0, 2.0], [3.0, 0.0]]])
    assert right.radius is not None
    assert not right.radius["x"].any()


def test_each_element_on_a_kink_has_a_right_side_of_its_own() -> None:
    found = said(relu_case([[0.0, 1.0], [0.0, 0.0]]))
    assert found.elements == ((0, 0), (1, 0), (1, 1))
    biases = [side.gradients["0.bias"][0].tolist() for side in (found.left, *found.right)]
    assert biases == [[0.0, 2.0], [1.0, 2.0], [3.0, 2.0], [0.0, 6.0]]


@pytest.mark.parametrize(
    ("text", "x", "slopes"),
    [
        ("x[1] -> leaky_relu(negative_slope=-0.5) -> cotangent", 0.0, (-0.5, 1.0)),
        ("x[1] -> hardtanh -> cotangent", -1.0, (0.0, 1.0)),
        ("x[1] -> hardsigmoid -> cotangent", 3.0, (1 / 6, 0.0)),
        ("x[1] -> mae", 2.0, (-1.0, 1.0)),
    ],
)
def test_the_slopes_are_those_on_the_left_and_on_the_right(text: str, x: float, slopes: tuple[float, float]) -> None:
    case = Case(parse(text), {}, {"x": np.array([[x]])}, np.array([[2.0]]))
    found = said(case)
    assert found.slopes == (pytest.approx(slopes),)
    assert found.node == (-1 if "mae" in text else 0)
    assert found.elements == ((0,),)


def test_of_numbers_that_tie_each_may_have_all_of_the_slope() -> None:
    text = "x[1,1,4] -> max_pool1d(kernel=3, stride=1) -> cotangent"
    case = Case(parse(text), {}, {"x": np.array([[[[2.0, 1.0, 2.0, 2.0]]]])}, np.array([[[[5.0, 7.0]]]]))
    found = said(case)
    assert (found.op, found.node, found.at, found.slopes) == ("max_pool1d", 0, (2.0, 2.0), ((0.0, 1.0),) * 2)
    assert found.elements == ((0, 0, 2), (0, 0, 3))
    given = [side.gradients["x"][0, 0, 0].tolist() for side in (found.left, *found.right)]
    assert given == [[5.0, 0.0, 7.0, 0.0], [0.0, 0.0, 12.0, 0.0], [5.0, 0.0, 0.0, 7.0]]


def test_of_numbers_that_may_tie_nothing_is_said() -> None:
    case = Case(
        parse("x[1,1,2] -> max_pool1d -> cotangent"), {}, {"x": np.array([[[[2.0, 2.0]]]])}, np.ones((1, 1, 1, 1))
    )
    assert sides(case) is not None
    near = with_arrays(case, inputs={"x": np.array([[[[2.0, 2.0 + 2**-40]]]])})
    assert sides(near, {0: np.full((1, 1, 1, 2), 2.0**-30)}) is None


def nothing_said() -> dict[str, Case]:
    two_layers = "x[2,2] -> dense(2) -> relu -> relu -> cotangent"
    penalised = "x[2,2] -> dense(2) -> mae(l1=0.5)"
    with_loss = "x[2,2] -> dense(2) -> relu -> mae"
    tied = "x[1,1,4] -> relu -> max_pool1d -> cotangent"
    x = np.array([[[[0.0, 1.0, 2.0, 2.0]]]])
    return {
        "no kink is met": relu_case([[1.0, 1.0], [2.0, -1.0]]),
        "kinks of two nodes": relu_case([[0.0, 1.0], [2.0, -1.0]], text=two_layers),
        "kinks of a node and the loss": with_arrays(
            relu_case([[0.0, 1.0], [2.0, -1.0]], text=with_loss), targets=np.zeros((1, 2, 2))
        ),
        "a penalty's kink": with_arrays(
            relu_case([[0.0, 1.0], [2.0, -1.0]], text=penalised), targets=np.zeros((1, 2, 2))
        ),
        "a kink and a tie": Case(parse(tied), {}, {"x": x}, np.ones((1, 1, 1, 2))),
    }


@pytest.mark.parametrize("name", nothing_said())
def test_where_choices_mix_nothing_is_said(name: str) -> None:
    assert sides(nothing_said()[name]) is None


def test_where_another_element_is_too_near_to_tell_nothing_is_said() -> None:
    case = relu_case([[0.0, 1e-17], [2.0, -1.0]])
    assert sides(case) is not None
    assert sides(case, {1: np.full((1, 2, 2), 1e-15)}) is None


def test_of_more_kinks_than_are_worth_trying_nothing_is_said() -> None:
    case = Case(parse("x[9] -> relu -> cotangent"), {}, {"x": np.zeros((1, 9))}, np.ones((1, 9)))
    assert sides(case) is None
    few = Case(parse("x[8] -> relu -> cotangent"), {}, {"x": np.zeros((1, 8))}, np.ones((1, 8)))
    assert len(said(few).right) == 8


def test_the_hull_of_all_choices_is_the_hull_that_is_certified() -> None:
    """left + Σ s (right - left) over all corners of s spans what certify proves, entry by entry."""
    case = relu_case([[0.0, 1.0], [0.0, 0.0]])
    found, proof = said(case), Ball().certify(case).reference
    assert proof.radius is not None
    for name in ("0.weight", "0.bias", "x"):
        left = found.left.gradients[name]
        moves = [right.gradients[name] - left for right in found.right]
        low = left + sum(np.minimum(move, 0) for move in moves)
        high = left + sum(np.maximum(move, 0) for move in moves)
        np.testing.assert_allclose(proof.gradients[name], (low + high) / 2, atol=1e-8)
        np.testing.assert_allclose(proof.radius[name], (high - low) / 2, atol=1e-8)


def test_what_the_loss_does_not_depend_on_is_left_alone() -> None:
    found = said(relu_case([[0.0, 1.0], [2.0, -1.0]]))
    assert isinstance(found.left.gradients, Gradients)
    assert set(found.left.gradients.by_param) == {"0.weight", "0.bias"}
