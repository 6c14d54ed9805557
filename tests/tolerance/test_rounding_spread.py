"""The spread of sums and products of matrices against the errors that real arithmetic makes in any order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
import pytest
from scipy import special

from crosscheck.tolerance.bounds import spread
from crosscheck.tolerance.rounding import FORMATS, MULTIPLE, Rounding

DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])
SAMPLES = 64


def sigma(dtype: str, f: Callable[..., Any], *arrays: np.ndarray, samples: int = SAMPLES) -> np.ndarray:
    """σ of f in this dtype, around f of the exact numbers."""
    rounding = Rounding.of(dtype, "a key", samples, 1)
    noisy = f(*(rounding.array(a[np.newaxis]) for a in arrays))
    centre = f(*(a.astype(np.float64)[np.newaxis] for a in arrays))
    return (spread(noisy.data, centre) * FORMATS[dtype].scale)[0]


@DTYPES
def test_one_operation_spreads_by_a_uniform_rounding_error(dtype: str) -> None:
    unit = float(np.finfo(dtype).eps) / 2
    a, b = np.linspace(1.0, 3.0, 40), np.linspace(-7.0, -5.0, 40)
    for f in (lambda x, y: x * y, lambda x, y: x / y, lambda x, y: x - y):
        relative = sigma(dtype, f, a, b, samples=256) / np.abs(f(a, b)) / unit
        # uniform on [-1, 1]: 1/√3; of 256 samples the root mean square is within 3 % mostly
        np.testing.assert_allclose(relative, 1 / math.sqrt(3), rtol=0.15)


def test_the_spread_scales_with_the_unit_of_the_format() -> None:
    x = np.linspace(0.1, 3.0, 20)
    for f in (lambda r: r * r, lambda r: (r * r).sum(axis=-1), lambda r: 1.0 / (1.0 + r)):
        ratio = sigma("float32", f, x, samples=1024) / sigma("float64", f, x, samples=1024)
        np.testing.assert_allclose(ratio, 2.0**29, rtol=0.15)


def test_a_less_accurate_function_spreads_more() -> None:
    x = np.linspace(0.5, 2.0, 30)
    product, exponential = sigma("float32", lambda r: r * r, x), sigma("float32", np.exp, x)
    ratio = np.median(exponential / np.exp(x)) / np.median(product / (x * x))
    assert ratio == pytest.approx(FORMATS["float32"].accuracy[np.exp], rel=0.1)


# fmt: off
VECTORS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal":    lambda g, n: g.standard_normal(n),
    "same sign": lambda g, n: g.random(n),
    "repeated":  lambda g, n: np.full(n, g.random()),
    "decades":   lambda g, n: g.choice([-1.0, 1.0], n) * 10.0 ** g.uniform(-4, 4, n),
    "cancelling": lambda g, n: np.concatenate([v := g.random(n // 2), -v[::-1], g.random(n % 2) * 1e-3]),
    "growing":   lambda g, n: np.sort(g.random(n)),
    "one large": lambda g, n: np.concatenate([[1e6], g.random(n - 1)]),
}
ORDERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "naive":     lambda v: reduce(np.add, v),
    "reversed":  lambda v: reduce(np.add, v[::-1]),
    "by size":   lambda v: reduce(np.add, v[np.argsort(np.abs(v))]),
    "pairwise":  lambda v: v.sum(),
    "blocks":    lambda v: reduce(np.add, [reduce(np.add, v[i::4]) for i in range(min(4, len(v)))]),
}
# fmt: on


def vectors(kind: str, dtype: str) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(11)
    for n, times in ((2, 30), (3, 30), (8, 20), (64, 10), (1000, 4), (5000, 1)):
        for _ in range(times):
            yield VECTORS[kind](generator, n).astype(dtype)


def errors_of_sums(kind: str, dtype: str, allowed: Callable[[np.ndarray], float]) -> list[float]:
    """error / allowed of every order of summation, over many vectors; the truth is exact."""
    found = []
    for vector in vectors(kind, dtype):
        exact = math.fsum(vector.astype(np.float64))
        size = allowed(vector.astype(np.float64)) + np.finfo(dtype).smallest_subnormal
        found += [abs(float(order(vector)) - exact) / size for order in ORDERS.values()]
    return found


@DTYPES
@pytest.mark.parametrize("kind", VECTORS)
def test_a_sums_spread_covers_the_error_of_every_order(kind: str, dtype: str) -> None:
    found = errors_of_sums(kind, dtype, lambda v: float(sigma(dtype, lambda r: r.sum(axis=-1), v)))
    assert max(found) <= MULTIPLE
    assert max(found) > 0.1, "the spread is so wide that it says nothing"


def test_independent_errors_alone_would_not_cover_repeated_terms() -> None:
    unit = 2.0**-24
    found = errors_of_sums("repeated", "float32", lambda v: unit * math.sqrt((v * v).sum() * len(v) / 3))
    assert max(found) > MULTIPLE


def exact_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Rounded once, from fractions."""

    def dot(row: list[float], column: list[float]) -> float:
        return float(sum(Fraction(x) * Fraction(y) for x, y in zip(row, column, strict=True)))

    return np.array([[dot(row, column) for column in b.T.tolist()] for row in a.tolist()])


