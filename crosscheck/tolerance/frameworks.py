"""What was measured of the frameworks: the error constants of their derivatives, and their known deviations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crosscheck.spec.op import Attributes

Constants = Literal["torch", "jax"]


@dataclass(frozen=True)
class Constant:
    """sup|g'|, and for each framework half of the largest measured error of g' in units of u·sup|g'|."""

    sup: float
    torch: float
    jax: float


# Measured by tests/benchmarks/measure_constants.py.
# fmt: off
DERIVATIVE_ERROR = {
    "sigmoid":     Constant(0.25, 3.0,  3.0),
    "tanh":        Constant(1.0,  1.0,  7.0),
    "softplus":    Constant(1.0,  1.0,  16.0),
    "silu":        Constant(1.1,  17.0, 17.0),
    "gelu":        Constant(1.13, 1.0,  1.0),
    "gelu_tanh":   Constant(1.13, 19.0, 145.0),
    "mish":        Constant(1.09, 17.0, 125.0),
    "elu":         Constant(1.0,  1.0,  1.0),
    "selu":        Constant(1.76, 1.5,  1.5),
    "softsign":    Constant(1.0,  1.0,  1.0),
    "log_sigmoid": Constant(1.0,  1.0,  16.0),
}
# fmt: on

# Absolute error of g in units of u(|g| + 1).
VALUE_ERROR = {"tanh": 4.0, "gelu": 4.0}


@dataclass(frozen=True)
class KnownDeviation:
    """Where a framework's derivative is systematically off: an ORACLE_DISAGREES there is explained by this row.

    `region(z, attributes)` says for each pre-activation whether it lies there.
    """

    witness: Constants
    op: str
    region: Callable[[NDArray[np.float64], Attributes], NDArray[np.bool_]]
    where: str
    size: str
    source: str


DEVIATIONS: tuple[KnownDeviation, ...] = (
    KnownDeviation(
        "torch",
        "softplus",
        lambda z, _: z > 20.0,
        "z > 20",
        "linear above its threshold of 20: g' is 1 where 1 - exp(-z) is true, up to 2.1e-9",
        "numerics: 1.6e7 ulp at z = 20.1, measured in float64",
    ),
    KnownDeviation(
        "torch",
        "sigmoid",
        lambda z, _: z > 36.7,
        "z > 36.7",
        "g' computed as s(1-s) is 0 where 1e-17 and less is true",
        "numerics: measured in float64",
    ),
    KnownDeviation(
        "jax",
        "sigmoid",
        lambda z, _: z > 36.7,
        "z > 36.7",
        "g' computed as s(1-s) is 0 where 1e-17 and less is true",
        "numerics: measured in float64",
    ),
    KnownDeviation(
        "torch",
        "tanh",
        lambda z, _: np.abs(z) > 19.1,
        "|z| > 19.1",
        "g' computed as 1 - t² is 0 where 1e-16 and less is true",
        "numerics: measured in float64",
    ),
    KnownDeviation(
        "jax",
        "tanh",
        lambda z, _: np.abs(z) > 17.0,
        "|z| > 17",
        "g' is 1.6e-15 at z = 20 where 1.7e-17 is true",
        "numerics: measured in float64",
    ),
    KnownDeviation(
        "jax",
        "elu",
        lambda z, _: z < -36.0,
        "z < -36",
        "g' is 0 at z = -38.8 where 1.4e-17 is true",
        "numerics: measured in float64",
    ),
)
