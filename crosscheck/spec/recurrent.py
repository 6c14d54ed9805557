"""Recurrent layers: rnn, lstm, gru over (N, T, in), batch first, one layer in one direction.

Weights and their order are PyTorch's: weight_ih (G·H, in), weight_hh (G·H, H), bias_ih and bias_hh (G·H,), with the G
gates one below the other: of an lstm i, f, g, o; of a gru r, z, n. The initial states are zeros, or further inputs.
"""

from __future__ import annotations

from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import LARGEST_SIZE, Attribute, Attributes, Op, ParamRule, Shape, ShapeRule

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
# The names of the initial states, in the order of the inputs.
STATES = {"rnn": ("h0",), "lstm": ("h0", "c0"), "gru": ("h0",)}


def _shape(op: str) -> ShapeRule:
    def shape_rule(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
        x, *states = shapes
        hidden, names = int(attributes["hidden"]), " and ".join(STATES[op])
        if len(x) != 3:
            raise SpecError(f"{op} needs an input (N, T, in), not {x}")
        if len(states) not in (0, len(STATES[op])):
            raise SpecError(f"{op} takes an input alone or with {names}: {len(shapes)} inputs are neither")
        for state in states:
            if state != (x[0], hidden):
                raise SpecError(f"{op}(hidden={hidden}) needs {names} (N, hidden) = {(x[0], hidden)}, not {state}")
        return (*x[:2], hidden) if attributes["output"] == "sequence" else (x[0], hidden)

    return shape_rule


def _roles(attributes: Attributes) -> tuple[str, ...]:
    weights = ("weight_ih", "weight_hh")
    return (*weights, "bias_ih", "bias_hh") if attributes["bias"] else weights


def _params(op: str) -> ParamRule:
    def params(attributes: Attributes, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        hidden = int(attributes["hidden"])
        rows = GATES[op] * hidden
        of = {"weight_ih": (rows, shapes[0][-1]), "weight_hh": (rows, hidden), "bias_ih": (rows,), "bias_hh": (rows,)}
        return {role: of[role] for role in _roles(attributes)}

    return params


def _at_zero_of_relu(attributes: Attributes) -> tuple[float, ...]:
    return (0.0,) if attributes["nonlinearity"] == "relu" else ()


def _before_the_nonlinearity(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    return (*shapes[0][:2], int(attributes["hidden"]))


COMMON = (
    Attribute(name="hidden", type="int", above=0, at_most=LARGEST_SIZE),
    Attribute(name="bias", type="bool", default=True),
    Attribute(name="output", type="choice", default="sequence", choices=("sequence", "last")),
)

RECURRENT: tuple[Op, ...] = (
    Op(
        name="rnn",
        kind="layer",
        attributes=(
            *COMMON,
            Attribute(name="nonlinearity", type="choice", default="tanh", choices=("tanh", "relu")),
        ),
        arity=(1, 2),
        further=("h0",),
        out_shape=_shape("rnn"),
        roles=_roles,
        params=_params("rnn"),
        kinks=_at_zero_of_relu,
        inside=_before_the_nonlinearity,
        summary="h = g(W x + b + U h + c) at every step; all of them, or the last; optional input h0 (N, hidden)",
    ),
    Op(
        name="lstm",
        kind="layer",
        attributes=COMMON,
        arity=(1, 3),
        further=("h0", "c0"),
        out_shape=_shape("lstm"),
        roles=_roles,
        params=_params("lstm"),
        summary="c = f c + i g, h = o tanh(c) at every step; all h, or the last; optional inputs h0, c0 (N, hidden)",
    ),
    Op(
        name="gru",
        kind="layer",
        attributes=COMMON,
        arity=(1, 2),
        further=("h0",),
        out_shape=_shape("gru"),
        roles=_roles,
        params=_params("gru"),
        summary="n = tanh(W x + b + r (U h + c)), h = (1 - z) n + z h at every step; all h, or the last; optional "
        "input h0 (N, hidden)",
    ),
)
