"""Value families: the numbers of a case from one seed.

Kinks and ties are hit exactly through small integers and dyadic fractions, so no forward pass is needed
here. Families lead from the most readable to the hardest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.dtypes import dtype_named
from crosscheck.spec.op import Shape, Slot
from crosscheck.strategies import kinks
from crosscheck.strategies.kinks import Numbers
from crosscheck.strategies.targets import targets as drawn_targets

Draw = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]


@dataclass(frozen=True)
class Family:
    """How params and inputs are drawn; `kinks` says that exact kinks and ties are the point of it."""

    params: Draw
    inputs: Draw
    kinks: bool = False


def _integers(g: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return g.integers(-2, 3, shape).astype(np.float64)


def _dyadic(g: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return g.integers(-16, 17, shape) / 8.0


def _ones(_g: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.ones(shape)


def normal(scale: float) -> Draw:
    return lambda g, shape: scale * g.standard_normal(shape)


def _by_fan_in(g: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """As networks are initialised for training: variance 1 / (number of inputs)."""
    return np.asarray(g.standard_normal(shape) / np.sqrt(shape[-1] if len(shape) > 1 else 1))


def _spread(decades: float) -> Draw:
    """Both signs, magnitudes log-uniform over so many decades around 1."""

    def draw(g: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        return np.where(g.random(shape) < 0.5, -1.0, 1.0) * 10.0 ** (decades * (g.random(shape) - 0.5))

    return draw


def _between(least: float, most: float) -> Draw:
    """Both signs, magnitudes uniform between these."""

    def draw(g: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        return np.where(g.random(shape) < 0.5, -1.0, 1.0) * g.uniform(least, most, shape)

    return draw


def _sparse(g: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.where(g.random(shape) < 0.5, 0.0, g.standard_normal(shape))


def _repeated(g: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """All rows of a point alike."""
    if len(shape) < 3:
        return g.standard_normal(shape)
    return np.broadcast_to(g.standard_normal((shape[0], *(1,) * (len(shape) - 2), shape[-1])), shape).copy()


FAMILIES: dict[str, Family] = {
    "dyadic": Family(_dyadic, _dyadic, kinks=True),
    "integers": Family(_integers, _integers, kinks=True),
    "ones": Family(_ones, _ones, kinks=True),
    "initialised": Family(_by_fan_in, normal(1.0)),
    "normal": Family(normal(1.0), normal(1.0)),
    "small": Family(normal(0.1), normal(0.1)),
    "large": Family(normal(3.0), normal(3.0)),
    "saturating": Family(normal(3.0), normal(20.0)),
    "tiny": Family(normal(1e-4), normal(1e-4)),
    "decades": Family(_spread(4.0), _spread(4.0)),
    # Where activations turn flat, and implementations turn to something simpler: 20 is PyTorch's softplus's threshold.
    "shoulders": Family(_by_fan_in, _between(10.0, 40.0)),
    "sparse": Family(normal(1.0), _sparse, kinks=True),
    "repeated": Family(normal(1.0), _repeated),
}
# Float16 ends at 65504, and below 6e-5 it has fewer and fewer digits: there these mean the same on a smaller scale.
IN_FLOAT16: dict[str, Family] = {
    "large": Family(normal(1.5), normal(1.5)),
    # A sigmoid's slope is lost in 1 from 8 on, where float64 needs 37.
    "saturating": Family(normal(1.5), normal(8.0)),
    "shoulders": Family(_by_fan_in, _between(4.0, 16.0)),
    # Products of two are still normal numbers.
    "tiny": Family(normal(0.01), normal(0.01)),
    "decades": Family(_spread(2.0), _spread(2.0)),
}
# Where a subject is not expected to survive saturation (its own forward clips), these are drawn.
MILD = ("dyadic", "integers", "initialised", "normal", "small", "repeated")


def make_case(
    architecture: Architecture,
    *,
    family: str,
    seed: int,
    points: int,
    dtype: str = "float64",
    targets: str = "any",
    order: str = "C",
) -> Case:
    """The case of these draws: a function of its arguments alone.

    `targets` "any" suits the loss; "binary" draws 0 and 1 only.
    """
    generator = np.random.default_rng(seed)
    chosen = family_in(family, dtype)
    params = {
        key: _cast(chosen.params(generator, (points, *shape)), dtype)
        for key, shape in architecture.param_shapes.items()
    }
    inputs = {
        i.name: _input(generator, chosen, (points, *i.shape), architecture.slots_of(i.name), i.dtype, dtype)
        for i in architecture.inputs
    }
    drawn = drawn_targets(generator, architecture, (points, *architecture.target_shape), targets)
    if architecture.target_dtype == "float":
        drawn = _cast(drawn, dtype)
    if chosen.kinks:
        # A generator of its own: what was drawn stays what it is where there is no kink.
        kinks.plant(
            Numbers(architecture, params, inputs, drawn, dtype),
            np.random.default_rng((seed, 1)),
            targets=targets == "any",
        )
    weights = None
    if architecture.weights_shape is not None:
        weights = _cast(_weights(generator, (points, *architecture.weights_shape)), dtype)
    return Case(architecture, params, inputs, drawn, dtype, family, chosen.kinks, weights, order)


def _weights(g: np.random.Generator, shape: Shape) -> NDArray[np.float64]:
    """Weights of samples: some are 0, never all of a point's."""
    weights = g.integers(0, 5, shape) / 2.0
    weights[weights.sum(axis=-1) == 0] = 1.0
    return np.asarray(weights)


def family_in(name: str, dtype: str) -> Family:
    """The family as it is drawn in this dtype; raises KeyError for a name that is none."""
    return IN_FLOAT16.get(name, FAMILIES[name]) if dtype == "float16" else FAMILIES[name]


def _cast(array: NDArray[Any], dtype: str) -> NDArray[Any]:
    return array.astype(dtype_named(dtype, "values"))


def _input(
    g: np.random.Generator, family: Family, shape: Shape, slots: tuple[Slot, ...], kind: str, dtype: str
) -> NDArray[Any]:
    """One input as all of its uses can take it."""
    if kind == "int64":
        return g.integers(0, min([slot.below for slot in slots if slot.dtype == "int64"], default=2), shape)
    if kind == "bool":
        return g.random(shape) < 0.5
    values = family.inputs(g, shape)
    if any(slot.positive for slot in slots):
        values = np.where(values == 0, 1.0, np.abs(values))
    if any(slot.under == 1.0 for slot in slots):
        values = np.minimum(values / (1.0 + values), 1.0 - 2.0**-7)  # below 1 in every format
    return _cast(values, dtype)
