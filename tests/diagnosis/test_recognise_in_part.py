"""What is said of a bug that explains some of the failing networks, and of numbers that are right in others."""

from __future__ import annotations

import numpy as np
from diagnosis.spoiled import all_of, answers

from crosscheck import mutants
from crosscheck.diagnosis import recognise
from crosscheck.spec import Case, Gradients
from crosscheck.spec.fault import Factor, Fault, Symptom
from crosscheck.subjects.planted import Planted


def test_of_two_bugs_the_one_that_the_shown_case_has_alone_is_named() -> None:
    """At batch 1 a mean is a sum: what is left there is the derivative that is missing."""
    missing = next(m for m in mutants.known(("tanh",)) if m.name == "tanh: derivative missing")

    def both(case: Case, _found: Gradients) -> Gradients:
        rows = case.architecture.inputs[0].shape[0]
        return all_of(lambda g: g / rows)(case, Planted(missing).gradients(case))

    net = "dense(4) -> tanh -> dense(2) -> sse"
    place = ((1, Fault("tanh", Factor.SLOPE)),)
    known = mutants.known(("dense", "tanh", "sse"))
    found = recognise.recognise(answers(both, (f"x[1,3] -> {net}", f"x[3,3] -> {net}")), place, known)
    assert found.likely[0].text == (
        "the derivative of tanh is left out: the gradient by the output is passed on "
        "(here; what fails elsewhere has another cause too)"
    )
    assert Symptom.NO_SLOPE not in found.ruled_out
    assert found.bugs == (), "it explains no other case"
    alone = recognise.recognise(answers(both, (f"x[1,3] -> {net}",)), place, known)
    assert "(here;" not in alone.likely[0].text
    three = recognise.recognise(answers(both, tuple(f"x[{n},3] -> {net}" for n in (1, 3, 1))), place, known)
    assert three.likely[0].text.endswith(
        " (here and in 1 of the 2 other networks that fail; what fails elsewhere has another cause too)"
    )


def test_a_bug_that_would_be_wrong_where_the_subject_is_right_is_not_named_for_the_shown_case_either() -> None:
    """With one sample and with four it has the bug, with two none: something else makes these gradients."""
    missing = next(m for m in mutants.known(("tanh",)) if m.name == "tanh: derivative missing")

    def unless_two(case: Case, found: Gradients) -> Gradients:
        rows = case.architecture.inputs[0].shape[0]
        if rows == 2:
            return found
        return all_of(lambda g: g / rows)(case, Planted(missing).gradients(case))

    net = "dense(4) -> tanh -> dense(2) -> sse"
    seen = answers(unless_two, tuple(f"x[{n},3] -> {net}" for n in (1, 2, 4)))
    assert [s.failed for s in seen] == [True, False, True]
    found = recognise.recognise(seen, ((1, Fault("tanh", Factor.SLOPE)),), mutants.known(("dense", "tanh", "sse")))
    assert all("tanh is left out" not in named.text for named in found.likely)


def test_numbers_that_are_right_in_another_network_are_none_at_random() -> None:
    def random(case: Case, found: Gradients) -> Gradients:
        if case.architecture.inputs[0].shape[0] == 3:
            return found
        numbers = np.random.default_rng(0)
        return all_of(lambda g: numbers.normal(size=g.shape))(case, found)

    wrong, right = (f"x[{n},5] -> dense(8) -> tanh -> dense(4) -> sse" for n in (2, 3))
    assert recognise.at_random(answers(random, (wrong, wrong))) is not None
    assert recognise.at_random(answers(random, (wrong, right))) is None
