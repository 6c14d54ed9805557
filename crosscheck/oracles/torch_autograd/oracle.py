"""PyTorch as a witness, and as a framework that computes in a dtype of one's choice."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.dtypes import dtype_named
from crosscheck.spec.errors import OracleCrashed, OracleUnavailable
from crosscheck.spec.op import Gap
from crosscheck.spec.result import Gradients, Reference, Rigour

NAME = "torch"

GAPS: tuple[Gap, ...] = ()


@dataclass(frozen=True)
class TorchAutograd:
    """The witness `torch`: float64, from the case's exact numbers, whatever the case's dtype.

    `by_node` asks for ∂C/∂ each node's output too. Raises OracleUnavailable where torch cannot be imported.
    """

    by_node: bool = False
    name = NAME

    def __post_init__(self) -> None:
        _require_torch()

    def gaps(self, architecture: Architecture) -> tuple[Gap, ...]:
        """The ops of this architecture that it cannot answer for: those in GAPS, and those without a row."""
        from crosscheck.oracles.torch_autograd import walk

        known = {gap.op: gap for gap in GAPS}
        return tuple(
            known.get(op) or Gap(op, NAME, f"no table of the torch oracle has a row for {op}")
            for op in architecture.ops
            if op in known or not walk.answers(op)
        )

    def references(self, case: Case) -> Reference:
        """Its gradients at every point, float64. Raises OracleCrashed."""
        return Reference(gradients(case, "float64", by_node=self.by_node), Rigour.DERIVED)


def gradients(case: Case, dtype: str, *, by_node: bool = False) -> Gradients:
    """What PyTorch computes in `dtype`, any that a case may have, for every point of the case.

    All arrays have the leading axis P and that dtype; what the loss does not depend on has zeros. The dtype
    comes from the tensors alone: no global setting of torch is read or changed. Raises OracleUnavailable
    without torch, SpecError for another dtype and OracleCrashed where torch raises.
    """
    dtype_named(dtype, f"oracle {NAME}")
    _require_torch()
    from crosscheck.oracles.torch_autograd import walk

    try:
        return walk.gradients(case, dtype, by_node=by_node)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise OracleCrashed(f"oracle {NAME} raised {type(error).__name__} on {case.architecture}: {error}") from error


def _require_torch() -> None:
    try:
        importlib.import_module("torch")
    except Exception as error:  # whatever a broken installation raises: a missing library, a version that does not fit
        raise OracleUnavailable(
            f"oracle {NAME}: torch cannot be imported here ({error}), so no gradient can be compared with PyTorch's "
            "autograd; install it with pip install 'crosscheck[torch]'"
        ) from error
