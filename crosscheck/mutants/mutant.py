"""A known bug as a changed table or a changed walk: what is wrong, where, and what it looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from crosscheck.backprop.network import ROWS, WALK, Walk
from crosscheck.backprop.rows import Row, Rows
from crosscheck.spec.case import Case
from crosscheck.spec.fault import Fault, Symptom
from crosscheck.spec.op import Value
from crosscheck.spec.result import Gradients

# What a bug that remembers does to the sound answer of one call; made afresh for each subject.
Remembering = Callable[[Case, Gradients], Gradients]


@dataclass(frozen=True, eq=False)
class Mutant:
    """One wrong backprop.

    `what` says in one sentence what is wrong mathematically. `faults` are the factors of the chain rule that it makes
    wrong: a diagnosis must name one of them. `smallest` is the smallest network that shows it, in the text notation;
    empty of what is looked for alone and not planted. `source` is where it happened ("caffe#3254"), "classic", or
    "systematic". `rows` replace rows of the sound table, `walk` the sound walk; `remembers` makes what keeps state from
    call to call. `fixed` are attributes without which it does not show, by op; `beside` further ops that it needs to
    show; `families` are those of the values, where it shows on special numbers alone.
    """

    name: str
    family: str
    what: str
    faults: tuple[Fault, ...]
    symptom: Symptom
    smallest: str
    source: str = "systematic"
    rows: Mapping[str, Row] = field(default_factory=dict)
    walk: Walk = WALK
    remembers: Callable[[], Remembering] | None = None
    fixed: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    families: tuple[str, ...] = ()

    @property
    def ops(self) -> tuple[str, ...]:
        """The ops whose rules it changes."""
        return tuple(self.rows)

    @property
    def table(self) -> Rows:
        return {**ROWS, **self.rows}


@dataclass(frozen=True, eq=False)
class Control:
    """A backprop that looks wrong and is right: nobody may accuse it. `why` says why it is right."""

    name: str
    why: str
    source: str
    rows: Mapping[str, Row] = field(default_factory=dict)
    walk: Walk = WALK
    remembers: Callable[[], Remembering] | None = None
    beside: tuple[str, ...] = ()
    families: tuple[str, ...] = ()

    @property
    def table(self) -> Rows:
        return {**ROWS, **self.rows}
