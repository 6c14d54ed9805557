"""The truth about elementary functions and activations, and the points at which it is asked.

Truth is computed at 200 bits and more with python-flint's balls (mpmath where it is missing): each function
is composed of exp, log, erfc, sin and arithmetic, and its derivative is the ε coefficient of the same
composition at z + ε (a complex step of 2⁻⁴⁰⁰ with mpmath). No derivative formula is written down here.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import special

from crosscheck.spec.ops import OPS

try:
    import flint
except ImportError:
    flint = None
    import mpmath

Array = np.ndarray[Any, Any]
SEED = 20240229

# --- what is measured: f(m, x, z), where m holds the functions, x is exact and z only picks the branch ---------

LAMBDA, ALPHA = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"


def gelu_tanh(m: Any, x: Any, _z: float) -> Any:
    u = m.sqrt(m.number(2) / m.pi()) * (x + m.number("0.044715") * x * x * x)
    return x / (1 + m.exp(-2 * u))  # ½(1 + tanh u) is 1/(1 + e⁻²ᵘ)


def mish(m: Any, x: Any, _z: float) -> Any:
    e = m.exp(x)  # tanh(log(1 + e)) = ((1 + e)² - 1) / ((1 + e)² + 1)
    return x * e * (e + 2) / (e * (e + 2) + 2)


def step(m: Any, x: Any, z: float, low: float, high: float) -> Any:
    return x if low < z < high else 0 * x + m.number(low if z <= low else high)


# fmt: off
ACTIVATIONS: dict[str, Callable[[Any, Any, float], Any]] = {
    "sigmoid":     lambda m, x, z: 1 / (1 + m.exp(-x)),
    "tanh":        lambda m, x, z: 1 - 2 / (1 + m.exp(2 * x)),
    "relu":        lambda m, x, z: x if z > 0 else 0 * x,
    "leaky_relu":  lambda m, x, z: x if z > 0 else m.number("0.01") * x,
    "elu":         lambda m, x, z: x if z > 0 else m.exp(x) - 1,
    "celu":        lambda m, x, z: x if z > 0 else m.exp(x) - 1,
    "selu":        lambda m, x, z: m.number(LAMBDA) * (x if z > 0 else m.number(ALPHA) * (m.exp(x) - 1)),
    "softplus":    lambda m, x, z: m.log(1 + m.exp(x)),
    "silu":        lambda m, x, z: x / (1 + m.exp(-x)),
    "gelu":        lambda m, x, z: x * m.erfc(-x / m.sqrt(m.number(2))) / 2,
    "gelu_tanh":   gelu_tanh,
    "mish":        mish,
    "softsign":    lambda m, x, z: x / (1 + (x if z > 0 else -x)),
    "hardtanh":    lambda m, x, z: step(m, x, z, -1.0, 1.0),
    "hardsigmoid": lambda m, x, z: (step(m, x, z, -3.0, 3.0) + 3) / 6,
    "log_sigmoid": lambda m, x, z: -m.log(1 + m.exp(-x)),
    "sin":         lambda m, x, z: m.sin(x),
}
PRIMITIVES: dict[str, tuple[Any, Callable[[Any, Any, float], Any], float, float]] = {  # with the range of x
    "exp":       (np.exp,            lambda m, x, z: m.exp(x),                                -1e3,  1e3),
    "log":       (np.log,            lambda m, x, z: m.log(x),                                0.0,   1e300),
    "log1p":     (np.log1p,          lambda m, x, z: m.log(1 + x),                            -1.0,  1e300),
    "expm1":     (np.expm1,          lambda m, x, z: m.exp(x) - 1,                            -1e3,  1e3),
    "tanh":      (np.tanh,           ACTIVATIONS["tanh"],                                     -1e3,  1e3),
    "sin":       (np.sin,            ACTIVATIONS["sin"],                                      -1e3,  1e3),
    "cos":       (np.cos,            lambda m, x, z: m.cos(x),                                -1e3,  1e3),
    "sqrt":      (np.sqrt,           lambda m, x, z: m.sqrt(x),                               0.0,   1e300),
    "expit":     (special.expit,     ACTIVATIONS["sigmoid"],                                  -1e3,  1e3),
    "erf":       (special.erf,       lambda m, x, z: 1 - m.erfc(x),                           -40.0, 40.0),
    "erfc":      (special.erfc,      lambda m, x, z: m.erfc(x),                               -40.0, 40.0),
    "erfcx":     (special.erfcx,     lambda m, x, z: m.exp(x * x) * m.erfc(x),                0.0,   1e3),
    "erfcx < 0": (special.erfcx,     lambda m, x, z: m.exp(x * x) * m.erfc(x),                -40.0, 0.0),
    "ndtr":      (special.ndtr,      lambda m, x, z: m.erfc(-x / m.sqrt(m.number(2))) / 2,    -40.0, 40.0),
    "log_ndtr":  (special.log_ndtr,  lambda m, x, z: m.log(m.erfc(-x / m.sqrt(m.number(2))) / 2), -1e3, 40.0),
    "log_expit": (special.log_expit, ACTIVATIONS["log_sigmoid"],                              -1e3,  1e3),
}
# fmt: on

# --- truth -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exact:
    """True numbers as (hi + lo) 2^-shift: hi is the nearest float64, lo what it lacks."""

    hi: Array
    lo: Array
    shift: Array

    @property
    def value(self) -> Array:
        return np.ldexp(self.hi, -self.shift)

    def errors(self, y: Array) -> tuple[Array, Array]:
        """Absolute and relative; NaN counts as infinitely wrong."""
        with np.errstate(all="ignore"):
            off = np.abs(np.ldexp(np.asarray(y, np.float64), self.shift) - self.hi - self.lo)
            off = np.where(np.isnan(off), np.inf, off)
            return np.ldexp(off, -self.shift), off / np.abs(self.hi)

    def normal(self, dtype: str) -> Array:
        """Where the format holds the number with its full precision."""
        size, limits = np.abs(self.value), np.finfo(dtype)
        return (size >= float(limits.tiny)) & (size <= float(limits.max))


def split(number: Any) -> tuple[float, float, int]:
    shift = 300 if abs(float(number)) < 2.0**-700 else 0
    number = number * 2**shift
    hi = float(number)
    return hi, float(number - hi) if np.isfinite(hi) else 0.0, shift


def gathered(numbers: Any) -> Exact:
    hi, lo, shift = np.array([split(n) for n in numbers], np.float64).reshape(-1, 3).T
    return Exact(hi, lo, shift.astype(int))


def _enough(ball: Any) -> bool:
    return bool(ball.rel_accuracy_bits() >= 110 or ball.abs_upper() < 2.0**-1074 * 2.0**-150)


def _by_flint(f: Callable[..., Any], z: float) -> tuple[Any, Any]:
    for bits in (200, 400, 1200, 3600):
        flint.ctx.prec, flint.ctx.cap = bits, 2
        series = f(M, flint.arb_series([flint.arb(z), 1]), z)
        if _enough(series[0]) and _enough(series[1]):
            return series[0], series[1]
    raise ArithmeticError(f"3600 bits do not settle a function at z = {z!r}")


def _by_mpmath(f: Callable[..., Any], z: float) -> tuple[Any, Any]:
    mpmath.mp.prec = 2600  # 1 + e^-700 must keep its second term, and z + iε its first
    tiny = mpmath.mpf(2) ** -400
    return f(M, mpmath.mpf(z), z).real, mpmath.mpc(f(M, mpmath.mpc(z, tiny), z)).imag / tiny


if flint is not None:
    _calls = {name: lambda x, name=name: getattr(x, name)() for name in ("exp", "log", "erfc", "sin", "cos", "sqrt")}
    M, truth = SimpleNamespace(number=flint.arb, pi=flint.arb.pi, **_calls), _by_flint
    TRUTH = f"python-flint {flint.__version__}"
else:
    _calls = {name: getattr(mpmath.mp, name) for name in ("exp", "log", "erfc", "sin", "cos", "sqrt")}
    M, truth = SimpleNamespace(number=mpmath.mpf, pi=lambda: +mpmath.pi, **_calls), _by_mpmath
    TRUTH = f"mpmath {mpmath.__version__}"


def vector_truth(z: list[float]) -> dict[str, list[Any]]:
    """softmax, log_softmax and logsumexp of a vector, at 1200 bits."""
    if flint is not None:
        flint.ctx.prec = 1200
    e = [M.exp(M.number(v)) for v in z]
    total = functools.reduce(operator.add, e)
    share = [v / total for v in e]
    return {"softmax": share, "log_softmax": [M.log(v) for v in share], "logsumexp": [M.log(total)]}


# --- the sample ------------------------------------------------------------------------------------------------


def points(dtype: str, count: int, low: float = -1e3, high: float = 1e3) -> Array:
    """Uniform on ±40, log-spaced from the smallest normal number to the ends of the range; sorted."""
    rng = np.random.default_rng(SEED)
    least = -37.0 if dtype == "float32" else -300.0
    n = count // 4
    near, middle = 10 ** rng.uniform(least, 2, n), 10 ** rng.uniform(-8, 2, n // 2)
    most = np.log10(min(max(-low, high), float(np.finfo(dtype).max) / 10))
    far = 10 ** rng.uniform(min(1.6, most), most, n // 2)
    z = np.concatenate([rng.uniform(-40, 40, 2 * n), near, -near, middle, -middle, far, -far, 1 + middle / 100])
    z = np.unique(z[np.abs(z) < float(np.finfo(dtype).max)].astype(dtype))
    wide = z.astype(np.float64)
    return z[(wide > low) & (wide < high) & (wide != 0)]


def away_from_kinks(op: str, z: Array) -> Array:
    name, attributes = asked(op)
    return z[~np.isin(z, OPS[name].kinks(attributes))]


def asked(op: str) -> tuple[str, dict[str, Any]]:
    """The name and attributes under which the witnesses know it."""
    name = op.removesuffix("_tanh") if op.startswith("gelu") else op
    attributes = {a.name: a.default for a in OPS[name].attributes}
    return name, attributes | ({"approximate": "tanh"} if op == "gelu_tanh" else {})