def naive_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([[reduce(np.add, r * c) for c in b.T] for r in a])


@DTYPES
@pytest.mark.parametrize("kind", ["normal", "same sign", "repeated", "decades", "one large"])
def test_a_matrix_products_spread_covers_its_error(kind: str, dtype: str) -> None:
    generator = np.random.default_rng(3)
    found = []
    for n in (1, 2, 5, 30, 200):
        a = np.stack([VECTORS[kind](generator, n) for _ in range(3)]).astype(dtype)
        b = np.stack([VECTORS[kind](generator, n) for _ in range(4)]).astype(dtype).T
        exact = exact_product(a.astype(np.float64), b.astype(np.float64))
        allowed = sigma(dtype, np.matmul, a, b)
        products = (a @ b, naive_product(a, b), naive_product(a[:, ::-1], b[::-1]))
        found += [float((np.abs(p.astype(np.float64) - exact) / allowed).max()) for p in products]
    assert max(found) <= MULTIPLE
    assert max(found) > 0.1, "the spread is so wide that it says nothing"


def test_sums_of_extreme_terms_neither_overflow_nor_vanish() -> None:
    for size in (1e-300, 1e-160, 1e160, 1e300):
        found = sigma("float64", lambda r: r.sum(axis=-1), np.full(4, size)) / size
        assert 1e-17 < found < 1e-14
        found = sigma("float64", np.matmul, np.full((1, 4), size), np.ones((4, 1))).item() / size
        assert 1e-17 < found < 1e-14


def test_a_sum_of_one_term_is_exact_and_a_product_of_one_is_not() -> None:
    assert sigma("float64", lambda r: r.sum(axis=-1), np.array([0.3])) == 0.0
    assert sigma("float64", np.matmul, np.array([[0.3]]), np.array([[0.7]])).item() > 0.0


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_the_spread_is_the_root_mean_square_at_any_scale(size: float) -> None:
    samples = np.array([[3.0], [-4.0], [0.0], [5.0]]) * size
    assert spread(samples, np.zeros(1)).item() == pytest.approx(size * math.sqrt(50 / 4), rel=1e-12)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_the_spread_of_what_is_not_finite_is_infinite(bad: float) -> None:
    assert spread(np.array([[1.0, 1.0], [bad, 1.0]]), np.ones(2)).tolist() == [np.inf, 0.0]
    assert spread(np.ones((2, 2)), np.array([bad, 1.0])).tolist() == [np.inf, 0.0]


def test_sums_that_are_equal_but_not_of_the_same_terms_round_each_on_its_own() -> None:
    """1 + 1e-20 and 1 + 2e-20 are both 1: their difference is 0, and is not known to be."""
    rounding = Rounding.of("float64", "a key", 64, 1)
    terms = rounding.array(np.array([[[1.0, 1e-20], [1.0, 2e-20], [1.0, 1e-20]]]))
    totals = terms.sum(axis=-1).data[:, 0]
    assert (totals[:, 0] != totals[:, 1]).any()
    assert (totals[:, 0] == totals[:, 2]).all(), "the same terms round alike"


def test_what_underflows_to_zero_is_not_known_to_be_zero() -> None:
    rounding = Rounding.of("float64", "a key", 64, 1)
    tiny = rounding.array(np.array([[1e-200, 0.0]]))
    product = (tiny * 1e-200).data
    assert np.ptp(product[:, 0, 0]) > 0
    assert (product[:, 0, 1] == 0).all(), "0 times anything is 0"
    assert np.abs(product * 2.0**-13).max() <= 2.0**-1074


def test_sigmoid_is_not_known_where_scipy_flushes_it() -> None:
    """expit(-716) is 0, where 1.1e-311 is true."""
    rounding = Rounding.of("float64", "a key", 64, 1)
    found = special.expit(rounding.array(np.array([[-716.0]]))).data * 2.0**-13
    assert np.abs(found).max() > 1e-311


def test_where_equal_operations_need_not_round_alike_every_place_has_its_own_rounding() -> None:
    equal = np.array([[3.0, 3.0]])
    alike = np.exp(Rounding.of("float64", "a key", 16, 1).array(equal)).data
    apart = np.exp(Rounding.of("float64", "a key", 16, 1, alike=False).array(equal)).data
    assert (alike[:, 0, 0] == alike[:, 0, 1]).all()
    assert (apart[:, 0, 0] != apart[:, 0, 1]).all()
