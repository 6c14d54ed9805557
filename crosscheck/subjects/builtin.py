"""The built-in subject: the hand-written vectorised backprop.

In a 16-bit dtype the walk, and all that goes from rule to rule, is in that dtype; each rule is evaluated in
float32 and its results are rounded once, as the libraries do it: Dekker's products need more digits than the
format has, SciPy has no 16-bit loops, and a plain float beside bfloat16 makes float32 of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from crosscheck.backprop import network
from crosscheck.backprop.rows import Activation, Array, Keeping, Kept, Layer, Loss, Row, Rows
from crosscheck.spec.case import Case
from crosscheck.spec.dtypes import HALF, dtype_named
from crosscheck.spec.result import Gradients


class Builtin:
    """The hand-written backprop in the case's own dtype; `rows` replaces its table, `walk` its walk (a mutant does)."""

    def __init__(self, rows: Rows = network.ROWS, name: str = "builtin", *, walk: network.Walk = network.WALK) -> None:
        self.rows = rows
        self.walk = walk
        self.name = name
        self.error_model: Literal["torch", "jax"] | None = None
        self.weighs = True

    @property
    def supports(self) -> frozenset[str]:
        return frozenset(self.rows)

    def gradients(self, case: Case) -> Gradients:
        return self._asked(case, by_node=False)

    def node_gradients(self, case: Case) -> Gradients:
        """The same answer with ∂C/∂ each node's output in `by_node`."""
        return self._asked(case, by_node=True)

    def _asked(self, case: Case, *, by_node: bool) -> Gradients:
        rows = in_single(self.rows, case.dtype) if case.dtype in HALF else self.rows
        return network.gradients(case, rows, walk=self.walk, by_node=by_node, laid_out=_laid_out(case))


def _laid_out(case: Case) -> Callable[[Array], Array]:
    """Arrays as the case hands them out, read-only as its own are."""

    def laid_out(array: Array) -> Array:
        own = case.handed(array)
        own.flags.writeable = False
        return own

    return (lambda array: array) if case.order == "C" else laid_out


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
        return replace(
            row,
            value=lambda *given, **own: narrow(row.value(*map(wide, given), **own)),
            da=lambda *given, **own: _each(narrow, row.da(*map(wide, given), **own)),
            times=None,
        )
    return _keeping_in_single(row, wide, narrow) if isinstance(row, Keeping) else _layer_in_single(row, wide, narrow)


def _each(function: Callable[[Array], Array], found: Any) -> Any:
    return tuple(map(function, found)) if isinstance(found, tuple) else function(found)


def _keeping_in_single(row: Keeping, wide: Any, narrow: Any) -> Keeping:
    """What is kept stays in float32."""

    def forward(site: Any, inputs: tuple[Array, ...], params: Any) -> tuple[Array, Kept]:
        out, kept = row.forward(site, *_widened(wide, inputs, params))
        return narrow(out), kept

    def backward(site: Any, d_out: Array, kept: Kept, inputs: tuple[Array, ...], params: Any) -> Any:
        return _narrowed(narrow, row.backward(site, wide(d_out), kept, *_widened(wide, inputs, params)))

    return Keeping(forward, backward)


def _widened(wide: Any, inputs: tuple[Array, ...], params: Any) -> tuple[tuple[Array, ...], dict[str, Array]]:
    return tuple(map(wide, inputs)), {role: wide(p) for role, p in params.items()}


def _narrowed(narrow: Any, found: Any) -> tuple[tuple[Array | None, ...], dict[str, Array]]:
    d_inputs, d_params = found
    return tuple(d if d is None else narrow(d) for d in d_inputs), {role: narrow(d) for role, d in d_params.items()}


def _layer_in_single(row: Layer, wide: Any, narrow: Any) -> Layer:
    def forward(site: Any, inputs: tuple[Array, ...], params: Any) -> Array:
        return narrow(row.forward(site, *_widened(wide, inputs, params)))

    def backward(site: Any, d_out: Array, inputs: tuple[Array, ...], params: Any) -> Any:
        return _narrowed(narrow, row.backward(site, wide(d_out), *_widened(wide, inputs, params)))

    return Layer(forward, backward)
