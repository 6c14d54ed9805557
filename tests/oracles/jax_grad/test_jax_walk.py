"""The walk: sharing, fan-out, dead branches, points, dtypes, and the user's own JAX settings."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from crosscheck.oracles.jax_grad import gradients, walk
from crosscheck.spec import Architecture, Case, Gradients, Input, Loss, Node, parse


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSCHECK_CACHE", "off")


def drawn(architecture: Architecture, points: int, dtype: str = "float64") -> Case:
    rng = np.random.default_rng(3)
    dtypes = {"float": dtype, "int64": "int64"}
    return Case(
        architecture,
        {k: rng.normal(size=(points, *s)).astype(dtype) for k, s in architecture.param_shapes.items()},
        {i.name: rng.normal(size=(points, *i.shape)).astype(dtypes[i.dtype]) for i in architecture.inputs},
        rng.random((points, *architecture.target_shape)).astype(dtypes[architecture.target_dtype]),
        dtype,
    )


def assert_close(a: Gradients, b: Gradients, rtol: float) -> None:
    assert list(a.by_param) == list(b.by_param)
    assert list(a.by_input) == list(b.by_input)
    np.testing.assert_allclose(a.loss, b.loss, rtol=rtol)
    for name, array in a.tensors():
        np.testing.assert_allclose(array, b[name], rtol=rtol, atol=rtol)


def test_points_together_equal_points_alone() -> None:
    case = drawn(parse("x[2,3] -> dense(2) -> tanh -> sse"), 3)
    together = gradients(case, "float64")
    for k in range(3):
        alone = gradients(case.take([k]), "float64")
        assert together.outputs is not None
        assert alone.outputs is not None
        np.testing.assert_array_equal(together.outputs[k], alone.outputs[0])
        assert together.loss[k] == alone.loss[0]
        for name, array in together.tensors():
            np.testing.assert_array_equal(array[k], alone[name][0])


def test_textbook_weight() -> None:
    # dC/dw_jk = 2 (a_j - y_j) g'(z_j) a_k, by hand for one weight.
    case = Case(
        parse("x[1] -> dense(1, bias=false) -> sigmoid -> sse"),
        {"0.weight": np.array([[[0.5]]])},
        {"x": np.array([[2.0]])},
        np.array([[0.25]]),
    )
    a = 1 / (1 + np.exp(-1.0))
    assert gradients(case, "float64")["0.weight"] == pytest.approx(2 * (a - 0.25) * a * (1 - a) * 2.0, rel=1e-14)


def test_shared_parameter_is_one_key_and_a_sum() -> None:
    # y = w (w x): dy/dw = 2 w x.
    case = Case(
        parse("x[1] -> dense(1, bias=false) -> dense(1, bias=false, weight=@0.weight) -> cotangent"),
        {"0.weight": np.array([[[3.0]]])},
        {"x": np.array([[5.0]])},
        np.array([[1.0]]),
    )
    result = gradients(case, "float64")
    assert list(result.by_param) == ["0.weight"]
    np.testing.assert_array_equal(result["0.weight"], [[[30.0]]])
    np.testing.assert_array_equal(result["x"], [[9.0]])


def test_fork_adds_up() -> None:
    # y = x (x + x) = 2 x²: dy/dx = 4 x.
    case = Case(
        parse("x[2] -> h: add(x) -> multiply(x) -> cotangent"), {}, {"x": np.array([[3.0, -1.0]])}, np.ones((1, 2))
    )
    np.testing.assert_array_equal(gradients(case, "float64")["x"], [[12.0, -4.0]])


def test_concat_gives_each_its_own_part() -> None:
    case = Case(
        parse("x[1,2]; u[1,1]; x -> concat(u) -> cotangent"),
        {},
        {"x": np.ones((1, 1, 2)), "u": np.ones((1, 1, 1))},
        np.array([[[2.0, 3.0, 5.0]]]),
    )
    result = gradients(case, "float64")
    np.testing.assert_array_equal(result["x"], [[[2.0, 3.0]]])
    np.testing.assert_array_equal(result["u"], [[[5.0]]])


def test_dead_branch_gets_zeros() -> None:
    case = drawn(parse("x[2]; u[3]; u -> dense(2) -> tanh; x -> tanh -> sse"), 2)
    result = gradients(case, "float64")
    for name in ("0.weight", "0.bias", "u"):
        np.testing.assert_array_equal(result[name], np.zeros_like((dict(case.params) | dict(case.inputs))[name]))
    assert np.abs(result["x"]).min() > 0


def test_loss_on_an_input_and_integer_input_without_gradient() -> None:
    architecture = Architecture(
        (Input("x", (2,)), Input("ids", (2,), "int64")),
        (Node("tanh", {}, (-1,), {}),),
        Loss("sse", {}, (-1,)),
    )
    for dtype in ("float64", "float32"):
        result = gradients(drawn(architecture, 2), dtype)
        assert list(result.by_input) == ["x"]
        assert result.outputs is not None
        assert result.outputs.shape == (2, 2)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_arrays_are_fresh_and_of_the_dtype(dtype: str) -> None:
    case = drawn(parse("x[2,3] -> dense(3) -> gelu -> softmax_cross_entropy"), 2)
    result = gradients(case, dtype)
    assert result.outputs is not None
    shapes = dict(case.params) | dict(case.inputs)
    for name, array in result.tensors():
        assert array.shape == shapes[name].shape
    for array in (result.loss, result.outputs, *(a for _, a in result.tensors())):
        assert array.dtype == dtype
        assert array.flags.writeable
        assert array.flags.owndata


def test_float32_is_not_float64_rounded() -> None:
    case = drawn(parse("x[2,3] -> dense(3) -> gelu -> sse"), 4, "float32")
    double, single = gradients(case, "float64"), gradients(case, "float32")
    assert not np.array_equal(double["0.weight"].astype(np.float32), single["0.weight"])
    assert_close(double, single, 1e-4)


# Padded to the next standard size: 8·8·40 > 1024 elements, a sum of 40 > 16, products of 9 and 40 > 8.
@pytest.mark.parametrize(
    "text",
    ["x[9,40] -> dense(5) -> softmax -> sse", "x[5,3,3] -> h: dense(40) -> softplus -> concat(h) -> huber"],
)
def test_evaluation_is_what_jit_computes(text: str) -> None:
    case = drawn(parse(text), 8)
    ours = gradients(case, "float64")
    with walk.enable_x64(True):
        numbers = walk._numbers(case, np.dtype("float64"))
        (loss, _), (params, inputs, _) = jax.jit(walk.loss_and_gradients(case.architecture))(*numbers)
    theirs = Gradients(*jax.tree_util.tree_map(np.asarray, (loss, params, inputs)))
    assert_close(ours, theirs, 1e-13)


@pytest.mark.parametrize("on", [False, True])
def test_x64_is_as_before(on: bool) -> None:
    case = drawn(parse("x[2] -> tanh -> sse"), 2)
    with walk.enable_x64(on):
        assert gradients(case, "float64").loss.dtype == np.float64
        assert gradients(case, "float32").loss.dtype == np.float32
        assert jax.config.jax_enable_x64 is on
        assert jax.numpy.zeros(1).dtype == (np.float64 if on else np.float32)


def test_users_own_settings_change_nothing() -> None:
    case = drawn(parse("x[2,2] -> dense(3) -> silu -> sse"), 2)
    expected = gradients(case, "float64")
    walk._traced.cache_clear()
    with (
        jax.numpy_rank_promotion("raise"),
        jax.numpy_dtype_promotion("strict"),
        jax.default_matmul_precision("bfloat16"),
        jax.disable_jit(),
    ):
        again = gradients(case, "float64")
        assert jax.config.jax_numpy_rank_promotion == "raise"
    assert_close(expected, again, 0.0)
