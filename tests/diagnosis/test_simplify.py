"""Short numbers, as long as the case fails alike."""

from __future__ import annotations

import numpy as np
from builders import case_of

from crosscheck.diagnosis.simplify import simplified
from crosscheck.spec import Case

NET = "x[2,3] -> dense(2) -> sse"


def test_all_numbers_become_whole_where_nothing_speaks_against_it() -> None:
    case = case_of(NET, points=1)
    short = simplified(case, lambda _case: True)
    for array in (*short.params.values(), *short.inputs.values(), short.targets):
        assert np.array_equal(array, np.round(array))
    assert short.architecture == case.architecture


def test_a_tensor_that_must_keep_its_digits_keeps_them_and_the_others_do_not() -> None:
    case = case_of(NET, points=1)

    def alike(shorter: Case) -> bool:
        return np.array_equal(shorter.inputs["x"], case.inputs["x"])

    short = simplified(case, alike)
    assert alike(short)
    assert np.array_equal(short.params["0.weight"], np.round(case.params["0.weight"]))
    assert np.array_equal(short.targets, np.round(case.targets))


def test_digits_are_added_until_it_fails_again() -> None:
    case = case_of(NET, points=1)
    short = simplified(case, lambda c: float(np.abs(c.inputs["x"] - case.inputs["x"]).max()) <= 0.05)
    x = short.inputs["x"]
    assert np.array_equal(x, np.round(x, 1))
    assert not np.array_equal(x, np.round(x))


def test_what_never_fails_shorter_stays_as_it_is_within_its_questions() -> None:
    case, asked = case_of(NET, points=1), []
    short = simplified(case, lambda c: bool(asked.append(c)), most=5)
    assert short is case
    assert len(asked) == 5


def test_classes_and_ids_are_not_numbers_to_round() -> None:
    case = case_of("ids[2,2]:int64 -> embedding(3, 2) -> softmax_cross_entropy", points=1)
    short = simplified(case, lambda _case: True)
    assert np.array_equal(short.inputs["ids"], case.inputs["ids"])
    assert np.array_equal(short.targets, case.targets)


def test_a_number_that_the_case_may_not_have_is_not_tried() -> None:
    case = case_of("x[2,2]; var[2,2]; x -> gaussian_nll(var)", family="small", points=1)
    short = simplified(case, lambda _case: True)
    assert (short.inputs["var"] > 0).all()
