"""The meaning of an operation: its name, attributes, parameters, shapes and kinks; no mathematics."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from crosscheck.spec.errors import SpecError

Value = bool | int | float | str
Shape = tuple[int, ...]
Kind = Literal["layer", "activation", "merge", "loss"]
# Refused before any array is made; far above what a check can use.
LARGEST_SIZE = 10**9
SIZES = re.compile(r"[0-9]{1,10}(x[0-9]{1,10}){0,7}\Z")


def sizes_of(value: Value, axes: int) -> tuple[int, ...]:
    """An attribute of type `sizes` as one whole number for each axis; `axes` 0: as many as there are."""
    sizes = tuple(int(size) for size in str(value).split("x"))
    return sizes * axes if len(sizes) == 1 and axes else sizes


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One attribute of an op.

    It always travels explicitly; `default` is what the text notation leaves out, and None says that
    the attribute must be given. Numbers lie in (`above`, `at_most`], from `least` on.

    `sizes` are whole numbers for several axes: one that holds for all of them, or `2x3`; `sizes_of` reads them.
    """

    name: str
    type: Literal["bool", "int", "float", "choice", "sizes"]
    default: Value | None = None
    choices: tuple[Value, ...] = ()
    above: float | None = None
    least: float | None = None
    at_most: float | None = None
    axes: int = 0  # of sizes: how many axes; 0, as many as are given

    def checked(self, value: object, place: str) -> Value:
        """The value in its canonical type; raises SpecError with the value, the rule and the place."""
        rule = self.rule()
        if self.type == "sizes":
            return self._checked_sizes(value, f"{place}: {self.name}={value!r}, but {self.name} is {rule}")
        if isinstance(value, bool):
            fits = self.type == "bool"
        elif isinstance(value, int):
            fits = self.type == "int" or (self.type == "float" and abs(value) <= sys.float_info.max)
        elif isinstance(value, float):
            fits = self.type == "float" and math.isfinite(value)
        else:
            fits = isinstance(value, str) and self.type == "choice"
        if not fits or not isinstance(value, bool | int | float | str):
            raise SpecError(f"{place}: {self.name}={value!r}, but {self.name} is {rule}")
        result: Value = float(value) if self.type == "float" else value
        outside = (self.choices and result not in self.choices) or (
            not isinstance(result, str | bool)
            and (
                (self.above is not None and result <= self.above)
                or (self.least is not None and result < self.least)
                or (self.at_most is not None and result > self.at_most)
            )
        )
        if outside:
            raise SpecError(f"{place}: {self.name}={value!r}, but {self.name} is {rule}")
        return result

    def _checked_sizes(self, value: object, complaint: str) -> Value:
        if isinstance(value, bool) or not isinstance(value, int | str) or not SIZES.match(str(value)):
            raise SpecError(complaint)
        sizes = [int(size) for size in str(value).split("x")]
        above, at_most = self.above if self.above is not None else -1.0, self.at_most or LARGEST_SIZE
        if not all(above < size <= at_most for size in sizes) or (self.axes and len(sizes) not in (1, self.axes)):
            raise SpecError(complaint)
        if self.axes and len(set(sizes)) == 1:
            return sizes[0]
        return "x".join(map(str, sizes)) if len(sizes) > 1 else sizes[0]

    def rule(self) -> str:
        """The rule in words, for messages."""
        if self.choices:
            return ("one of " if len(self.choices) > 1 else "") + ", ".join(str(c) for c in self.choices)
        if self.type == "sizes":
            example = "x".join("2354"[: self.axes or 2])
            above = f" above {self.above:g}" if self.above is not None else ""
            return f"a whole number{above}, or one for each axis, as in {example}"
        words = {"bool": "true or false", "int": "a whole number", "float": "a finite number"}[self.type]
        if self.above is not None:
            words += f" above {self.above:g}"
        if self.least is not None:
            words += f" of at least {self.least:g}"
        if self.at_most is not None:
            words += f"{' and' * (self.above is not None or self.least is not None)} at most {self.at_most:,}"
        return words


@dataclass(frozen=True)
class Gap:
    """A witness that cannot answer for an op, and why: data, shown in the report."""

    op: str
    witness: str
    reason: str


@dataclass(frozen=True)
class Slot:
    """What one input of an op is: numbers, positive ones below `under`, whole ones from 0 to below `below`, or a mask.

    Numbers may come from any node or input, whatever its dtype; indices and masks from an input of their own dtype.
    """

    dtype: Literal["float", "int64", "bool"] = "float"
    positive: bool = False
    below: int = LARGEST_SIZE
    under: float = math.inf


NUMBERS = Slot()
MASK = Slot("bool")

Attributes = Mapping[str, Value]
# What each of so many inputs is.
SlotRule = Callable[[Attributes, int], tuple[Slot, ...]]
RoleRule = Callable[[Attributes], tuple[str, ...]]
ShapeRule = Callable[[Attributes, tuple[Shape, ...]], Shape]
ParamRule = Callable[[Attributes, tuple[Shape, ...]], dict[str, Shape]]
Places = Callable[[Attributes], tuple[float, ...]]


def no_params(_attributes: Attributes, _shapes: tuple[Shape, ...]) -> dict[str, Shape]:
    return {}


def no_roles(_attributes: Attributes) -> tuple[str, ...]:
    return ()


def all_numbers(_attributes: Attributes, count: int) -> tuple[Slot, ...]:
    return (NUMBERS,) * count


def nowhere(_attributes: Attributes) -> tuple[float, ...]:
    return ()


def same_shape(_attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    return shapes[0]


@dataclass(frozen=True, kw_only=True)
class Op:
    """An operation as it is asked.

    `kinks` are the values of the input (for a loss: of output minus target, or of what `places_of` says) at which
    the derivative jumps; `knots` those at which only a higher derivative does, which finite differences must know.
    `inside` is the shape of the numbers inside the op of which they are, where they are not of its first input.
    `ties`: it jumps where entries of the input are equal, as a maximum's does.
    `arity` is (least, most) number of inputs, `slots` what each of them is; `further` names those behind the first that
    are numbers, where they are something else than the first. `roles` are the names of the parameters,
    `params` their shapes, in the same order. `per_sample`, of a loss: the last axis of its input is one term.
    """

    name: str
    kind: Kind
    attributes: tuple[Attribute, ...] = ()
    arity: tuple[int, int] = (1, 1)
    slots: SlotRule = all_numbers
    further: tuple[str, ...] = ()
    out_shape: ShapeRule = same_shape
    roles: RoleRule = no_roles
    params: ParamRule = no_params
    kinks: Places = nowhere
    knots: Places = nowhere
    inside: ShapeRule | None = None
    ties: bool = False
    per_sample: bool = False
    places_of: str = "a - y"
    summary: str = ""

    def complete(self, given: Attributes, place: str) -> dict[str, Value]:
        """All attributes, explicit and in canonical types, defaults filled in; raises SpecError."""
        known = [a.name for a in self.attributes]
        for name in given:
            if name not in known:
                has = "has no attributes" if not known else "has " + ", ".join(known)
                raise SpecError(f"{place}: {self.name} has no attribute {name!r}; it {has}")
        result = {}
        for attribute in self.attributes:
            value = given.get(attribute.name, attribute.default)
            if value is None:
                raise SpecError(f"{place}: {self.name} needs {attribute.name}, {attribute.rule()}")
            result[attribute.name] = attribute.checked(value, f"{place} ({self.name})")
        return result
