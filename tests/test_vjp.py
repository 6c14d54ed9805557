"""check_vjp: right products pass, wrong ones are told by entry and ratio, kinks and noise are not called wrong."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from crosscheck.api import GradientMismatch, NothingVerified, check_vjp
from crosscheck.spec.errors import UsageError
from crosscheck.vjp import MOST_ENTRIES

RNG = np.random.default_rng(0)
X, W, Y = RNG.standard_normal((3, 4)), RNG.standard_normal((2, 4)), RNG.standard_normal((3, 4))

ONE_OFF = np.where(np.arange(12).reshape(3, 4) == 6, 1.0 + 1e-6, 1.0)


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_vjp(c: np.ndarray, z: np.ndarray) -> np.ndarray:
    a = softmax(z)
    return a * (c - (c * a).sum(axis=-1, keepdims=True))


def norm(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)


def norm_vjp(c: np.ndarray, x: np.ndarray) -> np.ndarray:
    a, s = norm(x), np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    return (c - c.mean(axis=-1, keepdims=True) - a * (c * a).mean(axis=-1, keepdims=True)) / s


# fmt: off
RIGHT: dict[str, tuple[Any, ...]] = {  # f, vjp, arguments
    "linear, two arguments": (lambda x, w: x @ w.T, lambda c, x, w: (c @ w, c.T @ x), X, W),
    "a list of products":    (lambda x, y: x * y,   lambda c, x, y: [c * y, c * x], X, Y),
    "three arguments":       (lambda x, w, b: np.tanh(x @ w.T + b),
                              lambda c, x, w, b: (d := c * (1 - np.tanh(x @ w.T + b) ** 2),
                                                  (d @ w, d.T @ x, d.sum(axis=0)))[1], X, W, W[:, 0]),
    "softmax":               (softmax, softmax_vjp, X),
    "layer norm":            (norm, norm_vjp, X),
    "layer norm, large offset": (norm, norm_vjp, X + 1e4),
    "a Python float":        (lambda x: float(np.sum(x**3)), lambda c, x: c * 3 * x**2, X),
    "a NumPy scalar":        (lambda x: np.sum(np.sin(x)), lambda c, x: c * np.cos(x), X),
    "a 0-d argument":        (lambda x: np.exp(x), lambda c, x: c * np.exp(x), np.array(0.7)),
    "broadcast":             (lambda x, b: x + b, lambda c, x, b: (c, c.sum(axis=0)), X, Y[0]),
    "steep":                 (lambda x: np.exp(20 * x), lambda c, x: c * 20 * np.exp(20 * x), X),
    "tiny":                  (lambda x: 1e-200 * x**2, lambda c, x: c * 2e-200 * x, X),
}
WRONG: dict[str, tuple[Any, ...]] = {  # f, vjp, arguments, what the message must say
    "factor 2":       (np.sin, lambda c, x: 2 * c * np.cos(x), (X,), "constant ratio: 2 × the true one"),
    "factor 1/3":     (np.sin, lambda c, x: c * np.cos(x) / 3, (X,), "constant ratio: 1/3 × the true one"),
    "lost sign":      (np.cos, lambda c, x: c * np.sin(x), (X,), "constant ratio: -1 × the true one"),
    "transposed":     (lambda x, w: x @ w, lambda c, x, w: (c @ w, x.T @ c), (X[:, :3], Y[:, :3]), "argument 0["),
    "missing term":   (softmax, lambda c, z: softmax(z) * c, (X,), "argument 0["),
    "one entry":      (np.sin, lambda c, x: c * np.cos(x) * ONE_OFF, (X,), "argument 0[1, 2] = "),
    "second only":    (lambda x, y: x * y, lambda c, x, y: (c * y, c * y), (X, Y), "argument 1["),
    "norm, no mean":  (norm, lambda c, x: norm_vjp(c, x) + c.mean(-1, keepdims=True) / x.std(-1, keepdims=True), (X,),
                       "argument 0["),
    "nothing at all": (np.sin, lambda c, x: np.zeros_like(x), (X,), "constant ratio: 0 × the true one"),
    "NaN":            (np.sin, lambda c, x: c * np.nan, (X,), "= nan; differences"),
    "one NaN":        (np.sin, lambda c, x: c * np.cos(x) * np.where(ONE_OFF == 1, 1, np.nan), (X,),
                       "4 of 48 entries differ"),
    "infinite":       (np.sin, lambda c, x: c * np.inf, (X,), "inf; differences"),
}
# fmt: on


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_product_passes_and_says_how_much_was_seen(name: str) -> None:
    f, vjp, *args = RIGHT[name]
    summary = check_vjp(f, vjp, *args)
    assert summary.compared == 4 * sum(a.size for a in args), "every entry, under four cotangents"
    assert summary.informative > 0.7 * summary.compared
    assert summary.resolution is not None
    assert summary.resolution < 1e-6
    assert str(summary).startswith(f"verified: {summary.compared} entries, {summary.informative} informative, median")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_product_is_told(name: str, seed: int) -> None:
    f, vjp, args, text = WRONG[name]
    with pytest.raises(GradientMismatch, match=re.escape(text)) as caught:
        check_vjp(f, vjp, *args, seed=seed)
    assert caught.value.result is not None
    assert caught.value.result.wrong
    assert caught.value.finding is None
    assert ("constant ratio" in str(caught.value)) == ("constant ratio" in text)


def test_the_message_is_a_sentence_with_both_values() -> None:
    with pytest.raises(GradientMismatch) as caught:
        check_vjp(lambda x: x**2, lambda c, x: c * x, np.array([3.0]), seed=1)
    first, entry, likely, slope = str(caught.value).splitlines()
    assert first == "DISAGREES: 4 of 4 entries differ from finite differences of f"
    assert re.fullmatch(r"  entry   argument 0\[0\] = \S+; differences \S+; off by \S+, bound \S+", entry)
    assert likely == "  likely  constant ratio: 0.5 × the true one"
    assert slope == (
        "  taylor  slope 1.00 with this gradient, 2.00 with that of differences: no rounding noise "
        "(2 is right, 1 is wrong)"
    )
    worst = caught.value.result.wrong[0]  # type: ignore[union-attr]
    assert worst.claimed == pytest.approx(worst.differences / 2)


SLOPES = {"linear in each": "no remainder beyond rounding", "smooth": "2.00", "far from 0": "2.00"}


@pytest.mark.parametrize(
    ("name", "f", "vjp", "x"),
    [
        ("linear in each", lambda x: x.prod(), lambda c, x: 1.001 * c * x.prod() / x, np.array([2.0, 3.0])),
        ("smooth", np.sin, lambda c, x: 1.001 * c * np.cos(x), X),
        ("far from 0", np.sin, lambda c, x: 1.001 * c * np.cos(x), X + 1e5),
    ],
)
def test_the_worst_entry_has_its_taylor_slope(name: str, f: Any, vjp: Any, x: np.ndarray) -> None:
    with pytest.raises(GradientMismatch) as caught:
        check_vjp(f, vjp, x)
    said = str(caught.value).splitlines()[-1]
    assert said.startswith("  taylor  slope 1.00 with this gradient, " + SLOPES[name])


def test_of_what_is_no_number_no_slope_is_told() -> None:
    with pytest.raises(GradientMismatch) as caught:
        check_vjp(np.sin, lambda c, x: c * np.nan, X)
    assert (
        str(caught.value).splitlines()[-1].startswith("  taylor  no slope could be measured with this gradient; 2.00")
    )


# Kinks, ties, noise: not wrong, and not verified either.


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0)


@pytest.mark.parametrize("at_zero", [0.0, 0.5, 1.0, 17.0])
def test_an_entry_at_a_kink_is_undecidable_whatever_is_claimed(at_zero: float) -> None:
    x = np.array([0.0, 1.5, -0.7, 0.0])
    with pytest.raises(NothingVerified, match="8 of 16 entries are undecidable"):
        check_vjp(relu, lambda c, x: c * np.where(x == 0, at_zero, x > 0), x)
    summary = check_vjp(
        relu, lambda c, x: c * np.where(x == 0, at_zero, x > 0), np.append(np.linspace(0.5, 3, 30), 0.0)
    )
    assert summary.undecidable == 1 * 4
    assert summary.informative == 30 * 4
    assert summary.warnings == ("4 entries are undecidable: a kink, or noise above the slope",)


def test_a_bug_beside_a_kink_is_still_caught() -> None:
    with pytest.raises(GradientMismatch, match=r"argument 0\[1\]"):
        check_vjp(relu, lambda c, x: c * (x >= 0) * 1.1, np.array([0.0, 1.5]))


def test_a_point_of_kinks_alone_verifies_nothing() -> None:
    with pytest.raises(NothingVerified) as caught:
        check_vjp(relu, lambda c, x: c * (x > 0), np.zeros(3))
    assert str(caught.value) == (
        "nothing was verified: none of 12 entries could be resolved (12 undecidable: a kink, or noise above the slope)"
    )


def test_a_constant_function_verifies_nothing() -> None:
    """Zero against zero: agreement of nothing."""
    with pytest.raises(NothingVerified, match="none of 16 entries could be resolved"):
        check_vjp(lambda x: 0.0 * x, lambda c, x: 0.0 * c, np.ones(4))


@pytest.mark.parametrize("digits", [10, 12, 14])
def test_noise_of_f_widens_the_bound_and_is_not_held_against_the_product(digits: int) -> None:
    def noisy(x: np.ndarray) -> np.ndarray:
        return np.round(np.sin(x), digits)

    summary = check_vjp(noisy, lambda c, x: c * np.cos(x), X)
    assert summary.resolution is not None
    assert summary.resolution > 10.0**-digits, "it does not claim to see through the noise"
    with pytest.raises(GradientMismatch, match="constant ratio: 2 × the true one"):
        check_vjp(noisy, lambda c, x: 2 * c * np.cos(x), X)


def test_a_function_that_is_all_noise_verifies_nothing() -> None:
    with pytest.raises(NothingVerified, match="or noise above the slope"):
        check_vjp(lambda x: np.sin(x.astype(np.float32)).astype(np.float64), lambda c, x: c * np.cos(x), X)


def test_what_was_left_out_of_a_large_argument_is_counted() -> None:
    x = RNG.standard_normal(MOST_ENTRIES + 100)
    summary = check_vjp(np.sin, lambda c, x: c * np.cos(x), x)
    assert summary.compared == 4 * MOST_ENTRIES
    assert summary.not_compared == 4 * 100


def test_the_same_seed_gives_the_same_answer() -> None:
    f, vjp, x = RIGHT["softmax"]
    assert check_vjp(f, vjp, x, seed=5) == check_vjp(f, vjp, x, seed=5)


# Large arguments: directions, and what they accuse.

LARGE_X, LARGE_W = RNG.standard_normal((2, 100)), RNG.standard_normal((80, 100)) / 10.0


def layer(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return np.tanh(x @ w.T)


def layer_vjp(c: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    dz = c * (1 - np.tanh(x @ w.T) ** 2)
    return dz @ w, dz.T @ x


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("place", [(3, 7), (79, 99), (40, 0)])
def test_one_wrong_entry_of_a_large_argument_is_named(place: tuple[int, int], seed: int) -> None:
    def wrong(c: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        dx, dw = layer_vjp(c, x, w)
        dw[place] *= 1.001
        return dx, dw

    with pytest.raises(GradientMismatch, match=re.escape(f"argument 1[{place[0]}, {place[1]}] = ")) as caught:
        check_vjp(layer, wrong, LARGE_X, LARGE_W, seed=seed)
    result = caught.value.result
    assert result is not None
    assert {(w.argument, w.index) for w in result.wrong} == {(1, place)}
    assert result.along is not None
    assert result.along.forwards <= 100


def test_a_large_argument_without_its_sign_is_told_by_a_few_entries() -> None:
    with pytest.raises(GradientMismatch, match="constant ratio: -1 × the true one") as caught:
        check_vjp(layer, lambda c, x, w: (layer_vjp(c, x, w)[0], -layer_vjp(c, x, w)[1]), LARGE_X, LARGE_W)
    assert caught.value.result is not None
    assert {w.argument for w in caught.value.result.wrong} == {1}


@pytest.mark.parametrize("seed", range(4))
def test_a_direction_counts_nothing_as_compared(seed: int) -> None:
    summary = check_vjp(layer, layer_vjp, LARGE_X, LARGE_W, seed=seed)
    assert summary.compared + summary.not_compared == 4 * (LARGE_X.size + LARGE_W.size)
    assert summary.compared <= 4 * MOST_ENTRIES
    assert summary.warnings == (
        f"{summary.not_compared} entries were not compared: only a sample of large arguments is",
    )


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(4))
def test_kinks_on_the_way_of_a_direction_accuse_nobody(seed: int) -> None:
    def rectified(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return np.maximum(x @ w.T, 0.0)

    def product(c: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        dz = c * (x @ w.T > 0)
        return dz @ w, dz.T @ x

    assert check_vjp(rectified, product, LARGE_X, LARGE_W, seed=seed).informative


# The contract and the usage.

calls = iter(range(10_000))
# fmt: off
BROKEN: dict[str, tuple[Any, Any, str]] = {
    "raises":        (np.sin, lambda c, x: c / "2",          "BROKE_CONTRACT: vjp raised "),
    "f raises":      (lambda x: x[9], lambda c, x: c,        "BROKE_CONTRACT: f raised IndexError: index 9"),
    "f mutates":     (lambda x: np.sin(x, out=x), lambda c, x: c, "BROKE_CONTRACT: f changed its argument 0 in place"),
    "mutates":       (np.sin, lambda c, x: np.multiply(c, np.cos(x), out=x),
                      "BROKE_CONTRACT: vjp changed its argument 1 in place"),
    "mutates c":     (np.sin, lambda c, x: np.multiply(c, np.cos(x), out=c),
                      "BROKE_CONTRACT: vjp changed its argument 0 in place"),
    "shape":         (np.sin, lambda c, x: c.T,
                      "vjp returned shape (4, 3) for argument 0, which has shape (3, 4)"),
    "float32":       (np.sin, lambda c, x: c.astype("f4"),
                      "vjp returned dtype float32 for argument 0, must be float64"),
    "too many":      (np.sin, lambda c, x: (c, c),           "vjp returned 2 values, must return a tuple of 1 arrays"),
    "a list of it":  (np.sin, lambda c, x: [c.tolist()],
                      "vjp returned list for argument 0, must be a NumPy array of shape (3, 4)"),
    "None":          (np.sin, lambda c, x: None,             "vjp returned NoneType, must return a tuple of 1 arrays"),
    "f float32":     (lambda x: x.astype("f4"), lambda c, x: c,
                      "f returned dtype float32, must be float64 like its arguments"),
    "f a list":      (lambda x: x.tolist(), lambda c, x: c,  "f returned list, must return a NumPy array or a number"),
    "f a tensor":    (torch.tensor, lambda c, x: c,
                      "f returned Tensor, must return a NumPy array or a number (x.detach().numpy() makes one of it)"),
    "a tensor of it": (np.sin, lambda c, x: [torch.tensor(c)],
                      "vjp returned Tensor for argument 0, must be a NumPy array of shape (3, 4) "
                      "(x.detach().numpy() makes one of it)"),
    "a tensor alone": (np.sin, lambda c, x: torch.tensor(c),
                      "vjp returned Tensor, must return a tuple of 1 arrays, one for each argument of f "
                      "(x.detach().numpy() makes one of it)"),
    "f's shape":     (lambda x: x[x > X[1, 1]], lambda c, x: np.zeros_like(x), "for inputs of one shape"),
    "noise":         (np.sin, lambda c, x: c * np.cos(x) + next(calls),
                      "vjp answered argument 0 differently when it was asked twice"),
}
UNUSABLE: dict[str, tuple[tuple[Any, ...], str]] = {
    "float32":  ((X.astype(np.float32),), "check_vjp: argument 0 is float32, must be a NumPy array of float64"),
    "integers": ((X, np.arange(3)),       "check_vjp: argument 1 is int64, must be a NumPy array of float64"),
    "a list":   (([1.0],),                "check_vjp: argument 0 is list, must be a NumPy array of float64"),
    "NaN":      ((X * np.nan,),           "check_vjp: argument 0 holds NaN or infinity; the point must be finite"),
    "nothing":  ((), "check_vjp needs at least one argument of the function: check_vjp(f, vjp, x, …)"),
}
# fmt: on


@pytest.mark.parametrize("name", BROKEN)
def test_a_breach_of_contract_is_told_in_a_sentence(name: str) -> None:
    f, vjp, text = BROKEN[name]
    with pytest.raises(GradientMismatch, match=re.escape(text)) as caught:
        check_vjp(f, vjp, X)
    assert str(caught.value).startswith("BROKE_CONTRACT: ")


@pytest.mark.parametrize("name", UNUSABLE)
def test_arguments_that_cannot_be_used_are_refused(name: str) -> None:
    args, text = UNUSABLE[name]
    with pytest.raises(UsageError) as caught:
        check_vjp(np.sin, lambda c, *x: c, *args)
    assert str(caught.value) == text


def test_the_callers_arrays_are_left_alone() -> None:
    x = X.copy()
    x.flags.writeable = False
    check_vjp(lambda x: np.sin(x), lambda c, x: c * np.cos(x), x)
    assert (x == X).all()
