"""Ball arithmetic as the certified witness. flint is imported when the oracle is made, not before."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.errors import OracleUnavailable
from crosscheck.spec.op import Gap, Value
from crosscheck.spec.result import Array, Certified, Floats, Gradients, OneSided, Reference

NAME = "ball"

GAPS: tuple[Gap, ...] = ()

# Underflow of float64 alone takes 1,080 bits, a cancellation of its largest numbers as many again.
MOST_BITS = 4096
# Numbers of a point: a ball takes some 300 bytes, and a microsecond for each step (5-2000-2000 at batch 2, 4 million
# entries: 6 s and 1.2 GB). Beyond it the truth is left out, and the report says so.
MOST_ENTRIES = 8_000_000
# Elements on a kink at one point of which each side is tried: a sweep each.
MOST_KINKS = 8


@dataclass(frozen=True)
class Ball:
    """The witness `ball`: exact numbers in, and out what is proved: |truth - value| <= radius.

    `by_node` asks for ∂C/∂ each node's output too; no precision above `most_bits` is tried. Raises
    OracleUnavailable where flint cannot be imported.
    """

    by_node: bool = False
    most_bits: int = MOST_BITS
    name = NAME

    def __post_init__(self) -> None:
        _flint("walk")

    def gaps(self, architecture: Architecture) -> tuple[Gap, ...]:
        """The ops of this architecture that it cannot answer for: those in GAPS, and those without a row.

        And where its tape would be too long, the op with the most numbers of its own.
        """
        walk = _flint("walk")
        known = {gap.op: gap for gap in GAPS}
        return too_long(architecture) + tuple(
            known.get(op) or Gap(op, NAME, f"no table of the ball oracle has a row for {op}")
            for op in architecture.ops
            if op in known or not walk.answers(op)
        )

    def references(self, case: Case) -> Reference:
        """Its gradients at every point, to a 2⁻⁶⁰th of each entry. Raises OracleCrashed."""
        return self.certify(case).reference

    def certify(
        self,
        case: Case,
        goal: Gradients | None = None,
        points: Sequence[int] | None = None,
        widths: Mapping[int, Floats] | None = None,
    ) -> Certified:
        """Loss, outputs and gradients, proved at `points` (all where None; elsewhere 0 with an infinite radius).

        Every ball's radius is below a hundredth of its entry in `goal` (infinite: no demand); without a goal below
        2⁻⁶⁰ of the entry or 2⁻¹⁰⁸⁰, whichever is larger. What rounding the midpoint to float64 adds, half a unit in
        its last place, cannot be asked away. A truth beyond float64 is an infinity of radius 0; where not even that
        is certain the radius is infinite and the value 0. What the loss does not depend on is 0 with radius 0.

        At a kink the slope is the hull of the one-sided derivatives, and the gradient what those slopes span. So it
        is where no precision up to `most_bits` can tell the side, and where a kink lies within the widths: by node
        (P, *shape of its input), -1 for the loss's output - target; `hull` says where. `at_limit` marks points at
        which `most_bits` left a demand unmet, hulls apart. Raises OracleCrashed.
        """
        found: Certified = _flint("certify").certify(
            case,
            goal,
            range(case.n_points) if points is None else points,
            widths or {},
            by_node=self.by_node,
            most_bits=self.most_bits,
        )
        return found

    def one_sided(self, case: Case, widths: Mapping[int, Floats], point: int, bits: int) -> OneSided | None:
        """The gradients of a point that is exactly on a kink, for either side of it, computed with so many bits.

        None where there is no such kink, or where not all that is undecided there are elements exactly on kinks of one
        operation: of several the choices multiply, and of more than MOST_KINKS nothing is found out by trying.
        `widths` as in `certify`. Raises OracleCrashed.
        """
        found: OneSided | None = _flint("certify").one_sided(case, point, widths, bits, most=MOST_KINKS)
        return found

    def remainders(
        self, case: Case, point: int, direction: Mapping[str, Array], gradient: Mapping[str, Array], steps: Floats
    ) -> Floats:
        """|f(θ + hv) - f(θ) - h g·v| for each step h, θ being the tensors of one point that v names, g of their shapes.

        Every number given is taken exactly; NaN where a remainder is not clear of its radius at `most_bits`, or g
        not finite where v moves. Raises SpecError for a tensor that has no gradient, and OracleCrashed.
        """
        found: Floats = _flint("remainders").remainders(
            case, point, direction, gradient, steps, most_bits=self.most_bits
        )
        return found


def too_long(architecture: Architecture) -> tuple[Gap, ...]:
    """The gap of an architecture with more than MOST_ENTRIES numbers: parameters, inputs, outputs of nodes."""
    inputs = (item.shape for item in architecture.inputs)
    entries = sum(map(math.prod, (*architecture.param_shapes.values(), *inputs, *architecture.node_shapes)))
    if entries <= MOST_ENTRIES:
        return ()
    own = [(sum(math.prod(architecture.param_shapes[k]) for k in n.params.values()), n.op) for n in architecture.nodes]
    op = max(own, default=(0, architecture.loss.op))[1]
    return (Gap(op, NAME, f"{entries:,} entries on the tape, more than {MOST_ENTRIES:,}"),)


def value_and_slope(op: str, attributes: Mapping[str, Value], z: float, bits: int = 200) -> tuple[Any, Any]:
    """See `activations.value_and_slope`."""
    found: tuple[Any, Any] = _flint("activations").value_and_slope(op, attributes, z, bits)
    return found


def loss_value_and_slope(
    op: str, attributes: Mapping[str, Value], a: float, y: float, bits: int = 200
) -> tuple[Any, Any]:
    """See `losses.loss_value_and_slope`."""
    found: tuple[Any, Any] = _flint("losses").loss_value_and_slope(op, attributes, a, y, bits)
    return found


def vector_value_and_vjp(
    op: str,
    attributes: Mapping[str, Value],
    z: Sequence[float],
    upstream: Sequence[float],
    target: int | Sequence[float] | None = None,
    bits: int = 200,
) -> tuple[list[Any], list[Any]]:
    """See `losses.vector_value_and_vjp`."""
    found: tuple[list[Any], list[Any]] = _flint("losses").vector_value_and_vjp(
        op, attributes, z, upstream, target, bits
    )
    return found


def _flint(module: str) -> Any:
    """A module of this package that needs flint."""
    try:
        importlib.import_module("flint")
    except Exception as error:  # whatever a broken installation raises: a missing library, a version that does not fit
        raise OracleUnavailable(
            f"oracle {NAME}: flint cannot be imported here ({error}), so no gradient can be held against certified "
            "truth, and at a kink nothing can be decided; install it with pip install 'crosscheck[ball]'"
        ) from error
    return importlib.import_module(f"crosscheck.oracles.ball.{module}")
