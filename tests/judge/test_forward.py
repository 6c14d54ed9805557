"""Losses that differ: is it a constant factor, what is it called, and are the gradients compared without it?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from judge.parties import CASE, LOSS, Scene, bound, gradients, with_entry, witness

from crosscheck.judge.compare import Party, Status
from crosscheck.judge.forward import constant_ratio, in_words, message
from crosscheck.spec import parse
from crosscheck.spec.result import Verdict


def party(values: list[float], bound: float = 1e-12) -> Party:
    return Party("p", np.array(values), np.full(len(values), bound))


FACTORS = {
    "0.5": 0.5,
    "2": 2.0,
    "-1": -1.0,
    "-0.5": -0.5,
    "1/3": 1.0 / 3.0,
    "-2/3": -2.0 / 3.0,
    "1/12": 1.0 / 12.0,
    "0.1": 0.1,
    "0.0625": 0.0625,
    "1.5": 1.5,
    "100": 100.0,
}


@pytest.mark.parametrize("words", FACTORS)
def test_a_constant_factor_is_found_and_named(words: str) -> None:
    factor = FACTORS[words]
    found = Scene(gradients(loss=LOSS * factor, times=factor)).judged()
    assert found.verdict is Verdict.FORWARD_DISAGREES
    assert found.forward is not None
    assert found.forward.ratio == float(Fraction(factor).limit_denominator(64))
    assert found.forward.message == f"your loss is {words} × sse: pass scale={words}"


@pytest.mark.parametrize("factor", FACTORS.values())
def test_with_the_factor_taken_out_the_gradients_agree(factor: float) -> None:
    found = Scene(gradients(loss=LOSS * factor, times=factor)).judged()
    assert found.count(Status.AGREE) == 12
    assert found.odd_one_out is None
    whole = Scene(gradients(loss=LOSS * factor)).judged()  # the loss alone was multiplied
    assert whole.count(Status.DISAGREE) == 12
    assert whole.odd_one_out == "subject"


def test_a_wrong_gradient_is_still_found_behind_a_factor() -> None:
    wrong = with_entry(1.5)
    found = Scene(gradients(loss=LOSS / 3, weight=wrong["0.weight"], times=1 / 3)).judged()
    assert found.verdict is Verdict.FORWARD_DISAGREES
    assert found.tensors["0.weight"].count(Status.DISAGREE) == 1
    assert found.odd_one_out == "subject"
    assert found.claimed is not None
    assert found.claimed["0.weight"][0, 0, 0] == pytest.approx(1.5)


def test_a_factor_keeps_the_dtype_of_the_claim() -> None:
    scene = Scene(gradients(loss=LOSS / 3, times=1 / 3, dtype="float32"), bound=bound(1e-5, loss=1e-5))
    found = scene.judged()
    assert found.forward is not None
    assert found.forward.ratio == 1 / 3
    assert found.claimed is not None
    assert found.claimed["0.weight"].dtype == np.float32
    assert found.count(Status.DISAGREE) == 0


# fmt: off
RATIOS: dict[str, tuple[Party, tuple[Party, ...], float | None]] = {
    "a constant":                 (party([2.0, 6.0]),        (party([1.0, 3.0]),),          2.0),
    "not constant":               (party([2.0, 7.0]),        (party([1.0, 3.0]),),          None),
    "an odd constant, twice":     (party([np.pi, 2 * np.pi]), (party([1.0, 2.0]),),         np.pi),
    "an odd constant, once":      (party([np.pi]),           (party([1.0]),),               None),
    "a fraction, once":           (party([1 / 3]),           (party([1.0]),),               1 / 3),
    "an offset":                  (party([2.0, 4.0]),        (party([1.0, 3.0]),),          None),
    "zero beside a constant":     (party([0.0, 6.0]),        (party([0.0, 3.0]),),          2.0),
    "a zero that is none":        (party([5.0, 6.0]),        (party([0.0, 3.0]),),          None),
    "zero for everything":        (party([0.0, 0.0]),        (party([1.0, 3.0]),),          None),
    "NaN":                        (party([np.nan, np.nan]),  (party([1.0, 3.0]),),          None),
    "infinite":                   (party([np.inf, np.inf]),  (party([1.0, 3.0]),),          None),
    "the witness has no answer":  (party([2.0, 6.0]),        (party([1.0, 3.0], np.inf),),  None),
    "the second has one":         (party([2.0, 6.0]),        (party([9.0, 9.0], np.inf), party([1.0, 3.0])), 2.0),
    "no witness":                 (party([2.0, 6.0]),        (),                            None),
    "lost in the bound":          (party([2.0, 6.0], 1.0),   (party([1.0, 3.0], 1.0),),     None),
    "rounded as a large number":  (party([100 + 5e-11, 300.0]), (party([1.0, 3.0], 1e-15),), 100.0),
    "almost a fraction, sharp":   (party([0.5 + 1e-9] * 2),  (party([1.0, 1.0]),),          None),
    "almost a fraction, blunt":   (party([0.5 + 1e-9] * 2, 1e-8), (party([1.0, 1.0], 1e-8),), 0.5),
}
# fmt: on


@pytest.mark.parametrize("name", RATIOS)
def test_when_a_ratio_is_constant(name: str) -> None:
    subject, witnesses, expected = RATIOS[name]
    assert constant_ratio(subject, witnesses) == expected


@pytest.mark.parametrize("ratio", [1e-3 / 7, 123.456789, np.pi, 1e300, 5e-324, -7.25])
def test_a_factor_in_words_reads_back_as_itself(ratio: float) -> None:
    assert float(Fraction(in_words(ratio))) == ratio


def test_the_scale_to_pass_includes_the_scale_that_was_asked() -> None:
    asked = parse("x[2] -> dense(2) -> huber(scale=-3.0)")
    assert message(asked, 0.5) == "your loss is 0.5 × huber: pass scale=-1.5"
    assert message(asked, 1 / 3) == "your loss is 1/3 × huber: pass scale=-1"
    assert message(asked, None) == "the subject's loss is not the huber that was asked for"


def test_losses_that_agree_say_nothing() -> None:
    found = Scene(gradients()).judged().forward
    assert found is not None
    assert (found.disagrees, found.ratio, found.message) == (False, None, None)


def test_with_differences_alone_the_loss_is_held_against_that_of_the_sound_forward() -> None:
    alone = {"differences": witness(radius=1e-6)}
    assert Scene(gradients(), alone).judged().verdict is Verdict.AGREES
    found = Scene(gradients(loss=LOSS * 2, times=2.0), alone).judged()
    assert found.verdict is Verdict.FORWARD_DISAGREES
    assert found.forward is not None
    assert found.forward.ratio == 2.0
    assert found.count(Status.DISAGREE) == 0


def test_a_loss_that_nobody_answers_for_is_not_compared() -> None:
    found = Scene(gradients(loss=LOSS * 2), {}).judged().forward
    assert found is not None
    assert found.losses.count(Status.NOT_COMPARED) == CASE.n_points
    assert not found.disagrees
