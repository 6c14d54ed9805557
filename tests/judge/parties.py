"""Fake parties for the judge: a case of two points with one weight tensor and an input, and what each party says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from builders import case_of

from crosscheck.judge.verdict import Judgement, judge
from crosscheck.spec.result import Bound, Gradients, Reference, Rigour

CASE = case_of("x[2] -> dense(2, bias=false) -> sse", points=2)
LOSS = np.array([3.0, 5.0])
TRUTH = {"0.weight": np.array([[[1.0, 2.0], [3.0, 4.0]]] * 2), "x": np.array([[0.5, -0.5]] * 2)}
BOUND = 1e-9


def gradients(
    *, loss: Any = LOSS, weight: Any = None, x: Any = None, times: float = 1.0, dtype: str = "float64"
) -> Gradients:
    """The truth, except for what is given (broadcast to its shape) and a factor on both gradients."""
    w, i = (
        np.broadcast_to(t if given is None else given, t.shape) * times
        for t, given in zip(TRUTH.values(), (weight, x), strict=True)
    )
    return Gradients(np.broadcast_to(loss, 2).astype(dtype), {"0.weight": w.astype(dtype)}, {"x": i.astype(dtype)})


def with_entry(value: float, *, point: int = 0, name: str = "0.weight", loss: Any = LOSS) -> Gradients:
    """The truth, except for the first entry of one tensor at one point."""
    arrays = {k: v.copy() for k, v in TRUTH.items()}
    arrays[name][point].flat[0] = value
    return gradients(loss=loss, weight=arrays["0.weight"], x=arrays["x"])


def bound(
    size: float = BOUND, *, loss: float = BOUND, parted: bool = False, overflown: bool = False, signal: float = 0.0
) -> Bound:
    shapes = gradients(loss=np.full(2, loss), weight=np.full((2, 2, 2), size), x=np.full((2, 2), size))
    return Bound(
        gradients=shapes,
        held=shapes,
        centre=gradients(),
        parted=np.full(2, parted),
        overflown=np.full(2, overflown),
        near={},
        loss_spread=np.full(2, loss / 16.0),
        signal=np.full(2, signal),
    )


def witness(said: Gradients | None = None, radius: float | None = None) -> Reference:
    """A witness without a radius of its own is bounded from outside; `radius` makes it one like differences."""
    own = None if radius is None else gradients(loss=np.inf, weight=radius, x=radius)
    return Reference(said or gradients(), Rigour.DERIVED if radius is None else Rigour.ESTIMATED, own)


@dataclass(frozen=True)
class Scene:
    """Who says what. Witnesses are bounded like the subject unless they have a radius."""

    subject: Gradients
    witnesses: Mapping[str, Reference] = field(default_factory=lambda: {"torch": witness(), "jax": witness()})
    bound: Bound = field(default_factory=bound)
    deviating: Mapping[str, Bound] = field(default_factory=dict)

    def judged(self) -> Judgement:
        bounds = {"subject": self.bound} | {w: bound() for w, r in self.witnesses.items() if r.radius is None}
        return judge(CASE, self.subject, self.witnesses, bounds, self.deviating)
