"""Which known bug gives exactly these gradients, on every case that was seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from crosscheck.backprop.network import of_one
from crosscheck.diagnosis.seen import Seen, Tensor
from crosscheck.mutants.mutant import Mutant
from crosscheck.spec.fault import Fault
from crosscheck.spec.result import Array, Gradients
from crosscheck.subjects.planted import Planted

# Both the subject's answer and the planted one are rounded.
BOTH = 2.0
# Of what an entry is off by, a bug that explains it leaves at most this part.
PART = 0.25


@dataclass(frozen=True)
class Looked:
    """The bugs that give these gradients, those that were happened on somewhere first; and all that were tried."""

    fitting: tuple[Mutant, ...]
    tried: tuple[Mutant, ...]


# A factor, and the node that it was found wrong at; None: wherever its op stands.
Place = tuple[int | None, Fault]


def look_up(known: Iterable[Mutant], seen: Sequence[Seen], places: Sequence[Place]) -> Looked:
    """The known bugs of these places that explain every answer, right ones included.

    At a place with a node they are looked for in that node alone too, where others have the same op: code that is
    written out layer by layer has its bug in one of them. Without a place all bugs of the operations that were seen
    are tried.
    """
    tried = [
        bug
        for mutant in known
        if mutant.remembers is None and any(_stands_at(mutant, seen, fault) for _, fault in places or ((None, None),))
        for bug in (mutant, *_in_one_node(mutant, seen, places))
    ]
    fitting = [mutant for mutant in tried if explains(mutant, seen)]
    return Looked(tuple(sorted(fitting, key=lambda mutant: mutant.source == "systematic")), tuple(tried))


def _in_one_node(mutant: Mutant, seen: Sequence[Seen], places: Sequence[Place]) -> Iterator[Mutant]:
    for node, fault in places:
        row = mutant.rows.get(fault.op or "")
        if node is None or node < 0 or row is None or len(mutant.rows) > 1 or not _stands_at(mutant, seen, fault):
            continue
        if any(sum(n.op == fault.op for n in s.case.architecture.nodes) > 1 for s in seen):
            yield replace(mutant, rows={of_one(str(fault.op), node): row})


def _stands_at(mutant: Mutant, seen: Sequence[Seen], where: Fault | None) -> bool:
    if where is not None and where.op is not None:
        return any((fault.op, fault.factor) == (where.op, where.factor) for fault in mutant.faults)
    if where is not None:
        return any((fault.op, fault.factor) == (None, where.factor) for fault in mutant.faults)
    return all(set(mutant.ops) <= set(s.case.architecture.ops) for s in seen if s.failed)


def explains(mutant: Mutant, seen: Sequence[Seen]) -> bool:
    """Whether the planted bug gives every claimed gradient to within rounding, and some wrong one among them."""
    return any(s.failed for s in seen) and all(gives(mutant, s) for s in seen)


def gives(mutant: Mutant, seen: Seen) -> bool:
    """Whether the planted bug gives every gradient that was claimed there to within rounding."""
    planted = Planted(mutant).gradients(seen.case)
    return all(_alike(tensor, planted) for tensor in seen.tensors.values())


def _alike(tensor: Tensor, planted: Gradients) -> bool:
    own: Array = planted[tensor.name].astype(np.float64)
    with np.errstate(all="ignore"):
        # A bug may make a gradient larger, and so its rounding; one entry too, where the true one is next to nothing.
        grown = np.maximum(1.0, _largest(own) / _largest(tensor.true))
        relative = _largest(tensor.own) / _largest(tensor.true)
        off = np.abs(own - tensor.claimed)
        room = BOTH * np.maximum(tensor.own * grown, relative * np.abs(own))
        # At a tie rounding may decide, and the room is as large as what is decided: a wrong entry is to be met all the
        # same.
        room = np.where(tensor.wrong, np.minimum(room, PART * np.abs(tensor.claimed - tensor.true)), room)
        same = (off <= room) | (np.isnan(own) & np.isnan(tensor.claimed)) | (own == tensor.claimed)
    return bool(same[tensor.decided].all())


def _largest(values: Array) -> Array:
    """By point, against the axes of one network; at least the smallest normal number."""
    size = np.where(np.isfinite(values), np.abs(values), 0.0)
    largest = np.maximum(size.reshape(len(size), -1).max(axis=1, initial=0.0), 2.0**-1022)
    return np.asarray(largest.reshape((-1,) + (1,) * (values.ndim - 1)))
