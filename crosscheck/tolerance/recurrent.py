"""Plain rows of the recurrent layers: their gates are activations of the table, by the textbook or a framework's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from crosscheck.backprop import recurrent
from crosscheck.backprop.recurrent import Gate
from crosscheck.backprop.rows import Activation, Array, Row


def _gate(row: Activation) -> Gate:
    def slope(z: Array, a: Array) -> Array:
        return row.dz(z, a, np.ones_like(a))

    return Gate(row.f, slope)


def rows(activations: Mapping[str, Row]) -> dict[str, Row]:
    """The rows, with the gates of this table of activations."""
    gates = (_gate(cast("Activation", activations[name])) for name in ("sigmoid", "tanh", "relu"))
    return dict(recurrent.rows(*gates))
