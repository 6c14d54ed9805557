"""When it is wrong: told only where right answers without the property were seen too."""

from __future__ import annotations

import numpy as np
import pytest

from crosscheck import mutants
from crosscheck.diagnosis import conditions, extents
from crosscheck.diagnosis.seen import Seen, variations
from crosscheck.mutants.changes import Backward, Call, layer, slope
from crosscheck.oracles.ball import Ball
from crosscheck.spec.fault import Factor, Fault
from crosscheck.spec.op import Value
from crosscheck.spec.ops import OPS
from crosscheck.subjects.builtin import Builtin

NEGATIVE = slope("tanh", lambda z, a, da, sound: np.where(z < 0, -1.0, 1.0) * sound(z, a, da))
BEYOND = slope("sigmoid", lambda z, a, da, sound: np.where(z > 3, 0.0, 1.0) * sound(z, a, da))


def doubled(call: Call, *, where: bool) -> Backward:
    inputs, params = call.answer
    return inputs, {k: 2.0 * g if where else g for k, g in params.items()}


ONE_SAMPLE = layer("dense", lambda call: doubled(call, where=call.site.in_shapes[0][0] == 1))
SEVERAL = layer("dense", lambda call: doubled(call, where=call.site.in_shapes[0][0] > 1))
STRIDED = layer("conv1d", lambda call: doubled(call, where=call.site.attributes["stride"] != 1))


def seen(op: str, row: object, met: dict[str, Value] | None = None) -> list[Seen]:
    subject = Builtin({**Builtin().rows, op: row})  # type: ignore[dict-item]
    with np.errstate(all="ignore"):
        return list(variations(op, met or {}, frozenset(OPS), "float64", subject, Ball()))


@pytest.mark.parametrize(
    ("op", "row", "met", "said"),
    [
        ("tanh", NEGATIVE, {}, "only where z < 0"),
        ("dense", ONE_SAMPLE, {"out": 2}, "only at batch 1"),
        ("dense", SEVERAL, {"out": 2}, "only at a batch above 1"),
        ("conv1d", STRIDED, {"out": 1, "kernel": 1, "stride": 2}, "only with stride=2"),
    ],
)
def test_the_condition_is_found_by_asking_variations(op: str, row: object, met: dict[str, Value], said: str) -> None:
    answers = seen(op, row, met)
    factor = Factor.SLOPE if OPS[op].kind == "activation" else Factor.PARAM
    assert any(s.failed for s in answers)
    assert conditions.condition(answers, Fault(op, factor)) == said


def test_a_stretch_of_the_line_is_told_by_its_ends() -> None:
    said = conditions.condition(seen("sigmoid", BEYOND), Fault("sigmoid", Factor.SLOPE))
    assert said is not None
    assert said.startswith("only where z ≥ 3.")


def test_repeated_ids() -> None:
    mutant = next(m for m in mutants.mutants() if m.name == "embedding: duplicates overwrite")
    answers = seen("embedding", mutant.rows["embedding"], {"num": 3, "dim": 2})
    assert conditions.condition(answers, Fault("embedding", Factor.PARAM, "weight")) == "only where ids repeat"


def test_what_is_wrong_everywhere_has_no_condition() -> None:
    everywhere = layer("dense", lambda call: doubled(call, where=True))
    assert conditions.condition(seen("dense", everywhere), Fault("dense", Factor.PARAM, "weight")) is None


def test_nothing_is_told_of_what_never_failed() -> None:
    answers = seen("tanh", Builtin().rows["tanh"])
    assert not any(s.failed for s in answers)
    assert conditions.condition(answers, Fault("tanh", Factor.SLOPE)) is None
    assert extents.extents(answers) == []


def test_which_rows_are_wrong_is_told_of_the_largest_answer() -> None:
    def last_row(call: Call) -> Backward:
        inputs, params = call.answer
        weight = params["weight"].copy()
        weight[..., 1:, :] *= 2.0
        return inputs, params | {"weight": weight}

    said = extents.extents(seen("dense", layer("dense", last_row), {"out": 3}))
    assert said == ["0.weight: wrong at index 1, 2 of axis 0 (rows, one an output; 3 of them), right elsewhere"]
