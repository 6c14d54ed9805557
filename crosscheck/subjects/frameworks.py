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
    """An oracle's `gradients`: what the framework answers in a dtype of one's choice."""

    def __call__(self, case: Case, dtype: str) -> Gradients: ...


class Nodes(Protocol):
    """The same with ∂C/∂ each node's output."""

    def __call__(self, case: Case, dtype: str, *, by_node: bool) -> Gradients: ...


class Framework:
    """A framework through its oracle's own `gradients(case, dtype)`, with the framework's error constants."""

    def __init__(self, name: Name, gradients: Computes, gaps: Iterable[Gap]) -> None:
        self.name = name
        self.error_model: Literal["torch", "jax"] | None = name
        self.supports = frozenset(OPS) - {gap.op for gap in gaps}
        self._gradients = gradients

    def gradients(self, case: Case) -> Gradients:
        """All arrays with the leading axis P, in the case's dtype. Raises ContractBroken where it raises."""
        return self._asked(case, self._gradients)

    def _asked(self, case: Case, compute: Computes) -> Gradients:
        try:
            return compute(case, case.dtype)
        except OracleCrashed as error:
            cause = error.__cause__ or error
            message = f"subject {self.name} raised {type(cause).__name__} on {case.architecture}: {cause}"
            raise ContractBroken(message, rule="raised") from error


class FrameworkWithNodes(Framework):
    """A framework that can also say ∂C/∂ each node's output."""

    def __init__(self, name: Name, gradients: Nodes, gaps: Iterable[Gap]) -> None:
        super().__init__(name, lambda case, dtype: gradients(case, dtype, by_node=False), gaps)
        self._with_nodes = gradients

    def node_gradients(self, case: Case) -> Gradients:
        """The same answer with `by_node`. Raises ContractBroken where the framework raises."""
        return self._asked(case, lambda case, dtype: self._with_nodes(case, dtype, by_node=True))


def torch() -> FrameworkWithNodes:
    """PyTorch in the case's own dtype. Raises OracleUnavailable where torch cannot be imported."""
    torch_autograd.TorchAutograd()
    return FrameworkWithNodes("torch", torch_autograd.gradients, torch_autograd.GAPS)


def jax() -> Framework:
    """JAX in the case's own dtype. Raises OracleUnavailable where jax cannot be imported."""
    jax_grad.JaxGrad()
    return Framework("jax", jax_grad.gradients, jax_grad.GAPS)
