"""Several causes are told apart only where a network without the first one's operation fails too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from builders import changed
from meta.planted import slope

from crosscheck.backprop import dense
from crosscheck.backprop.rows import Array, Layer, Site
from crosscheck.checking import Witnesses
from crosscheck.findings import findings
from crosscheck.oracles.ball import Ball
from crosscheck.search import Limits, hunt
from crosscheck.spec import Case, Gradients
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import Space
from crosscheck.subjects.builtin import Builtin

WITNESSES = Witnesses((Ball(),), differences=False)
TANH = slope("tanh", lambda z, a, da: da * (1.0 - a))


@pytest.mark.thorough
def test_a_bug_in_what_every_network_has_hides_no_other() -> None:
    """No failure is without the wrong bias, so that each is explained by it; tanh alone is wrong too."""

    def first_bias_alone(site: Site, d_out: Array, inputs: tuple[Array, ...], params: Mapping[str, Array]) -> Any:
        d_inputs, found = dense.backward(site, d_out, inputs, params)
        return d_inputs, {
            k: np.where(np.arange(g.shape[-1]) == 0, g, 0.0) if k == "bias" else g for k, g in found.items()
        }

    rows = {**TANH.rows, "dense": Layer(dense.forward, first_bias_alone)}
    source = Source(
        cases(Space.of([("dense", {"bias": True}), "tanh", "sse"]), points=2), 0, ops=("dense", "tanh", "sse")
    )
    result = hunt(source, Builtin(rows), WITNESSES, Limits(25))
    shown, left = findings(result, source, Builtin(rows), WITNESSES)
    assert {s.finding.architecture for s in shown} == {"x[1,1] -> dense(2) -> sse", "x[1,1] -> tanh -> sse"}
    assert {s.finding.located.op for s in shown if s.finding.located is not None} == {"dense", "tanh"}
    assert sum(s.finding.count for s in shown) + left == len(result.failures)


@pytest.mark.thorough
def test_what_is_wrong_in_everything_alike_is_one_finding() -> None:
    """Every operation asked by itself is wrong then: no proof of several causes."""

    class Doubled(Builtin):
        def _asked(self, case: Case, *, by_node: bool) -> Gradients:
            found = super()._asked(case, by_node=by_node)
            for name, _ in list(found.tensors()):
                found = changed(found, name, lambda g: 2.0 * g)
            return found

    space = Space.of(("dense", "tanh", "sigmoid", "sin", "sse", "mae"))
    source = Source(cases(space, points=2), 0, ops=space.ops)
    result = hunt(source, Doubled(), WITNESSES, Limits(25))
    shown, _ = findings(result, source, Doubled(), WITNESSES)
    assert len(shown) == 1
    assert shown[0].finding.count == len(result.failures)
