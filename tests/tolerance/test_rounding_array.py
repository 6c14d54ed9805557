"""The rounding array: equal operations round equally, and nothing drops to plain numbers without an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from builders import every_variant
from scipy import special

from crosscheck.backprop import network
from crosscheck.spec import parse
from crosscheck.spec.ops import OPS
from crosscheck.strategies.values import make_case
from crosscheck.tolerance.formats import FORMATS
from crosscheck.tolerance.rounding import COMPARISONS, ELEMENTARY, Rounded, Rounding
from crosscheck.tolerance.rows import rows

SAMPLES = 16


def rounded(values: Any, dtype: str = "float64", key: str = "a key") -> Rounded:
    """One point of these numbers."""
    return Rounding.of(dtype, key, SAMPLES, 1).array(np.asarray(values, np.float64)[np.newaxis])


def test_every_elementary_result_differs_among_the_samples() -> None:
    for ufunc in ELEMENTARY:
        x = rounded([0.3, 0.7])
        other = 1.5 if ufunc is np.power else x + 1.0
        found = ufunc(x, other) if ufunc.nin == 2 else ufunc(x)
        assert found.shape == (SAMPLES, 1, 2)
        assert len(np.unique(found.data[:, 0, 0])) == SAMPLES, ufunc.__name__


# fmt: off
MOVED: dict[str, Callable[[Rounded], Any]] = {
    "negative":    lambda x: -x,
    "absolute":    lambda x: abs(x),
    "maximum":     lambda x: np.maximum(x, 0.0),
    "minimum":     lambda x: np.minimum(x, 0.5),
    "reshape":     lambda x: x.reshape(1, 1, 2, 1),
    "swapaxes":    lambda x: x.swapaxes(-1, -2),
    "index":       lambda x: x[..., None],
    "where":       lambda x: np.where(np.array([True, False]), x, 0.0),
    "concatenate": lambda x: np.concatenate([x, x], axis=-1),
    "broadcast":   lambda x: np.broadcast_to(x, (1, 3, 2)),
    "max":         lambda x: x.max(axis=-1),
}
REFUSED: dict[str, Callable[[Rounded], Any]] = {
    "asarray":        lambda x: np.asarray(x),
    "array":          lambda x: np.array(x),
    "float":          lambda x: np.zeros(1) + float(x),
    "assignment":     lambda x: np.zeros((1, 1, 2)).__setitem__(slice(None), x),
    "unknown ufunc":  lambda x: np.arctan(x),
    "SciPy's ufunc":  lambda x: special.ndtr(x),
    "softmax":        lambda x: special.softmax(x, axis=-1),
    "power":          lambda x: x ** x,
    "float power":    lambda x: np.float_power(x, 2),
    "equal":          lambda x: x == x,
    "sign":           lambda x: np.sign(x),
    "floor division": lambda x: x // 2.0,
    "diff":           lambda x: np.diff(x),
    "dot":            lambda x: np.dot(x, x),
    "einsum":         lambda x: np.einsum("...i->...", x),
    "tensordot":      lambda x: np.tensordot(x, x),
    "copy":           lambda x: np.copy(x),
    "pad with means": lambda x: np.pad(x, 1, mode="mean"),
    "mean":           lambda x: np.mean(x, axis=-1),
    "sum":            lambda x: np.sum(x, axis=-1),
    "clip":           lambda x: np.clip(x, 0.0, 1.0),
    "reduce":         lambda x: np.add.reduce(x),
    "accumulate":     lambda x: np.add.accumulate(x),
    "outer":          lambda x: np.multiply.outer(x, x),
    "at":             lambda x: np.add.at(np.zeros(2), [0], x),
    "out":            lambda x: np.add(x, 1.0, out=np.zeros((1, 1, 2))),
    "out of itself":  lambda x: np.add(x, 1.0, out=x),
    "in place":       lambda x: np.zeros((1, 1, 2)).__iadd__(x),
    "where keyword":  lambda x: np.add(x, 1.0, where=np.array([True, False])),
    "dtype keyword":  lambda x: np.add(x, 1.0, dtype=np.float32),
}
# fmt: on


@pytest.mark.parametrize("name", MOVED)
def test_moving_data_rounds_nothing(name: str) -> None:
    values = np.array([[0.3, 0.7]])
    found = MOVED[name](rounded(values[0]))
    assert isinstance(found, Rounded)
    assert len(found) == 1, "moved data gained samples, so something was rounded"


KEEPS: dict[str, Callable[[Any], Any]] = {
    "stack": lambda x: np.stack([x, 2.0 * x], axis=-1),
    "pad": lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2))),
    "flip": lambda x: np.flip(x, axis=-1),
    "windows": lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, axis=-1),
    "take": lambda x: np.take_along_axis(x, np.array([[[1, 0, 1]]]), axis=-1),
    "repeat": lambda x: np.repeat(x, 2, axis=-1),
    "axes": lambda x: np.moveaxis(x[..., np.newaxis], -1, -2),
}


@pytest.mark.parametrize("name", KEEPS)
def test_what_moves_numbers_keeps_their_spread(name: str) -> None:
    spread_out = rounded([0.3, 0.7]) * 1.1
    moved = KEEPS[name](spread_out)
    assert isinstance(moved, Rounded)
    assert len(moved) == SAMPLES > 1
    np.testing.assert_allclose(moved.data, KEEPS[name](np.array([[[0.33, 0.77]]]) + np.zeros((SAMPLES, 1, 1))))


def test_numbers_are_written_and_added_in_place() -> None:
    total = np.zeros_like(rounded([0.3, 0.7]) * 1.1, shape=(SAMPLES, 1, 4))
    part = rounded([0.3, 0.7]) * 1.1
    total[..., 1:3] += part
    total[..., 1:3] += part
    np.testing.assert_allclose(total.data[0, 0], [0.0, 0.66, 1.54, 0.0])
    assert np.ptp(total.data[:, 0, 1]) > 0.0
    assert isinstance(total, Rounded)


def test_a_sum_over_axes_is_that_of_all_their_numbers() -> None:
    x = rounded([[1.0, 2.0], [3.0, 4.5]])
    assert x.sum(axis=(-2, -1)).shape == (SAMPLES, 1)
    assert x.sum(axis=(-2, -1), keepdims=True).shape == (SAMPLES, 1, 1, 1)
    np.testing.assert_allclose(x.mean(axis=(-2, -1)).data, 10.5 / 4)
    np.testing.assert_array_equal(x.sum(axis=(-2, -1)).data, x.reshape(1, 1, 4).sum(axis=-1).data)


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_lose_the_spread_is_refused(name: str) -> None:
    with pytest.raises(TypeError):
        REFUSED[name](rounded([0.3, 0.7]))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("asarray", "a rounding array does not become a plain one: its spread would be lost without a word"),
        ("unknown ufunc", "arctan is not on the rounding array's list: how accurate is it?"),
        ("diff", r"np\.diff is not on the rounding array's list of data movements"),
        ("out", r"np\.add\.__call__ with \['out'\] is not on the rounding array's list"),
    ],
)
def test_the_refusal_says_why(name: str, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        REFUSED[name](rounded([0.3, 0.7]))


def test_equal_operations_on_equal_numbers_round_equally() -> None:
    x = rounded([[0.3, 0.7], [0.3, 0.7]])
    for found in (np.exp(x), x * x, x.sum(axis=-1), special.expit(x) / 3.0):
        np.testing.assert_array_equal(found.data[:, 0, 0], found.data[:, 0, 1])


def test_equal_rows_of_a_product_of_matrices_are_not_known_to_round_equally() -> None:
    """PyTorch's do not: its kernels sum the rows of one product in different orders."""
    x = rounded([[0.3, 0.7], [0.3, 0.7]])
    found = np.matmul(x, rounded([[1.1, -2.3, 0.4], [0.2, 5.0, 0.9]])).data
    assert (found[:, 0, 0] != found[:, 0, 1]).any()


