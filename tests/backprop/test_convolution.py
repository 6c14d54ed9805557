"""Convolutions and pools by hand: right by every witness, and each wrong variant of them is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import windowed
from builders import case_of

from crosscheck.backprop import convolution, network, pooling
from crosscheck.backprop.branches import signature
from crosscheck.backprop.rows import Layer, Site, chosen, plus
from crosscheck.backprop.windows import entries, fold, unfold
from crosscheck.checking import Witnesses, check
from crosscheck.judge.compare import Status
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.jax_grad import JaxGrad
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Case, Verdict
from crosscheck.subjects.builtin import Builtin

ROWS = network.ROWS
Backward = tuple[tuple[Any, ...], dict[str, Any]]
Change = Callable[[Site, Any, tuple[Any, ...], Mapping[str, Any], Backward], Backward]
# What every attribute does can be seen in one of these.
CONV = "x[2,4,5,4] -> conv2d(2, 3x2, stride=2x1, padding=1x2, dilation=1x2, groups=2) -> tanh -> cotangent"
TRANSPOSED = (
    "x[2,4,2,3] -> conv_transpose2d(2, 3x2, stride=2x3, padding=1x0, output_padding=1x2, groups=2) -> tanh -> cotangent"
)
OVERLAPPING = "x[2,2,5,4] -> conv2d(2, 2) -> max_pool2d(3x2, stride=1, padding=1) -> cotangent"
MEAN = "x[2,2,5,4] -> conv2d(2, 2) -> avg_pool2d(3x2, stride=2x1, padding=1, count_include_pad=false) -> cotangent"


@pytest.mark.thorough
def test_random_networks_agree_with_every_witness() -> None:
    agreed, compared = 0, 0
    for case in windowed.cases(seed=5, count=120):
        found = check(case, Builtin(), Witnesses((Ball(), TorchAutograd())))
        assert found.verdict in (Verdict.AGREES, Verdict.UNDECIDABLE), f"{found.verdict} on {case.architecture}"
        agreed += found.verdict is Verdict.AGREES
        compared += found.count(Status.AGREE)
    assert agreed > 100
    assert compared > 5000


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", [CONV, TRANSPOSED, OVERLAPPING, MEAN, "x[2,3,4,2] -> global_avg_pool -> sse"])
def test_each_agrees_with_jax_too(text: str, dtype: str) -> None:
    # Small numbers: a saturated tanh leaves nothing to compare in float32.
    case = case_of(text, seed=3, family="small", points=2, dtype=dtype)
    found = check(case, Builtin(), Witnesses((Ball(), TorchAutograd(), JaxGrad())))
    assert found.verdict is Verdict.AGREES
    assert set(found.references) == {"ball", "torch", "jax", "differences"}
    size = sum(t.status.size for t in found.tensors.values())
    # In float32 an entry that cancels says little; nothing is left out otherwise.
    assert found.count(Status.AGREE) + found.count(Status.UNINFORMATIVE) == size
    assert found.count(Status.AGREE) > 0.95 * size


def with_change(op: str, change: Change) -> Builtin:
    """The built-in with what its rule gives for this op changed."""
    sound = ROWS[op]
    assert isinstance(sound, Layer)

    def backward(site: Site, d: Any, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> Backward:
        return change(site, d, inputs, params, sound.backward(site, d, inputs, params))

    return Builtin({**ROWS, op: Layer(sound.forward, backward)})


def parameter(role: str, change: Callable[[Any], Any]) -> Change:
    return lambda site, d, inputs, params, found: (found[0], {**found[1], role: change(found[1][role])})


def of_input(change: Callable[[Any], Any]) -> Change:
    return lambda site, d, inputs, params, found: ((change(found[0][0]),), found[1])


def every_tap_at_the_same_place(site: Site, d: Any, inputs: Any, params: Any, found: Backward) -> Backward:
    """Columns are added to where the first entry of each window came from."""
    windows = convolution.windows_of(site)
    dz, weight = convolution._by_group(site, d, site.out_shape), convolution._matrix(site, params)
    columns = np.matmul(weight.swapaxes(-1, -2), dz)
    columns = columns.reshape((*columns.shape[:-4], *site.in_shapes[0][:2], windows.entries, *windows.count))
    parts = [columns.sum(axis=-windows.axes - 1)] + [0.0 * columns[..., 0, :, :]] * (windows.entries - 1)
    return (fold(parts, windows),), found[1]


def winner_takes_it_from_everyone(site: Site, d: Any, inputs: Any, params: Any, found: Backward) -> Backward:
    """Of a number that wins several windows, the last one counts."""
    windows = pooling.windows_of(site)
    won = pooling.first_largest(entries(inputs[0], windows, -np.inf), any(windows.padding))
    whole = np.zeros((*d.shape[:-2], *(n + 2 * p for n, p in zip(windows.size, windows.padding, strict=True))), d.dtype)
    for place, each in zip(windows.places, won, strict=True):
        whole[place] = np.where(each, d, whole[place])
    inside = (slice(p, p + n) for p, n in zip(windows.padding, windows.size, strict=True))
    return (whole[(..., *inside)],), {}


def counted_with_padding(site: Site, d: Any, inputs: Any, params: Any, found: Backward) -> Backward:
    whole = Site({**site.attributes, "count_include_pad": True}, site.in_shapes, site.out_shape)
    return pooling.mean(pooling.divided).backward(whole, d, inputs, params)


# fmt: off
BUGS = {
    "weight turned round":       (CONV, "conv2d", parameter("weight", lambda g: g[..., ::-1, ::-1])),
    "weight of one sample":      (CONV, "conv2d", lambda site, d, inputs, params, found: (
        found[0], ROWS["conv2d"].backward(  # type: ignore[union-attr]
            Site(site.attributes, ((1, *site.in_shapes[0][1:]),), (1, *site.out_shape[1:])),
            d[..., :1, :, :, :], (inputs[0][..., :1, :, :, :],), params)[1])),
    "groups in the other order": (CONV, "conv2d", parameter("weight", lambda g: g[:, ::-1])),
    "bias of one row":           (CONV, "conv2d", lambda site, d, inputs, params, found: (
        found[0], {**found[1], "bias": d[..., :1, :].sum(axis=(-4, -2, -1))})),
    "bias a mean":               (CONV, "conv2d", parameter("bias", lambda g: g / 2)),
    "taps not moved":            (CONV, "conv2d", every_tap_at_the_same_place),
    "input shifted":             (CONV, "conv2d", of_input(lambda g: np.roll(g, 1, axis=-1))),
    "transposed: weight turned": (TRANSPOSED, "conv_transpose2d", parameter("weight", lambda g: g[..., ::-1, :])),
    "transposed: axes swapped":  (TRANSPOSED, "conv_transpose2d", of_input(lambda g: g[..., ::-1, :])),
    "transposed: bias":          (TRANSPOSED, "conv_transpose2d", parameter("bias", lambda g: 0 * g)),
    "one window of several":     (OVERLAPPING, "max_pool2d", winner_takes_it_from_everyone),
    "shared among the window":   (OVERLAPPING, "max_pool2d", lambda site, d, inputs, params, found: (
        (fold([d / 6] * 6, pooling.windows_of(site)),), {})),
    "padding counted":           (MEAN, "avg_pool2d", counted_with_padding),
    "not divided":               (MEAN, "avg_pool2d", of_input(lambda g: 6 * g)),
    "all but the corner":        ("x[2,3,4,2] -> global_avg_pool -> sse", "global_avg_pool",
                                  of_input(lambda g: np.where(np.arange(2) == 1, g, 0.0))),
}
# fmt: on


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("bug", BUGS)
def test_a_wrong_rule_is_found(bug: str, dtype: str) -> None:
    text, op, change = BUGS[bug]
    case = case_of(text, seed=3, points=2, dtype=dtype)
    found = check(case, with_change(op, change), Witnesses((Ball(), TorchAutograd())))
    assert (found.verdict, found.odd_one_out) == (Verdict.DISAGREES, "subject")


def one_window(a: list[float], text: str = "x[1,1,4] -> max_pool1d(4) -> cotangent") -> Case:
    case = case_of(text, points=1)
    return Case(case.architecture, {}, {"x": np.array(a).reshape(case.inputs["x"].shape)}, np.ones_like(case.targets))


@pytest.mark.parametrize("oracle", [TorchAutograd(), JaxGrad()])
@pytest.mark.parametrize("a", [[1.0, 3.0, 3.0, 0.0], [2.0, 2.0, 2.0, 2.0], [0.0, -1.0, 0.0, -2.0]])
def test_of_equal_ones_the_first_wins_here_and_in_the_frameworks(
    a: list[float], oracle: TorchAutograd | JaxGrad
) -> None:
    case = one_window(a)
    wanted = np.zeros((1, 1, 1, 4))
    wanted[..., int(np.argmax(a))] = 1.0
    np.testing.assert_array_equal(network.gradients(case).by_input["x"], wanted)
    np.testing.assert_array_equal(oracle.references(case).gradients.by_input["x"], wanted)


def test_padding_never_wins() -> None:
    case = one_window([-3.0, -1.0, -2.0, -5.0], "x[1,1,4] -> max_pool1d(2, stride=2, padding=1) -> cotangent")
    found = network.gradients(case)
    np.testing.assert_array_equal(found.outputs, [[[[-3.0, -1.0, -5.0]]]])
    np.testing.assert_array_equal(found.by_input["x"], [[[[1.0, 1.0, 0.0, 1.0]]]])


def test_an_infinite_gradient_goes_to_the_winner_alone() -> None:
    layer = pooling.ROWS["max_pool1d"]
    site = Site({"kernel": 2, "stride": 0, "padding": 0}, ((1, 1, 4),), (1, 1, 2))
    (da,), _ = layer.backward(site, np.array([[[np.inf, 1.0]]]), (np.array([[[0.0, 1.0, 3.0, 2.0]]]),), {})
    np.testing.assert_array_equal(da, [[[0.0, np.inf, 1.0, 0.0]]])


def test_signatures_part_where_another_wins_and_where_two_tie() -> None:
    case = case_of("x[1,1,4] -> max_pool1d -> cotangent", points=1)
    x = np.array([[5.0, 1.0, 2.0, 3.0], [5.5, 1.0, -2.0, 3.0], [5.0, 6.0, 2.0, 3.0], [5.0, 1.0, 3.0, 3.0]])
    tape = network.forward(case.architecture, {}, {"x": x.reshape(4, 1, 1, 1, 4)}, case.targets[np.newaxis])
    first, same, other, tie = signature(tape)[:, 0].tolist()
    assert same == first
    assert len({first, other, tie}) == 3


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_chosen_is_where(dtype: type) -> None:
    values = np.array([[1.5, -0.0, np.inf], [-np.inf, np.nan, 3.0]], dtype)
    for mask in (values > 0, values[:1] > 0, np.array([True, False, True]), np.True_):
        np.testing.assert_array_equal(chosen(mask, values), np.where(mask, values, dtype(0)))
        assert chosen(mask, values).dtype == dtype
    taken = chosen(np.array([[[True]], [[False]]]), values[:, ::2])
    np.testing.assert_array_equal(taken, [values[:, ::2], np.zeros((2, 2))])


def test_plus_stays_in_place_where_it_fits() -> None:
    a, b = np.ones((2, 3)), np.ones((4, 1, 3))
    assert plus(a, np.ones(3)) is a
    assert plus(a, b).shape == (4, 2, 3)
    np.testing.assert_array_equal(a, np.full((2, 3), 2.0))


@pytest.mark.parametrize("text", [CONV, TRANSPOSED])
def test_fold_is_the_transpose_of_unfold(text: str) -> None:
    architecture = case_of(text).architecture
    node = architecture.nodes[0]
    site = Site(node.attributes, architecture.shapes_of(node.inputs), architecture.node_shapes[0])
    windows = convolution.windows_of(site)
    g = np.random.default_rng(1)
    a, columns = g.integers(-9, 9, (2, *windows.size)), g.integers(-9, 9, (2, *windows.kernel, *windows.count))
    parts = [columns[:, i, j] for i, j in windows.offsets]
    assert (unfold(a, windows) * columns).sum() == (a * fold(parts, windows)).sum()
    np.testing.assert_array_equal(np.stack(entries(a, windows), axis=1).reshape(columns.shape), unfold(a, windows))
