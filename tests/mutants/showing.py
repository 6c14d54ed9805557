"""Whether a mutant's numbers differ from the sound ones on a network."""

from __future__ import annotations

import numpy as np

from crosscheck.mutants.mutant import Mutant
from crosscheck.spec import Case
from crosscheck.spec.architecture import Architecture
from crosscheck.strategies.values import make_case
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.planted import Planted

SOUND = Builtin()
# Rounding is far below it, what is "slightly wrong" far above.
ROUNDING = 1e-9
FAMILIES = ("dyadic", "normal", "integers", "initialised")
SEEDS = (0, 1, 2)
POINTS = 8


def cases(mutant: Mutant, architecture: Architecture) -> list[Case]:
    families = mutant.families or FAMILIES
    return [make_case(architecture, family=f, seed=seed, points=POINTS) for seed in SEEDS for f in families]


def differs(mutant: Mutant, case: Case) -> bool:
    """Whether a gradient differs beyond rounding, at any point."""
    with np.errstate(all="ignore"):
        found, sound = Planted(mutant).gradients(case), SOUND.gradients(case)
        for name, right in sound.tensors():
            size = np.abs(right).reshape(len(right), -1).max(axis=-1, initial=0.0)
            off = np.abs(found[name] - right).reshape(len(right), -1)
            if not (off <= ROUNDING * size[:, np.newaxis]).all():
                return True
    return False


def shows(mutant: Mutant, architecture: Architecture) -> bool:
    return any(differs(mutant, case) for case in cases(mutant, architecture))
