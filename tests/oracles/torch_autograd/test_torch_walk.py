"""The walk: points, shared parameters, forks, dead branches, dtypes, and what it leaves untouched."""

from __future__ import annotations

import numpy as np
import pytest

from crosscheck.oracles.torch_autograd import gradients
from crosscheck.spec import Case, Gradients, parse

NET = "x[3,5] -> dense(5) -> tanh -> dense(3) -> gelu -> dense(2) -> softmax_cross_entropy"


def drawn(text: str, points: int = 3, dtype: str = "float64") -> Case:
    architecture = parse(text)
    rng = np.random.default_rng(1)
    params = {k: rng.normal(size=(points, *s)).astype(dtype) for k, s in architecture.param_shapes.items()}
    kinds = {"float": dtype, "int64": "int64", "bool": "bool"}
    inputs = {i.name: rng.normal(size=(points, *i.shape)).astype(kinds[i.dtype]) for i in architecture.inputs}
    shape = (points, *architecture.target_shape)
    targets = rng.integers(0, 2, shape) if architecture.target_dtype == "int64" else rng.random(shape).astype(dtype)
    return Case(architecture, params, inputs, targets, dtype)


def arrays(found: Gradients) -> dict[str, np.ndarray]:
    nodes = {f"node {i}": a for i, a in found.by_node.items()}
    return {"loss": found.loss, "outputs": found.outputs, **dict(found.tensors()), **nodes}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_many_points_at_once_are_the_points_one_at_a_time(dtype: str) -> None:
    case = drawn(NET, points=8, dtype=dtype)
    whole = arrays(gradients(case, dtype, by_node=True))
    for point in range(8):
        alone = arrays(gradients(case.take([point]), dtype, by_node=True))
        for name, array in whole.items():
            # A vectorised kernel may treat the last few elements of an array by another code path, and a
            # saturated softmax subtracts numbers near 1: so a few ulps of at least 1.
            scale = max(1.0, np.abs(alone[name]).max())
            np.testing.assert_allclose(array[point], alone[name][0], rtol=0, atol=8 * scale * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_array_has_the_dtype_asked_and_a_leading_axis(dtype: str) -> None:
    for own in ("float64", "float32"):
        case = drawn(NET, dtype=own)
        found = gradients(case, dtype, by_node=True)
        for name, array in arrays(found).items():
            assert array.dtype == dtype, name
            assert array.shape[0] == case.n_points, name
        assert {k: a.shape[1:] for k, a in found.by_param.items()} == dict(case.architecture.param_shapes)
        assert {i: a.shape[1:] for i, a in found.by_node.items()} == dict(enumerate(case.architecture.node_shapes))
        assert found.by_input["x"].shape == case.inputs["x"].shape


def test_float32_really_computes_in_float32() -> None:
    case = drawn(NET)
    narrow, wide = gradients(case, "float32"), gradients(case, "float64")
    error = np.abs(narrow["0.weight"] - wide["0.weight"]).max() / np.abs(wide["0.weight"]).max()
    assert 1e-9 < error < 1e-4


def test_numbers_arrive_exactly() -> None:
    case = drawn("x[7] -> identity -> cotangent")
    found = gradients(case, "float64")
    assert found.outputs.tobytes() == case.inputs["x"].tobytes()
    assert found.by_input["x"].tobytes() == case.targets.tobytes()


def test_a_torch_default_dtype_set_elsewhere_changes_nothing() -> None:
    import torch

    case = drawn(NET)
    before = arrays(gradients(case, "float32"))
    torch.set_default_dtype(torch.float64)
    try:
        after = arrays(gradients(case, "float32"))
    finally:
        torch.set_default_dtype(torch.float32)
    assert {k: a.tobytes() for k, a in before.items()} == {k: a.tobytes() for k, a in after.items()}


def test_it_sets_nothing_global() -> None:
    import torch

    before = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()
    gradients(drawn(NET), "float64")
    assert (torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()) == before


@pytest.mark.parametrize("mode", ["no_grad", "inference_mode"])
def test_a_caller_without_gradients_still_gets_them(mode: str) -> None:
    import torch

    case = drawn(NET)
    with getattr(torch, mode)():
        inside = gradients(case, "float64")
    assert inside["0.weight"].tobytes() == gradients(case, "float64")["0.weight"].tobytes()


def test_a_shared_parameter_gathers_both_uses() -> None:
    text = "x[2,3] -> dense(3{}) -> tanh -> dense(3{}) -> sse"
    shared = drawn(text.format("", ", weight=@0.weight, bias=@0.bias"))
    params = {"0.weight": shared.params["0.weight"], "0.bias": shared.params["0.bias"]}
    twice = {**params, "2.weight": params["0.weight"], "2.bias": params["0.bias"]}
    apart = Case(parse(text.format("", "")), twice, shared.inputs, shared.targets)
    together, single = gradients(shared, "float64"), gradients(apart, "float64")
    assert set(together.by_param) == {"0.weight", "0.bias"}
    for role in ("weight", "bias"):
        wanted = single[f"0.{role}"] + single[f"2.{role}"]
        assert np.abs(single[f"2.{role}"]).max() > 1e-3
        np.testing.assert_allclose(together[f"0.{role}"], wanted, rtol=1e-13, atol=1e-14)


def test_a_node_used_twice_gathers_both_uses() -> None:
    case = drawn("x[4] -> h: tanh -> sin -> multiply(h, h) -> cotangent")
    h, c = np.tanh(case.inputs["x"]), case.targets
    found = gradients(case, "float64", by_node=True)
    slope = c * (np.cos(h) * h**2 + 2 * h * np.sin(h))
    np.testing.assert_allclose(found.by_node[0], slope, rtol=1e-13)
    np.testing.assert_allclose(found.by_input["x"], slope * (1 - h**2), rtol=1e-13)


def test_identity_and_its_input_are_two_nodes() -> None:
    case = drawn("x[4] -> h: tanh -> identity -> multiply(h) -> cotangent")
    h, c = np.tanh(case.inputs["x"]), case.targets
    found = gradients(case, "float64", by_node=True)
    np.testing.assert_allclose(found.by_node[1], c * h, rtol=1e-14)
    np.testing.assert_allclose(found.by_node[0], 2 * c * h, rtol=1e-14)


def test_an_input_used_directly_and_by_the_loss() -> None:
    found = gradients(case := drawn("x[2,3] -> sse"), "float64", by_node=True)
    np.testing.assert_allclose(found.by_input["x"], 2 * (case.inputs["x"] - case.targets), rtol=1e-15)
    assert found.by_node == {}


def test_a_dead_branch_gives_zeros() -> None:
    case = drawn("x[2,3]; u[2,3]; u -> dense(4) -> tanh; x -> dense(2) -> sse")
    found = gradients(case, "float64", by_node=True)
    for name, array in {"0.weight": found["0.weight"], "0.bias": found["0.bias"], "u": found["u"]}.items():
        assert array.shape == {**case.params, **case.inputs}[name].shape
        assert not array.any()
    assert not found.by_node[0].any()
    assert not found.by_node[1].any()
    assert found["2.weight"].all()


def test_a_dead_branch_that_starts_after_the_loss_s_node() -> None:
    case = drawn("x[2,3] -> h: dense(2) -> dense(4); h -> sse")
    found = gradients(case, "float64")
    assert found["0.weight"].all()
    assert found["1.weight"].shape == (3, 4, 2)
    assert not found["1.weight"].any()


def test_integer_and_boolean_inputs_have_no_gradient_and_take_part_as_numbers() -> None:
    case = drawn("x[4]; m[4]:bool; k[4]:int64; x -> multiply(m) -> add(k) -> cotangent")
    found = gradients(case, "float64", by_node=True)
    assert set(found.by_input) == {"x"}
    np.testing.assert_array_equal(found.by_input["x"], case.targets * case.inputs["m"])
    np.testing.assert_array_equal(found.outputs, case.inputs["x"] * case.inputs["m"] + case.inputs["k"])


def test_a_network_of_integers_alone_has_a_loss_and_no_gradients() -> None:
    case = drawn("k[4]:int64 -> tanh -> sse")
    found = gradients(case, "float64")
    assert dict(found.tensors()) == {}
    np.testing.assert_allclose(found.loss, ((np.tanh(case.inputs["k"]) - case.targets) ** 2).sum(axis=1), rtol=1e-14)


def test_a_vector_without_a_sample_axis() -> None:
    case = drawn("x[4] -> dense(3) -> sse")
    found = gradients(case, "float64", by_node=True)
    x, w, b = case.inputs["x"], case.params["0.weight"], case.params["0.bias"]
    d = 2 * (np.einsum("poi,pi->po", w, x) + b - case.targets)
    np.testing.assert_allclose(found.by_node[0], d, rtol=1e-13)
    np.testing.assert_allclose(found["0.weight"], d[:, :, None] * x[:, None, :], rtol=1e-13)
    np.testing.assert_allclose(found["0.bias"], d, rtol=1e-13)
    np.testing.assert_allclose(found["x"], np.einsum("po,poi->pi", d, w), rtol=1e-12)


def test_by_node_is_left_out_unless_asked() -> None:
    assert gradients(drawn(NET), "float64").by_node == {}


def test_an_overflow_is_answered_not_raised() -> None:
    architecture = parse("x[1] -> sse")
    case = Case(architecture, {}, {"x": np.array([[1e300]])}, np.zeros((1, 1)))
    found = gradients(case, "float64")
    assert np.isinf(found.loss[0])
    assert found["x"][0, 0] == 2e300


def test_the_arrays_are_independent_and_the_case_is_untouched() -> None:
    case = drawn("x[2,3]; u[2,3]; x -> add(u) -> cotangent")
    key, inputs = case.key, {k: a.copy() for k, a in case.inputs.items()}
    found = gradients(case, "float64", by_node=True)
    found["x"][...] = np.nan
    for name, array in arrays(found).items():
        assert name == "x" or np.isfinite(array).all()
        assert array.flags.c_contiguous
    assert all(case.inputs[k].tobytes() == a.tobytes() for k, a in inputs.items())
    assert case.key == key
