"""How much of a large network is asked at once: what fits into memory, and into a time that somebody waits for.

Everything here is counted in numbers: those of one point of a network are its parameters, its inputs and the outputs
of its nodes. A check runs them SAMPLES times over, and suspects SAMPLES_FOR_SUSPECTS times.
"""

from __future__ import annotations

import math
import os

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.errors import UsageError

SAMPLES = 16
SAMPLES_FOR_SUSPECTS = 256
# Numbers in one array of a stochastic run, samples × points × numbers of a point: 64 MB in float64. Points beyond it
# are run one after the other, which changes no bit of the result.
AT_ONCE = 2**23
# Numbers of a suspect's run: twice as many, and where 256 samples do not fit there are fewer.
OF_SUSPECTS = 2**24
# Numbers of a case, all points together: a check of as many takes about ten seconds of one core.
OF_A_CASE = 2**20
# Numbers that finite differences move, entries × numbers of a case; but so many entries at least.
OF_DIFFERENCES = 2**27
FEWEST_DIFFERENCED = 16
# Numbers of all cases that are tried while a failure is shrunk; but so many cases at least.
OF_SHRINKING = 2**23
FEWEST_EVALUATIONS = 8
# Arrays of the size of all samples that are alive at the peak. Measured, 784-512-512-10 at batch 2 and 5-2000-2000 at
# batch 2: resident memory of 7.7 and 9.8 times samples × numbers × 8 bytes.
COPIES = 10


def numbers(architecture: Architecture) -> int:
    """Of one point: parameters, inputs and the outputs of all nodes."""
    inputs = [item.shape for item in architecture.inputs]
    return sum(map(math.prod, (*architecture.param_shapes.values(), *inputs, *architecture.node_shapes)))


def points_at_once(architecture: Architecture, samples: int) -> int:
    """How many points one stacked run takes."""
    return max(1, AT_ONCE // (samples * numbers(architecture)))


def points_of_a_case(architecture: Architecture, wanted: int) -> int:
    """So many points, or as many as are checked in good time."""
    return max(1, min(wanted, OF_A_CASE // numbers(architecture)))


def samples_of_a_suspect(architecture: Architecture) -> int:
    """SAMPLES_FOR_SUSPECTS, or as many as fit; never fewer than SAMPLES, and even, for they come in pairs."""
    fit = OF_SUSPECTS // numbers(architecture) // 2 * 2
    return max(SAMPLES, min(SAMPLES_FOR_SUSPECTS, fit))


def entries_differenced(architecture: Architecture, points: int, wanted: int) -> int:
    """So many entries, or as many as are differenced in good time."""
    fit = OF_DIFFERENCES // (numbers(architecture) * points)
    return min(wanted, max(FEWEST_DIFFERENCED, fit))


def evaluations(architecture: Architecture, points: int, wanted: int) -> int:
    """So many cases to try while a failure is shrunk, or as many as are checked in good time."""
    return min(wanted, max(FEWEST_EVALUATIONS, OF_SHRINKING // (numbers(architecture) * points)))


def told(architecture: Architecture, points: int, differenced: int) -> list[str]:
    """What is done less of than was wanted, in words; empty where the network is not large."""
    fit = points_of_a_case(architecture, points)
    less = (
        (fit, points, "points a network"),
        (samples_of_a_suspect(architecture), SAMPLES_FOR_SUSPECTS, "samples where a bound is asked again"),
        (entries_differenced(architecture, fit, differenced), differenced, "entries for finite differences"),
    )
    said = [f"{done} of {wanted} {what}" for done, wanted, what in less if done < wanted]
    return [f"large network, {numbers(architecture):,} numbers a point: {', '.join(said)}"] if said else []


def bytes_needed(architecture: Architecture) -> int:
    """About the memory that the stochastic run of one point takes."""
    return COPIES * SAMPLES * 8 * numbers(architecture)


def refuse_what_does_not_fit(architecture: Architecture) -> None:
    """Raises UsageError, before anything is run, where one point needs more memory than this machine has."""
    needed, at_hand = bytes_needed(architecture), bytes_of_this_machine()
    if needed > at_hand:
        place, size = _largest(architecture)
        raise UsageError(
            f"architecture: one point has {numbers(architecture):,} numbers, {size:,} of them in {place}; each is "
            f"held {COPIES} × {SAMPLES} times at once, which takes some {needed / 1e9:,.0f} GB, and this machine has "
            f"{at_hand / 1e9:,.0f}: smaller layers, or a smaller batch"
        )


def bytes_of_this_machine() -> float:
    """Its memory; infinite where the system does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE")) * float(os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # no POSIX, or a name that it does not know
        return math.inf


def _largest(architecture: Architecture) -> tuple[str, int]:
    """The node with the most numbers of its own, parameters and output, or the largest input."""
    found = {
        f"node {i} ({node.op})": sum(math.prod(architecture.param_shapes[key]) for key in node.params.values())
        + math.prod(architecture.node_shapes[i])
        for i, node in enumerate(architecture.nodes)
    }
    found |= {f"input {item.name}": math.prod(item.shape) for item in architecture.inputs}
    place = max(found, key=lambda name: found[name])
    return place, found[place]
