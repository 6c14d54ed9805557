"""The walk over the graph: forks, shared parameters, dead branches, merges, ranks, dtypes."""

from __future__ import annotations

import numpy as np
import pytest
from builders import case_of, every_variant, with_arrays

from crosscheck.backprop import merge, network
from crosscheck.backprop.rows import Layer, Rows
from crosscheck.spec import Case
from crosscheck.spec.ops import OPS

# Smooth everywhere, so that differences may be taken at any number.
# fmt: off
GRAPHS = {
    "rank 1":             "x[4] -> dense(3) -> tanh -> dense(2) -> sse",
    "rank 2":             "x[3,4] -> dense(3) -> tanh -> dense(2) -> sse(reduction=batch_mean)",
    "rank 3":             "x[2,3,4] -> dense(3) -> tanh -> dense(2) -> sse(reduction=mean)",
    "one number":         "x[1] -> dense(1) -> tanh -> sse",
    "no rows":            "x[5] -> softmax -> sse",
    "fork":               "x[2,3] -> dense(3) -> h: tanh -> dense(3) -> add(h) -> sse",
    "fork of an input":   "x[2,3] -> dense(3) -> multiply(x) -> sse",
    "three uses":         "x[2,3] -> h: tanh; h -> a: dense(2); h -> b: dense(2); h -> dense(2) -> add(a, b) -> sse",
    "itself":             "x[2,3] -> h: dense(2) -> multiply(h) -> cotangent",
    "cubed":              "x[2,3] -> h: dense(2) -> multiply(h, h) -> cotangent",
    "matrices":           "x[2,3] -> h: dense(2) -> matmul(h) -> cotangent",
    "two inputs":         "x[2,3]; u[2,2]; x -> dense(2) -> multiply(u) -> sse",
    "three factors":      "x[2,2]; u[2,2]; v[2,2]; x -> multiply(u, v) -> sse",
    "four terms":         "x[2,2]; u[2,2]; v[2,2]; x -> add(u, v, x) -> sse",
    "concat":             "x[2,3]; u[2,1]; x -> h: tanh -> concat(u, x) -> dense(2) -> sse",
    "concat rank 1":      "x[3]; u[2]; x -> sin -> concat(u, u) -> dense(2) -> sse",
    "concat rank 3":      "x[2,2,3]; u[2,2,1]; u -> concat(x) -> softmax -> cotangent",
    "dead branch":        "x[2,3] -> dense(3) -> h: tanh -> dense(2) -> sin; h -> dense(2) -> sse",
    "dead input":         "x[2,3]; u[2,2]; u -> dense(2) -> sse",
    "loss on an input":   "x[2,3] -> sse",
    "shared weight":      "x[2,3] -> dense(3) -> tanh -> dense(3, weight=@0.weight) -> sse",
    "shared twice":       "x[2,3] -> dense(3) -> dense(3, weight=@0.weight, bias=@0.bias) "
                          "-> dense(3, weight=@0.weight, bias=@0.bias) -> sse",
    "shared, one dead":   "x[2,3] -> dense(2, weight=@w) -> sin; x -> dense(2, weight=@w) -> sse",
    "cross entropy":      "x[2,3] -> dense(3) -> softmax_cross_entropy(reduction=mean)",
    "probabilities":      "x[2,3] -> dense(3) -> softmax_cross_entropy(targets=probabilities, reduction=batch_mean)",
    "logits":             "x[2,3] -> dense(2) -> bce_with_logits(scale=-0.5)",
    "log softmax":        "x[2,3] -> dense(3) -> log_softmax -> cotangent",
}
# fmt: on
# Truncation h²/6 · f''' and rounding u·f/h, both near 1e-9 for losses near 10; a wrong formula is far off.
H, CRUDE = 2.0**-16, 1e-6


def loss(case: Case, rows: Rows = network.ROWS) -> np.ndarray:
    return np.asarray(network.forward(case.architecture, case.params, case.inputs, case.targets, rows).loss)


def differences(case: Case, name: str) -> np.ndarray:
    """Central differences of every entry of a tensor, at every point: its shape is (P, *shape)."""
    kind = "params" if name in case.params else "inputs"
    base = getattr(case, kind)[name]
    found = np.zeros(base.shape)
    for index in np.ndindex(base.shape[1:]):
        step = np.zeros(base.shape)
        step[(slice(None), *index)] = H
        up, down = (with_arrays(case, **{kind: {name: base + s}}) for s in (step, -step))
        found[(slice(None), *index)] = (loss(up) - loss(down)) / (2 * H)
    return found


def assert_gradients_are_those_of_differences(text: str, rows: Rows = network.ROWS) -> None:
    case = case_of(text, seed=5, points=2)
    for name, values in network.gradients(case, rows).tensors():
        np.testing.assert_allclose(values, differences(case, name), rtol=CRUDE, atol=CRUDE, err_msg=name)


