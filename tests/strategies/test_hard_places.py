"""The hard places of layers occur in what is drawn: ties, no variance, repeated ids, masked rows, saturated gates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest

from crosscheck.backprop import network
from crosscheck.backprop.branches import met
from crosscheck.backprop.network import Tape
from crosscheck.spec import Case
from crosscheck.spec.architecture import Node
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import Space

# A sigmoid's slope in float64 is lost in 1 from there on.
SATURATED = 37.0
MOST = 150
Found = np.ndarray


def _given(case: Case, node: Node, which: int) -> Found:
    """An input of a node that is one of the architecture's own, points first."""
    return np.asarray(case.inputs[case.architecture.inputs[-node.inputs[which] - 1].name])


def _equal(groups: Found) -> bool:
    """Whether any group, on the last axis, has two numbers at least and all of them alike."""
    return groups.shape[-1] > 1 and bool((groups == groups[..., :1]).all(axis=-1).any())


def _grouped(a: Found, shape: tuple[int, ...], node: Node) -> Found:
    """What a norm sees as one group on the last axis."""
    points = len(a)
    if node.op == "batch_norm":
        return np.moveaxis(a, 2, 1).reshape(points, shape[1], -1)
    if node.op == "group_norm":
        return a.reshape(points, shape[0] * int(node.attributes["groups"]), -1)
    axes = int(node.attributes.get("axes", 1))
    return a.reshape(points, -1, int(np.prod(shape[len(shape) - axes :])))


def _no_variance(case: Case, tape: Tape, node: Node) -> bool:
    if node.attributes.get("mode") == "evaluation":
        return False
    a = np.asarray(tape.value(node.inputs[0]))
    return _equal(_grouped(a, case.architecture.shape_of(node.inputs[0]), node))


def _all_zero(_case: Case, tape: Tape, node: Node) -> bool:
    z = np.asarray(tape.value(node.inputs[0]))
    return not z.any(axis=int(node.attributes.get("axis", -1))).all()


def _twice(case: Case, _tape: Tape, node: Node) -> bool:
    return any(len(np.unique(ids)) < ids.size for ids in _given(case, node, 0))


def _hidden(case: Case, _tape: Tape, node: Node) -> bool:
    """Some query sees nothing."""
    return node.attributes["mask"] in ("padding", "given") and not _given(case, node, -1).any(axis=-1).all()


def _nothing_kept(case: Case, _tape: Tape, node: Node) -> bool:
    return len(node.inputs) > 1 and any(not mask.any() for mask in _given(case, node, 1))


def _saturated(case: Case, tape: Tape, node: Node) -> bool:
    """Of a recurrent layer by what comes from its input alone."""
    z = np.asarray(tape.value(node.inputs[0]))
    if "weight_ih" in node.params:
        weight = np.asarray(case.params[node.params["weight_ih"]])
        z = np.matmul(z.reshape(len(z), -1, z.shape[-1]), weight.swapaxes(-1, -2))
    return bool((abs(z) > SATURATED).any())


def _on_its_kink(case: Case, _tape: Tape, node: Node) -> bool:
    return any(exactly for (op, _), (exactly, _) in met(case, {}).items() if op == node.op)


Seen = Callable[[Case, Tape, Node], bool]
# fmt: off
PLACES: Mapping[str, tuple[tuple[str, ...], Seen]] = {
    "a pool ties":               (("max_pool1d", "max_pool2d"), _on_its_kink),
    "a group has no variance":   (("batch_norm", "layer_norm", "group_norm"), _no_variance),
    "a vector is all zeros":     (("rms_norm", "norm"), _all_zero),
    "an id stands twice":        (("embedding",), _twice),
    "a row is masked":           (("attention", "multi_head_attention"), _hidden),
    "a mask keeps nothing":      (("dropout",), _nothing_kept),
    "a gate is saturated":       (("lstm", "gru", "rnn", "glu", "swiglu", "sigmoid"), _saturated),
    "a kink is hit":             (("rnn", "prelu"), _on_its_kink),
}
# fmt: on


def drawn(*ops: str) -> Iterator[Case]:
    """Networks of these ops, as the random phase draws them."""
    source = Source(cases(Space.of(["dense", *ops]), points=4), 0)
    return (case for case in map(source.case, range(MOST)) if case is not None)


def those_of(op: str) -> Iterator[tuple[Case, Tape, Node]]:
    for case in drawn("tanh", op, "sse"):
        with np.errstate(all="ignore"):
            tape = network.forward(case.architecture, case.params, case.inputs, case.targets)
        yield from ((case, tape, node) for node in case.architecture.nodes if node.op == op)


@pytest.mark.parametrize(("op", "place"), [(op, place) for place, (ops, _) in PLACES.items() for op in ops])
def test_it_occurs_and_not_everywhere(op: str, place: str) -> None:
    """Within so many networks at most: the rarest, a batch without variance, is in some 4 % of them."""
    seen: Counter[bool] = Counter()
    for case, tape, node in those_of(op):
        seen[PLACES[place][1](case, tape, node)] += 1
        if seen[True] > 1 < seen[False]:
            return
    pytest.fail(f"in {MOST} networks: {seen}")


@pytest.mark.parametrize(
    ("loss", "places"),
    [
        ("hinge", {1.0}),
        ("gaussian_nll", {1e-6, 0.25}),
        ("cosine_similarity", {1e-8, 0.5}),
        ("triplet", {0.0}),
    ],
)
def test_kinks_of_losses_that_are_not_of_output_less_target_are_hit(loss: str, places: set[float]) -> None:
    """Before they were put there, 120 networks met none of cosine_similarity, and of triplet 2."""
    hits: Counter[float | None] = Counter()
    for case in drawn(loss):
        hits.update(at for (op, at), (exactly, _) in met(case, {}).items() if op == loss and exactly)
        if all(hits[at] > 2 for at in places):
            return
    pytest.fail(f"in {MOST} networks: {hits}")
