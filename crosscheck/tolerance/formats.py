"""The floating-point formats of the tolerance model: unit roundoff, range, and the accuracy of their functions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Format:
    """A floating-point format as the simulation sees it.

    `unit` is what results are perturbed by, and the spread is multiplied by `scale`: float64 is simulated
    at 2⁻⁴⁰, because 1 + uξ is itself quantised at 2⁻⁵³. `gradual` says that nobody flushes its subnormals to zero,
    `coarse` that 16 σ are a noticeable part of most results.
    """

    name: str
    unit: float
    scale: float
    smallest_normal: float
    smallest: float
    largest: float
    # Largest measured error in units of u, where that is above 1 (tests/benchmarks/measure_constants.py).
    accuracy: dict[Any, float]
    gradual: bool = False
    coarse: bool = False

    @property
    def roundoff(self) -> float:
        """The unit roundoff of the format itself."""
        return self.unit * self.scale

    @property
    def held(self) -> float:
        """From here on everybody holds a result, whatever becomes of smaller ones."""
        return self.smallest if self.gradual else self.smallest_normal

    @property
    def largest_exponent(self) -> float:
        """|z| from which on exp(-|z|) is zero."""
        return math.log(2.0) - math.log(self.smallest)

    def underflow(self, values: Floats) -> Floats:
        """The largest error of results below the smallest normal number: themselves, or half a subnormal step."""
        return np.minimum(np.abs(values), self.smallest / 2.0) if self.gradual else values


FORMATS = {
    "float64": Format(
        name="float64",
        unit=2.0**-40,
        scale=2.0**-13,
        smallest_normal=2.0**-1022,
        smallest=2.0**-1074,
        largest=float(np.finfo(np.float64).max),
        accuracy={
            np.exp: 1.2,
            np.log: 1.1,
            np.log1p: 1.1,
            np.tanh: 1.6,
            special.expit: 2.4,
            special.erf: 3.1,
            special.erfcx: 8.4,
        },
    ),
    "float32": Format(
        name="float32",
        unit=2.0**-24,
        scale=1.0,
        smallest_normal=2.0**-126,
        smallest=2.0**-149,
        largest=float(np.finfo(np.float32).max),
        accuracy={
            np.exp: 3.1,
            np.log: 3.6,
            np.log1p: 2.6,
            np.expm1: 3.1,
            np.tanh: 2.0,
            np.sin: 2.0,
            np.cos: 1.9,
            special.expit: 3.0,
            special.erf: 2.6,
        },
    ),
    # Libraries compute 16-bit functions in float32 and round once: over all arguments none is off by more than 1 u.
    "float16": Format(
        name="float16",
        unit=2.0**-11,
        scale=1.0,
        smallest_normal=2.0**-14,
        smallest=2.0**-24,
        largest=float(np.finfo(np.float16).max),
        accuracy={},
        gradual=True,  # float32, in which it is computed, holds its subnormals as normal numbers
        coarse=True,
    ),
    "bfloat16": Format(
        name="bfloat16",
        unit=2.0**-8,
        scale=1.0,
        smallest_normal=2.0**-126,
        smallest=2.0**-133,
        largest=float.fromhex("0x1.fep127"),
        accuracy={},
        coarse=True,
    ),
}
