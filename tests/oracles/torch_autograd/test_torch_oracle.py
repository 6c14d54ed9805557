"""The oracle: what it is called, what it answers, and what it says when it cannot."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from crosscheck.oracles.torch_autograd import GAPS, TorchAutograd, gradients
from crosscheck.spec import OPS, Case, Oracle, Rigour, SpecError, parse
from crosscheck.spec.dtypes import HALF
from crosscheck.spec.errors import OracleCrashed, OracleUnavailable

SMALL = "x[3,5] -> dense(5) -> tanh -> dense(3) -> softmax_cross_entropy"


def drawn(dtype: str = "float64", points: int = 8) -> Case:
    architecture = parse(SMALL)
    rng = np.random.default_rng(2)
    params = {k: rng.normal(size=(points, *s)).astype(dtype) for k, s in architecture.param_shapes.items()}
    inputs = {"x": rng.normal(size=(points, 3, 5)).astype(dtype)}
    return Case(architecture, params, inputs, rng.integers(0, 3, (points, 3)), dtype)


def test_it_is_an_oracle_named_torch() -> None:
    oracle: Oracle = TorchAutograd()
    assert oracle.name == "torch"
    assert oracle == TorchAutograd()


def test_a_reference_is_derived_and_has_no_radius() -> None:
    reference = TorchAutograd().references(drawn())
    assert reference.rigour is Rigour.DERIVED
    assert reference.radius is None
    assert reference.gradients.by_node == {}
    assert set(TorchAutograd(by_node=True).references(drawn()).gradients.by_node) == {0, 1, 2}


def test_a_reference_is_float64_from_the_exact_numbers_of_a_float32_case() -> None:
    case = drawn("float32")
    found = TorchAutograd().references(case).gradients
    wanted = TorchAutograd().references(case.astype("float64")).gradients
    assert found.loss.dtype == np.float64
    assert found.loss.tobytes() == wanted.loss.tobytes()
    for name, gradient in found.tensors():
        assert gradient.dtype == np.float64
        assert gradient.tobytes() == wanted[name].tobytes()


@pytest.mark.parametrize("dtype", HALF)
def test_a_reference_is_float64_from_the_exact_numbers_of_a_16_bit_case(dtype: str) -> None:
    case = drawn().astype(dtype)
    found = TorchAutograd().references(case).gradients
    wanted = TorchAutograd().references(case.astype("float64")).gradients
    assert all(g.dtype == np.float64 and g.tobytes() == wanted[k].tobytes() for k, g in found.tensors())


@pytest.mark.parametrize("dtype", HALF)
def test_16_bits_are_pytorchs_own(dtype: str) -> None:
    """Bit by bit what PyTorch says when it is asked directly, with a graph of its own for each point."""
    case = drawn(points=3).astype(dtype)
    found = gradients(case, dtype)
    for point in range(3):
        own = {k: torch.tensor(a[point].astype(np.float32)).to(getattr(torch, dtype)) for k, a in case.params.items()}
        x = torch.tensor(case.inputs["x"][point].astype(np.float32)).to(getattr(torch, dtype))
        leaves = [tensor.requires_grad_() for tensor in (*own.values(), x)]
        z = F.linear(torch.tanh(F.linear(x, own["0.weight"], own["0.bias"])), own["2.weight"], own["2.bias"])
        loss = F.cross_entropy(z, torch.tensor(case.targets[point]), reduction="sum")
        slopes = torch.autograd.grad(loss, leaves)
        assert float(found.loss[point]) == loss.item()
        for name, slope in zip((*own, "x"), slopes, strict=True):
            assert found[name].dtype == dtype
            np.testing.assert_array_equal(found[name][point].astype(np.float32), slope.float().numpy())


def test_the_same_question_has_the_same_answer() -> None:
    first, second = (TorchAutograd().references(drawn()).gradients for _ in range(2))
    assert all(a.tobytes() == second[k].tobytes() for k, a in first.tensors())


def test_it_has_no_gap_on_a_network_of_known_ops() -> None:
    assert TorchAutograd().gaps(parse(SMALL)) == ()
    assert {gap.op for gap in GAPS} <= set(OPS)


def test_an_op_without_a_row_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    from crosscheck.oracles.torch_autograd import activations

    monkeypatch.delitem(activations.ROWS, "tanh")
    (gap,) = TorchAutograd().gaps(parse(SMALL))
    assert (gap.op, gap.witness) == ("tanh", "torch")
    assert gap.reason == "no table of the torch oracle has a row for tanh"


@pytest.mark.parametrize("error", [RuntimeError, ValueError, TypeError, IndexError])
def test_what_torch_raises_is_wrapped(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    from crosscheck.oracles.torch_autograd import activations

    def broken(_z: object) -> object:
        raise error("expected scalar type Double")

    monkeypatch.setitem(activations.ROWS, "tanh", broken)
    with pytest.raises(OracleCrashed) as caught:
        TorchAutograd().references(drawn())
    assert str(caught.value) == f"oracle torch raised {error.__name__} on {SMALL}: expected scalar type Double"
    assert isinstance(caught.value.__cause__, error)


def test_a_bug_of_our_own_is_not_called_a_crash_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    from crosscheck.oracles.torch_autograd import activations

    def broken(_z: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setitem(activations.ROWS, "tanh", broken)
    with pytest.raises(ZeroDivisionError):
        TorchAutograd().references(drawn())


def test_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(SpecError, match=r"oracle torch: dtype is 'float8', must be one of float64, float32, float16,"):
        gradients(drawn(), "float8")


def test_without_torch_it_is_unavailable_when_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(OracleUnavailable) as caught:
        TorchAutograd()
    message = str(caught.value)
    assert message.startswith("oracle torch: torch cannot be imported here (")
    assert "no gradient can be compared with PyTorch's autograd" in message
    assert message.endswith("pip install 'crosscheck[torch]'")
    with pytest.raises(OracleUnavailable):
        gradients(drawn(), "float32")


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, crosscheck.oracles.torch_autograd; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