def test_equal_results_of_different_operands_round_differently() -> None:
    saturated = np.tanh(rounded([20.0, 30.0])).data[:, 0]
    assert (saturated[:, 0] != saturated[:, 1]).any()
    sums = (rounded([0.25, 0.5]) + rounded([0.75, 0.5])).data[:, 0]
    assert (sums[:, 0] != sums[:, 1]).any()


def test_another_key_rounds_otherwise_and_the_same_key_alike() -> None:
    one, two, other = (np.exp(rounded([0.3], key=k)).data for k in ("k", "k", "l"))
    np.testing.assert_array_equal(one, two)
    assert (one != other).all()


@pytest.mark.parametrize("dtype", FORMATS)
def test_overflow_is_that_of_the_format(dtype: str) -> None:
    """In every other sample: a wider format on the way does not overflow."""
    large = FORMATS[dtype].largest
    with np.errstate(all="ignore"):
        beyond, below, within = ((rounded([large], dtype) * factor).data for factor in (1.5, -1.5, 0.5))
    assert (beyond[1::2] == np.inf).all()
    assert (below[1::2] == -np.inf).all()
    assert np.isfinite(within).all()
    if dtype != "float64":
        assert np.isfinite(beyond[::2]).all()


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_what_cannot_be_told_from_overflow_overflows_in_some_samples(dtype: str) -> None:
    near = (rounded([FORMATS[dtype].largest * (1 - 4 * FORMATS[dtype].unit)], dtype) * 1.0).data
    assert not np.isfinite(near[1::2]).any()
    assert np.isfinite(near[::2]).all()


