"""Whether a mutant's numbers differ from the sound ones on a network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crosscheck.mutants.mutant import Mutant
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.strategies.values import make_case
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.planted import Planted

SOUND = Builtin()
# Of the largest entry of a tensor: rounding is far below it, what is "slightly off" far above.
ROUNDING = 1e-9
FAMILIES = ("dyadic", "normal", "integers", "initialised")
SEEDS = (0, 1)
POINTS = 8


def cases(mutant: Mutant, architecture: Architecture) -> list[Case]:
    families = mutant.families or FAMILIES
    return [make_case(architecture, family=f, seed=seed, points=POINTS) for seed in SEEDS for f in families]


def off(mutant: Mutant, case: Case) -> dict[str, NDArray[np.bool_]]:
    """Which entries of each gradient differ from the sound ones beyond rounding."""
    with np.errstate(all="ignore"):
        found, sound = Planted(mutant).gradients(case), SOUND.gradients(case)
        result = {}
        for name, right in sound.tensors():
            size = (
                np.abs(right).reshape(len(right), -1).max(axis=-1, initial=0.0).reshape((-1, *(1,) * (right.ndim - 1)))
            )
            # Where both overflowed there is nothing to compare.
            same = (found[name] == right) | (np.isnan(found[name]) & np.isnan(right))
            result[name] = ~(same | (np.abs(found[name] - right) <= ROUNDING * size))
    return result


def differs(mutant: Mutant, case: Case) -> bool:
    return any(entries.any() for entries in off(mutant, case).values())


def shows(mutant: Mutant, architecture: Architecture) -> bool:
    return any(differs(mutant, case) for case in cases(mutant, architecture))
