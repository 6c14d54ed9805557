"""What was measured of the frameworks: the error constants of their derivatives, and their known deviations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crosscheck.spec.dtypes import DTYPES
from crosscheck.spec.op import Attributes
from crosscheck.spec.result import DeviationMet

Constants = Literal["torch", "jax"]


@dataclass(frozen=True)
class Constant:
    """sup|g'|, and for each framework half of the largest measured error of g' in units of u·sup|g'|.

    In 16 bits what a formula loses is smaller in units of u: few digits are left of what it loses them from.
    """

    sup: float
    torch: float
    jax: float
    torch_in_half: float
    jax_in_half: float

    def of(self, model: Constants, *, half: bool) -> float:
        return float(getattr(self, f"{model}_in_half" if half else model))


# Measured by tests/benchmarks/measure_constants.py; those of 16 bits, over every argument that the formats have, by
# tests/benchmarks/measure_half.py, and never less than 1.
# fmt: off
DERIVATIVE_ERROR = {
    "sigmoid":     Constant(0.25, 3.0,  3.0,   1.0, 2.8),
    "tanh":        Constant(1.0,  1.0,  7.0,   1.0, 1.0),
    "softplus":    Constant(1.0,  1.0,  16.0,  1.0, 2.2),
    "silu":        Constant(1.1,  17.0, 17.0,  1.0, 3.4),
    "gelu":        Constant(1.13, 1.8,  1.2,   1.0, 1.0),
    "gelu_tanh":   Constant(1.13, 20.0, 150.0, 1.0, 2.6),
    "mish":        Constant(1.09, 17.0, 125.0, 1.0, 1.9),
    "elu":         Constant(1.0,  1.0,  1.0,   1.0, 1.0),
    "celu":        Constant(1.0,  1.0,  1.0,   1.0, 1.0),
    "selu":        Constant(1.76, 1.5,  1.5,   1.0, 1.2),
    "softsign":    Constant(1.0,  1.0,  1.0,   1.0, 4.0),
    "log_sigmoid": Constant(1.0,  1.0,  16.0,  1.0, 2.2),
}
# fmt: on


# Layers that are as inaccurate as an activation in them.
GATED = {"glu": "sigmoid", "swiglu": "silu", "rnn": "tanh", "lstm": "sigmoid", "gru": "sigmoid"}


@dataclass(frozen=True)
class ValueConstant:
    """Absolute error of g in units of u(|g| + 1); in 16 bits it is 1 for everybody."""

    torch: float
    jax: float

    def of(self, model: Constants, *, half: bool) -> float:
        return 1.0 if half else float(getattr(self, model))


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
    jax_in_half: float
    by_delta: bool = False

    def of(self, model: Constants, *, half: bool) -> float:
        return self.jax_in_half if half and model == "jax" else float(getattr(self, model))


# Half of the largest error measured (tests/benchmarks/calibration.py). JAX's bce and focal
# have its log_sigmoid's derivative; its huber is delta + (d - delta), which loses a unit in the last place of delta
# where d is small.
LOSS_ERROR = {
    "bce_with_logits": LossConstant(0.0, 16.0, 1.1),
    "huber": LossConstant(0.0, 1.0, 1.0, by_delta=True),
    "focal": LossConstant(0.0, 16.0, 3.1),
}

# The ops whose PyTorch kernels lose the digits that a large mean takes: tolerance/normalisation.py has their formulas.
LOSES_MEANS = ("batch_norm", "layer_norm", "group_norm")
# Those and this one JAX has by way of rsqrt, whose derivative overflows early.
BY_RSQRT = ("rms_norm",)

# And these losses by way of the square of an inverse, which does.
BY_INVERSE_SQUARE = ("gaussian_nll", "cosine_similarity")

# Losses whose value has an error of its own in JAX, that of log1p between 1 - √2 and √½ - 1.
LOSES_LOGARITHMS = ("bce",)

# The ops whose derivative a framework loses before it underflows: exp(z) is flushed where z·exp(z) is normal. PyTorch's
# LSTM in float32 is oneDNN's, which flushes subnormal numbers on its way: up to 2.0e-38 were lost in 3,200 points.
LOSES_EARLY = {"torch": ("silu", "mish", "swiglu", "lstm"), "jax": (*DERIVATIVE_ERROR, *GATED)}


Sizes = Callable[[NDArray[np.float64], Attributes], NDArray[np.float64]]

# What a framework multiplies ∂C/∂a by before anything that is small, as a function of z: where that product overflows
# its gradient is not finite, although the true one may be. JAX differentiates z·h(z) as ∂C/∂a·h + (∂C/∂a·z)·h'
# (`jax.make_jaxpr` of the gradient shows it); PyTorch's kernels compute 16 bits in float32.
# fmt: off
MULTIPLIED_FIRST: dict[Constants, dict[str, Sizes]] = {
    "torch": {},
    "jax": {
        "tanh":      lambda z, _: 1.0 - np.tanh(z),
        "silu":      lambda z, _: np.abs(z),
        "gelu":      lambda z, _: np.abs(z) / np.sqrt(np.pi),
        "gelu_tanh": lambda z, _: np.abs(z),
        "mish":      lambda z, _: np.abs(z),
        "celu":      lambda z, attributes: np.full_like(z, float(attributes["alpha"])),
        "elu":       lambda z, attributes: np.full_like(z, float(attributes["alpha"])),
        "selu":      lambda z, _: np.full_like(z, 1.7580993408473766),
    },
}
# fmt: on


def _nothing(z: NDArray[np.float64], _attributes: Attributes) -> NDArray[np.float64]:
    return np.zeros_like(z)


def _always(_attributes: Attributes) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class KnownDeviation:
    """Where a framework is systematically off, and by how much in float64, as functions of the input z.

    It is so in these `dtypes`. `slope` is the absolute error of g', `value` that of g, both with their signs: they add
    up or cancel in a network as the framework's do. What they explain is reported as its own, never as the subject's.
    Where both are nothing, the framework's rounding model already covers it, or nothing finite does, and the row is
    there to be reported: `region` says where, and `when` with which attributes; `whole`: all z on the op's axis must
    lie in the region.
    """

    witness: Constants
    op: str
    where: str
    size: str
    source: str
    region: Callable[[NDArray[np.float64]], NDArray[np.bool_]]
    when: Callable[[Attributes], bool] = _always
    whole: bool = False
    slope: Sizes = _nothing
    value: Sizes = _nothing
    dtypes: tuple[str, ...] = ("float64",)

    @property
    def about(self) -> DeviationMet:
        """What the report says of it."""
        return DeviationMet(self.witness, self.op, self.where, self.size, self.source)

    @property
    def beyond_rounding(self) -> bool:
        return self.slope is not _nothing or self.value is not _nothing


_SCRIPT = "tests/benchmarks/measure_constants.py"


def _single_inverse(attributes: Attributes) -> tuple[float, float]:
    """α, and 1/α as PyTorch's celu has it in its derivative: that of α as a float32."""
    alpha = float(attributes.get("alpha", 1.0))
    return alpha, 1.0 / float(np.float32(alpha))


