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
import math
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray
from scipy import special

from crosscheck.tolerance.formats import FORMATS as FORMATS
from crosscheck.tolerance.formats import Format
from crosscheck.tolerance.movements import moved, plain
from crosscheck.tolerance.sums import sum_error, terms
from crosscheck.tolerance.ties import place_of_largest

Floats = NDArray[np.float64]

# Of error/σ over 30 million entries the largest was 8.9 (K = 16): an entry is accused beyond 16 σ only.
MULTIPLE = 16.0


ELEMENTARY = (
    np.add,
    np.subtract,
    np.multiply,
    np.true_divide,
    np.sqrt,
    np.square,
    np.power,
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
EXACT = (np.negative, np.positive, np.absolute, np.maximum, np.minimum, np.fmin, np.fmax, np.rint)
# Whose results are zero, where no operand is, by underflow alone.
VANISHING = (np.multiply, np.true_divide, np.square, np.power, np.reciprocal, np.exp, special.expit)
COMPARISONS = (np.greater, np.greater_equal, np.less, np.less_equal)


@dataclass
class Rounding:
    """One stochastic run: its format, the keys of its samples, and the points at which branches parted."""

    format: Format
    keys: NDArray[np.uint64]
    points: int
    # Whether equal operations round alike. They do; but next to a point of symmetry nothing is equal.
    alike: bool = True
    parted: NDArray[np.bool_] = field(init=False)
    # Some value is beyond the largest number, or cannot be told from that.
    overflown: NDArray[np.bool_] = field(init=False)
    # Parted because a wave lost its phase, not because of a branch.
    lost: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.parted = np.zeros(self.points, np.bool_)
        self.overflown = np.zeros(self.points, np.bool_)
        self.lost = np.zeros(self.points, np.bool_)

    @classmethod
    def of(cls, dtype: str, key: str, samples: int, points: int, *, alike: bool = True) -> Rounding:
        """`key` is a case's key: the same case gets the same samples everywhere."""
        digest = hashlib.shake_128(key.encode()).digest(8 * samples)
        return cls(FORMATS[dtype], np.frombuffer(digest, np.uint64).copy(), points, alike)

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
        if not self.alike:
            # By place within a network, not by point: what is said of a point does not hang on the others.
            places = np.arange(math.prod(values.shape[2:]), dtype=np.uint64).reshape(values.shape[2:])
            h = h + places * np.uint64(0xD1B54A32D192ED03)
        h = h ^ keys
        h *= np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(32)
        h *= np.uint64(0xD6E8FEB86659FD93)
        return (h >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0

    def rounded(self, values: Floats, amplitude: Floats | float, *operands: Floats, result: bool = True) -> Rounded:
        """values + amplitude ξ, with the format's underflow and overflow. The amplitude is absolute.

        Overflow is noted where the values are the `result` of an operation, and not its error alone is wider.
        """
        noisy = values + amplitude * self.xi(values, *operands)
        tiny = np.abs(noisy) < self.format.smallest_normal
        if tiny.any():
            # Where a subnormal is flushed one rounding is as large as itself; the spread is scaled back afterwards.
            whole = np.broadcast_to(self.format.underflow(values) / self.format.scale, noisy.shape)
            noisy = np.where(tiny, noisy + whole * self.xi(values), noisy)
        if (np.abs(noisy) <= self.format.largest / 2.0).all():
            return Rounded(noisy, self)
        beyond = self._overflown(np.where(np.isinf(values), values, noisy))
        if result:
            self.overflown |= np.isinf(beyond).any(axis=(0, *range(2, beyond.ndim)))
        return Rounded(beyond, self)

    def _overflown(self, noisy: Floats) -> Floats:
        """Infinite beyond the largest number of the format, and where it cannot be told from that.

        In every other sample only: whoever computes in a wider format on the way does not overflow.
        """
        size = np.abs(noisy) / self.format.largest
        centre = size.mean(axis=0)
        spread = np.sqrt(np.square(size - centre).mean(axis=0)) * self.format.scale
        over = (size > 1.0) | (centre + MULTIPLE * spread > 1.0)
        over[::2] = False
        return np.where(over, np.copysign(np.inf, noisy), noisy)

    def summed(self, total: Rounded, s: Floats, sizes: Floats, unit: Floats) -> Rounded:
        """The sum, infinite in every other sample where its terms of one sign, in some order a partial sum, overflow.

        In `unit`, `s` is Σx and `sizes` Σ|x|: the positive terms make (Σ|x| + Σx) / 2, the negative ones the rest.
        """
        over = (0.5 * sizes + 0.5 * np.abs(s)) * (unit / self.format.largest) > 1.0
        if not over.any():
            return total
        self.overflown |= over.any(axis=(0, *range(2, over.ndim)))
        over = np.array(np.broadcast_to(over, total.shape))
        over[::2] = False
        return Rounded(np.where(over, np.copysign(np.inf, total.data), total.data), self)

    def underflown(self, values: Floats, amplitude: Floats, nonzero: NDArray[np.bool_], size: float) -> Floats:
        """The amplitude, with `size` where the value is zero and the true one is not.

        A zero has no size of its own to be off by, and what follows may multiply it by anything.
        """
        return np.where((values == 0) & nonzero, size / self.format.scale, amplitude)

    @np.errstate(invalid="ignore", over="ignore")  # an infinity may be compared: -inf stands around a padded input
    def compare(self, ufunc: np.ufunc, a: Floats, b: Floats) -> NDArray[np.bool_]:
        """The comparison for each sample; made to part ways where it cannot be decided."""
        difference = a - b
        decided = ufunc(a, b)
        centre = difference.mean(axis=0)
        spread = np.sqrt(np.square(difference - centre).mean(axis=0)) * self.format.scale
        open_ = np.abs(centre) <= MULTIPLE * spread
        open_ |= decided.any(axis=0) != decided.all(axis=0)
        tied = ((difference == 0) | np.isnan(difference)).any(axis=0)
        open_ |= tied
        if not open_.any():
            return np.asarray(decided)
        by_point = open_.reshape((open_.shape[0], -1)).any(axis=-1)
        self.parted |= by_point
        return np.where(open_, self._sides(decided, tied), decided)

    def _sides(self, decided: NDArray[np.bool_], tied: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which side each sample takes where that cannot be decided.

        Two samples at a time take the same, so that what differs between them is rounding alone. In a coarse format
        16 σ reach so far that nearly every sample would be on a side where no right result is: half of them, the
        ties apart, take the side that they are on.
        """
        coins = self._coins(tied.shape)
        if not self.format.coarse:
            return coins
        pairs = np.arange(len(self.keys)) // 2
        own = np.broadcast_to(decided, (len(pairs), *tied.shape))[2 * pairs]
        flipped = (2 * pairs < len(pairs) // 2).reshape((-1,) + (1,) * tied.ndim)
        return np.where(flipped | tied, coins, own)

    def with_phase(self, z: Floats) -> Floats:
        """A wave's argument; NaN, and noted, where its samples are so far apart that the phase of the wave is lost.

        Sixteen arguments half a radian apart do not show what the wave may be, nor can be scaled back in float64, which
        is simulated at a unit 2¹³ times too large: what follows has no bound.
        """
        lost = np.abs(z - z.mean(axis=0)).max(axis=0) > 0.5
        return self._without(lost, z)

    def with_direction(self, z: Floats, axis: int) -> Floats:
        """Vectors along an axis; NaN, and noted, where the samples are so far apart that their direction is lost.

        As of a phase: half a length apart they may point anywhere, and do not come nearer as the unit gets smaller.
        """
        centre = z.mean(axis=0)
        away = np.abs(z - centre).max(axis=axis, keepdims=True).max(axis=0)
        lost = away > 0.5 * np.abs(centre).max(axis=axis, keepdims=True)
        return self._without(lost, z)

    def _without(self, lost: NDArray[np.bool_], z: Floats) -> Floats:
        if not lost.any():
            return z
        self.lost |= lost.reshape(len(lost), -1).any(axis=-1)
        self.parted |= self.lost
        return np.where(lost, np.nan, z)

    def _coins(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Heads or tails for each sample and place (not for each point).

        Samples 2i and 2i + 1 agree; the first two pairs never do (of two or three samples, the first two).
        """
        places = np.arange(np.prod(shape[1:], dtype=np.int64), dtype=np.float64).reshape((1, 1, *shape[1:])) + 0.5
        coins = self.xi(places) > 0
        first = 2 if len(coins) >= 4 else 1
        pairs = len(coins) // 2 * 2
        coins[1:pairs:2] = coins[:pairs:2]
        coins[:first], coins[first : 2 * first] = True, False
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

    def __setitem__(self, index: Any, values: Any) -> None:
        target, given = self.data[index], plain(values)
        if np.ndim(given) == target.ndim and len(given) > len(target):
            raise TypeError("numbers with samples do not fit into a rounding array without: its spread would be lost")
        self.data[index] = given

    def reshape(self, *shape: Any) -> Rounded:
        return Rounded(self.data.reshape(*shape), self.rounding)

    def swapaxes(self, a: int, b: int) -> Rounded:
        return Rounded(self.data.swapaxes(a, b), self.rounding)

    def transpose(self, *axes: Any) -> Rounded:
        return Rounded(self.data.transpose(*axes), self.rounding)

    def sum(self, axis: int | tuple[int, ...], keepdims: bool = False) -> Rounded:
        if isinstance(axis, int):
            return self._sum(self.data, axis, keepdims)
        last = tuple(range(-len(axis), 0))
        moved_last = np.moveaxis(self.data, axis, last)
        total = self._sum(moved_last.reshape((*moved_last.shape[: -len(axis)], -1)), -1, False)
        return Rounded(np.expand_dims(total.data, axis), self.rounding) if keepdims else total

    def mean(self, axis: int | tuple[int, ...], keepdims: bool = False) -> Rounded:
        axes = (axis,) if isinstance(axis, int) else axis
        mean: Rounded = self.sum(axis, keepdims) / float(math.prod(self.shape[i] for i in axes))
        return mean

    def max(self, axis: int | tuple[int, ...], keepdims: bool = False) -> Rounded:
        return Rounded(self.data.max(axis=axis, keepdims=keepdims), self.rounding)

    def noised(self, amount: Any, *told_apart_by: Any) -> Rounded:
        """With an absolute error of `amount` units of u: how an error model widens one value."""
        amplitude = self.rounding.format.unit * np.abs(plain(amount))
        operands = (np.broadcast_to(plain(x), self.data.shape) for x in told_apart_by if np.ndim(plain(x)))
        return self.rounding.rounded(self.data, amplitude, *operands, result=False)

    def lost_with(self, other: Rounded) -> Rounded:
        """What it is where the other is finite, else what that is: infinite or NaN."""
        return Rounded(np.where(np.isfinite(other.data), self.data, other.data), self.rounding)

    def deviated(self, size: Any) -> Rounded:
        """With a systematic error of absolute `size`, of one and the same ξ at every place of a sample."""
        shape = self.rounding.format
        common = self.rounding.xi(np.ones((1,) * self.ndim))
        return Rounded(self.data + plain(size) / shape.scale * common, self.rounding)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and set(kwargs) == {"out"} and kwargs["out"][0] is inputs[0]:
            # a += b, on an array that has the samples already
            inputs[0][...] = self.__array_ufunc__(ufunc, method, *inputs)
            return inputs[0]
        if kwargs or method != "__call__":
            raise TypeError(f"np.{ufunc.__name__}.{method} with {sorted(kwargs)} is not on the rounding array's list")
        given = [plain(x) for x in inputs]
        if ufunc in EXACT:
            return Rounded(ufunc(*given), self.rounding)
        if ufunc in COMPARISONS:
            return self.rounding.compare(ufunc, *np.broadcast_arrays(*given))
        if ufunc is np.matmul:
            return self._matmul(*given)
        if ufunc is np.power and np.ndim(given[1]) == 0 and given[1] == 2:
            ufunc, given = np.square, given[:1]
        if ufunc is np.power and np.ndim(given[1]):
            raise TypeError("np.power on the rounding array takes one plain exponent")
        if ufunc not in ELEMENTARY:
            raise TypeError(f"{ufunc.__name__} is not on the rounding array's list: how accurate is it?")
        if ufunc in (np.sin, np.cos):
            given = [self.rounding.with_phase(given[0])]
        values = ufunc(*given)
        shape = self.rounding.format
        amplitude = np.abs(values) * (shape.unit * shape.accuracy.get(ufunc, 1.0))
        if ufunc is special.expit:
            # As 1 / (1 + exp(-z)) it is lost where exp(-z) overflows, which in float16 is above the smallest numbers.
            amplitude = np.where(values < 1.0 / shape.largest, values / shape.scale, amplitude)
        if ufunc in VANISHING and not values.all():
            nonzero = np.logical_and.reduce([np.broadcast_to(p != 0, values.shape) for p in given])
            # SciPy's expit is zero from -709.78 on, where the true value is still a subnormal number.
            size = shape.smallest_normal if ufunc is special.expit else shape.smallest
            amplitude = self.rounding.underflown(values, amplitude, nonzero, size)
        return self.rounding.rounded(values, amplitude, *(p for p in given if np.ndim(p) == values.ndim))

    def __array_function__(self, function: Any, _types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.argmax and args[0] is self and set(kwargs) == {"axis"}:
            return place_of_largest(self.rounding, self.data, kwargs["axis"], MULTIPLE)
        return Rounded(moved(function, args, kwargs), self.rounding)

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
        sizes = np.abs(scaled).sum(axis=axis, keepdims=True)
        back = unit if keepdims else np.squeeze(unit, axis=axis)
        if not keepdims:
            s, q, sizes = (np.squeeze(x, axis=axis) for x in (s, q, sizes))
        total = self.rounding.rounded(
            S, self.rounding.format.unit * back * sum_error(n, s, q), terms(data, axis, keepdims)
        )
        return self.rounding.summed(total, s, sizes, back)

    def _matmul(self, a: Floats, b: Floats) -> Rounded:
        n = a.shape[-1]
        rows = np.abs(a).max(axis=-1, keepdims=True)
        columns = np.abs(b).max(axis=-2, keepdims=True)
        rows = np.where((rows > 0) & np.isfinite(rows), rows, 1.0)
        columns = np.where((columns > 0) & np.isfinite(columns), columns, 1.0)
        x, y = a / rows, b / columns
        s, q = np.matmul(x, y), np.matmul(np.square(x), np.square(y))
        error = np.sqrt((np.square(sum_error(n, s, q)) if n > 1 else 0.0) + q)
        unit = rows * columns
        values, amplitude = np.matmul(a, b), self.rounding.format.unit * unit * error
        if not values.all():
            amplitude = self.rounding.underflown(values, amplitude, q > 0, self.rounding.format.smallest)
        # Libraries sum the rows of one product in different orders (PyTorch's differ in the last place on rows that are
        # alike): no two entries of it are known to round alike.
        places = np.broadcast_to(np.arange(math.prod(values.shape[-2:])).reshape(values.shape[-2:]), values.shape)
        total = self.rounding.rounded(values, amplitude, places.astype(np.float64))
        if unit.max() <= self.rounding.format.largest / n:
            return total
        return self.rounding.summed(total, s, np.matmul(np.abs(x), np.abs(y)), unit)


def _bits(values: Floats) -> NDArray[np.uint64]:
    return np.ascontiguousarray(values, np.float64).view(np.uint64)
