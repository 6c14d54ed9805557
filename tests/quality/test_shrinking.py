"""What shrinks to what: from any seed, a bug ends in one and the same readable network."""

from __future__ import annotations

import numpy as np
import pytest
from meta.planted import BUGS, Bug

from crosscheck.checking import Witnesses
from crosscheck.oracles.ball import Ball
from crosscheck.search import Limits, hunt
from crosscheck.shrinking import shrunk
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import Space

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
# fmt: on


def bug_named(name: str) -> Bug:
    return next(bug for bug in BUGS if bug.name == name)


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
