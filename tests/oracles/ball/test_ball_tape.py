"""The tape: each operation's adjoint on small integers, and the whole against forward mode, which has no tape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from builders import every_variant
from flint import arb
from hypothesis import given

from crosscheck.oracles.ball import Ball
from crosscheck.oracles.ball.arithmetic import precision
from crosscheck.oracles.ball.branches import row
from crosscheck.oracles.ball.forward_mode import derivatives
from crosscheck.oracles.ball.tape import Tape, Variable
from crosscheck.spec import OPS, Case, parse
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import Space
from crosscheck.strategies.values import make_case

# Each number of a point costs forward mode a pass.
# These have no rows of their own in forward mode: tests/backprop holds ball against PyTorch and JAX there.
WITHOUT = {
    *(
        "conv1d",
        "conv2d",
        "conv_transpose2d",
        "max_pool1d",
        "max_pool2d",
        "avg_pool1d",
        "avg_pool2d",
        "global_avg_pool",
    ),
    *("rnn", "lstm", "gru", "attention", "multi_head_attention"),
}
SMALL = replace(Space.of([op for op in OPS if op not in WITHOUT]), palette=(1, 2), most_layers=3)


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


@pytest.mark.parametrize("text", [text for op in OPS for text in every_variant(op) if op not in WITHOUT])
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
