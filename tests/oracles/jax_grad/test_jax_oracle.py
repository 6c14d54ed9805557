"""The oracle as the others see it: its protocol, its errors, and that importing it is cheap."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest

from crosscheck.oracles.jax_grad import JaxGrad, evaluate, gradients, losses, walk
from crosscheck.spec import Case, Oracle, Rigour, parse
from crosscheck.spec.errors import OracleCrashed, OracleUnavailable


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
    with pytest.raises(OracleUnavailable, match=r"needs the package jax.*compared with JAX's.*crosscheck\[jax\]"):
        JaxGrad()


def test_importing_the_package_does_not_import_jax() -> None:
    code = "import sys, crosscheck.oracles.jax_grad; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
