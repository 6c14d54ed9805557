from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from crosscheck.backprop import textbook as tb
from crosscheck.spec.activations import ACTIVATIONS

ATTRIBUTES: dict[str, list[dict[str, bool | int | float | str]]] = {
    "leaky_relu": [{"negative_slope": 0.01}, {"negative_slope": -0.5}],
    "elu": [{"alpha": 1.0}, {"alpha": 0.3}],
    "celu": [{"alpha": 1.0}, {"alpha": 0.3}],
    "gelu": [{"approximate": "none"}, {"approximate": "tanh"}],
    "hardtanh": [{"min_val": -1.0, "max_val": 1.0}, {"min_val": -0.25, "max_val": 2.0}],
}
EVERY = [(name, attributes) for name in tb.ROWS for attributes in ATTRIBUTES.get(name, [{}])]
each_activation = pytest.mark.parametrize(("name", "attributes"), EVERY, ids=str)
SAMPLES, TARGETS = [[0.7, -1.1], [0.2, 0.9]], [[0.3], [-0.4]]
# Truncation h²/6 · f''' and rounding 2u|f|/h, both about 1e-10 for numbers near 1; a wrong formula is far off.
H, CRUDE = 1e-5, 1e-7


def difference(f: Callable[[float], float], at: float) -> float:
    return (f(at + H) - f(at - H)) / (2 * H)


def network(name: str, attributes: tb.Attributes, *, bias: bool = True) -> list[tb.Layer]:
    return [
        tb.Layer([[0.5, -0.3], [0.8, 0.45], [-0.6, 0.2]], [0.1, -0.2, 0.35] if bias else None, name, attributes),
        tb.Layer([[0.9, -0.7, 0.55]], [0.05] if bias else None, name, attributes),
    ]


def changed(rows: list[list[float]], j: int, k: int, value: float) -> list[list[float]]:
    return [[value if (r, c) == (j, k) else w for c, w in enumerate(row)] for r, row in enumerate(rows)]


def assert_every_gradient_is_that_of_differences(layers: list[tb.Layer]) -> None:
    found = tb.gradients(layers, SAMPLES, TARGETS)

    def loss_with(l: int, layer: tb.Layer) -> float:
        return tb.gradients([*layers[: l - 2], layer, *layers[l - 1 :]], SAMPLES, TARGETS).loss

    for l, layer in enumerate(layers, start=2):
        rows = [list(row) for row in layer.weight]
        for j, row in enumerate(rows):
            for k, w in enumerate(row):
                about = difference(lambda v: loss_with(l, replace(layer, weight=changed(rows, j, k, v))), w)  # noqa: B023
                assert found.weights[l][j][k] == pytest.approx(about, abs=CRUDE)
        for j, b in enumerate(layer.bias or []):
            (biases,) = [list(layer.bias or [])]
            about = difference(lambda v: loss_with(l, replace(layer, bias=changed([biases], 0, j, v)[0])), b)  # noqa: B023
            assert found.biases[l][j] == pytest.approx(about, abs=CRUDE)
    for i, x in enumerate(SAMPLES):
        for k, a in enumerate(x):
            about = difference(lambda v: tb.gradients(layers, changed(SAMPLES, i, k, v), TARGETS).loss, a)  # noqa: B023
            assert found.inputs[i][k] == pytest.approx(about, abs=CRUDE)


@each_activation
def test_gradients_are_those_of_differences(name: str, attributes: tb.Attributes) -> None:
    assert_every_gradient_is_that_of_differences(network(name, attributes))


def test_gradients_without_bias_are_those_of_differences() -> None:
    layers = network("tanh", {}, bias=False)
    assert_every_gradient_is_that_of_differences(layers)
    assert tb.gradients(layers, SAMPLES, TARGETS).biases == {}


def test_gradients_through_two_activations_in_a_row_are_those_of_differences() -> None:
    layers = [replace(layer, then=(("sin", {}), ("elu", {"alpha": 0.3}))) for layer in network("softplus", {})]
    assert_every_gradient_is_that_of_differences(layers)


def test_the_check_by_differences_fails_for_a_wrong_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tb.Row(tb.ROWS["tanh"].g, lambda z, at: 1 - math.tanh(z))
    monkeypatch.setattr(tb, "ROWS", tb.ROWS | {"tanh": wrong})
    with pytest.raises(AssertionError):
        assert_every_gradient_is_that_of_differences(network("tanh", {}))


@each_activation
@pytest.mark.parametrize("z", [-2.2, -0.6, -0.1, 0.15, 0.7, 1.9, 2.7])
def test_slope_is_that_of_differences(name: str, attributes: tb.Attributes, z: float) -> None:
    row = tb.ROWS[name]
    assert row.slope(z, attributes) == pytest.approx(difference(lambda v: row.g(v, attributes), z), abs=CRUDE)


