"""What directions say of the entries that no witness was asked about: which of them are to be asked.

Of a large network differences are a sample of entries. A random signed direction for each tensor moves all of them, and
group testing traces an error to its entries. These are then differenced one by one and judged as any others; nothing
counts as compared because a direction was right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crosscheck.differences import group_testing
from crosscheck.differences.hunted import Hunted
from crosscheck.differences.losses import Joint
from crosscheck.differences.ridders import Ask
from crosscheck.spec.case import Case
from crosscheck.spec.result import Array, Floats, Gradients

# Forward passes at each point; and where they were too few to trace an error that they saw.
FORWARDS = 100
TRACING = 1000
# Entries asked one by one of a group that is wrong throughout.
OF_A_GROUP = 8


@dataclass(frozen=True)
class Directed:
    """What the directions at some points said, each with the point's index."""

    by_point: tuple[tuple[int, Hunted], ...] = ()

    @property
    def forwards(self) -> int:
        return sum(hunted.forwards for _, hunted in self.by_point)

    @property
    def untraced(self) -> bool:
        """Whether an error was seen at some point and not traced to any entry."""
        return any(hunted.untraced and not (hunted.wrong or hunted.spread) for _, hunted in self.by_point)

    @property
    def accuses(self) -> bool:
        return any(hunted.accuses for _, hunted in self.by_point)

    def suspects(self, key: str) -> dict[str, Array]:
        """Flat indices by tensor: the entries found wrong, and some of every group that is wrong throughout."""
        found: dict[str, set[int]] = {}
        generator = np.random.default_rng(int(key[:16], 16))
        for _, hunted in self.by_point:
            for entry in hunted.wrong:
                found.setdefault(entry.tensor, set()).add(entry.index)
            for spread in hunted.spread:
                for span in spread.group.spans:
                    drawn = generator.integers(span.start, span.stop, OF_A_GROUP)
                    found.setdefault(span.tensor, set()).update(int(i) for i in drawn)
        return {name: np.array(sorted(indices)) for name, indices in found.items()}

    def seen(self) -> float:
        """The relative error in one typical entry that would have been seen in every direction that was answered."""
        seen = [s for _, h in self.by_point for d in h.directions if d.slope.answered for s in d.seen.values()]
        return max((s for s in seen if math.isfinite(s)), default=math.inf)


def pursue(
    case: Case,
    loss_of: Callable[[Case], Joint],
    claimed: Gradients,
    spread: Floats,
    held: Sequence[Gradients],
    points: Iterable[int],
) -> Directed:
    """Directions over every claimed tensor at these points of a case in float64; `loss_of` a case of one point.

    `spread` (P,) is σ of the loss; `held` what rounding may do to the claimed entries, and to the slope of the loss.
    """
    found = []
    for p in points:
        alone = case.take([p])
        at = {name: _of(alone, name)[0] for name, _ in claimed.tensors()}
        mine = {name: np.asarray(claimed[name][p], np.float64) for name in at}
        wide = {name: np.asarray(sum(h[name][p] for h in held), np.float64) for name in at}
        question = (loss_of(alone), at, mine, float(spread[p]), case.key)
        hunted = group_testing.search(*question, held=wide, most_forwards=FORWARDS)
        if hunted.untraced and hunted.exhausted:
            hunted = group_testing.search(*question, held=wide, most_forwards=TRACING)
        found.append((p, hunted))
    return Directed(tuple(found))


def with_suspects(ask: Ask, suspects: Mapping[str, Array]) -> Ask:
    """What was to be asked, and these."""
    nothing = np.zeros(0, np.int64)
    return Ask({name: np.union1d(indices, suspects.get(name, nothing)) for name, indices in ask.entries.items()})


def _of(case: Case, name: str) -> Array:
    return case.params[name] if name in case.params else case.inputs[name]
