"""A framework as a subject: it answers in the case's own dtype, where the oracle answers in float64."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

from crosscheck.oracles import jax_grad, torch_autograd
from crosscheck.spec.case import Case
from crosscheck.spec.errors import ContractBroken, OracleCrashed
from crosscheck.spec.op import Gap
from crosscheck.spec.ops import OPS
from crosscheck.spec.result import Gradients

Name = Literal["torch", "jax"]


class Computes(Protocol):
    """An oracle's `gradients`: what the framework answers in a dtype of one's choice, by node too where asked."""

    def __call__(self, case: Case, dtype: str, *, by_node: bool) -> Gradients: ...


class Framework:
    """A framework through its oracle's own `gradients(case, dtype)`, with the framework's error constants."""

    def __init__(self, name: Name, gradients: Computes, gaps: Iterable[Gap]) -> None:
        self.name = name
        self.error_model: Literal["torch", "jax"] | None = name
        self.supports = frozenset(OPS) - {gap.op for gap in gaps}
        self.weighs = True
        self._gradients = gradients

    def gradients(self, case: Case) -> Gradients:
        """All arrays with the leading axis P, in the case's dtype. Raises ContractBroken where it raises."""
        return self._asked(case, by_node=False)

    def node_gradients(self, case: Case) -> Gradients:
        """The same answer with ∂C/∂ each node's output in `by_node`. Raises ContractBroken where it raises."""
        return self._asked(case, by_node=True)

    def _asked(self, case: Case, *, by_node: bool) -> Gradients:
        try:
            return self._gradients(case, case.dtype, by_node=by_node)
        except OracleCrashed as error:
            cause = error.__cause__ or error
            message = f"subject {self.name} raised {type(cause).__name__} on {case.architecture}: {cause}"
            raise ContractBroken(message, rule="raised") from error


def torch() -> Framework:
    """PyTorch in the case's own dtype. Raises OracleUnavailable where torch cannot be imported."""
    torch_autograd.TorchAutograd()
    return Framework("torch", torch_autograd.gradients, torch_autograd.GAPS)


def jax() -> Framework:
    """JAX in the case's own dtype. Raises OracleUnavailable where jax cannot be imported."""
    jax_grad.JaxGrad()
    return Framework("jax", jax_grad.gradients, jax_grad.GAPS)
