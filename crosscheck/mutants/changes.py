"""How a rule is changed: the sound one is asked, perhaps about something else, and its answer is altered.

Leading axes come first in every array; `Call.lead` says how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from crosscheck.backprop.network import ROWS
from crosscheck.backprop.rows import Activation, Array, Keeping, Kept, Layer, Loss, Row, Site
from crosscheck.spec.op import Value

Backward = tuple[tuple[Array | None, ...], dict[str, Array]]


@dataclass(frozen=True)
class Call:
    """One call of a backward: what it is given, and the sound answer to it or to a similar question."""

    row: Layer | Keeping
    site: Site
    d_out: Array
    inputs: tuple[Array, ...]
    params: Mapping[str, Array]
    kept: Kept | None = None

    @property
    def lead(self) -> int:
        """How many leading axes there are."""
        return int(self.d_out.ndim) - len(self.site.out_shape)

    @property
    def answer(self) -> Backward:
        """The sound answer."""
        if isinstance(self.row, Keeping):
            return self.row.backward(self.site, self.d_out, cast("Kept", self.kept), self.inputs, self.params)
        return self.row.backward(self.site, self.d_out, self.inputs, self.params)

    def again(
        self,
        *,
        d_out: Array | None = None,
        inputs: tuple[Array, ...] | None = None,
        params: Mapping[str, Array] | None = None,
        attributes: Mapping[str, Value] | None = None,
    ) -> Backward:
        """The sound answer to the same call with something replaced; its forward is run again for what it keeps."""
        asked = replace(
            self,
            d_out=self.d_out if d_out is None else d_out,
            inputs=self.inputs if inputs is None else inputs,
            params=self.params if params is None else params,
            site=replace(self.site, attributes={**self.site.attributes, **(attributes or {})}),
        )
        if isinstance(self.row, Keeping) and (inputs, params, attributes) != (None, None, None):
            asked = replace(asked, kept=self.row.forward(asked.site, asked.inputs, asked.params)[1])
        return asked.answer

    @property
    def output(self) -> Array:
        """What the forward gave."""
        found = self.row.forward(self.site, self.inputs, self.params)
        return found[0] if isinstance(self.row, Keeping) else found


def layer(op: str, change: Callable[[Call], Backward]) -> Row:
    """The rule of a layer or merge with a changed backward."""
    row = cast("Layer | Keeping", ROWS[op])
    if isinstance(row, Keeping):
        return Keeping(
            row.forward,
            lambda site, d_out, kept, inputs, params: change(Call(row, site, d_out, inputs, params, kept)),
        )
    return Layer(row.forward, lambda site, d_out, inputs, params: change(Call(row, site, d_out, inputs, params)))


def slope(op: str, dz: Callable[..., Any]) -> Row:
    """The rule of an activation with another derivative: dz(z, a, da, sound, **attributes), `sound` the right one."""
    row = cast("Activation", ROWS[op])
    return Activation(row.f, lambda z, a, da, **own: dz(z, a, da, lambda *at: row.dz(*at, **own), **own))


def loss(op: str, da: Callable[..., Any]) -> Row:
    """The rule of a loss with another derivative: da(sound, *inputs, y, **attributes), `sound` one array an input."""
    row = cast("Loss", ROWS[op])

    def changed(*given: Array, **own: Any) -> Any:
        found = row.da(*given, **own)
        several = isinstance(found, tuple)
        result = da(found if several else (found,), *given, **own)
        return result if several else result[0]

    return replace(row, da=changed)
