"""The JAX witness: its name, its gaps, its answers. jax is imported when the oracle is made, not before."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from crosscheck.spec import Architecture, Case, Gap, Gradients, Reference, Rigour
from crosscheck.spec.dtypes import dtype_named
from crosscheck.spec.errors import OracleCrashed, OracleUnavailable

NAME = "jax"
GAPS: tuple[Gap, ...] = ()

# What jax, jaxlib and its rows are known to raise (XLA's own errors are RuntimeErrors).
CRASHES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class JaxGrad:
    """`jax.value_and_grad` over the whole network, all points at once, in float64 on the CPU.

    `by_node` asks for ∂C/∂ each node's output too. Raises OracleUnavailable where jax cannot be imported.
    """

    by_node: bool = False
    name = NAME

    def __post_init__(self) -> None:
        _walk()

    def gaps(self, architecture: Architecture) -> tuple[Gap, ...]:
        """The ops of this architecture that have no row here; empty when it can answer."""
        return tuple(gap for gap in GAPS if gap.op in architecture.ops)

    def references(self, case: Case) -> Reference:
        """Float64 gradients of every point, from the case's exact numbers; raises OracleCrashed."""
        return Reference(gradients(case, "float64", by_node=self.by_node), Rigour.DERIVED)


def gradients(case: Case, dtype: str, *, by_node: bool = False) -> Gradients:
    """JAX's loss, outputs and gradients in `dtype`, any that a case may have; each array with leading axis P.

    `by_node` asks for ∂C/∂ each node's output too, which is traced as a function of its own. Raises
    OracleUnavailable where jax cannot be imported, SpecError for another dtype, and OracleCrashed for
    whatever jax raises.
    """
    dtype_named(dtype, f"oracle {NAME}")
    walk = _walk()
    try:
        result: Gradients = walk.gradients(case, dtype, by_node=by_node)
    except CRASHES as error:
        raise OracleCrashed(
            f"oracle {NAME} crashed on {case.architecture} in {dtype}: {type(error).__name__}: {error}"
        ) from error
    return result


def _walk() -> Any:
    try:
        return importlib.import_module("crosscheck.oracles.jax_grad.walk")
    except Exception as error:  # whatever a broken installation raises: a missing library, a version that does not fit
        raise OracleUnavailable(
            f"oracle {NAME}: jax cannot be imported here ({error}), so no gradient can be compared with JAX's; "
            "install it with pip install 'crosscheck[jax]'"
        ) from error
