"""The built-in subject: the hand-written vectorised backprop."""

from __future__ import annotations

from typing import Literal

from crosscheck.backprop import network
from crosscheck.backprop.rows import Rows
from crosscheck.spec.case import Case
from crosscheck.spec.result import Gradients


class Builtin:
    """The hand-written backprop in the case's own dtype; `rows` replaces its table (a mutant does)."""

    def __init__(self, rows: Rows = network.ROWS, name: str = "builtin") -> None:
        self.rows = rows
        self.name = name
        self.error_model: Literal["torch", "jax"] | None = None

    @property
    def supports(self) -> frozenset[str]:
        return frozenset(self.rows)

    def gradients(self, case: Case) -> Gradients:
        return network.gradients(case, self.rows)
