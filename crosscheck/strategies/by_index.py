"""Drawing by index: case i of a hunt is a function of (seed, i) alone.

The bytes for Hypothesis's `fuzz_one_input` come from a keyed counter, so any index can be drawn by itself, on
any machine, in any order. The mapping from bytes to cases belongs to one version of Hypothesis.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, Protocol

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase, choices_to_bytes
from hypothesis.errors import Flaky
from hypothesis.internal.reflection import function_digest

from crosscheck.spec.allowed import Allowed
from crosscheck.spec.case import Case
from crosscheck.strategies.simpler import simpler
from crosscheck.strategies.values import FAMILIES, make_case

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


class Systematic(Protocol):
    """Cases that come first, each as what the strategy would have had to draw for it; None beyond the last."""

    def case(self, index: int, seed: int) -> Case | None: ...
    def choices(self, index: int, seed: int) -> tuple[Any, ...] | None: ...


class Source:
    """Cases by index: the systematic ones, if there are any, and then random ones out of one strategy.

    `ops` are those of which any network might be drawn, so that a failing one may be made simpler; None: no other one.
    """

    def __init__(
        self,
        strategy: st.SearchStrategy[Case],
        seed: int,
        systematic: Systematic | None = None,
        *,
        ops: Collection[str] | None = None,
    ) -> None:
        self._seed = seed
        self._strategy = strategy
        self._systematic = systematic
        self.ops = None if ops is None else Allowed.of(ops)
        self._drawn: list[Case] = []

        @settings(database=None, deadline=None, suppress_health_check=_CHECKS)
        @given(strategy)
        def body(case: Case) -> None:
            self._drawn.append(case)

        self._fuzz: Callable[[bytes], bytes | None] = _handle(body).fuzz_one_input

    def case(self, index: int) -> Case | None:
        """Case `index`; None where the strategy refused the bytes, which it never should."""
        if self._systematic is not None and (planned := self._systematic.case(index, self._seed)) is not None:
            return planned
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

        planned = self._systematic.choices(index, self._seed) if self._systematic is not None else None
        if planned is not None:
            # One choice too many: what replays to the last choice is taken for shrunk already.
            database.save(function_digest(_handle(body).inner_test), choices_to_bytes((*planned, 0)))
        else:
            with suppress(Same):
                _handle(body).fuzz_one_input(buffer(self._seed, index))
            _confirm(best, index)
        # Flaky is what the shrinker says when the evaluations ran out before its last replay.
        with suppress(Same, Flaky):
            body()
        if not best and planned is not None and (case := self.case(index)) is not None and fails_alike(case):
            best.append(case)  # a version of Hypothesis that records its choices otherwise: made simpler all the same
        _confirm(best, index)
        smallest = min(best, key=size)
        return smallest if self.ops is None else _simplified(smallest, fails_alike, most, self.ops)


class Given(Source):
    """One case that is there already, and is not made simpler."""

    def __init__(self, case: Case) -> None:
        self._given = case
        self.ops = None

    def case(self, index: int) -> Case:
        return self._given

    def shrink(self, index: int, fails_alike: Callable[[Case], bool], most: int) -> Case:
        if not fails_alike(self._given):
            raise NotAgain("the case does not fail when it is asked again")
        return self._given


def _simplified(case: Case, fails_alike: Callable[[Case], bool], most: int, ops: Allowed) -> Case:
    """The case with one node less after the other, and on a smaller input, as long as it fails alike."""
    asked = 0
    while True:
        for architecture in filter(ops.allows, simpler(case.architecture)):
            if asked >= most // 2:
                return case
            asked += 1
            made = make_case(
                architecture, family=case.family, seed=0, points=case.n_points, dtype=case.dtype, order=case.order
            )
            if fails_alike(made):
                case = made
                break
        else:
            return case


def _confirm(failed: list[Case], index: int) -> None:
    if not failed:
        raise NotAgain(f"case {index} does not fail when it is asked again")


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
