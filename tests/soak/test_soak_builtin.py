"""The built-in on random networks, both dtypes, every witness held against certified truth.

100,000 points of the networks that most people's first backward is for, and 20,000 of the whole space: its systematic
networks first, which hold every pair of its factors, then random ones. Nobody is accused without a reason: not the
subject, not a witness beyond its known deviations, not the tolerance.
"""

from __future__ import annotations

import pytest
from soak.alarms import Soaked, soak

from crosscheck.spec.ops import OPS
from crosscheck.strategies.architectures import Menu
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import POINTS, cases
from crosscheck.strategies.covering import Array
from crosscheck.strategies.planning import Planner
from crosscheck.strategies.space import EVERYTHING, Space
from crosscheck.strategies.values import FAMILIES
from crosscheck.subjects.builtin import Builtin

SEED = 8841
DTYPES = ("float64", "float32")
# 8 points each: 100,000 points.
NETWORKS, SHARDS = 1250, 10
# 8 points each: 20,000 points.
OF_THE_WHOLE, PARTS = 250, 10
FIRST_LAYERS = ("dense", "add", "multiply", "concat")
FIRST_LOSSES = ("sse", "mse", "mae", "huber", "bce_with_logits", "softmax_cross_entropy", "cotangent")


def check(found: Soaked) -> None:
    print(found)
    print("\n".join(found.wrongly_odd))
    assert not found.false_alarms, "\n".join(found.false_alarms)
    assert not found.wrongly_odd, "\n".join(found.wrongly_odd)
    assert found.certified == found.points, str(found)
    assert found.informative > found.compared / 2, str(found)


@pytest.mark.long
@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_false_alarm_in_a_shard_of_dense_networks(shard: int) -> None:
    ops = [op for op in OPS if OPS[op].kind == "activation" or op in (*FIRST_LAYERS, *FIRST_LOSSES)]
    source = Source(cases(Space.of(ops, weighs=False), dtypes=DTYPES), SEED)
    check(soak(source, SEED, Builtin(), range(shard * NETWORKS, (shard + 1) * NETWORKS)))


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_no_false_alarm_in_a_part_of_the_whole_space(part: int) -> None:
    planned = Array(Planner(Menu(EVERYTHING), DTYPES, tuple(FAMILIES), POINTS))
    source = Source(cases(EVERYTHING, dtypes=DTYPES), SEED, planned)
    check(soak(source, SEED, Builtin(), range(part * OF_THE_WHOLE, (part + 1) * OF_THE_WHOLE)))
