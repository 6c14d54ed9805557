"""What a subject and an oracle must offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.op import Gap
from crosscheck.spec.result import Array, Certified, Floats, Gradients, OneSided, Reference


class Oracle(Protocol):
    """An independent witness. It computes in float64 from the case's exact numbers, whatever its dtype."""

    @property
    def name(self) -> str: ...

    def gaps(self, architecture: Architecture) -> tuple[Gap, ...]:
        """The ops of this architecture that it cannot answer for; empty when it can answer."""

    def references(self, case: Case) -> Reference:
        """Its gradients at every point."""


@runtime_checkable
class Certifier(Oracle, Protocol):
    """An oracle that proves what it says, and so decides who is wrong."""

    def certify(
        self,
        case: Case,
        goal: Gradients | None = None,
        points: Sequence[int] | None = None,
        widths: Mapping[int, Floats] | None = None,
    ) -> Certified:
        """Gradients with a radius below a hundredth of `goal`, at `points` (all where None; elsewhere infinite).

        `widths` says for each node's input (-1: what the loss's kinks are of, output - target for most) from how far
        a kink still counts.
        """

    def remainders(
        self, case: Case, point: int, direction: Mapping[str, Array], gradient: Mapping[str, Array], steps: Floats
    ) -> Floats:
        """|f(θ+hv) - f(θ) - h g·v| for each step h, exactly; NaN where it is not known. θ are the tensors v names."""


@runtime_checkable
class ProvesSides(Certifier, Protocol):
    """A certifier that can say what either side of a kink would give."""

    def one_sided(self, case: Case, widths: Mapping[int, Floats], point: int, bits: int) -> OneSided | None:
        """The gradients of a point for either side of its exact kinks; None where they are none, or mix."""


@runtime_checkable
class Subject(Protocol):
    """Whatever claims to be a gradient. It answers in the case's own dtype."""

    @property
    def name(self) -> str: ...

    @property
    def supports(self) -> frozenset[str]:
        """Names of the ops that it claims to handle; only those are drawn."""

    @property
    def error_model(self) -> Literal["torch", "jax"] | None:
        """Whose error constants bound it: a framework's, or None for any right formula."""

    def gradients(self, case: Case) -> Gradients:
        """Its loss and gradients at every point; raises ContractBroken."""


@runtime_checkable
class HasLoss(Protocol):
    """A subject with a forward of its own that can be asked alone."""

    def loss(self, case: Case) -> Array:
        """The loss at every point, shape (P,)."""


@runtime_checkable
class HasAnswer(Protocol):
    """A subject whose answer can be read though it breaks the contract otherwise."""

    def answer(self, case: Case, point: int) -> Gradients:
        """What it answers at one point, (1, …): the gradients that it has, in whatever floating dtype.

        Raises ContractBroken where there is no loss, or a gradient that is no array of its tensor's shape.
        """


@runtime_checkable
class HasNodes(Protocol):
    """A subject that can say more than its gradients by parameter and input."""

    def node_gradients(self, case: Case) -> Gradients:
        """Its answer with ∂C/∂ each node's output in `by_node`."""
