"""What a rule of a mutant is asked: of which derivative, with what, and what the sound rule answers.

An `Asked` has the sound answer `g`, the input `x` that it belongs to, and `shape`, that of what the op gives, without
leading axes. It can ask the sound rule something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

import numpy as np

from crosscheck.backprop.network import ROWS
from crosscheck.backprop.rows import Array, Loss
from crosscheck.mutants.changes import Backward, Call
from crosscheck.spec.fault import Factor
from crosscheck.spec.op import Op, Shape, Value

# Activations and losses are given arrays of one leading axis, the points.
POINTS = 1
ORDINALS = ("first", "second", "third", "fourth")


@dataclass(frozen=True)
class Part:
    """One derivative of an op: by an input (its number) or a parameter (its role); of a loss by an input.

    `alone`: the op has no other of this kind. `fixed` are attributes without which there is no such part.
    """

    op: Op
    factor: Factor
    name: str
    alone: bool = False
    fixed: Mapping[str, Value] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """As a mutant is named."""
        if self.factor is Factor.PARAM:
            return f"{self.op.name} {self.name}"
        if self.alone:
            return self.op.name if self.factor in (Factor.SLOPE, Factor.LOSS) else f"{self.op.name} input"
        return f"{self.op.name} input {self.name}"

    @property
    def said(self) -> str:
        """The derivative as a sentence names it."""
        if self.factor is Factor.SLOPE or (self.factor is Factor.LOSS and self.alone):
            return f"the derivative of {self.op.name}"
        if self.factor is Factor.PARAM:
            what = self.name
        else:
            what = "input" if self.alone else f"{ORDINALS[int(self.name)]} input"
        return f"{self.op.name}'s gradient by its {what}"

    def of(self, answer: Backward) -> Array | None:
        """It in the answer of a layer; None where it is not there."""
        d_inputs, d_params = answer
        if self.factor is Factor.PARAM:
            return d_params.get(self.name)
        return d_inputs[int(self.name)] if int(self.name) < len(d_inputs) else None

    def put(self, answer: Backward, g: Array) -> Backward:
        """The answer with it replaced."""
        d_inputs, d_params = answer
        if self.factor is Factor.PARAM:
            return d_inputs, {**d_params, self.name: g}
        place = int(self.name)
        return (*d_inputs[:place], g, *d_inputs[place + 1 :]), d_params


class Asked(Protocol):
    """What every rule was asked."""

    @property
    def g(self) -> Array: ...
    @property
    def x(self) -> Array: ...
    @property
    def shape(self) -> Shape: ...
    @property
    def lead(self) -> int: ...

    def rolled(self) -> Array:
        """The answer for the inputs of the sample before."""


@dataclass(frozen=True)
class OfLayer:
    """A layer or merge, asked for one part."""

    call: Call
    part: Part
    g: Array

    @property
    def lead(self) -> int:
        return self.call.lead

    @property
    def shape(self) -> Shape:
        return self.call.site.out_shape

    @property
    def x(self) -> Array:
        return self.call.inputs[int(self.part.name) if self.part.factor is Factor.INPUT else 0]

    def again(self, **changed: Any) -> Array:
        """The sound answer to a changed question (`Call.again`)."""
        return self.part.of(self.call.again(**changed))

    def by(self, params: Mapping[str, Array]) -> Array:
        """The answer of a backward that takes other parameters than the forward did."""
        call = replace(self.call, params={**self.call.params, **params})
        return self.part.of(call.answer)

    def rolled(self) -> Array:
        return self.again(inputs=tuple(self.before(a) for a in self.call.inputs))

    def before(self, a: Array) -> Array:
        """Each sample replaced by the one before it, where there are samples."""
        return np.roll(a, 1, axis=self.lead) if a.ndim > self.lead + 1 else a

    def upstream(self, d: Callable[[Array], Array]) -> Array:
        return self.again(d_out=d(self.call.d_out))


@dataclass(frozen=True)
class OfSlope:
    """An activation at z, with a its output and da = ∂C/∂a; `sound`(z, a, da) answers."""

    z: Array
    a: Array
    da: Array
    sound: Callable[[Array, Array, Array], Array]
    own: Mapping[str, Value]
    op: str
    lead: int = POINTS

    @property
    def g(self) -> Array:
        return self.sound(self.z, self.a, self.da)

    @property
    def x(self) -> Array:
        return self.z

    @property
    def shape(self) -> Shape:
        return tuple(self.z.shape[self.lead :])

    def rolled(self) -> Array:
        if self.z.ndim < 3:
            return self.g
        return self.sound(np.roll(self.z, 1, axis=POINTS), np.roll(self.a, 1, axis=POINTS), self.da)

    def upstream(self, d: Callable[[Array], Array]) -> Array:
        return self.sound(self.z, self.a, d(self.da))

    def by(self, **own: Value) -> Array:
        """The answer with other attributes."""
        row = cast("Any", ROWS[self.op])
        return row.dz(self.z, row.f(self.z, **{**self.own, **own}), self.da, **{**self.own, **own})


@dataclass(frozen=True)
class OfLoss:
    """A loss, asked for its derivative by input `index`; `given` are its inputs, then the targets."""

    op: str
    index: int
    g: Array
    given: tuple[Array, ...]
    own: Mapping[str, Value]
    lead: int = POINTS

    @property
    def x(self) -> Array:
        return self.given[self.index]

    @property
    def shape(self) -> Shape:
        return tuple(self.x.shape[self.lead :])

    def at(self, *given: Array, **own: Value) -> Array:
        """The sound derivative elsewhere, or with other attributes."""
        found = cast("Loss", ROWS[self.op]).da(*(given or self.given), **{**self.own, **own})
        return found[self.index] if isinstance(found, tuple) else found

    def rolled(self) -> Array:
        """For the targets of the sample before."""
        y = self.given[-1]
        return self.at(*self.given[:-1], np.roll(y, 1, axis=POINTS) if y.ndim > POINTS else y)