@pytest.mark.parametrize("dtype", FORMATS)
def test_a_sum_overflows_where_some_order_of_its_terms_does(dtype: str) -> None:
    half = FORMATS[dtype].largest / 2.0
    cancelling, small = [half, half, half, -half, -half, -half], [half / 8, half / 8, -half / 8]
    with np.errstate(all="ignore"):
        for row, fine in ((cancelling, False), (small, True)):
            total = rounded(row, dtype).sum(axis=-1)
            product = np.matmul(rounded([row], dtype), rounded([[1.0]] * len(row), dtype))
            for found in (total, product):
                assert np.isfinite(found.data).all() == fine
                assert found.rounding.overflown.tolist() == [not fine]
                assert np.isfinite(found.data[::2]).all() or dtype == "float64", "those that a wider format holds"


def test_the_points_at_which_something_overflows_are_noted() -> None:
    def noted(numbers: list[list[float]], dtype: str, step: Callable[[Any], object]) -> list[bool]:
        rounding = Rounding.of(dtype, "a key", SAMPLES, len(numbers))
        with np.errstate(all="ignore"):
            step(rounding.array(np.array(numbers)))
        return rounding.overflown.tolist()

    points = [[300.0, 1.0], [0.5, 2.0], [-60000.0, 1.0]]
    assert noted(points, "float16", np.square) == [True, False, True]
    assert noted(points, "bfloat16", np.square) == [False, False, False]
    assert noted(points, "float16", lambda x: (x + x).sum(axis=-1)) == [False, False, True]
    assert noted(points, "float16", lambda x: x.noised(2e9 / (abs(x.data) + 1.0))) == [False] * 3, "an error alone"


def test_it_is_lost_with_what_it_follows_from() -> None:
    with np.errstate(all="ignore"):
        product = rounded([300.0, 2.0], "float16") * 300.0
    found = (rounded([1.0, 2.0], "float16") * 1.0).lost_with(product).data
    assert np.isinf(found[1::2, 0, 0]).all()
    assert np.isfinite(found[::2]).all()
    assert np.isfinite(found[..., 1]).all()


def test_a_sigmoid_is_lost_where_the_exponential_below_it_overflows() -> None:
    """As 1 / (1 + exp(-z)) that of -12 is 0 in float16, and not the 6e-6 that it could hold."""
    below, above = ((special.expit(rounded([z], "float16")).data - special.expit(z)) for z in (-11.2, -10.9))
    assert np.abs(below).max() > 0.9 * special.expit(-11.2)
    assert np.abs(above).max() < 2 * FORMATS["float16"].smallest


def test_infinity_goes_on_as_itself() -> None:
    """exp(-z) overflows float16 at z = -12, and 1 / (1 + ∞) is 0: half of the samples of a sigmoid are."""
    with np.errstate(all="ignore"):
        found = (1.0 / (1.0 + np.exp(-rounded([-12.0], "float16")))).data
    assert (np.abs(found[1::2]) <= FORMATS["float16"].smallest).all()
    np.testing.assert_allclose(found[::2], 6.144e-6, rtol=0.1)


def test_a_lost_phase_has_no_value() -> None:
    """Neither does what is decided by it: both sides are taken."""
    z = rounded([500.0, 0.3], "bfloat16") * 1.0
    wave = np.sin(z)
    assert np.isnan(wave.data[..., 0]).all()
    assert np.isfinite(wave.data[..., 1]).all()
    assert wave.rounding.lost.all()
    side = wave > 0
    assert 0 < np.count_nonzero(side[..., 0]) < SAMPLES


