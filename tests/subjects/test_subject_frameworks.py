"""A framework as a subject: the oracle's own answer, in the dtype of the case."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from crosscheck.oracles import jax_grad, torch_autograd
from crosscheck.spec import OPS, Case, ContractBroken, Gap, HasLoss, Subject, parse
from crosscheck.spec.dtypes import DTYPES, dtype_named
from crosscheck.spec.errors import OracleCrashed, OracleUnavailable
from crosscheck.spec.protocols import HasNodes
from crosscheck.spec.result import Gradients
from crosscheck.subjects import frameworks
from crosscheck.subjects.frameworks import Framework

TEXT = "x[2,3] -> dense(2) -> tanh -> sse"
BOTH = pytest.mark.parametrize(
    ("made", "name", "witness"),
    [(frameworks.torch, "torch", torch_autograd.gradients), (frameworks.jax, "jax", jax_grad.gradients)],
    ids=["torch", "jax"],
)


def case(dtype: str) -> Case:
    rng = np.random.default_rng(7)
    dtype_named(dtype, "test")  # from here on NumPy knows bfloat16
    architecture = parse(TEXT)
    params = {k: rng.normal(size=(2, *s)).astype(dtype) for k, s in architecture.param_shapes.items()}
    return Case(architecture, params, {"x": rng.normal(size=(2, 2, 3)).astype(dtype)}, np.ones((2, 2, 2), dtype), dtype)


@BOTH
def test_it_is_a_subject_with_its_own_error_constants(
    made: Callable[[], Framework], name: str, witness: object
) -> None:
    subject: Subject = made()
    assert (subject.name, subject.error_model) == (name, name)
    assert subject.supports == frozenset(OPS)
    assert not isinstance(subject, HasLoss)


@BOTH
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_answers_in_the_dtype_of_the_case(
    made: Callable[[], Framework], name: str, witness: Callable[[Case, str], Gradients], dtype: str
) -> None:
    found, asked = made().gradients(case(dtype)), witness(case(dtype), dtype)
    assert found.loss.dtype == dtype
    assert found.loss.tobytes() == asked.loss.tobytes()
    for key, gradient in found.tensors():
        assert gradient.dtype == dtype
        assert gradient.tobytes() == asked[key].tobytes()


@BOTH
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_has_the_gradients_of_nodes_in_that_dtype_too(
    made: Callable[[], Framework], name: str, witness: Callable[..., Gradients], dtype: str
) -> None:
    subject = made()
    assert isinstance(subject, HasNodes)
    found, plain = subject.node_gradients(case(dtype)), subject.gradients(case(dtype))
    asked = witness(case(dtype), dtype, by_node=True)
    assert plain.by_node == {}
    assert {i: (a.shape, a.dtype.name) for i, a in found.by_node.items()} == {
        i: ((2, *shape), dtype) for i, shape in enumerate(case(dtype).architecture.node_shapes)
    }
    assert all(a.tobytes() == asked.by_node[i].tobytes() for i, a in found.by_node.items())
    assert all(a.tobytes() == plain[key].tobytes() for key, a in found.tensors())


def test_ops_with_a_gap_are_not_claimed() -> None:
    subject = Framework("torch", torch_autograd.gradients, [Gap("mish", "torch", "not there")])
    assert subject.supports == frozenset(OPS) - {"mish"}


def test_what_it_raises_is_a_breach_of_the_subject() -> None:
    def crashing(_case: Case, _dtype: str, *, by_node: bool) -> Gradients:
        try:
            raise RuntimeError("no kernel image")
        except RuntimeError as error:
            raise OracleCrashed("oracle torch raised") from error

    with pytest.raises(ContractBroken) as caught:
        Framework("torch", crashing, ()).gradients(case("float32"))
    assert str(caught.value) == f"subject torch raised RuntimeError on {TEXT}: no kernel image"
    assert (caught.value.rule, caught.value.point) == ("raised", None)


@pytest.mark.parametrize(
    ("made", "package", "oracle"),
    [(frameworks.torch, torch_autograd, "TorchAutograd"), (frameworks.jax, jax_grad, "JaxGrad")],
    ids=["torch", "jax"],
)
def test_without_the_framework_there_is_no_subject(
    made: Callable[[], Framework], package: ModuleType, oracle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> object:
        raise OracleUnavailable("it cannot be imported here")

    monkeypatch.setattr(package, oracle, missing)
    with pytest.raises(OracleUnavailable, match="it cannot be imported here"):
        made()
