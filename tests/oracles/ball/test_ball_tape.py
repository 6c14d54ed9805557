"""The tape: each operation's adjoint on small integers, and the whole against forward mode, which has no tape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from builders import every_variant
from flint import arb
from hypothesis import given

from crosscheck.oracles.ball import Ball, activations, forward_layers, forward_losses, forward_mode
from crosscheck.oracles.ball.arithmetic import precision
from crosscheck.oracles.ball.branches import Row, row
from crosscheck.oracles.ball.forward_mode import derivatives
from crosscheck.oracles.ball.tape import Tape, Variable
from crosscheck.spec import OPS, Case, parse
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import Space
from crosscheck.strategies.values import make_case

# Each number of a point costs forward mode a pass.
SMALL = replace(Space.of(list(OPS)), palette=(1, 2), most_layers=3)


def variable(*numbers: float) -> Variable:
    return Variable([arb(v) for v in numbers])


def swept(build: Callable[..., Variable], *xs: Variable) -> tuple[list[float], list[list[float]]]:
    """Values, and adjoints of the operands under the upstream 1, 2, 3, …"""
    with precision(128):
        tape = Tape()
        made = build(tape, *xs)
        adjoints = tape.sweep(made, [arb(i + 1) for i in range(len(made))])
    return [float(b) for b in made.balls], [[float(b) for b in adjoints[x]] for x in xs]


X, Y = (3.0, -1.0, 2.0, 5.0), (2.0, 7.0, -4.0, 0.5)
SQUARE = row(lambda x, _: x * x)


@pytest.mark.parametrize(
    ("build", "values", "adjoints"),
    [
        (Tape.add, [5, 6, -2, 5.5], [[1, 2, 3, 4], [1, 2, 3, 4]]),
        (Tape.subtract, [1, -8, 6, 4.5], [[1, 2, 3, 4], [-1, -2, -3, -4]]),
        (Tape.multiply, [6, -7, -8, 2.5], [[2, 14, -12, 2], [3, -2, 6, 20]]),
        # (2, 2) times the transpose of (2, 2): [[3, -1], [2, 5]] · [[2, -4], [7, 0.5]]
        (lambda t, x, y: t.product(x, y, 2), [-1, -12.5, 39, -5.5], [[-6, 8, -10, 23], [9, 14, 14, 18]]),
        (lambda t, x, y: t.gather([7, 0, 0, 5], x, y), [0.5, 3, 3, 7], [[5, 0, 0, 0], [0, 4, 0, 1]]),
    ],
)
def test_operations_on_two(build: Callable[..., Variable], values: list[float], adjoints: list[list[float]]) -> None:
    assert swept(build, variable(*X), variable(*Y)) == (values, adjoints)


@pytest.mark.parametrize(
    ("build", "values", "adjoint"),
    [
        (lambda t, x: t.apply(SQUARE, x), [9, 1, 4, 25], [6, -4, 12, 40]),
        (lambda t, x: t.shift(x, [arb(1)] * 4), [2, -2, 1, 4], [1, 2, 3, 4]),
        (lambda t, x: t.scale(x, [arb(v) for v in Y]), [6, -7, -8, 2.5], [2, 14, -12, 2]),
        (lambda t, x: t.sums(x, 2), [2, 7], [1, 1, 2, 2]),
        (lambda t, x: t.sums(x, 1), [9], [1, 1, 1, 1]),
        (lambda t, x: t.multiply(x, x), [9, 1, 4, 25], [6, -4, 12, 40]),
        (lambda t, x: t.gather([3, 2, 1, 0], x), [5, 2, -1, 3], [4, 3, 2, 1]),
    ],
)
def test_operations_on_one(build: Callable[..., Variable], values: list[float], adjoint: list[float]) -> None:
    assert swept(build, variable(*X)) == (values, [adjoint])


def test_the_sum_of_an_empty_group_is_0() -> None:
    assert swept(lambda t, x: t.sums(t.gather([], x), 3), variable(*X)) == ([0, 0, 0], [[0, 0, 0, 0]])


def test_adjoints_of_several_uses_add_up() -> None:
    def build(tape: Tape, x: Variable) -> Variable:
        square = tape.multiply(x, x)
        return tape.add(tape.multiply(square, x), tape.scale(x, [arb(10)] * 4))  # x³ + 10x

    _, (adjoint,) = swept(build, variable(*X))
    assert adjoint == [(i + 1) * (3 * v * v + 10) for i, v in enumerate(X)]


def test_a_sweep_leaves_the_tape_as_it_was() -> None:
    with precision(128):
        tape, x = Tape(), variable(*X)
        made = tape.multiply(x, x)
        first, second = tape.sweep(made)[x], tape.sweep(made)[x]
    assert [float(b) for b in first] == [float(b) for b in second] == [2 * v for v in X]


def test_a_step_that_the_result_does_not_need_is_not_swept() -> None:
    with precision(128):
        tape, x, y = Tape(), variable(*X), variable(*Y)
        made = tape.multiply(x, x)
        tape.multiply(x, y)
        adjoints = tape.sweep(made)
    assert y not in adjoints


# --- against forward mode ---------------------------------------------------------------------------------------


def disagreements(case: Case, point: int) -> list[str]:
    """Entries in which what the tape proves and the ball of forward mode do not overlap, at 128 and 1,600 bits."""
    found = Ball().certify(case, points=[point]).reference
    assert found.radius is not None
    wrong, asked = [], 0
    for name, gradient in found.gradients.tensors():
        loss, slopes = derivatives(case, point, name, bits=1600)
        proved = zip(gradient[point].flat, found.radius[name][point].flat, strict=True)
        for i, ((value, radius), slope) in enumerate(zip(proved, slopes, strict=True)):
            asked += 1
            if not arb(float(value), float(radius)).overlaps(slope):
                wrong.append(f"{case.architecture}, {case.family}: {name} {i}: {value} ± {radius}, {slope.str(20)}")
        if not arb(float(found.gradients.loss[point]), float(found.radius.loss[point])).overlaps(loss):
            wrong.append(f"{case.architecture}, {case.family}: loss")
    assert asked
    return wrong


def test_forward_mode_has_every_op() -> None:
    layers = {*forward_mode.VECTORS, *forward_layers.ROWS, "dense"}
    losses = {*forward_losses.ELEMENTS, *forward_losses.SAMPLES}
    missing = [name for name, op in OPS.items() if name not in (losses if op.kind == "loss" else layers)]
    assert [name for name in missing if not isinstance(activations.ROWS.get(name), Row)] == []


@pytest.mark.thorough
@pytest.mark.parametrize("text", [text for op in OPS for text in every_variant(op)])
def test_every_op_agrees_with_forward_mode(text: str) -> None:
    for family in ("normal", "saturating"):
        case = make_case(parse(text), family=family, seed=1, points=1)
        assert disagreements(case, 0) == []


@given(cases(SMALL, points=1))
def test_drawn_networks_agree_with_forward_mode(case: Case) -> None:
    assert disagreements(case, 0) == []


@pytest.mark.parametrize(
    "text",
    [
        "x[] -> tanh -> add(x, x) -> sse",
        "x[3] -> dense(2) -> log_softmax -> cotangent",
        "x[2,2] -> h: dense(2, bias=false) -> tanh -> dense(2, weight=@0.weight) -> multiply(h) -> concat(h, x) -> mse",
        "x[1,1] -> dense(1) -> softmax -> mae",
        "x[2,1,2] -> gelu -> softmax -> softmax_cross_entropy(targets=probabilities, reduction=batch_mean)",
    ],
)
def test_shapes_and_shared_numbers_agree_with_forward_mode(text: str) -> None:
    assert disagreements(make_case(parse(text), family="normal", seed=3, points=2), 1) == []


# What a single layer of every_variant does not have at once: sizes that differ by axis, groups with several channels,
# padding beyond which a window reaches, several steps from given states, a query that sees nothing.
JOINED = [
    "x[1,4,5] -> conv1d(4, 3, stride=2, padding=2, dilation=2, groups=2) -> tanh -> conv1d(1, 2) -> sse",
    "x[1,2,3,4] -> conv2d(2, 2x3, stride=2x1, padding=0x2, dilation=1x2, groups=2, bias=false) -> cotangent",
    "x[1,2,2,2] -> conv_transpose2d(4, 2x3, 3x2, 1x0, output_padding=2x1, dilation=2x1, groups=2) -> sse",
    "x[1,4,2,1] -> conv_transpose2d(2, 1x2, groups=2, bias=false) -> sigmoid -> conv2d(1, 2) -> mse",
    "x[1,1,5] -> max_pool1d(3, 1, 1) -> tanh -> avg_pool1d(3, 2, 1, false) -> cotangent",
    "x[1,2,3,4] -> max_pool2d(2x3, 1x2, 1x1) -> avg_pool2d(2x2, 1x1, 1x0, true) -> global_avg_pool -> sse",
    "x[1,1,3,3] -> avg_pool2d(3x2, 2x1, 1x1, false) -> relu -> cotangent",
    "x[2,3,2]; h0[2,2]; x -> rnn(h0, 2, nonlinearity=relu) -> rnn(1, output=last) -> sse",
    "x[1,3,2]; h0[1,2]; c0[1,2]; x -> lstm(h0, c0, 2) -> lstm(1, bias=false, output=last) -> cotangent",
    "x[2,3,1]; h0[2,2]; x -> gru(h0, 2, output=last) -> mse",
    "x[1,3,2] -> gru(1, bias=false) -> gru(2) -> cotangent",
    "x[2,2,2]; k[2,3,2]; v[2,3,1]; m[2,2,3]:bool; x -> attention(k, v, m, mask=given, scale=1.5) -> cotangent",
    "x[2,1,2,1]; k[2,1,2,1]; v[2,1,2,2]; m[2,2]:bool; x -> attention(k, v, m, mask=padding) -> sse",
    "x[3,2]; k[2,2]; v[2,2]; x -> attention(k, v, mask=causal) -> cotangent",
    "x[1,2,4]; c[1,3,4]; m[1,2,3]:bool; x -> multi_head_attention(c, m, heads=2, mask=given, cross=true) -> sse",
    "x[2,2,2]; m[2,2]:bool; x -> multi_head_attention(m, heads=2, mask=padding, bias=false) -> cotangent",
    "x[1,3,2] -> multi_head_attention(mask=causal) -> cotangent",
]


@pytest.mark.parametrize("text", JOINED)
@pytest.mark.parametrize("family", ["normal", "repeated"])
def test_windows_and_sequences_agree_with_forward_mode(text: str, family: str) -> None:
    assert disagreements(make_case(parse(text), family=family, seed=4, points=1), 0) == []


def test_a_query_that_sees_nothing_is_compared_too() -> None:
    text = "x[1,2,2]; k[1,2,2]; v[1,2,2]; m[1,2,2]:bool; x -> attention(k, v, m, mask=given) -> cotangent"
    case = make_case(parse(text), family="normal", seed=4, points=1)
    mask = np.array([[[[False, False], [False, True]]]])
    assert disagreements(replace(case, inputs={**case.inputs, "m": mask}), 0) == []


def test_the_comparison_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tape whose subtraction forgets the sign of its adjoint does not overlap."""
    monkeypatch.setattr(Tape, "subtract", lambda tape, x, y: tape.add(x, tape.gather(range(len(y)), y)))
    case = make_case(parse("x[2,3] -> softmax -> cotangent"), family="normal", seed=1, points=1)
    assert len(disagreements(case, 0)) > 3


def test_forward_mode_on_a_sum_of_squares() -> None:
    case = make_case(parse("x[2,3] -> sse"), family="dyadic", seed=1, points=1)
    loss, slopes = derivatives(case, 0, "x")
    d = case.inputs["x"][0] - case.targets[0]
    assert float(loss) == np.square(d).sum()
    assert [float(s) for s in slopes] == (2 * d).ravel().tolist()
