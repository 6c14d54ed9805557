"""The oracle as the others see it: its protocol, its errors, and that importing it is cheap."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from crosscheck.oracles.jax_grad import JaxGrad, evaluate, gradients, losses, walk
from crosscheck.spec import Case, Oracle, Rigour, SpecError, parse
from crosscheck.spec.dtypes import HALF
from crosscheck.spec.errors import OracleCrashed, OracleUnavailable

UNIT = {"float16": 2.0**-11, "bfloat16": 2.0**-8}


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSCHECK_CACHE", "off")


def small(text: str = "x[2] -> tanh -> sse") -> Case:
    return Case(parse(text), {}, {"x": np.array([[0.5, -1.0]], np.float32)}, np.zeros((1, 2), np.float32), "float32")


def test_answers_in_float64_whatever_the_case() -> None:
    oracle: Oracle = JaxGrad()
    reference = oracle.references(small())
    assert oracle.name == "jax"
    assert oracle.gaps(small().architecture) == ()
    assert reference.rigour is Rigour.DERIVED
    assert reference.radius is None
    assert reference.gradients["x"].dtype == np.float64
    a = np.tanh([[0.5, -1.0]])
    np.testing.assert_allclose(reference.gradients["x"], 2 * a * (1 - a**2), rtol=1e-14)


@pytest.mark.parametrize("dtype", HALF)
def test_16_bits_are_jaxs_own(dtype: str) -> None:
    """Bit by bit what JAX says when it is asked directly; float64 stays what the oracle itself answers in."""
    case = small().astype(dtype)
    found = gradients(case, dtype)
    own = jax.grad(lambda x, y: jnp.sum((jnp.tanh(x) - y) ** 2))(case.inputs["x"][0], case.targets[0])
    assert (found.loss.dtype, found["x"].dtype, own.dtype) == (dtype, dtype, dtype)
    assert found["x"][0].tobytes() == np.asarray(own).tobytes()
    assert JaxGrad().references(case).gradients["x"].dtype == np.float64


@pytest.mark.parametrize("dtype", HALF)
def test_16_bits_sum_and_multiply_and_choose_classes(dtype: str) -> None:
    architecture = parse("x[3,4] -> dense(5) -> softmax -> dense(2) -> softmax_cross_entropy(reduction=mean)")
    rng = np.random.default_rng(0)
    params = {k: rng.normal(size=(2, *s)) for k, s in architecture.param_shapes.items()}
    case = Case(architecture, params, {"x": rng.normal(size=(2, 3, 4))}, rng.integers(0, 2, (2, 3))).astype(dtype)
    found, exact = gradients(case, dtype), gradients(case, "float64")
    for name, gradient in found.tensors():
        size = np.abs(exact[name]).max()
        assert gradient.dtype == dtype
        np.testing.assert_allclose(gradient.astype(np.float64), exact[name], rtol=0, atol=16 * UNIT[dtype] * size)


def test_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(SpecError, match=r"^oracle jax: dtype is 'float8', must be one of float64, float32, float16,"):
        gradients(small(), "float8")


def test_answers_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = []

    def spy(*args: Any) -> Any:
        devices.append(jax.config.jax_default_device)
        return evaluate.evaluate(*args)

    monkeypatch.setattr(walk, "evaluate", spy)
    before = jax.config.jax_default_device
    gradients(small(), "float64")
    assert [device.platform for device in devices] == ["cpu"]
    assert jax.config.jax_default_device is before


def test_crash_is_wrapped_and_x64_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("the moon is full")

    monkeypatch.setitem(losses.ROWS, "mae", broken)
    before = jax.config.jax_enable_x64
    with pytest.raises(OracleCrashed) as raised:
        JaxGrad().references(small("x[2] -> tanh -> sin -> tanh -> mae(scale=7.0)"))
    assert str(raised.value) == (
        "oracle jax crashed on x[2] -> tanh -> sin -> tanh -> mae(scale=7.0) in float64: ValueError: the moon is full"
    )
    assert jax.config.jax_enable_x64 is before


def test_without_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.delitem(sys.modules, "crosscheck.oracles.jax_grad.walk")
    with pytest.raises(OracleUnavailable, match=r"^oracle jax: jax cannot be imported .* JAX's.*crosscheck\[jax\]"):
        JaxGrad()


def test_importing_the_package_does_not_import_jax() -> None:
    code = "import sys, crosscheck.oracles.jax_grad; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
