"""Which rows are wrong: of all answers that fail, not of one."""

from __future__ import annotations

import numpy as np
import pytest
from builders import Wrong, case_of, changed

from crosscheck.diagnosis.extents import extents, numbered_by
from crosscheck.diagnosis.seen import asked
from crosscheck.oracles.ball import Ball
from crosscheck.spec import Case, Gradients, parse


def only_rows_of(case: Case, found: Gradients) -> Gradients:
    """Row 0 is wrong in a batch of two, rows 0 and 1 in a batch of three."""

    def spoil(g: np.ndarray) -> np.ndarray:
        g[:, : case.architecture.inputs[0].shape[0] - 1] += 1.0
        return g

    return changed(found, "0.weight", spoil)


def test_what_is_wrong_in_a_smaller_answer_is_not_right_elsewhere() -> None:
    with np.errstate(all="ignore"):
        two, three = (
            asked(case_of(f"x[{n},2] -> dense(3) -> sse", seed=n), Wrong(only_rows_of), Ball()) for n in (2, 3)
        )
        of_bias = Wrong(lambda _c, g: changed(g, "0.bias", lambda d: d + 1.0))
        spared = asked(case_of("x[2,2] -> dense(3) -> sse", seed=2), of_bias, Ball())
    assert extents([two]) == ["0.weight: wrong at index 0 of axis 0 (rows, one an output; 3 of them), right elsewhere"]
    both = ["0.weight: wrong at index 0, 1 of axis 0 (rows, one an output; 3 of them), right elsewhere"]
    assert extents([three, two]) == both
    assert extents([two, three]) == [f"{said}, on x[3,2]" for said in both]
    assert extents([spared, three]) == [], "in what is shown that gradient is right"


def test_an_axis_is_counted_among_networks_that_are_built_alike_alone() -> None:
    """What the keys of another network number may be something else."""

    def row(number: int) -> Wrong:
        def spoil(g: np.ndarray) -> np.ndarray:
            g[:, number] += 1.0
            return g

        return Wrong(lambda _c, found: changed(found, "0.weight", spoil))

    with np.errstate(all="ignore"):
        dense = asked(case_of("x[3,2] -> dense(3) -> tanh -> sse", seed=1), row(0), Ball())
        other = asked(case_of("x[2,2] -> dense(3) -> sse", seed=2), row(1), Ball())
        alike = asked(case_of("x[2,2] -> dense(3) -> tanh -> sse", seed=2), row(1), Ball())
    one = ["0.weight: wrong at index 0 of axis 0 (rows, one an output; 3 of them), right elsewhere"]
    both = ["0.weight: wrong at index 0, 1 of axis 0 (rows, one an output; 3 of them), right elsewhere"]
    assert extents([dense, other]) == one
    assert extents([dense, alike]) == both


# fmt: off
NUMBERED: list[tuple[str, str, list[str | None]]] = [
    ("x[2,3] -> dense(4) -> sse", "0.weight", ["rows, one an output", "columns, one an input"]),
    ("x[2,3] -> dense(4) -> sse", "0.bias", ["outputs"]),
    ("x[2,3] -> dense(4) -> sse", "x", ["samples", "features"]),
    ("x[3] -> dense(4) -> sse", "x", ["features"]),
    ("x[2,3,4] -> conv1d(2, 2) -> sse", "0.weight", ["output channels", "input channels", None]),
    ("x[2,3,4] -> conv1d(2, 2) -> sse", "x", ["samples", "channels", "places"]),
    ("x[2,3,4] -> rnn(2) -> sse", "x", ["samples", "steps", "features"]),
    ("x[2,3,4] -> rnn(2) -> sse", "0.weight_hh", ["hidden units", "hidden units before"]),
    ("x[2,3,4] -> lstm(2) -> sse", "0.weight_ih", ["gates i, f, g, o in turn", "features"]),
    ("x[2,3,4] -> gru(2) -> sse", "0.bias_hh", ["gates r, z, n in turn"]),
    ("x[2,3]; k[4,3]; v[4,3]; x -> attention(k, v) -> sse", "x", ["steps", "features"]),
    ("x[2,3]; k[4,3]; v[4,3]; x -> attention(k, v) -> sse", "k", [None, None]),
    ("ids[2]:int64 -> embedding(3, 2) -> sse", "0.weight", ["rows, one an id", "columns"]),
    ("x[2,3] -> tanh -> sse", "x", ["samples", None]),
    ("x[2,3] -> h: tanh -> dense(3) -> add(h) -> sse", "1.weight", ["rows, one an output", "columns, one an input"]),
]
# fmt: on


@pytest.mark.parametrize(("text", "tensor", "said"), NUMBERED)
def test_what_an_axis_numbers_is_said_where_its_operation_has_a_word_for_it(
    text: str, tensor: str, said: list[str | None]
) -> None:
    assert [numbered_by(parse(text), tensor, axis, len(said)) for axis in range(len(said))] == said


def test_a_sample_and_a_step_are_called_that() -> None:
    def second_step(g: np.ndarray) -> np.ndarray:
        g[:, :, 1] *= 2.0
        return g

    with np.errstate(all="ignore"):
        found = asked(
            case_of("x[2,3,2] -> rnn(2) -> sse", seed=1), Wrong(lambda _c, g: changed(g, "x", second_step)), Ball()
        )
    assert extents([found]) == ["x: wrong at index 1 of axis 1 (steps; 3 of them), right elsewhere"]
