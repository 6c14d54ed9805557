"""The rounding array: float64 numbers whose every elementary result is rounded at random.

Monte Carlo arithmetic (Parker 1997): run the same computation K times, each result r replaced by
r(1 + c u ξ), ξ uniform on [-1, 1], u the unit roundoff of the dtype under test, c the accuracy of the
function; the spread of a gradient entry is then what rounding does to that entry, correlations included.
Axis 0 is the sample. ξ is a hash of the bits of the result and of its operands and of the sample's key: no
generator, equal operations round equally, and the spread depends on neither worker nor stack size.

A sum of n terms with S = Σx and Q = Σx² gets the variance u²/3 · [S² max((n+1)(2n+1)/(6n), n²/64)
+ (n+1)/6 max(Q - S²/n, 0)], which covers any order of summation; a product of matrices adds Q for the
rounding of its products. A result below the smallest normal number gets noise of its own size.
Where a comparison cannot be decided at this rounding (its difference is zero, or within the working
multiple of its own spread), the samples are made to part ways, and the points concerned are recorded.

It is a duck array: what is not listed here raises, because a function that silently dropped to plain
numbers would silently drop the spread too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

# Of error/σ over 30 million entries the largest was 8.9 (K = 16): an entry is accused beyond 16 σ only.
MULTIPLE = 16.0


@dataclass(frozen=True)
class Format:
    """A floating-point format as the simulation sees it.

    `unit` is what results are perturbed by, and the spread is multiplied by `scale`: float64 is simulated
    at 2⁻⁴⁰, because 1 + uξ is itself quantised at 2⁻⁵³.
    """

    name: str
    unit: float
    scale: float
    smallest_normal: float
    smallest: float
    largest: float
    # Largest measured error in units of u, where that is above 1 (tests/benchmarks/measure_constants.py).
    accuracy: dict[Any, float]


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
}

ELEMENTARY = (
    np.add,
    np.subtract,
    np.multiply,
    np.true_divide,
    np.sqrt,
    np.square,
    np.reciprocal,
    np.exp,
    np.expm1,
    np.log,
    np.log1p,
    np.tanh,
    np.sin,
    np.cos,
    special.expit,
    special.erf,
    special.erfcx,
)
EXACT = (np.negative, np.positive, np.absolute, np.maximum, np.minimum, np.fmin, np.fmax)
COMPARISONS = (np.greater, np.greater_equal, np.less, np.less_equal)


@dataclass
class Rounding:
    """One stochastic run: its format, the keys of its samples, and the points at which branches parted."""

    format: Format
    keys: NDArray[np.uint64]
    points: int
    parted: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.parted = np.zeros(self.points, np.bool_)

    @classmethod
    def of(cls, dtype: str, key: str, samples: int, points: int) -> Rounding:
        """`key` is a case's key: the same case gets the same samples everywhere."""
        digest = hashlib.shake_128(key.encode()).digest(8 * samples)
        return cls(FORMATS[dtype], np.frombuffer(digest, np.uint64).copy(), points)

    def array(self, values: Any) -> Rounded:
        """Exact numbers without a sample axis, as a rounding array."""
        return Rounded(np.asarray(values, np.float64)[np.newaxis], self)

    def xi(self, values: Floats, *operands: Floats) -> Floats:
        """ξ in [-1, 1) for each sample and value; the shape gains the samples on axis 0.

        The operands count too: tanh 20 and tanh 30 are both 1 here, but not by the same error.
        """
        keys = self.keys.reshape((-1,) + (1,) * (values.ndim - 1))
        h = _bits(values)
        for operand in operands:
            h = h + _bits(operand) * np.uint64(0xA24BAED4963EE407)
        h = h ^ keys
        h *= np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(32)
        h *= np.uint64(0xD6E8FEB86659FD93)
        return (h >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0

    def rounded(self, values: Floats, amplitude: Floats | float, *operands: Floats) -> Rounded:
        """values + amplitude ξ, with the format's underflow and overflow. The amplitude is absolute."""
        noisy = values + amplitude * self.xi(values, *operands)
        tiny = np.abs(noisy) < self.format.smallest_normal
        if tiny.any():
            # One rounding is as large as the number itself; the spread is scaled back afterwards.
            whole = np.broadcast_to(values / self.format.scale, noisy.shape)
            noisy = np.where(tiny, noisy + whole * self.xi(values), noisy)
        return Rounded(np.where(np.abs(noisy) > self.format.largest, np.copysign(np.inf, noisy), noisy), self)

    def compare(self, ufunc: np.ufunc, a: Floats, b: Floats) -> NDArray[np.bool_]:
        """The comparison for each sample; made to part ways where it cannot be decided."""
        difference = a - b
        decided = ufunc(a, b)
        centre = difference.mean(axis=0)
        spread = np.sqrt(np.square(difference - centre).mean(axis=0)) * self.format.scale
        open_ = np.abs(centre) <= MULTIPLE * spread
        open_ |= decided.any(axis=0) != decided.all(axis=0)
        open_ |= (difference == 0).any(axis=0)
        if not open_.any():
            return np.asarray(decided)
        by_point = open_.reshape((open_.shape[0], -1)).any(axis=-1)
        self.parted |= by_point
        return np.where(open_, self._coins(open_.shape), decided)

    def lose_phase(self, z: Floats) -> None:
        """Note the points at which the samples of a wave's argument are so far apart that its phase is lost.

        Float64 is simulated at a unit 2¹³ times too large: what such samples say cannot be scaled back.
        """
        lost = np.abs(z - z.mean(axis=0)).max(axis=0) > 1.0
        self.parted |= lost.reshape(len(lost), -1).any(axis=-1)

    def _coins(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Heads or tails for each sample and place (not for each point); samples 0 and 1 always differ."""
        places = np.arange(np.prod(shape[1:], dtype=np.int64), dtype=np.float64).reshape((1, 1, *shape[1:])) + 0.5
        coins = self.xi(places) > 0
        coins[0], coins[1] = True, False
        return coins


class Rounded(NDArrayOperatorsMixin):
    """Float64 data of shape (samples or 1, points, …) that round at random."""

    __slots__ = ("data", "rounding")

    def __init__(self, data: Floats, rounding: Rounding) -> None:
        self.data = data
        self.rounding = rounding

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def dtype(self) -> np.dtype[np.float64]:
        return self.data.dtype

    def __array__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise TypeError("a rounding array does not become a plain one: its spread would be lost without a word")

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: Any) -> Rounded:
        return Rounded(self.data[index], self.rounding)

    def reshape(self, *shape: Any) -> Rounded:
        return Rounded(self.data.reshape(*shape), self.rounding)

    def swapaxes(self, a: int, b: int) -> Rounded:
        return Rounded(self.data.swapaxes(a, b), self.rounding)

    def sum(self, axis: int, keepdims: bool = False) -> Rounded:
        return self._sum(self.data, axis, keepdims)

    def max(self, axis: int, keepdims: bool = False) -> Rounded:
        return Rounded(self.data.max(axis=axis, keepdims=keepdims), self.rounding)

    def noised(self, amount: Any) -> Rounded:
        """With an absolute error of `amount` units of u: how an error model widens one value."""
        amplitude = self.rounding.format.unit * np.abs(_plain(amount))
        return self.rounding.rounded(self.data, amplitude)

    def deviated(self, size: Any) -> Rounded:
        """With a systematic error of absolute `size`, of one and the same ξ at every place of a sample."""
        shape = self.rounding.format
        common = self.rounding.xi(np.ones((1,) * self.ndim))
        return Rounded(self.data + _plain(size) / shape.scale * common, self.rounding)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if kwargs or method != "__call__":
            raise TypeError(f"np.{ufunc.__name__}.{method} with {sorted(kwargs)} is not on the rounding array's list")
        plain = [_plain(x) for x in inputs]
        if ufunc in EXACT:
            return Rounded(ufunc(*plain), self.rounding)
        if ufunc in COMPARISONS:
            return self.rounding.compare(ufunc, *np.broadcast_arrays(*plain))
        if ufunc is np.matmul:
            return self._matmul(*plain)
        if ufunc is np.power and np.ndim(plain[1]) == 0 and plain[1] == 2:
            ufunc, plain = np.square, plain[:1]
        if ufunc not in ELEMENTARY:
            raise TypeError(f"{ufunc.__name__} is not on the rounding array's list: how accurate is it?")
        if ufunc in (np.sin, np.cos):
            self.rounding.lose_phase(plain[0])
        values = ufunc(*plain)
        shape = self.rounding.format
        amplitude = np.abs(values) * (shape.unit * shape.accuracy.get(ufunc, 1.0))
        return self.rounding.rounded(values, amplitude, *(p for p in plain if np.ndim(p) == values.ndim))

    def __array_function__(self, function: Any, _types: Any, args: Any, kwargs: Any) -> Any:
        if function not in MOVEMENTS:
            raise TypeError(f"np.{function.__name__} is not on the rounding array's list of data movements")
        return Rounded(MOVEMENTS[function](*args, **kwargs), self.rounding)

    def _sum(self, data: Floats, axis: int, keepdims: bool) -> Rounded:
        n = data.shape[axis]
        S = data.sum(axis=axis, keepdims=keepdims)
        if n <= 1:
            return Rounded(S, self.rounding)
        # Scaled, because squares overflow and underflow where the numbers do not.
        largest = np.abs(data).max(axis=axis, keepdims=True)
        unit = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
        scaled = data / unit
        s = scaled.sum(axis=axis, keepdims=True)
        q = np.square(scaled).sum(axis=axis, keepdims=True)
        back = unit if keepdims else np.squeeze(unit, axis=axis)
        if not keepdims:
            s, q = np.squeeze(s, axis=axis), np.squeeze(q, axis=axis)
        return self.rounding.rounded(S, self.rounding.format.unit * back * _sum_error(n, s, q), q)

    def _matmul(self, a: Floats, b: Floats) -> Rounded:
        n = a.shape[-1]
        rows = np.abs(a).max(axis=-1, keepdims=True)
        columns = np.abs(b).max(axis=-2, keepdims=True)
        rows = np.where((rows > 0) & np.isfinite(rows), rows, 1.0)
        columns = np.where((columns > 0) & np.isfinite(columns), columns, 1.0)
        x, y = a / rows, b / columns
        s, q = np.matmul(x, y), np.matmul(np.square(x), np.square(y))
        error = np.sqrt((np.square(_sum_error(n, s, q)) if n > 1 else 0.0) + q)
        return self.rounding.rounded(np.matmul(a, b), self.rounding.format.unit * (rows * columns) * error, q)


def _sum_error(n: int, S: Floats, Q: Floats) -> Floats:
    """Amplitude, in units of u, of the error of a sum of n terms in any order."""
    coherent = max((n + 1) * (2 * n + 1) / (6 * n), n * n / 64)
    scatter = np.maximum(Q - np.square(S) / n, 0.0)
    error: Floats = np.sqrt(coherent * np.square(S) + (n + 1) / 6 * scatter)
    return error


def _bits(values: Floats) -> NDArray[np.uint64]:
    return np.ascontiguousarray(values, np.float64).view(np.uint64)


def _plain(x: Any) -> Any:
    return x.data if isinstance(x, Rounded) else x


def _where(condition: Any, a: Any, b: Any) -> Any:
    return np.where(condition, _plain(a), _plain(b))


def _concatenate(arrays: Any, axis: int) -> Floats:
    return np.concatenate([_plain(a) for a in arrays], axis=axis)


def _broadcast_to(array: Any, shape: tuple[int, ...]) -> Floats:
    return np.broadcast_to(_plain(array), shape)


# NumPy's data movements that rules may use; each unwraps what it moves.
MOVEMENTS: dict[Callable[..., Any], Callable[..., Any]] = {
    np.where: _where,
    np.concatenate: _concatenate,
    np.broadcast_to: _broadcast_to,
}
