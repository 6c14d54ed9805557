"""Every row of every table runs on the rounding array, and no spread is lost on the way.

A row that turned its argument into plain numbers would have a bound of zero, and accuse everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from builders import case_of, every_variant, text_of

from crosscheck.backprop import network
from crosscheck.backprop.rows import Activation, Row
from crosscheck.spec import OPS, Case
from crosscheck.tolerance import rows
from crosscheck.tolerance.rounding import Rounded, Rounding

SAMPLES = 8
TABLES: dict[str, Mapping[str, Row]] = {
    "backprop": network.ROWS,
    "textbook": rows.ROWS[None],
    "torch": rows.ROWS["torch"],
    "jax": rows.ROWS["jax"],
    "torch with its deviations": rows.ROWS_WITH_DEVIATIONS["torch"],
    "jax with its deviations": rows.ROWS_WITH_DEVIATIONS["jax"],
}
# What is the same number in every sample, and right so: the constant parts of a clip.
CONSTANT = {("hardtanh", "outputs"), ("hardsigmoid", "outputs")}


def on_both_sides(text: str) -> Case:
    """Numbers so large that some lie beyond every kink."""
    case = case_of(text, family="large", points=6)
    if case.architecture.target_dtype == "float":
        return case
    # Where no class counts there is nothing to round, and a framework may have NaN.
    counts = (case.targets != case.architecture.loss.attributes["ignore_index"]).any(axis=1)
    return case.take(np.flatnonzero(counts).tolist())


def samples_of(case: Case, table: Mapping[str, Row], dtype: str) -> dict[str, Rounded]:
    """Loss, output of the op and every gradient, where all numbers that go in have a spread."""
    rounding = Rounding.of(dtype, case.key, SAMPLES, case.n_points)

    def noisy(array: np.ndarray) -> Rounded:
        return rounding.array(array).noised(1.0)

    params = {key: noisy(array) for key, array in case.params.items()}
    inputs = {name: noisy(array) for name, array in case.inputs.items()}
    floating = case.targets.dtype.kind == "f"
    targets = noisy(case.targets) if floating else case.targets[np.newaxis]
    weights = None if case.weights is None else noisy(case.weights)
    indices = {i.name: case.inputs[i.name][np.newaxis] for i in case.architecture.inputs if i.dtype != "float"}
    tape = network.forward(case.architecture, params, inputs, targets, table, weights=weights, indices=indices)
    by_param, by_link = network.backward(tape, table)
    every = enumerate(case.architecture.inputs)
    named = {item.name: by_link[-i - 1] for i, item in every if item.dtype == "float"}
    outputs = {"outputs": tape.outputs[-1]} if tape.outputs else {}
    return {"loss": tape.loss, **outputs, **by_param, **named}


def assert_every_number_has_a_spread(op: str, found: Mapping[str, object]) -> None:
    for name, values in found.items():
        assert isinstance(values, Rounded), f"{op}: {name} is {type(values).__name__}, its spread is lost"
        assert values.shape[0] == SAMPLES, f"{op}: {name} has {values.shape[0]} samples of {SAMPLES}"
        assert np.isfinite(values.data).all()
        varies = np.ptp(values.data, axis=0) > 0
        wanted = (values.data != 0).any(axis=0)
        assert wanted.any(), f"{op}: {name} is zero, nothing was compared"
        if (op, name) in CONSTANT:
            wanted &= False
        assert (varies | ~wanted).all(), f"{op}: {name} is the same number in every sample"


CASES = [(op, text) for op in OPS for text in every_variant(op) if "scale" not in text]


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("table", TABLES)
def test_every_row_keeps_the_spread(table: str, dtype: str) -> None:
    for op, text in CASES:
        case = on_both_sides(text)
        with np.errstate(all="ignore"):
            found = samples_of(case, TABLES[table], dtype)
        assert_every_number_has_a_spread(op, found)


def test_every_op_is_tried_on_both_sides_of_every_kink() -> None:
    assert {op for op, _ in CASES} == set(OPS)
    for _, text in CASES:
        case = on_both_sides(text)
        for node in case.architecture.nodes:
            for kink in OPS[node.op].kinks(node.attributes):
                assert (case.inputs["x"] < kink).any(), text
                assert (case.inputs["x"] > kink).any(), text


@pytest.mark.parametrize(("op", "name"), sorted(CONSTANT))
def test_the_exceptions_are_needed(op: str, name: str) -> None:
    found = samples_of(on_both_sides(text_of(op)), network.ROWS, "float64")[name].data
    assert ((np.ptp(found, axis=0) == 0) & (found[0] != 0)).any()


# fmt: off
FAULTS = {
    "turns into a plain array": (lambda z: np.tanh(np.asarray(z)), TypeError, "a rounding array does not become"),
    "uses a function of unknown accuracy": (np.cbrt, TypeError, "cbrt is not on the rounding array's list"),
    "uses a movement that is not listed": (lambda z: np.roll(z, 1, axis=-1), TypeError, "np.roll is not on the"),
    "reduces with a ufunc": (lambda z: np.add.reduce(z, axis=-1), TypeError, "np.add.reduce with"),
    "gives plain numbers": (lambda z: np.tanh(z.data), AssertionError, "outputs is ndarray, its spread is lost"),
    "keeps one sample": (lambda z: np.tanh(z)[:1], AssertionError, "outputs has 1 samples of 8"),
    "averages the samples": (lambda z: Rounded(np.tanh(z.data * 0 + z.data.mean(axis=0)), z.rounding), AssertionError,
                             "outputs is the same number in every sample"),
}
# fmt: on


@pytest.mark.parametrize("fault", FAULTS)
def test_a_row_that_loses_the_spread_is_caught(fault: str) -> None:
    f, error, message = FAULTS[fault]
    sound = network.ROWS["tanh"]
    assert isinstance(sound, Activation)
    table = {**network.ROWS, "tanh": replace(sound, f=f)}
    with pytest.raises(error, match=message):
        assert_every_number_has_a_spread("tanh", samples_of(case_of(text_of("tanh")), table, "float64"))


def test_a_backward_that_loses_the_spread_is_caught() -> None:
    sound = network.ROWS["tanh"]
    assert isinstance(sound, Activation)
    table = {**network.ROWS, "tanh": replace(sound, dz=lambda z, a, da: Rounded(0.0 * z.data + 0.25, z.rounding))}
    with pytest.raises(AssertionError, match="x is the same number in every sample"):
        assert_every_number_has_a_spread("tanh", samples_of(case_of(text_of("tanh")), table, "float64"))
