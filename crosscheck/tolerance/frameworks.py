"""What was measured of the frameworks: the error constants of their derivatives, and their known deviations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crosscheck.spec.op import Attributes
from crosscheck.spec.result import DeviationMet

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
    "gelu":        Constant(1.13, 1.8,  1.2),
    "gelu_tanh":   Constant(1.13, 20.0, 150.0),
    "mish":        Constant(1.09, 17.0, 125.0),
    "elu":         Constant(1.0,  1.0,  1.0),
    "selu":        Constant(1.76, 1.5,  1.5),
    "softsign":    Constant(1.0,  1.0,  1.0),
    "log_sigmoid": Constant(1.0,  1.0,  16.0),
}
# fmt: on


@dataclass(frozen=True)
class ValueConstant:
    """Absolute error of g in units of u(|g| + 1)."""

    torch: float
    jax: float


# Half of the largest measured error, and never less than 4.
VALUE_ERROR = {
    "tanh": ValueConstant(4.0, 4.0),
    "gelu": ValueConstant(7.5, 4.0),
    "gelu_tanh": ValueConstant(4.0, 13.0),
    "mish": ValueConstant(4.0, 4.0),
}


@dataclass(frozen=True)
class LossConstant:
    """Absolute error of a loss's derivative by its output, in units of u; `by_delta`: of u·delta."""

    torch: float
    jax: float
    by_delta: bool = False


# Half of the largest error measured (tests/benchmarks/calibration.py). JAX's bce is its log_sigmoid's derivative; its
# huber is delta + (d - delta), which loses a unit in the last place of delta where d is small.
LOSS_ERROR = {
    "bce_with_logits": LossConstant(0.0, 16.0),
    "huber": LossConstant(0.0, 1.0, by_delta=True),
}

# The ops whose derivative a framework loses before it underflows: exp(z) is flushed where z·exp(z) is normal.
LOSES_EARLY = {"torch": ("silu", "mish"), "jax": tuple(DERIVATIVE_ERROR)}
# So much larger than the smallest normal number the lost value may be: |z| where exp(z) underflows is below this.
LARGEST_EXPONENT = 1024.0


Sizes = Callable[[NDArray[np.float64], Attributes], NDArray[np.float64]]


def _nothing(z: NDArray[np.float64], _attributes: Attributes) -> NDArray[np.float64]:
    return np.zeros_like(z)


@dataclass(frozen=True, kw_only=True)
class KnownDeviation:
    """Where a framework is systematically off in float64, and by how much, as functions of the input z.

    `slope` is the absolute error of g', `value` that of g, both with their signs: they add up or cancel in a
    network as the framework's do. What they explain is reported as its own, never as the subject's. Where
    both are nothing, the framework's rounding model already covers it, and the row is there to be reported:
    `region` says where.
    """

    witness: Constants
    op: str
    where: str
    size: str
    source: str
    region: Callable[[NDArray[np.float64]], NDArray[np.bool_]]
    slope: Sizes = _nothing
    value: Sizes = _nothing

    @property
    def about(self) -> DeviationMet:
        """What the report says of it."""
        return DeviationMet(self.witness, self.op, self.where, self.size, self.source)

    @property
    def beyond_rounding(self) -> bool:
        return self.slope is not _nothing or self.value is not _nothing


_SCRIPT = "tests/benchmarks/measure_constants.py"

DEVIATIONS: tuple[KnownDeviation, ...] = (
    KnownDeviation(
        witness="torch",
        op="hardsigmoid",
        where="-3 < z < 3",
        size="g' is 1/6 rounded to float32: 4.97e-9 too large (3e-8 relative)",
        source=_SCRIPT,
        region=lambda z: np.abs(z) < 3.0,
        slope=lambda z, _: np.where(np.abs(z) <= 3.0, 4.97e-9, 0.0),
    ),
    KnownDeviation(
        witness="torch",
        op="softplus",
        where="z > 20",
        size="linear above its threshold of 20: g' is 1 and g is z, up to 2.1e-9 off",
        source=_SCRIPT,
        region=lambda z: z > 20.0,
        slope=lambda z, _: np.where(z > 20.0, np.exp(-np.maximum(z, 20.0)), 0.0),
        value=lambda z, _: np.where(z > 20.0, -np.exp(-np.maximum(z, 20.0)), 0.0),
    ),
    KnownDeviation(
        witness="torch",
        op="sigmoid",
        where="z > 36.7",
        size="g' is 0, computed as s(1-s), where 1e-16 and less is true",
        source=_SCRIPT,
        region=lambda z: z > 36.7,
    ),
    KnownDeviation(
        witness="jax",
        op="sigmoid",
        where="z > 36.7",
        size="g' is 0, computed as s(1-s), where 1e-16 and less is true",
        source=_SCRIPT,
        region=lambda z: z > 36.7,
    ),
    KnownDeviation(
        witness="torch",
        op="tanh",
        where="|z| > 19.1",
        size="g' is 0, computed as 1 - t², where 1e-16 and less is true",
        source=_SCRIPT,
        region=lambda z: np.abs(z) > 19.1,
    ),
    KnownDeviation(
        witness="jax",
        op="tanh",
        where="|z| > 18",
        size="g' is 1.6e-15 at z = 20, where 1.7e-17 is true",
        source=_SCRIPT,
        region=lambda z: np.abs(z) > 18.0,
    ),
    KnownDeviation(
        witness="jax",
        op="mish",
        where="12.7 < z < 20",
        size="g' is up to 3e-14 off",
        source=_SCRIPT,
        region=lambda z: (z > 12.7) & (z < 20.0),
    ),
    KnownDeviation(
        witness="jax",
        op="elu",
        where="z < -37",
        size="g' is 0 at z = -38.8, where 1.4e-17 is true",
        source=_SCRIPT,
        region=lambda z: z < -37.0,
    ),
)
