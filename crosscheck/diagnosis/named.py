"""What a wrong gradient was recognised as."""

from __future__ import annotations

from dataclasses import dataclass, field

from crosscheck.spec.fault import Fault, Symptom


@dataclass(frozen=True)
class Named:
    """One thing that it may be. `bugs` are the names of the known bugs that give these gradients.

    `behind`: it is done to the gradients behind the walk back, so that no factor of the chain rule is to blame.
    """

    symptom: Symptom
    text: str
    bugs: tuple[str, ...] = ()
    behind: bool = False


@dataclass(frozen=True)
class Recognised:
    """What fits, the likeliest first, and what was ruled out. `faults` are those of the known bugs that fit."""

    likely: tuple[Named, ...] = ()
    ruled_out: tuple[Symptom, ...] = ()
    tried: int = 0
    bugs: tuple[str, ...] = field(default=())
    faults: frozenset[Fault] = frozenset()
