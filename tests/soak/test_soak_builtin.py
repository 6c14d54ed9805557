"""100,000 points of random networks of the built-in, both dtypes, every witness held against certified truth.

Nobody is accused without a reason: not the subject, not a witness beyond its known deviations, not the tolerance.
"""

from __future__ import annotations

import pytest
from soak.alarms import soak

from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import EVERYTHING
from crosscheck.subjects.builtin import Builtin

SEED = 8841
# 8 points each: 100,000 points.
NETWORKS = 1250
SHARDS = 10


@pytest.mark.long
@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_false_alarm_in_a_shard_of_random_networks(shard: int) -> None:
    source = Source(cases(EVERYTHING, dtypes=("float64", "float32")), SEED)
    found = soak(source, SEED, Builtin(), range(shard * NETWORKS, (shard + 1) * NETWORKS))
    print(found)
    print("\n".join(found.wrongly_odd))
    assert not found.false_alarms, "\n".join(found.false_alarms)
    assert not found.wrongly_odd, "\n".join(found.wrongly_odd)
    assert found.certified == found.points, str(found)
    assert found.informative > found.compared / 2, str(found)
