"""The first wrong factor of a subject that knows few operations, or one network alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders import case_of
from diagnosis.locating import PROOF, located, planted

from crosscheck import mutants
from crosscheck.backprop.network import of_one
from crosscheck.checking import check
from crosscheck.diagnosis.walked import LOSS
from crosscheck.mutants.changes import Backward, Call, layer
from crosscheck.spec import Architecture, Case, Gradients, Point, Verdict
from crosscheck.spec.fault import Factor, Fault
from crosscheck.subjects.planted import Mute
from crosscheck.subjects.python_callable import PythonCallable


def of_one_network(slope: bool, back: bool) -> PythonCallable:
    """x -> dense -> tanh -> dense -> sse by hand: the slope of tanh wrong, or the way back through the second layer."""

    def backprop(_architecture: Architecture, point: Point) -> object:
        x, y = point.inputs["x"], point.targets
        w1, b1, w2, b2 = (point.params[k] for k in ("0.weight", "0.bias", "2.weight", "2.bias"))
        h = np.tanh(x @ w1.T + b1)
        d = 2 * (h @ w2.T + b2 - y)
        dh = d @ (w2.T if back else w2)
        dz = dh * (1 - h if slope else 1 - h * h)
        loss = np.sum((d / 2) ** 2)
        return loss, {"2.weight": d.T @ h, "2.bias": d.sum(0), "0.weight": dz.T @ x, "0.bias": dz.sum(0)}

    return PythonCallable(backprop)


@pytest.mark.parametrize(
    ("slope", "back", "node", "fault"),
    [
        (True, False, 1, Fault("tanh", Factor.SLOPE)),
        (False, True, 2, Fault("dense", Factor.INPUT, "0")),
    ],
)
def test_a_subject_for_one_network_is_located_by_which_gradients_are_wrong(
    slope: bool, back: bool, node: int, fault: Fault
) -> None:
    """With other targets a wrong slope stays what it is; a wrong way back does not."""
    case = case_of("x[2,4] -> dense(3) -> tanh -> dense(3) -> sse", seed=5)
    found = located(case, of_one_network(slope, back), None)
    assert found is not None
    assert (found.node, found.fault) == (node, fault)
    cleared = {(step.node, step.fault.factor) for step in found.steps}
    assert (LOSS, Factor.LOSS) in cleared, "the gradients of the last layer are right, so the loss's derivative is"


def test_a_way_back_through_updated_weights_is_told_from_the_slope_with_classes_for_targets_too() -> None:
    def backprop(_architecture: Architecture, point: Point) -> object:
        x, y = point.inputs["x"], point.targets
        w1, b1, w2, b2 = (point.params[k] for k in ("0.weight", "0.bias", "2.weight", "2.bias"))
        h = np.tanh(x @ w1.T + b1)
        z = h @ w2.T + b2
        e = np.exp(z - z.max(axis=1, keepdims=True))
        rows, p = np.arange(len(x)), e / e.sum(axis=1, keepdims=True)
        d = p.copy()
        d[rows, y] -= 1
        g2 = d.T @ h
        dz = d @ (w2 - 0.5 * g2) * (1 - h * h)
        loss = -np.log(p[rows, y]).sum()
        return loss, {"2.weight": g2, "2.bias": d.sum(0), "0.weight": dz.T @ x, "0.bias": dz.sum(0)}

    case = case_of("x[2,4] -> dense(3) -> tanh -> dense(3) -> softmax_cross_entropy", seed=5)
    found = located(case, PythonCallable(backprop), None)
    assert found is not None
    assert (found.node, found.fault, found.others) == (2, Fault("dense", Factor.INPUT, "0"), ())


def with_intermediates(slope: bool) -> PythonCallable:
    """x -> dense -> tanh -> dense -> sse for one network alone, with ∂C/∂(every node's output) in its answer."""

    def backprop(_architecture: Architecture, point: Point) -> Gradients:
        x, y = point.inputs["x"], point.targets
        w1, b1, w2, b2 = (point.params[k] for k in ("0.weight", "0.bias", "2.weight", "2.bias"))
        h = np.tanh(x @ w1.T + b1)
        d = 2 * (h @ w2.T + b2 - y)
        dh = d @ w2
        dz = dh * (1 - h if slope else 1 - h * h)
        by_param = {"2.weight": d.T @ h, "2.bias": d.sum(0), "0.weight": dz.T @ x, "0.bias": dz.sum(0)}
        return Gradients(np.array(np.sum((d / 2) ** 2)), by_param, by_node={0: dz, 1: dh, 2: d})

    return PythonCallable(backprop)


def test_a_callable_may_give_its_intermediates_and_is_located_by_them() -> None:
    case = case_of("x[2,4] -> dense(3) -> tanh -> dense(3) -> sse", seed=5)
    found = located(case, with_intermediates(slope=True), None)
    assert found is not None
    assert (found.node, found.fault, found.how) == (1, Fault("tanh", Factor.SLOPE), "its own intermediates")
    right = check(case, with_intermediates(slope=False), PROOF)
    assert right.verdict is Verdict.AGREES


def clipped(architecture: Architecture, point: Point) -> object:
    """Dense layers and sigmoids that stay at that of -20 below it, of an input known as x and by no other name."""
    before, a = [], point.inputs["x"]
    for node in architecture.nodes:
        before.append(a)
        if node.op == "dense":
            a = a @ point.params[node.params["weight"]].T + point.params[node.params["bias"]]
        else:
            a = 1.0 / (1.0 + np.exp(-np.clip(a, -20.0, None)))
    y, gradients = point.targets, {}
    d = y if architecture.loss.op == "cotangent" else 2.0 * (a - y)
    loss = np.sum(y * a if architecture.loss.op == "cotangent" else (a - y) ** 2)
    for node, given in zip(reversed(architecture.nodes), reversed(before), strict=True):
        if node.op == "dense":
            gradients |= {node.params["weight"]: d.T @ given, node.params["bias"]: d.sum(0)}
            d = d @ point.params[node.params["weight"]]
        else:
            s = 1.0 / (1.0 + np.exp(-np.clip(given, -20.0, None)))
            d = d * s * (1.0 - s)
    return loss, gradients | {"x": d}


def a_saturated_unit_beside_another() -> Case:
    """z is -30 of one unit and 3.5 of the other, and the target of the first 0: all that comes of it is small."""
    case = case_of("x[1,2] -> dense(2) -> sigmoid -> sse", points=1)
    params = {"0.weight": np.array([[[-7.0, 2.0], [1.0, 1.0]]]), "0.bias": np.array([[0.0, 0.5]])}
    return replace(case, params=params, inputs={"x": np.array([[[4.0, -1.0]]])}, targets=np.array([[[0.0, 1.0]]]))


def test_an_operation_is_asked_for_by_itself_of_a_subject_that_knows_its_input_as_x() -> None:
    found = located(a_saturated_unit_beside_another(), PythonCallable(clipped), {"dense", "sigmoid", "cotangent"})
    assert found is not None
    assert found.how == "each operation asked for by itself"
    assert (found.node, found.fault) == (1, Fault("sigmoid", Factor.SLOPE))


def test_no_slope_is_read_off_where_what_came_from_above_is_of_another_forward() -> None:
    """Behind sse the subject has 2(a - y) of its own a: divided by the true one it is the slope of nothing."""
    case = a_saturated_unit_beside_another()
    for ops, told in (({"dense", "sigmoid", "cotangent"}, True), ({"dense", "sigmoid", "sse"}, False)):
        found = located(case, PythonCallable(clipped), ops)
        assert found is not None
        wrong = next(step for step in found.steps if step.state == "wrong")
        assert wrong.node == 1
        assert (wrong.claimed is not None) is told
        assert (wrong.certified is not None) is told


def test_a_right_gradient_in_which_rounding_hides_the_error_clears_nothing() -> None:
    """The wrong slope of one unit reaches ∂C/∂x too, below the rounding of what the other unit contributes to it."""
    found = located(a_saturated_unit_beside_another(), PythonCallable(clipped), None)
    assert found is not None
    assert found.how == "which gradients are wrong"
    assert (found.node, found.fault) == (1, Fault("sigmoid", Factor.SLOPE))
    assert found.with_it == ()


def test_an_operation_that_is_wrong_wherever_it_stands_is_found_where_it_stands_nearest_the_loss() -> None:
    """Every ∂C/∂(input of a dense layer) is half as large again: ∂C/∂W of the first by 1.5, ∂C/∂x by 2.25."""

    def backprop(_architecture: Architecture, point: Point) -> object:
        x, y = point.inputs["x"], point.targets
        w1, b1, w2, b2 = (point.params[k] for k in ("0.weight", "0.bias", "2.weight", "2.bias"))
        h = np.tanh(x @ w1.T + b1)
        e = h @ w2.T + b2 - y
        d = 2.0 * e
        dz = 1.5 * (d @ w2) * (1.0 - h * h)
        gradients = {"2.weight": d.T @ h, "2.bias": d.sum(0), "0.weight": dz.T @ x, "0.bias": dz.sum(0)}
        return np.sum(e**2), gradients | {"x": 1.5 * (dz @ w1)}

    found = located(case_of("x[3,4] -> dense(3) -> tanh -> dense(2) -> sse", seed=5), PythonCallable(backprop), None)
    assert found is not None
    assert (found.node, found.fault) == (2, Fault("dense", Factor.INPUT, "0"))
    assert found.with_it == ()


def test_behind_a_norm_of_one_sample_the_slope_before_it_is_no_less_suspect_than_the_norms_bias() -> None:
    """Its other gradients are 0 there whatever comes from above, and say nothing of it."""
    missing = next(m for m in mutants.known(("relu",)) if m.name == "relu: derivative missing")
    case = case_of("x[1,3] -> dense(4) -> batch_norm -> relu -> dense(1) -> sse", seed=1, points=4)
    found = located(case, Mute(missing), None)
    assert found is not None
    assert (2, Fault("relu", Factor.SLOPE)) in [(found.node, found.fault), *found.others]


def test_a_slope_that_is_wrong_in_one_unit_may_be_a_column_of_the_next_weights_left_out() -> None:
    def last_left_out(call: Call) -> Backward:
        (da, *rest), params = call.answer
        da = da.copy()
        da[..., -1] = 0.0
        return (da, *rest), params

    bug = replace(planted("dense", Factor.INPUT, "0"), rows={of_one("dense", 2): layer("dense", last_left_out)})
    case = case_of("x[1,4] -> dense(8) -> tanh -> dense(3) -> softmax_cross_entropy", seed=2, points=2)
    found = located(case, Mute(bug), None)
    assert found is not None
    both = {(1, Fault("tanh", Factor.SLOPE)), (2, Fault("dense", Factor.INPUT, "0"))}
    assert both == {(found.node, found.fault), *found.others}