@pytest.mark.parametrize("graph", GRAPHS)
def test_gradients_are_those_of_differences(graph: str) -> None:
    assert_gradients_are_those_of_differences(GRAPHS[graph])


def test_every_merge_is_among_the_graphs() -> None:
    assert all(any(f"{op.name}(" in text for text in GRAPHS.values()) for op in OPS.values() if op.kind == "merge")


def overwriting(row: Layer) -> Layer:
    """A merge whose gradient reaches its first input only."""
    return Layer(row.forward, lambda *a: ((row.backward(*a)[0][0], *(0 * d for d in row.backward(*a)[0][1:])), {}))


@pytest.mark.parametrize("graph", ["fork", "itself", "concat"])
def test_the_check_by_differences_fails_for_a_wrong_merge(graph: str) -> None:
    wrong = network.ROWS | {name: overwriting(row) for name, row in merge.ROWS.items()}
    with pytest.raises(AssertionError):
        assert_gradients_are_those_of_differences(GRAPHS[graph], wrong)


def test_a_shared_weight_gets_the_sum_of_what_each_use_alone_would_get() -> None:
    text = "x[2,3] -> dense(3) -> tanh -> dense(3{}) -> tanh -> dense(3{}) -> sse"
    shared = case_of(text.format(", weight=@0.weight", ", weight=@0.weight"))
    w = shared.params["0.weight"]
    apart = case_of(text.format("", ""))
    apart = with_arrays(apart, params={**shared.params, "2.weight": w, "4.weight": w}, targets=shared.targets)
    apart = with_arrays(apart, inputs=dict(shared.inputs))
    one, each = network.gradients(shared), network.gradients(apart)
    total = each["4.weight"] + each["2.weight"] + each["0.weight"]
    np.testing.assert_array_equal(one["0.weight"], total)
    np.testing.assert_array_equal(one["2.bias"], each["2.bias"])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_the_loss_does_not_reach_has_a_gradient_of_zeros(dtype: str) -> None:
    text = "x[2,3]; u[2,2]; v[2,4]; x -> dense(2) -> tanh; u -> add(u) -> dense(3) -> sse"
    found = network.gradients(case_of(text, points=4, dtype=dtype), by_node=True)
    dead = (found["0.weight"], found["0.bias"], found["x"], found["v"], found.by_node[0], found.by_node[1])
    assert [a.shape for a in dead] == [(4, 2, 3), (4, 2), (4, 2, 3), (4, 2, 4), (4, 2, 2), (4, 2, 2)]
    assert all(a.dtype == dtype and not a.any() for a in dead)
    assert found["u"].any()
    assert found["3.weight"].any()


def test_a_product_with_zeros_keeps_the_gradient_of_the_zero() -> None:
    case = case_of("x[3]; u[3]; v[3]; x -> multiply(u, v) -> cotangent", points=1)
    x, u, v = (np.array([r]) for r in ([0.0, 0.0, 2.0], [3.0, 0.0, 5.0], [7.0, 1.0, 11.0]))
    case = with_arrays(case, inputs={"x": x, "u": u, "v": v}, targets=np.ones((1, 3)))
    found = network.gradients(case)
    assert found["x"].tolist() == [[21.0, 0.0, 55.0]]
    assert found["u"].tolist() == [[0.0, 0.0, 22.0]]
    assert found["v"].tolist() == [[0.0, 0.0, 10.0]]


def test_the_gradient_by_node_is_the_gradient_of_an_input_put_in_its_place() -> None:
    whole = case_of("x[2,3] -> dense(3) -> h: tanh -> dense(3) -> add(h) -> sse")
    tape = network.forward(whole.architecture, whole.params, whole.inputs, whole.targets)
    tail = case_of("x[2,3] -> dense(3) -> add(x) -> sse")
    params = {"0.weight": whole.params["2.weight"], "0.bias": whole.params["2.bias"]}
    tail = with_arrays(tail, params=params, inputs={"x": np.asarray(tape.value(1))}, targets=whole.targets)
    np.testing.assert_array_equal(network.gradients(whole, by_node=True).by_node[1], network.gradients(tail)["x"])


@pytest.mark.parametrize("text", [v for op in OPS for v in every_variant(op)])
def test_every_op_keeps_the_dtype_and_the_shapes(text: str) -> None:
    for dtype in ("float64", "float32"):
        case = case_of(text, points=4, dtype=dtype)
        found = network.gradients(case, by_node=True)
        arrays = [found.loss, found.outputs, *dict(found.tensors()).values(), *found.by_node.values()]
        assert {a.dtype.name for a in arrays if a is not None} == {dtype}
        assert found.loss.shape == (4,)
        assert {k: a.shape for k, a in found.by_param.items()} == {k: a.shape for k, a in case.params.items()}
        floating = case.architecture.float_inputs
        assert {k: a.shape for k, a in found.by_input.items()} == {k: case.inputs[k].shape for k in floating}
        assert {i: a.shape[1:] for i, a in found.by_node.items()} == dict(enumerate(case.architecture.node_shapes))
