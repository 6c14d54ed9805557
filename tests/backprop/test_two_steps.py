"""A loss whose value and derivative begin alike: done once on the way, and never taken for that of another rule."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from builders import case_of

from crosscheck.backprop import network
from crosscheck.backprop.rows import Array, Loss
from crosscheck.spec import parse

CHAIN = "x[2,3] -> dense(3) -> softmax_cross_entropy"
IN_STEPS = sorted(name for name, row in network.ROWS.items() if isinstance(row, Loss) and row.in_steps)


def row_of(name: str) -> Loss:
    return cast("Loss", network.ROWS[name])


def tape_of(text: str) -> network.Tape:
    case = case_of(text)
    return network.forward(case.architecture, case.params, case.inputs, case.targets)


def test_there_are_losses_in_two_steps() -> None:
    assert IN_STEPS == ["softmax_cross_entropy"]


@pytest.mark.parametrize("attributes", ["", "(label_smoothing=0.25)", "(targets=probabilities)"])
def test_the_two_steps_are_the_whole_bit_for_bit(attributes: str) -> None:
    tape = tape_of(CHAIN + attributes)
    again = replace(tape, begun=None)
    assert tape.begun is not None
    assert network.loss(tape, network.ROWS).tobytes() == network.loss(again, network.ROWS).tobytes()
    for with_it, without in zip(network.backward(tape), network.backward(again), strict=True):
        assert with_it.keys() == without.keys()
        for key in with_it:
            assert with_it[key].tobytes() == without[key].tobytes()


def first(*given: Array, **_own: object) -> Array:
    return given[0]


@pytest.mark.parametrize("name", IN_STEPS)
def test_a_row_of_which_one_half_was_replaced_is_in_no_steps(name: str) -> None:
    assert replace(row_of(name), per_sample=False).in_steps is not None
    assert replace(row_of(name), value=first).in_steps is None
    assert replace(row_of(name), da=first).in_steps is None


def test_a_changed_derivative_is_the_one_that_is_taken() -> None:
    tape = tape_of(CHAIN)
    sound = row_of("softmax_cross_entropy")
    doubled = replace(sound, da=lambda *given, **own: 2.0 * sound.da(*given, **own))
    rows = {**network.ROWS, "softmax_cross_entropy": doubled}
    (found, _), (right, _) = network.backward(tape, rows), network.backward(tape)
    np.testing.assert_array_equal(found["0.weight"], 2.0 * right["0.weight"])


def test_a_tape_that_is_read_with_another_loss_begins_anew() -> None:
    tape = tape_of(CHAIN)
    smoothed = parse(f"{CHAIN}(label_smoothing=0.25)")
    (found, _), (right, _) = network.backward(replace(tape, architecture=smoothed)), network.backward(tape)
    assert not np.array_equal(found["0.weight"], right["0.weight"])
    whole, _ = network.backward(replace(tape, architecture=smoothed, begun=None))
    np.testing.assert_array_equal(found["0.weight"], whole["0.weight"])


def test_a_tape_with_other_targets_begins_anew() -> None:
    tape = tape_of(CHAIN)
    moved = replace(tape, targets=(tape.targets + 1) % 3)
    found, whole = (network.backward(t)[0]["0.weight"] for t in (moved, replace(moved, begun=None)))
    np.testing.assert_array_equal(found, whole)
    assert not np.array_equal(found, network.backward(tape)[0]["0.weight"])
