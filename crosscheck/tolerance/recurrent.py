"""Plain rows of the recurrent layers: their gates are activations of the table, by the textbook or a framework's.

z = W x + b + U h + c may be summed in any order, and the biases are numbers without an error of their own. Where they
cancel each other their sum is nearly free of rounding, and (W x + b) + (U h + c) is not: z has an error of their size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from crosscheck.backprop import recurrent
from crosscheck.backprop.recurrent import Gate
from crosscheck.backprop.rows import Activation, Array, Row
from crosscheck.tolerance.noise import plain
from crosscheck.tolerance.rounding import Rounded


def _gate(row: Activation) -> Gate:
    def slope(z: Array, a: Array) -> Array:
        return row.dz(z, a, np.ones_like(a))

    return Gate(row.f, slope)


def in_any_order(u: Array, v: Array, biases: tuple[Array, ...]) -> Array:
    """u + v with the rounding of partial sums that hold one bias without the other."""
    z = u + v
    if isinstance(z, Rounded) and biases:
        return z.noised(sum(abs(plain(bias)) for bias in biases), u, v)
    return z


def rows(activations: Mapping[str, Row]) -> dict[str, Row]:
    """The rows, with the gates of this table of activations."""
    gates = (_gate(cast("Activation", activations[name])) for name in ("sigmoid", "tanh", "relu"))
    return dict(recurrent.rows(*gates, joined=in_any_order))