def _celu_slope(z: NDArray[np.float64], attributes: Attributes) -> NDArray[np.float64]:
    alpha, inverse = _single_inverse(attributes)
    low = np.minimum(z, 0.0)
    return np.where(z <= 0, alpha * inverse * np.exp(low * inverse) - np.exp(low / alpha), 0.0)


def _without_end_at_zeros(z: NDArray[np.float64], attributes: Attributes) -> NDArray[np.float64]:
    """Where all z on the axis are 0 the slope is no number: it may be off by anything."""
    return np.where((z == 0.0).all(axis=int(attributes.get("axis", -1)), keepdims=True), np.inf, np.zeros_like(z))


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
        op="celu",
        where="z <= 0, where alpha is no float32",
        size="1/alpha is that of alpha as a float32: g' is up to 3e-8 g' (1 + |z / alpha|) off",
        source="tests/tolerance/test_framework_models.py",
        region=lambda z: z <= 0.0,
        when=lambda attributes: float(np.float32(attributes["alpha"])) != attributes["alpha"],
        slope=_celu_slope,
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
        op="norm",
        where="all z are 0",
        size="the slope is NaN, computed as z / 0, where any number from -1 to 1 is right",
        source="tests/tolerance/test_framework_models.py",
        region=lambda z: z == 0.0,
        whole=True,
        slope=_without_end_at_zeros,
        dtypes=DTYPES,
    ),
    KnownDeviation(
        witness="jax",
        op="norm",
        where="all |z| < 1.8e-4 in float16",
        size="the slope is NaN or infinite: z² underflows, and z is divided by 0",
        source="tests/tolerance/test_frameworks_in_half.py",
        region=lambda z: np.abs(z) < 1.8e-4,
        whole=True,
        dtypes=("float16",),
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
    KnownDeviation(
        witness="jax",
        op="gelu",
        where="|z| > 147 in float16, approximate=tanh",
        size="g' is NaN: 3z² overflows, and is multiplied by 0",
        source="tests/benchmarks/measure_half.py",
        region=lambda z: np.abs(z) > 147.0,
        when=lambda attributes: attributes["approximate"] == "tanh",
        dtypes=("float16",),
    ),
)
