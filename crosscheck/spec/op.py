"""The meaning of an operation: its name, attributes, parameters, shapes and kinks; no mathematics."""

from __future__ import annotations

import math
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


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One attribute of an op.

    It always travels explicitly; `default` is what the text notation leaves out, and None says that
    the attribute must be given. Numbers lie in (`above`, `at_most`].
    """

    name: str
    type: Literal["bool", "int", "float", "choice"]
    default: Value | None = None
    choices: tuple[Value, ...] = ()
    above: float | None = None
    at_most: float | None = None

    def checked(self, value: object, place: str) -> Value:
        """The value in its canonical type; raises SpecError with the value, the rule and the place."""
        rule = self.rule()
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
                or (self.at_most is not None and result > self.at_most)
            )
        )
        if outside:
            raise SpecError(f"{place}: {self.name}={value!r}, but {self.name} is {rule}")
        return result

    def rule(self) -> str:
        """The rule in words, for messages."""
        if self.choices:
            return ("one of " if len(self.choices) > 1 else "") + ", ".join(str(c) for c in self.choices)
        words = {"bool": "true or false", "int": "a whole number", "float": "a finite number"}[self.type]
        if self.above is not None:
            words += f" above {self.above:g}"
        if self.at_most is not None:
            words += f"{' and' * (self.above is not None)} at most {self.at_most:,}"
        return words


@dataclass(frozen=True)
class Gap:
    """A witness that cannot answer for an op, and why: data, shown in the report."""

    op: str
    witness: str
    reason: str


Attributes = Mapping[str, Value]
ShapeRule = Callable[[Attributes, tuple[Shape, ...]], Shape]
ParamRule = Callable[[Attributes, tuple[Shape, ...]], dict[str, Shape]]
Places = Callable[[Attributes], tuple[float, ...]]


def no_params(_attributes: Attributes, _shapes: tuple[Shape, ...]) -> dict[str, Shape]:
    return {}


def nowhere(_attributes: Attributes) -> tuple[float, ...]:
    return ()


def same_shape(_attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    return shapes[0]


@dataclass(frozen=True, kw_only=True)
class Op:
    """An operation as it is asked.

    `kinks` are the values of the input (for a loss: of output minus target) at which the derivative
    jumps; `knots` those at which only a higher derivative does, which finite differences must know.
    `arity` is (least, most) number of inputs.
    """

    name: str
    kind: Kind
    attributes: tuple[Attribute, ...] = ()
    arity: tuple[int, int] = (1, 1)
    out_shape: ShapeRule = same_shape
    params: ParamRule = no_params
    kinks: Places = nowhere
    knots: Places = nowhere
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
