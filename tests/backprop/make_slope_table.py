"""Writes slope_table.py: true values and derivatives of the activations, by ball arithmetic.

    python tests/backprop/make_slope_table.py        # needs python-flint

Each activation is composed of exp, log, erfc, sin and arithmetic; its derivative is the ε coefficient of the
same composition at z + ε, so no derivative formula is written down here. A number is written once its ball is
known to 110 bits (or to be zero in float64). For g = z S the larger of the terms S and z S' of g' is kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flint import arb, arb_series, ctx

WIDTH = 120
HEAD = '''"""The truth: (z, g(z), g'(z)) or (z, g(z), g'(z), the larger of the terms of g'). By make_slope_table.py."""

from __future__ import annotations

# fmt: off
TRUTH: dict[str, list[tuple[float, ...]]] = {
'''
SMALL = (5e-324, 2.0**-30, 2.0**-10, 0.1, 0.5, 0.7, 1.0, 1.25, 3.0, 6.3)
LARGE = (7.5, 13.75, 20.0, 30.1, 37.0, 88.0, 89.5, 103.0, 709.0, 709.9199, 745.0, 753.73, 1e5, 1e37, 1e308)
SIZES = (*SMALL, *LARGE)
COMMON = tuple(sign * size for size in SIZES for sign in (1.0, -1.0))
# Beside the zeros of g', and in the tails where g' leaves the normal numbers of float32 and of float64.
SPECIAL = {
    "sin": (1.57080078125, 1e22),
    "celu": (-0.30000001192092896, -26.20, -31.0, -0.0123, -212.5, -213.0, -223.4),
    "tanh": (-354.0, 44.0),
    "silu": (-1.2784645, -1.278564453125, -708.5, -710.1151, -740.0),
    "hardsigmoid": (-2.9999900008120166, -2.999990463256836, 2.9999900008120166),
    "gelu": (
        -0.75179,
        -0.7519531,
        -3.700000047683716,
        -9.699999809265137,
        -17.3,
        -35.9,
        -13.5,
        -13.875,
        -37.75,
        -38.4,
        -38.4231,
    ),
    "gelu_tanh": (
        -0.75246,
        -0.7519531,
        -3.700000047683716,
        -8.300000190734863,
        -12.7,
        -17.3,
        -6.375,
        -10.0,
        -10.25,
        -20.796875,
        -21.163495,
        -21.5,
    ),
    "mish": (-1.19242, -1.1923828125, -708.5, -740.0, -745.1227),
}


def root_two_over_pi() -> arb:
    return (arb(2) / arb.pi()).sqrt()


def mish_gate(x: arb_series) -> arb_series:
    """tanh(log(1 + e)) = ((1 + e)² - 1) / ((1 + e)² + 1), by the reciprocal of e where e is huge."""
    if x[0] > 0:
        r = (-x).exp()
        return (1 + 2 * r) / (1 + 2 * r + 2 * r * r)
    e = x.exp()
    return e * (e + 2) / (e * (e + 2) + 2)


def sigmoid(x: arb_series) -> arb_series:
    return 1 / (1 + (-x).exp()) if x[0] > 0 else x.exp() / (1 + x.exp())


def softplus(x: arb_series) -> arb_series:
    return x + (1 + (-x).exp()).log() if x[0] > 0 else (1 + x.exp()).log()


def selu(x: arb_series) -> arb_series:
    # The two numbers as the product has them: the nearest doubles of the published decimals.
    scale, alpha = arb(1.0507009873554805), arb(1.6732632423543772)
    return scale * (x if x[0] > 0 else alpha * (x.exp() - 1))


def celu(x: arb_series) -> arb_series:
    alpha = arb(0.3)  # that float64, which is no float32
    return x if x[0] > 0 else alpha * ((x / alpha).exp() - 1)


GATES = {
    "silu": sigmoid,
    "gelu": lambda x: (-x / arb(2).sqrt()).erfc() / 2,
    "gelu_tanh": lambda x: sigmoid(2 * root_two_over_pi() * (x + arb("0.044715") * x * x * x)),
    "mish": mish_gate,
}
PLAIN = {
    "sigmoid": sigmoid,
    "tanh": lambda x: 2 * sigmoid(2 * x) - 1,
    "softplus": softplus,
    "log_sigmoid": lambda x: -softplus(-x),
    "elu": lambda x: x if x[0] > 0 else x.exp() - 1,
    "celu": celu,
    "selu": selu,
    "softsign": lambda x: x / (1 + (x if x[0] > 0 else -x)),
    "sin": lambda x: x.sin(),
    "hardsigmoid": lambda x: (x + 3) / 6 if -3 < x[0] < 3 else 0 * x + (1 if x[0] > 0 else 0),
}


def value_and_slope(name: str, z: float) -> tuple[arb, arb, float]:
    """g(z), g'(z) and the larger of its terms; raises ArithmeticError where no precision settles them."""
    for bits in (200, 400, 1200, 4800, 9600):
        ctx.prec, ctx.cap = bits, 2
        x = arb_series([arb(z), 1])
        g = x * GATES[name](x) if name in GATES else PLAIN[name](x)
        terms = [GATES[name](x)[0], arb(z) * GATES[name](x)[1]] if name in GATES else [g[1]]
        if all(map(settled, [g[0], *terms, sum(terms)])):
            return g[0], sum(terms), max(abs(float(t.mid())) for t in terms)
    raise ArithmeticError(f"9600 bits do not settle {name} at z = {z!r}")


def settled(ball: arb) -> bool:
    return bool(ball.rel_accuracy_bits() >= 110 or ball.abs_upper() < arb(2) ** -1224)


def row(name: str, z: float) -> str:
    value, slope, term = value_and_slope(name, z)
    found = f"{z!r}, {float(value.mid())!r}, {float(slope.mid())!r}"
    return f"({found}, {term:.6g})," if name in GATES else f"({found}),"


def lines() -> Iterator[str]:
    for name in (*PLAIN, *GATES):
        yield f'    "{name}": ['
        line = "       "
        for item in (row(name, z) for z in (*COMMON, *SPECIAL.get(name, ()))):
            if len(line) + 1 + len(item) > WIDTH:
                yield line
                line = "       "
            line += f" {item}"
        yield line
        yield "    ],"


if __name__ == "__main__":
    Path(__file__).with_name("slope_table.py").write_text(HEAD + "\n".join(lines()) + "\n}\n", encoding="utf-8")
