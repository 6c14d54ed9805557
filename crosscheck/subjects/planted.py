"""The built-in with a bug planted in it: changed rows, a changed walk, or something that it remembers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from crosscheck.backprop.network import Walk
from crosscheck.backprop.rows import Rows
from crosscheck.spec.case import Case
from crosscheck.spec.result import Gradients
from crosscheck.subjects.builtin import Builtin

Remembering = Callable[[Case, Gradients], Gradients]


class Changed(Protocol):
    """What is planted: the whole table, the walk, and the name under which it runs."""

    @property
    def name(self) -> str: ...
    @property
    def table(self) -> Rows: ...
    @property
    def walk(self) -> Walk: ...
    @property
    def remembers(self) -> Callable[[], Remembering] | None: ...


class Planted(Builtin):
    """A changed built-in. It has ∂C/∂ each node's output as the built-in has."""

    def __init__(self, changed: Changed) -> None:
        super().__init__(changed.table, changed.name, walk=changed.walk)
        self._remembered = changed.remembers() if changed.remembers is not None else None

    def _asked(self, case: Case, *, by_node: bool) -> Gradients:
        found = super()._asked(case, by_node=by_node)
        return found if self._remembered is None else self._remembered(case, found)


class Mute(Planted):
    """The same without its intermediates: what a user's callable says, gradients of parameters and inputs alone."""

    node_gradients = None  # type: ignore[assignment]
