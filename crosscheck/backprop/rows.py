"""The shape of a rule. The rules stand in tables, so that a mutant or an error model is a merged table.

A rule sees stacks: every array has the same number of leading axes (samples or perturbations, points),
each of full size or of size 1, before the axes of one network, which `Site` describes. Rules use ufuncs,
`matmul`, `where` and negative axes only, so that they also run on the rounding array of `tolerance`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crosscheck.spec.op import Shape, Value

Array = Any  # an ndarray, or a duck array that behaves like one


@dataclass(frozen=True)
class Site:
    """Where a rule is applied: attributes and shapes without leading axes."""

    attributes: Mapping[str, Value]
    in_shapes: tuple[Shape, ...]
    out_shape: Shape


@dataclass(frozen=True)
class Activation:
    """a = f(z); dz = dC/dz from z, a and da = dC/da. Attributes come as keywords."""

    f: Callable[..., Array]
    dz: Callable[..., Array]


@dataclass(frozen=True)
class Layer:
    """forward(site, inputs, params) → output; backward(site, d_output, inputs, params) → (d_inputs, d_params)."""

    forward: Callable[[Site, tuple[Array, ...], Mapping[str, Array]], Array]
    backward: Callable[
        [Site, Array, tuple[Array, ...], Mapping[str, Array]], tuple[tuple[Array, ...], dict[str, Array]]
    ]


@dataclass(frozen=True)
class Loss:
    """value(a, y) for each element or sample; da(a, y) = its derivative. `per_sample`: the last axis is consumed."""

    value: Callable[..., Array]
    da: Callable[..., Array]
    per_sample: bool = False


Row = Activation | Layer | Loss
Rows = Mapping[str, Row]
