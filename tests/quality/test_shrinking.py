"""What shrinks to what: from any seed, a bug ends in one and the same readable network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from meta.planted import BUGS, ROWS, Bug

from crosscheck import mutants
from crosscheck.backprop.rows import Site
from crosscheck.checking import Witnesses
from crosscheck.oracles.ball import Ball
from crosscheck.search import Limits, hunt
from crosscheck.selftest import Plan, source_of
from crosscheck.shrinking import shrunk
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import Space
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.planted import Mute

SEEDS = (1, 2, 3)
# The truth is enough to differ from, and cheap.
WITNESSES = Witnesses((Ball(),), differences=False)

# fmt: off
SMALLEST = {
    "sse without its 2":            "x[1,1] -> sse",
    "bias: mean for sum":           "x[2,1] -> dense(1) -> sse",
    "batch_mean not divided":       "x[2,1] -> sse(reduction=batch_mean)",
    "shared weight overwritten":    "x[1,1] -> dense(1) -> dense(1, weight=@0.weight, bias=@0.bias) -> sse",
    "fork: = for +=":               "x[1,1] -> add(x) -> sse",
    "leaky_relu decided by a":      "x[1,1] -> leaky_relu(negative_slope=-0.5) -> sse",
}
# From these seeds each was met in a network that overflows before the bug, or in one that has more than it takes.
AGAIN = {
    "multi_head_attention weight_q: transposed": ("x[1,2,2] -> multi_head_attention -> sse", (100, 101)),
    "bce: of the sample before":                 ("x[2,1] -> sigmoid -> bce", (104, 105)),
    "elu: NaN at large z":                       ("x[1,1] -> elu -> sse", (100, 103)),
    "sse: half the loss, whole gradient":        ("x[1,1] -> sse", (100, 101, 102, 103)),
    "conv_transpose2d input: doubled with output_padding=0x1": (
        "x[1,1,1,1] -> conv_transpose2d(1, 1, output_padding=0x1, dilation=1x2) -> sse", (101, 103, 106)),
    "conv2d: groups mixed up":                   ("x[1,2,1,1] -> conv2d(2, 1, groups=2) -> sse", (100, 101)),
    "max_pool1d input: doubled at a tie":        ("x[1,1,2] -> max_pool1d -> sse", (100, 101, 102, 103)),
}
# fmt: on


def bug_named(name: str) -> Bug:
    return next(bug for bug in BUGS if bug.name == name)


def flattened_by_channels_last(site: Site, d_out: Any, inputs: tuple[Any, ...], params: Any) -> Any:
    shape = inputs[0].shape
    if len(site.in_shapes[0]) != 4:
        return ROWS["flatten"].backward(site, d_out, inputs, params)
    last = d_out.reshape((*shape[:-3], *shape[-2:], shape[-3]))
    return (np.moveaxis(last, -1, -3),), {}


def test_every_axis_is_as_small_as_it_can_be_whatever_shapes_are_asked_about() -> None:
    subject = Builtin(ROWS | {"flatten": replace(ROWS["flatten"], backward=flattened_by_channels_last)})
    space = Space.of(["conv2d", "flatten", "dense", "sse"])
    source = Source(cases(space, points=2), 5, ops=space.ops)
    result = hunt(source, subject, WITNESSES, Limits(100, first_failure=True))
    smallest = shrunk(source, result.failures[0], subject, WITNESSES).case
    assert str(smallest.architecture) == "x[1,2,1,2] -> flatten -> sse"


def test_what_shows_at_few_numbers_alone_ends_at_one_of_them() -> None:
    """Of four numbers one is large enough; numbers of every family are not, on a network of one."""
    tanh = ROWS["tanh"]
    subject = Builtin(
        ROWS | {"tanh": replace(tanh, dz=lambda z, a, da: np.where(abs(z) > 5.0, 0.0, tanh.dz(z, a, da)))}  # type: ignore[union-attr]
    )
    space = Space.of(["dense", "tanh", "sse"])
    source = Source(cases(space, points=2), 5, ops=space.ops)
    result = hunt(source, subject, WITNESSES, Limits(200, first_failure=True))
    smallest = shrunk(source, result.failures[0], subject, WITNESSES).case
    assert str(smallest.architecture) == "x[1,1] -> tanh -> sse"


@pytest.mark.thorough
@pytest.mark.parametrize("name", SMALLEST)
def test_a_bug_shrinks_to_one_network_from_every_seed(name: str) -> None:
    bug = bug_named(name)
    for seed in SEEDS:
        source = Source(cases(Space.of(bug.ops), points=2), seed, ops=bug.ops)
        result = hunt(source, bug.subject, WITNESSES, Limits(600, first_failure=True))
        failure = next(f for f in result.failures if f.kind.verdict.name == bug.verdict)
        smallest = shrunk(source, failure, bug.subject, WITNESSES).case
        assert str(smallest.architecture) == SMALLEST[name], f"from seed {seed}"
        assert smallest.n_points == 1
        for numbers in (*smallest.params.values(), *smallest.inputs.values()):
            assert np.array_equal(numbers, np.round(numbers, 3)), "readable numbers"
        assert len(smallest.architecture.nodes) <= 2


@pytest.mark.thorough
@pytest.mark.parametrize("name", AGAIN)
def test_a_planted_bug_shrinks_to_one_network_however_it_was_met(name: str) -> None:
    """Most networks let suspect the operation at once; those seeds are here of which some did not."""
    mutant = next(m for m in mutants.mutants() if m.name == name)
    expected, seeds = AGAIN[name]
    for seed in seeds:
        source, subject = source_of(mutant, Plan(400, seed=seed)), Mute(mutant)
        with np.errstate(all="ignore"):
            result = hunt(source, subject, WITNESSES, Limits(400, first_failure=True))
            smallest = shrunk(source, result.failures[0], subject, WITNESSES)
        assert str(smallest.case.architecture) == expected, f"from seed {seed}"
        assert smallest.evaluations <= 150
