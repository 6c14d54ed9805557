"""What a search along directions found: wrong entries, groups that are wrong, and what could not be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crosscheck.differences.directions import Group, Slope


@dataclass(frozen=True)
class WrongEntry:
    """An entry whose own derivative says that it is wrong: flat index, both values and how far apart they may be."""

    tensor: str
    index: int
    claimed: float
    derivative: float
    budget: float


@dataclass(frozen=True)
class Spread:
    """A group that is wrong throughout: by one `factor` (claimed = factor × true), or as blind draws say (None)."""

    group: Group
    factor: float | None


@dataclass(frozen=True)
class Direction:
    """What one direction over whole tensors said.

    `seen` has for each tensor the size of an error in one entry that would have been seen for certain, relative to the
    root mean square of the claimed ones; infinite where that is zero or the direction was not answered.
    """

    tensors: tuple[str, ...]
    slope: Slope
    seen: Mapping[str, float]


@dataclass(frozen=True)
class Hunted:
    """Wrong entries in the order found, groups that are wrong throughout, and all directions of the first round.

    `untraced` are groups whose error was seen and not traced to entries: the forward passes ran out (`exhausted`), or
    the error drowned in the budgets of their parts. `unasked` were not measured at all, or not answered (a kink at the
    point itself). `clean`: every direction was answered, and what they saw is explained.
    """

    wrong: tuple[WrongEntry, ...]
    spread: tuple[Spread, ...]
    untraced: tuple[Group, ...]
    unasked: tuple[Group, ...]
    directions: tuple[Direction, ...]
    forwards: int
    exhausted: bool

    @property
    def accuses(self) -> bool:
        """Whether an entry or a whole group is wrong, or some error was seen."""
        return bool(self.wrong or self.spread or self.untraced)

    @property
    def clean(self) -> bool:
        return not self.accuses and not self.unasked
