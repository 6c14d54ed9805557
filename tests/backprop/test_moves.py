"""What only moves numbers, and what joins nodes on any axis: against NumPy, by every witness, and planted wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders import case_of, every_variant

from crosscheck.backprop import network
from crosscheck.backprop.rows import Array, Layer, Site
from crosscheck.checking import Witnesses, check
from crosscheck.judge.compare import Status
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.jax_grad import JaxGrad
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Verdict, parse
from crosscheck.subjects.builtin import Builtin
from crosscheck.tolerance.rounding import Rounding

ALL = Witnesses((Ball(), TorchAutograd(), JaxGrad()))
PROOF = Witnesses((Ball(),), differences=False)
DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])

# fmt: off
MOVED: dict[str, Callable[[Array], Array]] = {  # of one point
    "x[2,3,4] -> flatten":                         lambda x: x.reshape(2, 12),
    "x[2,3,4] -> flatten(start=0)":                lambda x: x.reshape(24),
    "x[2,3,4] -> flatten(start=2)":                lambda x: x,
    "x[2,3,4] -> reshape":                         lambda x: x.reshape(24),
    "x[2,3,4] -> reshape(shape=4x0x2)":            lambda x: x.reshape(4, 3, 2),
    "x[2,3,4] -> reshape(shape=6x4)":              lambda x: x.reshape(6, 4),
    "x[1] -> reshape(shape=1x1x1)":                lambda x: x.reshape(1, 1, 1),
    "x[] -> reshape(shape=1)":                     lambda x: x.reshape(1),
    "x[2,3,4] -> transpose":                       lambda x: x.transpose(0, 2, 1),
    "x[2,3,4] -> transpose(axis1=-1, axis2=-3)":   lambda x: x.transpose(2, 1, 0),
    "x[2,3,4] -> transpose(axis1=-2, axis2=-2)":   lambda x: x,
    "x[2,3,4,2] -> transpose(axis1=-4, axis2=-2)": lambda x: x.transpose(2, 1, 0, 3),
    "x[5,3] -> slice(start=1, step=2, axis=-2)":   lambda x: x[1::2],
    "x[3,5] -> slice(stop=4, step=3)":             lambda x: x[:, :4:3],
    "x[3,5] -> slice(start=-2)":                   lambda x: x[:, -2:],
    "x[3,5] -> slice(start=-9, stop=-4)":          lambda x: x[:, :1],
    "x[4,2,3] -> slice(axis=-3, stop=99)":         lambda x: x,
    "x[4,2,3] -> slice(axis=-3, start=3, step=7)": lambda x: x[3:],
}
JOINED: dict[str, Callable[[Array, Array], Array]] = {
    "x[2,3]; u[2,1]; x -> concat(u)":                   lambda x, u: np.concatenate([x, u], axis=-1),
    "x[2,3]; u[4,3]; x -> concat(u, axis=-2)":          lambda x, u: np.concatenate([x, u], axis=0),
    "x[2,3,2]; u[1,3,2]; x -> concat(u, axis=-3)":      lambda x, u: np.concatenate([x, u], axis=0),
    "x[2,3,2]; u[2,1,2]; x -> concat(u, x, axis=-2)":   lambda x, u: np.concatenate([x, u, x], axis=1),
    "x[2,3]; u[3,4]; x -> matmul(u)":                   lambda x, u: x @ u,
    "x[5,2,3]; u[5,3,1]; x -> matmul(u)":               lambda x, u: x @ u,
    "x[2,1,2,3]; u[2,1,3,2]; x -> matmul(u)":           lambda x, u: x @ u,
    "x[1,1]; u[1,1]; x -> matmul(u)":                   lambda x, u: x @ u,
}
# fmt: on
NETWORKS = (
    "x[2,6] -> dense(6) -> reshape(shape=2x3x2) -> transpose -> tanh -> flatten -> dense(2) -> sse",
    "x[3,4] -> h: dense(3) -> t: transpose; h -> matmul(t) -> softmax -> matmul(h) -> sse",
    "x[4,3] -> h: tanh -> slice(step=2, axis=-2) -> s: sin; h -> slice(start=2, axis=-2) -> concat(s, axis=-2) -> sse",
    "x[2,2] -> h: dense(2) -> matmul(h) -> matmul(h) -> cotangent",
)
EVERY = (
    *(f"{text} -> sse" for text in (*MOVED, *JOINED)),
    *NETWORKS,
    *(text for op in ("flatten", "reshape", "transpose", "slice", "concat", "matmul") for text in every_variant(op)),
)


@pytest.mark.parametrize("text", MOVED)
def test_a_movement_is_numpys(text: str) -> None:
    case = case_of(f"{text} -> cotangent", points=2)
    outputs = network.gradients(case).outputs
    np.testing.assert_array_equal(outputs, np.stack([MOVED[text](x) for x in case.inputs["x"]]))


@pytest.mark.parametrize("text", JOINED)
def test_a_join_is_numpys(text: str) -> None:
    case = case_of(f"{text} -> cotangent", points=2)
    wanted = [JOINED[text](x, u) for x, u in zip(case.inputs["x"], case.inputs["u"], strict=True)]
    np.testing.assert_allclose(network.gradients(case).outputs, np.stack(wanted), rtol=1e-14)


@pytest.mark.parametrize("text", MOVED)
def test_backward_takes_every_number_to_where_it_came_from(text: str) -> None:
    """The numbers 1 to n as the gradient of the output: each arrives at the place whose number went there, others 0."""
    case = case_of(f"{text} -> cotangent", points=1)
    wanted = np.zeros(case.inputs["x"][0].size)
    places = MOVED[text](np.arange(wanted.size).reshape(case.inputs["x"][0].shape))
    upstream = np.arange(1.0, places.size + 1).reshape(places.shape)
    wanted[places] = upstream
    site = Site(case.architecture.nodes[0].attributes, (case.inputs["x"].shape[1:],), places.shape)
    row = network.ROWS[case.architecture.nodes[0].op]
    assert isinstance(row, Layer)
    (found,), _ = row.backward(site, upstream[np.newaxis], (case.inputs["x"],), {})
    assert found is not None
    np.testing.assert_array_equal(found, wanted.reshape(case.inputs["x"].shape))


@DTYPES
@pytest.mark.parametrize("text", EVERY)
def test_all_witnesses_agree(text: str, dtype: str) -> None:
    for family in ("normal", "integers"):
        judgement = check(case_of(text, family=family, dtype=dtype, points=3), Builtin(), ALL)
        assert judgement.verdict is Verdict.AGREES, family
        assert judgement.count(Status.AGREE) > 0


@pytest.mark.parametrize("text", MOVED)
def test_a_movement_rounds_nothing(text: str) -> None:
    case = case_of(f"{text} -> cotangent", points=2)
    rounding = Rounding.of("float64", case.key, 4, 2)
    given = rounding.array(case.inputs["x"]).noised(1.0)
    architecture = case.architecture
    tape = network.forward(architecture, {}, {"x": given}, rounding.array(case.targets))
    wanted = np.stack([np.stack([MOVED[text](x) for x in sample]) for sample in given.data])
    np.testing.assert_array_equal(tape.outputs[0].data, wanted)


# --- planted ------------------------------------------------------------------------------------------------------


def changed(op: str, change: Callable[[Site, Any, tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...]]) -> Builtin:
    """The built-in with what `change`(site, d_out, inputs, found) makes of the gradients of the inputs."""
    sound = network.ROWS[op]
    assert isinstance(sound, Layer)

    def backward(site: Site, d_out: Any, inputs: Any, params: Any) -> Any:
        found, by_role = sound.backward(site, d_out, inputs, params)
        return change(site, d_out, inputs, found), by_role

    return Builtin(network.ROWS | {op: replace(sound, backward=backward)})


def like(d: Any, shape: tuple[int, ...]) -> Any:
    return d.reshape((*d.shape[:1], *shape))


# fmt: off
PLANTED: dict[str, tuple[str, Builtin]] = {
    "transpose: reshaped for swapped": ("x[3,2] -> transpose -> cotangent", changed(
        "transpose", lambda site, d, i, found: (like(d, site.in_shapes[0]),))),
    "reshape: in Fortran's order": ("x[2,6] -> reshape(shape=3x4) -> cotangent", changed(
        "reshape", lambda site, d, i, found: (np.stack([x.reshape(site.in_shapes[0], order="F") for x in d]),))),
    "flatten: rows swapped": ("x[2,2,3] -> flatten -> cotangent", changed(
        "flatten", lambda site, d, i, found: (found[0][:, ::-1],))),
    "slice: one too early": ("x[2,5] -> slice(start=1) -> cotangent", changed(
        "slice", lambda site, d, i, found: (np.roll(found[0], -1, axis=-1),))),
    "slice: step forgotten": ("x[2,5] -> slice(step=2) -> cotangent", changed(
        "slice", lambda site, d, i, found: (np.pad(d, [(0, 0), (0, 0), (0, 2)]),))),
    "slice: what is left out has a slope": ("x[2,5] -> slice(stop=2) -> cotangent", changed(
        "slice", lambda site, d, i, found: (np.where(found[0] == 0, d[..., :1], found[0]),))),
    "concat: split in the order of the names": ("x[2,3]; u[2,3]; x -> concat(u, axis=-2) -> cotangent", changed(
        "concat", lambda site, d, i, found: found[::-1])),
    "concat: split on the last axis": ("x[2,4]; u[2,4]; x -> concat(u, axis=-2) -> cotangent", changed(
        "concat", lambda site, d, i, found: tuple(like(part, (2, 4)) for part in np.split(d, 2, axis=-1)))),
    "matmul: left one not transposed": ("x[3,3]; u[3,3]; x -> matmul(u) -> cotangent", changed(
        "matmul", lambda site, d, i, found: (found[0], np.matmul(i[0], d)))),
    "matmul: right one not transposed": ("x[3,3]; u[3,3]; x -> matmul(u) -> cotangent", changed(
        "matmul", lambda site, d, i, found: (np.matmul(d, i[1]), found[1]))),
    "matmul: one gradient of the whole batch": ("x[2,3,3]; u[2,3,3]; x -> matmul(u) -> cotangent", changed(
        "matmul", lambda site, d, i, found: (found[0], 0.0 * found[1] + found[1].sum(axis=-3, keepdims=True)))),
}
# fmt: on


@DTYPES
@pytest.mark.parametrize("name", PLANTED)
def test_a_wrong_derivative_is_found(name: str, dtype: str) -> None:
    text, subject = PLANTED[name]
    judgement = check(case_of(text, points=3, dtype=dtype), subject, PROOF)
    assert judgement.verdict is Verdict.DISAGREES
    assert judgement.odd_one_out == "subject"


def test_shapes_are_those_of_the_notation() -> None:
    for text in (*MOVED, *JOINED):
        architecture = parse(f"{text} -> cotangent")
        assert architecture.node_shapes[-1] == network.gradients(case_of(f"{text} -> cotangent")).outputs.shape[1:]