def test_in_a_coarse_format_half_of_the_samples_take_the_side_that_they_are_on() -> None:
    z = rounded([1.0], "bfloat16") * 1.0 - 0.975  # 16 σ reach across zero, and no sample is there
    assert (z.data > 0).all()
    side = (z > 0)[:, 0, 0]
    assert side[SAMPLES // 2 :].all()
    assert 0 < np.count_nonzero(side[: SAMPLES // 2]) < SAMPLES // 2


def test_float16_loses_half_of_its_smallest_number_where_others_lose_the_whole_result() -> None:
    tiny = {dtype: FORMATS[dtype].smallest_normal / 4.0 for dtype in ("float16", "bfloat16")}
    lost = {d: float(np.abs((rounded([x], d) * 1.0).data - x).max()) for d, x in tiny.items()}
    assert lost["float16"] <= FORMATS["float16"].smallest
    assert lost["bfloat16"] > 0.5 * tiny["bfloat16"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_below_the_normal_numbers_a_result_may_be_lost_whole(dtype: str) -> None:
    x = rounded([float(np.finfo(dtype).tiny) * 0.01], dtype)
    found = (x * 0.5).data.ravel()
    format_ = x.rounding.format
    error = np.sqrt(np.square(found / (x.data.item() * 0.5) - 1.0).mean()) * format_.scale
    assert 0.3 < error < 1.0


@pytest.mark.parametrize("ufunc", COMPARISONS, ids=lambda f: f.__name__)
def test_a_comparison_within_the_rounding_parts_the_samples(ufunc: np.ufunc) -> None:
    x = rounded([0.1 + 0.2 - 0.3, 1.0, 0.0])
    moved = np.array([0.1, 0.0, 0.0])
    total = (x + moved) - moved  # the first is rounding error alone, the last exactly zero
    branch = ufunc(total, 0.0)
    assert x.rounding.parted.all()
    assert [len(np.unique(branch[:, 0, i])) for i in range(3)] == [2, 1, 2]


def test_a_comparison_within_16_sigma_parts_samples_that_would_all_decide_alike() -> None:
    x = rounded([0.0], "float32")
    sigma = 2.0**-24 * 0.1 / np.sqrt(3)
    for distance, parts in ((8.0, True), (-8.0, True), (40.0, False)):
        x.rounding.parted[:] = False
        total = (x + (0.1 + distance * sigma)) - 0.1
        assert (total.data > 0).all() or (total.data < 0).all()
        branch = np.greater(total, 0.0)
        assert x.rounding.parted.tolist() == [parts]
        assert len(np.unique(branch)) == (2 if parts else 1)


def test_two_samples_are_enough_to_part() -> None:
    rounding = Rounding.of("float64", "a key", 2, 1)
    branch = np.greater(rounding.array(np.zeros((1, 40))), 0.0)
    assert (branch[0] != branch[1]).all()


def test_a_clear_comparison_parts_nothing() -> None:
    x = rounded([1e-9, -1e-9, 3.0])
    branch = np.greater(np.sin(x), 0.0)
    assert branch.all(axis=0).tolist() == [[True, False, True]]
    assert not x.rounding.parted.any()


def test_the_coins_do_not_depend_on_the_point() -> None:
    rounding = Rounding.of("float64", "a key", SAMPLES, 3)
    x = rounding.array(np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]))
    branch = np.greater(x, 0.0)
    np.testing.assert_array_equal(branch[:, 0, 0], branch[:, 2, 0])
    np.testing.assert_array_equal(branch[:, 1, 1], branch[:, 2, 1])
    assert rounding.parted.tolist() == [True, True, True]


@pytest.mark.parametrize("table", ["built-in", None, "torch", "jax"])
@pytest.mark.parametrize("text", [v for op in OPS for v in every_variant(op)])
def test_every_row_runs_on_it(text: str, table: Any) -> None:
    """Each row keeps its samples: the spread of the loss or of some gradient is not zero."""
    case = make_case(parse(text), family="normal", seed=0, points=2)
    rounding = Rounding.of("float64", case.key, SAMPLES, 2)
    params, inputs = ({k: rounding.array(v) for k, v in d.items()} for d in (case.params, case.inputs))
    classes = case.targets.dtype.kind == "i"
    targets = case.targets[np.newaxis] if classes else rounding.array(case.targets)
    chosen = network.ROWS if table == "built-in" else rows(table)
    indices = {i.name: case.inputs[i.name][np.newaxis] for i in case.architecture.inputs if i.dtype != "float"}
    weights = None if case.weights is None else rounding.array(case.weights)
    tape = network.forward(case.architecture, params, inputs, targets, chosen, weights=weights, indices=indices)
    by_param, by_link = network.backward(tape, chosen)
    found = [tape.loss, *by_param.values(), *by_link.values()]
    assert all(isinstance(f, Rounded) for f in found)
    assert any(len(f) == SAMPLES and (f.data != f.data[0]).any() for f in found)
