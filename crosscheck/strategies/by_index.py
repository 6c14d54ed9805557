"""Drawing by index: case i of a hunt is a function of (seed, i) alone.

The bytes for Hypothesis's `fuzz_one_input` come from a keyed counter, so any index can be drawn by itself, on
any machine, in any order. The mapping from bytes to cases belongs to one version of Hypothesis.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase
from hypothesis.errors import Flaky

from crosscheck.spec.case import Case
from crosscheck.strategies.values import FAMILIES

# About 25 bytes are used for the structure; a short buffer draws nothing.
BUFFER = 4096
# Hypothesis's own limits are by time; a hunt must not depend on the machine's speed.
_CHECKS = list(HealthCheck)


class Same(AssertionError):
    """Raised where a shrinking case still fails for the same cause: one class, one origin."""


class NotAgain(ValueError):
    """A case that failed does not fail when it is asked again."""


def buffer(seed: int, index: int) -> bytes:
    """The bytes of case `index`."""
    return hashlib.shake_128(f"crosscheck/{seed}/{index}".encode()).digest(BUFFER)


class Source:
    """Cases by index out of one strategy."""

    def __init__(self, strategy: st.SearchStrategy[Case], seed: int) -> None:
        self._seed = seed
        self._strategy = strategy
        self._drawn: list[Case] = []

        @settings(database=None, deadline=None, suppress_health_check=_CHECKS)
        @given(strategy)
        def body(case: Case) -> None:
            self._drawn.append(case)

        self._fuzz: Callable[[bytes], bytes | None] = _handle(body).fuzz_one_input

    def case(self, index: int) -> Case | None:
        """Case `index`; None where the strategy refused the bytes, which it never should."""
        self._drawn.clear()
        self._fuzz(buffer(self._seed, index))
        return self._drawn[0] if self._drawn else None

    def shrink(self, index: int, fails_alike: Callable[[Case], bool], most: int) -> Case:
        """The smallest case that Hypothesis reaches from case `index` with `fails_alike` true throughout.

        `most` bounds the evaluations; raises NotAgain where case `index` itself does not fail. The shrinker
        runs on a fresh in-memory database that holds this one case.
        """
        best: list[Case] = []
        asked = 0
        database = InMemoryExampleDatabase()

        @settings(
            database=database,
            deadline=None,
            phases=[Phase.reuse, Phase.shrink],
            suppress_health_check=_CHECKS,
            max_examples=most,
            report_multiple_bugs=False,
            print_blob=False,
        )
        @given(self._strategy)
        def body(case: Case) -> None:
            nonlocal asked
            asked += 1
            if asked <= most and fails_alike(case):
                best.append(case)
                raise Same

        with suppress(Same):
            _handle(body).fuzz_one_input(buffer(self._seed, index))
        if not best:
            raise NotAgain(f"case {index} does not fail when it is asked again")
        # Flaky is what the shrinker says when the evaluations ran out before its last replay.
        with suppress(Same, Flaky):
            body()
        return min(best, key=size)


def _handle(test: Any) -> Any:
    """What Hypothesis hangs on a @given test for fuzzers."""
    return test.hypothesis


def size(case: Case) -> tuple[int, int, int, int]:
    """How much there is to read in a case: nodes, numbers on the way, what is not at its default, the family.

    Parameters do not count: a layer without its bias has fewer, but is not simpler.
    """
    architecture = case.architecture
    shapes = [*(i.shape for i in architecture.inputs), *architecture.node_shapes]
    families = list(FAMILIES)
    family = families.index(case.family) if case.family in families else len(families)
    return len(architecture.nodes), sum(map(math.prod, shapes)), len(str(architecture)), family
