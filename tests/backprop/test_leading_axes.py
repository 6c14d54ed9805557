"""Leading axes: a stack of networks of one architecture is one call, and gives the bits that each gives alone."""

from __future__ import annotations

import numpy as np
import pytest
from builders import case_of, every_variant

from crosscheck.backprop import network
from crosscheck.backprop.branches import signature
from crosscheck.spec import Case
from crosscheck.spec.ops import OPS

NETS = [
    "x[3,5] -> dense(4) -> gelu -> dense(3) -> mish -> dense(2) -> softmax_cross_entropy",
    "x[5] -> dense(4) -> h: tanh -> dense(4) -> add(h) -> softmax -> sse",
    "x[2,3,2]; u[2,3,1]; x -> concat(u) -> dense(3) -> h: selu -> multiply(h) -> huber",
    "x[4,8] -> h: prelu(per_channel=true) -> glu(axis=-2) -> norm(axis=-2) -> logsumexp(keepdims=true) -> sse",
    "x[2,3,4]; u[2,4,3]; x -> matmul(u) -> h: transpose -> concat(h, axis=-3) -> slice(axis=-2, step=2) -> sse",
    "x[1,1] -> dense(1) -> gelu(approximate=tanh) -> dense(17) -> log_sigmoid -> bce_with_logits",
]
STACK = 3


def stack_of(text: str, dtype: str) -> list[Case]:
    return [case_of(text, seed=seed, points=4, dtype=dtype) for seed in range(STACK)]


def both_ways(cases: list[Case]) -> tuple[dict[str, np.ndarray], list[list[dict[str, np.ndarray]]]]:
    """All in one call, arrays (K, P, …), and one network at a time, without any leading axis."""
    architecture = cases[0].architecture
    params = {k: np.stack([c.params[k] for c in cases]) for k in cases[0].params}
    inputs = {k: np.stack([c.inputs[k] for c in cases]) for k in cases[0].inputs}
    whole = run(architecture, params, inputs, np.stack([c.targets for c in cases]))
    points = [[c.point(p) for p in range(c.n_points)] for c in cases]
    return whole, [[run(architecture, q.params, q.inputs, q.targets) for q in row] for row in points]


def run(architecture, params, inputs, targets) -> dict[str, np.ndarray]:  # type: ignore[no-untyped-def]
    with np.errstate(all="ignore"):
        tape = network.forward(architecture, params, inputs, targets)
        by_param, by_link = network.backward(tape)
    links = {f"link {k}": a for k, a in by_link.items()}
    return {"loss": tape.loss, "branch": signature(tape), **by_param, **links}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", [*NETS, *(v for op in OPS for v in every_variant(op))])
def test_a_stack_gives_the_bits_of_each_network_alone(text: str, dtype: str) -> None:
    whole, alone = both_ways(stack_of(text, dtype))
    for k, row in enumerate(alone):
        for p, found in enumerate(row):
            assert found.keys() == whole.keys()
            for name, array in found.items():
                np.testing.assert_array_equal(whole[name][k, p], array, err_msg=f"{name} of network {k}, point {p}")


@pytest.mark.parametrize("text", NETS)
@pytest.mark.parametrize("alone", ["params", "inputs", "targets"])
def test_a_leading_axis_of_one_is_stretched(text: str, alone: str) -> None:
    """What finite differences rely on: one tensor perturbed K-fold, all else as it was."""
    cases = stack_of(text, "float64")
    first = cases[0]

    def stacked(kind: str, arrays: list[np.ndarray]) -> np.ndarray:
        return np.stack(arrays) if kind == alone else arrays[0][np.newaxis]

    params = {k: stacked("params", [c.params[k] for c in cases]) for k in first.params}
    inputs = {k: stacked("inputs", [c.inputs[k] for c in cases]) for k in first.inputs}
    whole = run(first.architecture, params, inputs, stacked("targets", [c.targets for c in cases]))
    for k, case in enumerate(cases):
        mixed = {"params": first.params, "inputs": first.inputs, "targets": first.targets, alone: getattr(case, alone)}
        found = run(first.architecture, mixed["params"], mixed["inputs"], mixed["targets"])
        for name, array in found.items():
            np.testing.assert_array_equal(np.broadcast_to(whole[name], (STACK, *array.shape))[k], array, err_msg=name)


@pytest.mark.parametrize("text", NETS)
def test_points_do_not_touch_each_other(text: str) -> None:
    case = case_of(text, points=4)
    whole, part = network.gradients(case), network.gradients(case.take([2, 0]))
    for name, values in part.tensors():
        np.testing.assert_array_equal(values, whole[name][[2, 0]], err_msg=name)


def test_signatures_part_where_one_element_changes_sides() -> None:
    case = case_of("x[2,3] -> relu -> sse", points=1)
    x = np.array([[[1.0, -1.0, 2.0], [-2.0, 0.5, 3.0]]])
    moved = np.stack([x] * 4)
    moved[1, 0, 1, 1] = -0.5
    moved[2, 0, 1, 1] = 0.0
    moved[3, 0, 1, 1] = 7.0
    tape = network.forward(case.architecture, {}, {"x": moved}, case.targets[np.newaxis])
    first, other_side, at_kink, same = signature(tape)[:, 0].tolist()
    assert same == first
    assert len({first, other_side, at_kink}) == 3
