"""The formats of the tolerance model: their numbers, the accuracy of their functions, and 16 bits from end to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce

import numpy as np
import pytest
from scipy import special
from tolerance import stepwise

from crosscheck.backprop import network
from crosscheck.spec.case import Case
from crosscheck.spec.dtypes import DTYPES, HALF, dtype_named
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import EVERYTHING
from crosscheck.tolerance.bounds import SAMPLES_FOR_SUSPECTS, bound, spread
from crosscheck.tolerance.formats import FORMATS
from crosscheck.tolerance.rounding import MULTIPLE, Rounding
from crosscheck.tolerance.rows import ROWS

BOTH = pytest.mark.parametrize("dtype", HALF)
FUNCTIONS = (np.exp, np.expm1, np.log, np.log1p, np.tanh, np.sin, np.cos, np.sqrt, np.square, np.reciprocal)
NETWORKS = 60


def test_every_dtype_of_a_case_has_a_format() -> None:
    assert tuple(FORMATS) == DTYPES


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_numbers_of_a_format_are_those_of_its_dtype(dtype: str) -> None:
    shape, one = FORMATS[dtype], np.ones((), dtype_named(dtype, "test"))
    above = np.nextafter(one, one + one)
    assert shape.unit * shape.scale == (float(above) - 1.0) / 2.0
    assert float(np.nextafter(np.zeros_like(one), one)) == shape.smallest
    assert shape.smallest == shape.smallest_normal * 2.0 * shape.unit * shape.scale
    with np.errstate(over="ignore"):
        largest = np.asarray(shape.largest).astype(one.dtype)
        assert float(largest) == shape.largest
        assert not np.isfinite(np.nextafter(largest, np.asarray(np.inf, one.dtype)))


def every(dtype: str) -> np.ndarray:
    numbers = np.arange(2**16, dtype=np.uint16).view(dtype_named(dtype, "test"))
    with np.errstate(invalid="ignore"):  # some of them are signalling NaNs
        return numbers[np.isfinite(numbers.astype(np.float64))]


@BOTH
@pytest.mark.parametrize("function", [*FUNCTIONS, special.expit, special.erf])
def test_no_function_is_off_by_more_than_one_unit_at_any_number(function: np.ufunc, dtype: str) -> None:
    """So that no accuracy stands in the table. SciPy has no 16-bit loops: float32's result is rounded."""
    x, shape = every(dtype), FORMATS[dtype]
    with np.errstate(all="ignore"):
        truth = function(x.astype(np.float64))
        found = function(x) if function in FUNCTIONS else function(x.astype(np.float32)).astype(x.dtype)
        error = np.abs(found.astype(np.float64) - truth)
    normal = (np.abs(truth) >= shape.smallest_normal) & (np.abs(truth) <= shape.largest)
    assert np.count_nonzero(normal) > 10_000
    assert (error[normal] <= np.abs(truth[normal]) * shape.unit * (1 + 2.0**-9)).all()
    tiny = np.abs(truth) < shape.smallest_normal
    assert (error[tiny] <= (shape.smallest if shape.gradual else shape.smallest_normal)).all()


# fmt: off
VECTORS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal":     lambda g, n: g.standard_normal(n),
    "same sign":  lambda g, n: g.random(n),
    "repeated":   lambda g, n: np.full(n, g.random()),
    "decades":    lambda g, n: g.choice([-1.0, 1.0], n) * 10.0 ** g.uniform(-2, 2, n),
    "cancelling": lambda g, n: np.concatenate([v := g.random(n // 2), -v[::-1], g.random(n % 2) * 1e-1]),
    "growing":    lambda g, n: np.sort(g.random(n)),
}
# fmt: on


def vectors(kind: str, dtype: str) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(11)
    for n, times in ((2, 30), (3, 30), (8, 20), (64, 5)):
        for _ in range(times):
            yield VECTORS[kind](generator, n).astype(dtype_named(dtype, "test"))


@BOTH
@pytest.mark.parametrize("kind", VECTORS)
def test_a_sums_spread_covers_one_that_rounds_after_every_term(kind: str, dtype: str) -> None:
    found = []
    for vector in vectors(kind, dtype):
        exact = vector.astype(np.float64)
        noisy = Rounding.of(dtype, "a key", 64, 1).array(exact[np.newaxis]).sum(axis=-1)
        sigma = float(spread(noisy.data, exact.sum()[np.newaxis])[0]) + FORMATS[dtype].smallest
        orders = (vector, vector[::-1], vector[np.argsort(np.abs(exact))])
        found += [abs(float(reduce(np.add, order)) - exact.sum()) / sigma for order in orders]
    assert max(found) <= MULTIPLE / 2
    assert max(found) > 0.1, "the spread is so wide that it says nothing"


def errors_in_sigma(case: Case, samples: int) -> float:
    """The largest error / σ of textbook formulas that round every elementary result."""
    found, exact = stepwise.gradients(case, ROWS[None]), network.gradients(case.astype("float64"))
    allowed = bound(case, case.dtype, samples=samples).gradients
    worst = 0.0
    for name, true in (*exact.tensors(), ("loss", exact.loss)):
        limit = allowed.loss if name == "loss" else allowed[name]
        known = np.isfinite(limit)
        error = np.abs(found.get(name, np.zeros_like(true)) - true)[known]
        worst = max(worst, float((error / limit[known]).max(initial=0.0)) * MULTIPLE)
    return worst


@pytest.mark.thorough
@BOTH
def test_the_bounds_hold_where_every_elementary_result_is_rounded_to_16_bits(dtype: str) -> None:
    """As the judge asks: an entry beyond its bound is asked again, with more samples, before anything is said."""
    source, found = Source(cases(EVERYTHING, dtypes=(dtype,)), 3), []
    for index in range(NETWORKS):
        case = source.case(index)
        assert case is not None
        worst = errors_in_sigma(case, 16)
        found.append(worst if worst <= MULTIPLE else errors_in_sigma(case, SAMPLES_FOR_SUSPECTS))
    assert max(found) <= MULTIPLE
    assert 1.0 < np.median(found) < 4.0, "of the largest of each network"