# fmt: off
KNOWN = [  # name, attributes, z, g(z) and g'(z), from the definitions
    ("sigmoid",     {},                       math.log(3), 3 / 4,             3 / 16),
    ("tanh",        {},                       math.log(3) / 2, 1 / 2,         3 / 4),
    ("relu",        {},                       -2.0,  0.0,                     0.0),
    ("leaky_relu",  {"negative_slope": 0.25}, -2.0,  -0.5,                    0.25),
    ("elu",         {"alpha": 2.0},           -math.log(2), -1.0,             1.0),
    ("celu",        {"alpha": 2.0},           -2 * math.log(2), -1.0,         1 / 2),
    ("selu",        {},                       2.0,   2.1014019747109609,      1.0507009873554805),
    ("selu",        {},                       -math.log(2), -1.7580993408473766 / 2, 1.7580993408473766 / 2),
    ("softplus",    {},                       0.0,   math.log(2),             1 / 2),
    ("silu",        {},                       math.log(3), 0.75 * math.log(3), 0.75 + math.log(3) * 3 / 16),
    ("gelu",        {"approximate": "none"},  0.0,   0.0,                     1 / 2),
    ("gelu",        {"approximate": "none"},  1.0,   0.841344746068543,       1.083315470587555),
    ("gelu",        {"approximate": "tanh"},  1.0,   0.841191990608276,       None),
    ("mish",        {},                       0.0,   0.0,                     3 / 5),
    ("softsign",    {},                       -3.0,  -3 / 4,                  1 / 16),
    ("hardsigmoid", {},                       1.5,   3 / 4,                   1 / 6),
    ("log_sigmoid", {},                       0.0,   -math.log(2),            1 / 2),
    ("sin",         {},                       math.pi / 6, 1 / 2,             math.sqrt(3) / 2),
]
# fmt: on


@pytest.mark.parametrize(("name", "attributes", "z", "value", "slope"), KNOWN)
def test_known_values(name: str, attributes: tb.Attributes, z: float, value: float, slope: float | None) -> None:
    row = tb.ROWS[name]
    assert row.g(z, attributes) == pytest.approx(value, rel=1e-12, abs=1e-15)
    if slope is not None:
        assert row.slope(z, attributes) == pytest.approx(slope, rel=1e-12, abs=1e-15)


@each_activation
@pytest.mark.parametrize("z", [-1.7e308, -1e200, -1e120, -745.2, -710.0, 0.0, 710.0, 745.2, 1e120, 1e200, 1.7e308])
def test_large_inputs_overflow_neither_g_nor_its_slope(name: str, attributes: tb.Attributes, z: float) -> None:
    row = tb.ROWS[name]
    assert abs(row.g(z, attributes)) <= max(1.1 * abs(z), 2.0)
    assert abs(row.slope(z, attributes)) <= 2.0


@each_activation
@pytest.mark.parametrize("z", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_raises_nothing(name: str, attributes: tb.Attributes, z: float) -> None:
    assert isinstance(tb.ROWS[name].g(z, attributes), float)
    assert isinstance(tb.ROWS[name].slope(z, attributes), float)


def test_every_elementwise_activation_of_the_spec_has_a_row() -> None:
    assert set(tb.ROWS) == {op.name for op in ACTIVATIONS} - {"softmax", "log_softmax"}


def test_the_average_over_samples_is_the_mean_of_each_alone() -> None:
    layers = network("sigmoid", {})
    one, two = (tb.gradients(layers, [x], [y]) for x, y in zip(SAMPLES, TARGETS, strict=True))
    both = tb.gradients(layers, SAMPLES, TARGETS)
    assert both.loss == pytest.approx((one.loss + two.loss) / 2)
    assert both.weights[2][0][1] == pytest.approx((one.weights[2][0][1] + two.weights[2][0][1]) / 2)
    assert both.biases[3][0] == pytest.approx((one.biases[3][0] + two.biases[3][0]) / 2)
    assert both.inputs[1][0] == pytest.approx(two.inputs[0][0] / 2)


def test_a_share_takes_the_place_of_the_average() -> None:
    layers = network("sigmoid", {})
    average, total = (tb.gradients(layers, SAMPLES, TARGETS, share) for share in (None, 1.0))
    assert total.loss == pytest.approx(2 * average.loss)
    assert total.weights[3][0] == pytest.approx([2 * w for w in average.weights[3][0]])


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="there are no samples; the average over samples needs at least one"):
        tb.gradients(network("tanh", {}), [], [])


@pytest.mark.parametrize(("x", "y"), [([1.0], [1.0]), ([1.0, 2.0], [1.0, 2.0])])
def test_sizes_that_do_not_fit_are_refused(x: list[float], y: list[float]) -> None:
    with pytest.raises(ValueError, match=r"zip\(\)"):
        tb.gradients(network("tanh", {}), [x], [y])


def test_it_stands_alone() -> None:
    tree = ast.parse(Path(tb.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"__future__", "math", "collections.abc", "dataclasses"}
