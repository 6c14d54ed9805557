"""All tensors of a point laid end to end, so that precision and rounding are asked once and not tensor by tensor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crosscheck.oracles.ball.arithmetic import Balls
from crosscheck.oracles.ball.branches import ZERO
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.op import Shape
from crosscheck.spec.result import Array, Floats, Gradients

# A tensor of an answer: ("loss", ""), ("outputs", ""), ("param", key), ("input", name) or ("node", index).
Slot = tuple[str, str | int]
LOSS: Slot = ("loss", "")
OUTPUTS: Slot = ("outputs", "")

# A radius is to be lost in what it is held against.
HUNDREDTH = math.log2(100.0)


@dataclass(frozen=True, eq=False)
class Layout:
    """Which tensors, in which order, of which shapes without the leading axis."""

    shapes: dict[Slot, Shape]

    @classmethod
    def of(cls, architecture: Architecture, *, by_node: bool) -> Layout:
        shapes: dict[Slot, Shape] = {LOSS: (), OUTPUTS: architecture.shape_of(architecture.loss.inputs[0])}
        shapes |= {("param", key): shape for key, shape in architecture.param_shapes.items()}
        shapes |= {("input", i.name): i.shape for i in architecture.inputs if i.dtype == "float"}
        if by_node:
            shapes |= {("node", i): shape for i, shape in enumerate(architecture.node_shapes)}
        return cls(shapes)

    @cached_property
    def size(self) -> int:
        return sum(math.prod(shape) for shape in self.shapes.values())

    def flat(self, found: Mapping[Slot, Balls | None]) -> Balls:
        """The balls of a point, (size,); zeros for what the loss does not depend on."""
        laid: Balls = []
        for slot, shape in self.shapes.items():
            balls = found[slot]
            laid += [ZERO] * math.prod(shape) if balls is None else balls
        return laid

    def demands(self, goal: Gradients, points: int) -> Floats:
        """(P, size): the logarithm of the radius that is asked for, a hundredth of the goal; infinite where none is."""
        asked: dict[Slot, Array] = {LOSS: goal.loss}
        asked |= {("param", key): array for key, array in goal.by_param.items()}
        asked |= {("input", name): array for name, array in goal.by_input.items()}
        asked |= {("node", i): array for i, array in goal.by_node.items()}
        result = np.full((points, self.size), np.inf)
        for slot, stretch in self._stretches():
            if slot in asked:
                result[:, stretch] = asked[slot].reshape(points, -1)
        with np.errstate(divide="ignore"):
            limits: Floats = np.log2(np.where(np.isnan(result), np.inf, result)) - HUNDREDTH
        return limits

    def gradients(self, laid: Floats) -> Gradients:
        """(P, size) as the record that travels."""
        found = {
            slot: np.ascontiguousarray(laid[:, stretch]).reshape(-1, *self.shapes[slot])
            for slot, stretch in self._stretches()
        }
        return Gradients(
            loss=found[LOSS],
            by_param={str(key): array for (kind, key), array in found.items() if kind == "param"},
            by_input={str(name): array for (kind, name), array in found.items() if kind == "input"},
            by_node={int(i): array for (kind, i), array in found.items() if kind == "node"},
            outputs=found[OUTPUTS],
        )

    def _stretches(self) -> list[tuple[Slot, slice]]:
        result, start = [], 0
        for slot, shape in self.shapes.items():
            result.append((slot, slice(start, start + math.prod(shape))))
            start += math.prod(shape)
        return result
