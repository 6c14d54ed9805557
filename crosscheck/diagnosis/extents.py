"""Which rows, columns, channels, samples or steps of a gradient are wrong, where some of them are right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crosscheck.diagnosis.quantities import OF_STEPS
from crosscheck.diagnosis.seen import Seen, Tensor
from crosscheck.spec.architecture import Architecture

MOST = 2
# The rows of one gate stand together.
GATES = {"lstm": "gates i, f, g, o in turn", "gru": "gates r, z, n in turn"}
# What the axes of a parameter number, by operation and role. Places of a kernel come behind those of a convolution.
OF_PARAMS: dict[tuple[str, str], tuple[str, ...]] = {
    ("dense", "weight"): ("rows, one an output", "columns, one an input"),
    ("dense", "bias"): ("outputs",),
    ("conv1d", "weight"): ("output channels", "input channels"),
    ("conv1d", "bias"): ("channels",),
    ("conv2d", "weight"): ("output channels", "input channels"),
    ("conv2d", "bias"): ("channels",),
    ("conv_transpose2d", "weight"): ("input channels", "output channels"),
    ("conv_transpose2d", "bias"): ("channels",),
    ("embedding", "weight"): ("rows, one an id", "columns"),
    ("rnn", "weight_ih"): ("hidden units", "features"),
    ("rnn", "weight_hh"): ("hidden units", "hidden units before"),
    **{(op, f"bias_{part}"): (words,) for op, words in GATES.items() for part in ("ih", "hh")},
    **{(op, "weight_ih"): (words, "features") for op, words in GATES.items()},
    **{(op, "weight_hh"): (words, "hidden units before") for op, words in GATES.items()},
}
# Of an input (N, C, …) the second axis is one of channels for these.
OF_CHANNELS = ("conv1d", "conv2d", "conv_transpose2d", "max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d")


def extents(seen: Sequence[Seen]) -> list[str]:
    """`0.weight: wrong at index 1 of axis 0 (rows, one an output; 3 of them), right elsewhere`; at most two such.

    In the largest answer that fails, of what is wrong in the one that is shown, the first, too. What an axis numbers is
    said where its operation has a word for it, and on which input, where that is another than the one shown.
    """
    failing = [s for s in seen if s.failed]
    if not failing:
        return []
    largest = max(failing, key=lambda s: sum(t.claimed.size for t in s.tensors.values()))
    found, first = [], seen[0]
    right = {name for name, t in first.tensors.items() if not t.wrong.any()} if first.failed else set()
    for tensor in largest.tensors.values():
        if tensor.wrong.any() and tensor.name not in right:
            built = _built(largest)
            alike = [s.tensors[tensor.name] for s in failing if tensor.name in s.tensors and _built(s) == built]
            of_shape = [t for t in alike if t.wrong.shape[1:] == tensor.wrong.shape[1:]]
            found += _along_axes(of_shape, largest.case.architecture)
    same = largest.case.architecture == first.case.architecture
    return [said if same else f"{said}, on {_of_inputs(largest.case.architecture)}" for said in found[:MOST]]


def _of_inputs(architecture: Architecture) -> str:
    return "; ".join(f"{item.name}[{','.join(map(str, item.shape))}]" for item in architecture.inputs)


def _built(seen: Seen) -> list[tuple[object, ...]]:
    """The operations and links of a network: in another one of the same keys an axis may number other things."""
    return [(node.op, node.inputs) for node in seen.case.architecture.nodes]


def _along_axes(alike: Sequence[Tensor], architecture: Architecture) -> list[str]:
    """Of one gradient in all answers in which it has this shape: what is wrong in one of them is not right."""
    found, tensor = [], alike[0]
    every, decided = (np.concatenate(masks) for masks in ([t.wrong for t in alike], [t.decided for t in alike]))
    for axis in range(1, every.ndim):
        rest = tuple(k for k in range(every.ndim) if k != axis)
        wrong = np.flatnonzero(every.any(axis=rest))
        spared = np.flatnonzero(decided.any(axis=rest) & ~every.any(axis=rest))
        size = every.shape[axis]
        if len(spared) and len(wrong) + len(spared) == size:
            places = ", ".join(map(str, wrong.tolist()))
            words = numbered_by(architecture, tensor.name, axis - 1, every.ndim - 1)
            of_what = f"{words}; {size} of them" if words else f"of {size}"
            found.append(f"{tensor.name}: wrong at index {places} of axis {axis - 1} ({of_what}), right elsewhere")
    return found


def numbered_by(architecture: Architecture, name: str, axis: int, axes: int) -> str | None:
    """What this axis of a parameter or input numbers; None where nothing can be said for certain."""
    for node in architecture.nodes:
        for role, key in node.params.items():
            if key == name:
                known = OF_PARAMS.get((node.op, role), ())
                return known[axis] if axis < len(known) else None
    links = [-i - 1 for i, item in enumerate(architecture.inputs) if item.name == name]
    users = {node.op for node in architecture.nodes if node.inputs[0] in links}
    if len(users) != 1:
        return None
    return _of_input(next(iter(users)), axis, axes)


def _of_input(op: str, axis: int, axes: int) -> str | None:
    """Of the first input of an operation."""
    if op in OF_STEPS and axis >= axes - 2 >= 0:
        return ("steps", "features")[axis - axes + 2]
    if axis == 0 and axes > 1 and (op not in OF_STEPS or axes > 2):
        return "samples"
    if op in OF_CHANNELS and axes > 2:
        return "channels" if axis == 1 else "places"
    return "features" if op == "dense" and axis == axes - 1 else None
