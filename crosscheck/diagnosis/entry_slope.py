"""The Taylor slope of one entry of an argument of a function of which nothing is known but its values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from crosscheck.diagnosis.remainder import small_enough
from crosscheck.differences.taylor import CLEAR, STEPS, from_remainders
from crosscheck.spec.record import Taylor, number
from crosscheck.spec.result import Floats


def of_entry(
    loss: Callable[[Floats], float],
    at: Floats,
    index: tuple[int, ...],
    claimed: float,
    trusted: tuple[str, float, float],
    *,
    sigma: float,
    name: str,
) -> Taylor:
    """The remainders of `loss` as the entry `index` of `at` alone moves, with both derivatives that were given for it.

    `trusted` is whose the other one is, its value and its radius; `sigma` that of the loss; `name` that of `at`. A step
    is what is left of it after x + h has been rounded.
    """
    moves, losses = [], []
    for h in (0.0, *STEPS):
        moved = at.copy()
        moved[index] += h
        moves.append(float(moved[index] - at[index]))
        losses.append(loss(moved))
    whose, value, radius = trusted
    steps = np.array(moves[1:])
    with np.errstate(all="ignore"):
        change = np.array(losses[1:]) - losses[0]
        own, other = (np.abs(change - steps * slope) for slope in (claimed, value))
    noise = CLEAR * sigma
    reference = from_remainders(STEPS, other, noise + steps * radius)
    # Rounding explains nothing of an entry that has been found wrong.
    found = small_enough(from_remainders(STEPS, own, np.full(len(STEPS), noise)), lambda: reference)
    return Taylor(
        claimed=found.slope,
        reference=reference.slope,
        reference_name=whose,
        steps=found.steps,
        claimed_remainders=tuple(number(r) for r in found.remainders),
        reference_remainders=tuple(number(r) for r in reference.remainders),
        claimed_vanishes=found.vanishes,
        reference_vanishes=reference.vanishes,
        tensors=(name,),
    )
