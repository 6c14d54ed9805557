"""The built-in subject: the hand-written vectorised backprop.

In a 16-bit dtype the walk, and all that goes from rule to rule, is in that dtype; each rule is evaluated in
float32 and its results are rounded once, as the libraries do it: Dekker's products need more digits than the
format has, SciPy has no 16-bit loops, and a plain float beside bfloat16 makes float32 of it.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from crosscheck.backprop import network
from crosscheck.backprop.rows import Activation, Array, Layer, Loss, Row, Rows
from crosscheck.spec.case import Case
from crosscheck.spec.dtypes import HALF, dtype_named
from crosscheck.spec.result import Gradients


class Builtin:
    """The hand-written backprop in the case's own dtype; `rows` replaces its table (a mutant does)."""

    def __init__(self, rows: Rows = network.ROWS, name: str = "builtin") -> None:
        self.rows = rows
        self.name = name
        self.error_model: Literal["torch", "jax"] | None = None

    @property
    def supports(self) -> frozenset[str]:
        return frozenset(self.rows)

    def gradients(self, case: Case) -> Gradients:
        return network.gradients(case, in_single(self.rows, case.dtype) if case.dtype in HALF else self.rows)


def in_single(rows: Rows, dtype: str) -> dict[str, Row]:
    """The same rules for arrays of a 16-bit dtype: evaluated in float32, rounded to the dtype."""
    return {name: _in_single(row, dtype_named(dtype, "builtin")) for name, row in rows.items()}


def _in_single(row: Row, half: np.dtype[Any]) -> Row:
    def wide(array: Array) -> Array:
        return array.astype(np.float32) if array.dtype == half else array

    def narrow(array: Array) -> Array:
        return array.astype(half)

    if isinstance(row, Activation):
        return Activation(
            lambda z, **own: narrow(row.f(wide(z), **own)),
            lambda z, a, da, **own: narrow(row.dz(wide(z), wide(a), wide(da), **own)),
        )
    if isinstance(row, Loss):
        return Loss(
            lambda a, y, **own: narrow(row.value(wide(a), wide(y), **own)),
            lambda a, y, **own: narrow(row.da(wide(a), wide(y), **own)),
            row.per_sample,
        )
    return _layer_in_single(row, wide, narrow)


def _layer_in_single(row: Layer, wide: Any, narrow: Any) -> Layer:
    def inside(inputs: tuple[Array, ...], params: Any) -> tuple[tuple[Array, ...], dict[str, Array]]:
        return tuple(map(wide, inputs)), {role: wide(p) for role, p in params.items()}

    def forward(site: Any, inputs: tuple[Array, ...], params: Any) -> Array:
        return narrow(row.forward(site, *inside(inputs, params)))

    def backward(site: Any, d_out: Array, inputs: tuple[Array, ...], params: Any) -> Any:
        d_inputs, d_params = row.backward(site, wide(d_out), *inside(inputs, params))
        return tuple(map(narrow, d_inputs)), {role: narrow(d) for role, d in d_params.items()}

    return Layer(forward, backward)
