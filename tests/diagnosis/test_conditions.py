"""When it is wrong: told only where right answers without the property were seen too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from builders import Wrong, case_of, changed, with_arrays

from crosscheck import mutants
from crosscheck.diagnosis import conditions, extents
from crosscheck.diagnosis.properties import properties
from crosscheck.diagnosis.seen import Seen, asked, variations
from crosscheck.mutants.changes import Backward, Call, layer, loss, slope
from crosscheck.oracles.ball import Ball
from crosscheck.spec import Case, Gradients
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
        ("conv1d", STRIDED, {"out": 1, "kernel": 1, "stride": 2}, "only with stride other than 1"),
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


ATTENTION = "x[1,2,2]; k[1,2,2]; v[1,2,2]; x -> attention(k, v) -> sse"


def of_families(subject: Wrong, text: str, families: tuple[str, ...]) -> list[Seen]:
    with np.errstate(all="ignore"):
        return [asked(case_of(text, family=family, seed=k), subject, Ball()) for k, family in enumerate(families)]


def test_a_gradient_that_is_zero_is_right_whatever_it_lacks_and_tells_no_condition() -> None:
    """Of keys that are all alike every gradient is 0: that it is right there is no sign of what it hangs on."""
    keys = Wrong(lambda _c, g: changed(g, "k", lambda d: 1.5 * d))
    answers = of_families(keys, ATTENTION, ("normal", "ones"))
    assert [s.failed for s in answers] == [True, False]
    assert answers[1].right_points({"v"}).all()
    assert not answers[1].right_points({"k"}).any()
    assert answers[1].right_points({"no such name"}).all(), "of a network without it all gradients count"
    assert conditions.condition(answers, Fault("attention", Factor.INPUT, "1")) is None


@pytest.mark.parametrize(("text", "at"), [("negative", lambda x: x < 0), ("positive", lambda x: x > 0)])
def test_what_fails_without_the_property_too_does_not_hang_on_it(text: str, at: Callable[[Any], Any]) -> None:
    """Families of values have much in common: the case that fails is asked again with the other sign."""
    sign = {"negative": -1.0, "positive": 1.0}[text]

    def spoil(case: Case, g: Gradients, *, of_size: bool) -> Gradients:
        x = case.inputs["x"]
        hit = np.abs(x) > 1.5 if of_size else at(x)
        return changed(g, "x", lambda d: np.where(hit, 2.0 * d, d))

    def found(*, of_size: bool) -> str | None:
        subject = Wrong(lambda case, g: spoil(case, g, of_size=of_size))
        case = case_of("x[1,1] -> dense(1) -> sse", points=8)
        size = np.array([2.0, 3.0, 1.0, 0.5, 4.0, 1.0, 0.25, 2.5]).reshape(8, 1, 1)
        signs = sign * np.where(size > 1.5, 1.0, -1.0)
        mixed = with_arrays(case, inputs={"x": signs * size})
        with np.errstate(all="ignore"):
            return conditions.condition([asked(mixed, subject, Ball())], None, lambda c: asked(c, subject, Ball()))

    assert found(of_size=False) == f"only where an input is {text}"
    assert found(of_size=True) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda shape: shape[0] == 1, "only at batch 1"),
        (lambda shape: shape[1] > 1, "only with more than one step or channel"),
        (lambda shape: max(shape) == 2, None),
    ],
)
def test_a_size_is_the_condition_only_where_the_failing_network_is_right_with_another(
    wrong: Callable[[tuple[int, ...]], bool], said: str | None
) -> None:
    """What was met at batch 1 alone, with two channels, is asked at batch 2 with two channels as well."""

    def spoil(case: Case, g: Gradients) -> Gradients:
        return changed(g, "x", lambda d: 2.0 * d) if wrong(case.architecture.inputs[0].shape) else g

    subject, ball = Wrong(spoil), Ball()
    with np.errstate(all="ignore"):
        met = [asked(case_of(f"x[{shape}] -> tanh -> sse"), subject, ball) for shape in ("1,2,1", "3,1,1", "5,1,1")]
        for further in (lambda case: asked(case, subject, ball), lambda case: None):
            told = conditions.condition(met, None, further)
            assert told == (said if further(met[0].case) is not None else "only at batch 1")


def test_of_a_number_that_was_met_at_few_values_none_is_called_the_condition() -> None:
    words = [
        item.words
        for item in properties(
            [s.case for s in seen("conv1d", STRIDED, {"out": 1, "kernel": 1, "stride": 2})],
            Fault("conv1d", Factor.PARAM),
        )
    ]
    assert "with stride other than 1" in words
    assert "with stride=2" not in words


@pytest.mark.parametrize(("attribute", "kernel"), [("dilation", 2), ("padding", 1), ("stride", 1)])
def test_of_attributes_that_came_together_the_one_it_hangs_on_is_told(attribute: str, kernel: int) -> None:
    """The failing network has all three: it is asked again without each of them."""
    row = layer("conv1d", lambda call: doubled(call, where=call.site.attributes[attribute] not in (0, 1)))
    subject, ball = Builtin({**Builtin().rows, "conv1d": row}), Ball()
    texts = ("2, 2, stride=2, padding=2, dilation=2", "2, 2", "2, 1", "1, 3")
    with np.errstate(all="ignore"):
        met = [asked(case_of(f"x[2,2,5] -> conv1d({text}) -> sse"), subject, ball) for text in texts]
        told = conditions.condition(met, Fault("conv1d", Factor.PARAM, "weight"), lambda c: asked(c, subject, ball))
    assert told == f"only with {attribute} other than {0 if attribute == 'padding' else 1}"


def test_an_attribute_of_the_loss_may_be_the_condition() -> None:
    doubled_beyond = loss("huber", lambda found, *_given, delta, **_own: (found[0] * (1.0 if delta == 1.0 else 2.0),))
    answers = seen("huber", doubled_beyond, {"delta": 0.5})
    assert conditions.condition(answers, Fault("huber", Factor.LOSS)) == "only with delta other than 1.0"


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
    wrong = "0.weight: wrong at index 1, 2 of axis 0 (rows, one an output; 3 of them), right elsewhere"
    assert said == [f"{wrong}, on x[2,2,3,3]"]
