"""Recurrent layers as steps on the tape, one time after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from crosscheck.oracles.ball.activations import ROWS as ACTIVATIONS
from crosscheck.oracles.ball.branches import ZERO, Row, row
from crosscheck.oracles.ball.tape import Composition, Place, Tape, Variable

Params = Mapping[str, Variable]
SIGMOID, TANH, RELU = (cast("Row", ACTIVATIONS[name]) for name in ("sigmoid", "tanh", "relu"))
# s(-z), so that 1 - s(z) has no difference in it.
REST = row(lambda x, own: SIGMOID.formulas[0](-x, own))
# Given W x + b and U h + c of a step (N, G·H each), its number and the states before it, the states behind it, h first.
Cell = Callable[[Variable, Variable, int, Sequence[Variable]], tuple[Variable, ...]]


def rnn(tape: Tape, place: Place, xs: tuple[Variable, ...], params: Params) -> Variable:
    (samples, steps, _), hidden = place.in_shapes[0], int(place.attributes["hidden"])
    activation = TANH if place.attributes["nonlinearity"] == "tanh" else RELU

    def cell(u: Variable, v: Variable, step: int, _states: Sequence[Variable]) -> tuple[Variable, ...]:
        widths = None
        if place.widths is not None:  # of all that goes into the nonlinearity, (N, T, H)
            starts = [(n * steps + step) * hidden for n in range(samples)]
            widths = [width for start in starts for width in place.widths[start : start + hidden]]
        return (tape.apply(activation, tape.add(u, v), place.attributes, widths),)

    return _unrolled(tape, place, xs, params, cell, 1)


def lstm(tape: Tape, place: Place, xs: tuple[Variable, ...], params: Params) -> Variable:
    hidden = int(place.attributes["hidden"])

    def cell(u: Variable, v: Variable, _step: int, states: Sequence[Variable]) -> tuple[Variable, ...]:
        z = tape.add(u, v)
        i, f, g, o = (
            tape.apply(activation, _gate(tape, z, number, 4, hidden))
            for number, activation in enumerate((SIGMOID, SIGMOID, TANH, SIGMOID))
        )
        c = tape.add(tape.multiply(f, states[1]), tape.multiply(i, g))
        return tape.multiply(o, tape.apply(TANH, c)), c

    return _unrolled(tape, place, xs, params, cell, 2)


def gru(tape: Tape, place: Place, xs: tuple[Variable, ...], params: Params) -> Variable:
    hidden = int(place.attributes["hidden"])

    def cell(u: Variable, v: Variable, _step: int, states: Sequence[Variable]) -> tuple[Variable, ...]:
        (u_r, u_z, u_n), (v_r, v_z, v_n) = ([_gate(tape, a, number, 3, hidden) for number in range(3)] for a in (u, v))
        r, into_z = tape.apply(SIGMOID, tape.add(u_r, v_r)), tape.add(u_z, v_z)
        n = tape.apply(TANH, tape.add(u_n, tape.multiply(r, v_n)))
        z, rest = tape.apply(SIGMOID, into_z), tape.apply(REST, into_z)
        return (tape.add(tape.multiply(rest, n), tape.multiply(z, states[0])),)

    return _unrolled(tape, place, xs, params, cell, 1)


def _unrolled(tape: Tape, place: Place, xs: tuple[Variable, ...], params: Params, cell: Cell, count: int) -> Variable:
    (samples, steps, width), hidden = place.in_shapes[0], int(place.attributes["hidden"])
    zeros = Variable([ZERO] * (samples * hidden))
    states: tuple[Variable, ...] = xs[1:] or (zeros,) * count
    outputs = []
    for step in range(steps):
        x = tape.gather([(n * steps + step) * width + k for n in range(samples) for k in range(width)], xs[0])
        states = cell(
            _linear(tape, x, params, "ih", width), _linear(tape, states[0], params, "hh", hidden), step, states
        )
        outputs.append(states[0])
    if place.attributes["output"] == "last":
        return outputs[-1]
    order = [(step * samples + n) * hidden + k for n in range(samples) for step in range(steps) for k in range(hidden)]
    return tape.gather(order, *outputs)


def _gate(tape: Tape, z: Variable, number: int, count: int, hidden: int) -> Variable:
    """The columns of one gate out of so many."""
    rows = len(z) // (count * hidden)
    return tape.gather([(n * count + number) * hidden + k for n in range(rows) for k in range(hidden)], z)


def _linear(tape: Tape, x: Variable, params: Params, name: str, inner: int) -> Variable:
    z = tape.product(x, params[f"weight_{name}"], inner)
    if f"bias_{name}" not in params:
        return z
    bias = params[f"bias_{name}"]
    return tape.add(z, tape.gather(list(range(len(bias))) * (len(z) // len(bias)), bias))


ROWS: dict[str, Composition] = {"rnn": rnn, "lstm": lstm, "gru": gru}
