"""Certified truth settles every entry that it answers: who is wrong is named, be it a witness or the tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan

import numpy as np
import pytest

from crosscheck.judge.arbiter import Centre, arbitrate
from crosscheck.judge.compare import ALONE, NOBODY, TOLERANCE, Party, Status, TensorJudgement, compare

BOUND = 1e-9
Said = float | tuple[float, float]
DISAGREE, ORACLE, AGREE = Status.DISAGREE, Status.ORACLE_DISAGREES, Status.AGREE
BALL, TORCH, JAX = 0, 1, 2


@dataclass(frozen=True)
class Row:
    """The subject, the proof and two witnesses, each a value or (value, bound); what becomes of the entry."""

    subject: Said
    proof: tuple[float, float]
    others: tuple[Said, Said]
    status: Status
    odd: int = NOBODY
    parted: bool = False
    overflown: bool = True
    centre: float | None = None
    dtype: str = "float64"


# fmt: off
ROWS = {
    "all are right":                        Row(1.0, (1.0, 1e-16), (1.0, 1.0), AGREE),
    "the subject alone":                    Row(1.1, (1.0, 1e-16), (1.0, 1.0), DISAGREE, ALONE),
    "subject and both witnesses are wrong": Row(1.1, (1.0, 1e-16), (1.1, 1.1), DISAGREE, ALONE),
    "both witnesses are wrong":             Row(1.0, (1.0, 1e-16), (1.1, 1.1), ORACLE, TORCH),
    "one witness is wrong":                 Row(1.0, (1.0, 1e-16), (1.0, 1.1), ORACLE, JAX),
    "a witness off less than both bounds":  Row(1.0, (1.0, 0.0), (1.0, 1.0 + 1.5e-9), ORACLE, JAX),
    "NaN of the subject":                   Row(nan, (1.0, 1e-16), (1.0, 1.0), DISAGREE, ALONE),
    "NaN of a witness":                     Row(1.0, (1.0, 1e-16), (nan, 1.0), ORACLE, TORCH),
    "infinity of the subject":              Row(inf, (1.0, 1e-16), (1.0, 1.0), DISAGREE, ALONE),
    "a witness that was not asked":         Row(1.0, (1.0, 1e-16), ((9.0, inf), 1.0), AGREE),
    "a wide subject":                       Row((1.0, 1e-2), (1.0, 0.0), (1.0, 1.0), Status.UNINFORMATIVE),
    "a wide subject, near a kink":          Row((1.0, 1e-2), (1.0, 0.0), (1.0, 1.0), Status.UNINFORMATIVE, parted=True),
    # A hull of one-sided derivatives: [0, 1].
    "inside the hull":                      Row(0.3, (0.5, 0.5), (0.0, 1.0), Status.UNDECIDABLE, parted=True),
    "at the end of the hull":               Row(0.0, (0.5, 0.5), (0.0, 1.0), Status.UNDECIDABLE, parted=True),
    "rounding is as wide as the hull":      Row((0.3, 0.5), (0.5, 0.5), (0.0, 1.0), Status.UNINFORMATIVE, parted=True),
    "outside the hull":                     Row(1.1, (0.5, 0.5), (0.0, 1.0), DISAGREE, ALONE, parted=True),
    "a witness outside the hull":           Row(1.0, (0.5, 0.5), (0.0, -0.1), ORACLE, JAX, parted=True),
    # Overflow.
    "the truth is beyond float32":          Row(inf, (1e39, 1e20), (1e39, 1e39), Status.OVERFLOW, dtype="float32"),
    "the truth is beyond float64":          Row(inf, (inf, 0.0), (inf, inf), Status.OVERFLOW),
    "something on the way overflows":       Row((inf, inf), (1.0, 0.0), (1.0, 1.0), Status.OVERFLOW),
    "without a bound, nothing overflows":   Row((1.0, inf), (1.0, 0.0), (1.0, 1.0), Status.UNINFORMATIVE,
                                                overflown=False),
    "a truth beyond it overflows":          Row((inf, inf), (1e39, 0.0), (1e39, 1e39), Status.OVERFLOW, overflown=False,
                                                dtype="float32"),
    # The tolerance itself.
    "the spread is around something else":  Row(1.0, (1.0, 1e-16), (1.0, 1.0), ORACLE, TOLERANCE, centre=1.1),
    "a void bound excuses nobody":          Row(1.1, (1.0, 1e-16), (1.0, 1.0), DISAGREE, ALONE, centre=1.1),
    "a void bound and a wrong witness":     Row(1.0, (1.0, 1e-16), (1.1, 1.0), ORACLE, TOLERANCE, centre=1.1),
    "the spread is around the truth":       Row(1.0, (1.0, 1e-16), (1.0, 1.0), AGREE, centre=1.0),
}
# fmt: on


def party(name: str, said: Said, dtype: str = "float64", *, overflown: bool = True) -> Party:
    value, bound = said if isinstance(said, tuple) else (said, BOUND)
    return Party(name, np.array([[value]], dtype), np.array([[bound]]), overflown=np.array([overflown]))


def settled(row: Row) -> TensorJudgement:
    subject = party("subject", row.subject, row.dtype, overflown=row.overflown)
    witnesses = tuple(party(n, s) for n, s in zip(("ball", "torch", "jax"), (row.proof, *row.others), strict=True))
    around = {"parted": np.array([row.parted]), "point_scale": np.array([1.0])}
    centre = None if row.centre is None else Centre(np.array([[row.centre]]), np.array([[BOUND]]))
    return arbitrate(compare("w", subject, witnesses, **around), subject, witnesses, "ball", centre=centre, **around)


@pytest.mark.parametrize("name", ROWS)
def test_what_becomes_of_a_certified_entry(name: str) -> None:
    row = ROWS[name]
    found = settled(row)
    assert (Status(int(found.status.item())), int(found.odd_one_out.item())) == (row.status, row.odd)


def test_an_estimate_that_misses_its_budget_is_told_and_accuses_nobody() -> None:
    subject = party("subject", 1.0)
    estimate = Party("differences", np.array([[1.1]]), np.array([[BOUND]]), estimate=True)
    witnesses = (party("ball", (1.0, 1e-16)), estimate)
    around = {"parted": np.array([False]), "point_scale": np.array([1.0])}
    found = arbitrate(compare("w", subject, witnesses, **around), subject, witnesses, "ball", **around)
    assert (found.status.item(), found.odd_one_out.item()) == (AGREE, NOBODY)
    assert found.truth is not None
    assert found.truth.wrong["differences"].item()
    assert found.truth.errors["differences"].item() == pytest.approx(0.1)


def test_where_nothing_is_proved_the_vote_stands() -> None:
    row = Row(1.1, (0.0, inf), (1.0, 1.0), DISAGREE, ALONE)
    found = settled(row)
    assert found.truth is None
    assert (found.status.item(), found.odd_one_out.item()) == (DISAGREE, ALONE)


def test_entries_that_are_proved_and_others_stand_side_by_side() -> None:
    def three(name: str, values: tuple[float, ...], bounds: tuple[float, ...]) -> Party:
        return Party(name, np.array([values]), np.array([bounds]))

    sharp = (BOUND,) * 3
    subject = three("subject", (1.0, 2.0, 2.0), sharp)
    witnesses = (
        three("ball", (1.0, 2.0, 0.0), (1e-16, 1e-16, inf)),
        three("torch", (2.0, 2.0, 1.0), sharp),
        three("jax", (2.0, 2.0, 1.0), sharp),
    )
    around = {"parted": np.array([False]), "point_scale": np.array([1.0])}
    found = arbitrate(compare("w", subject, witnesses, **around), subject, witnesses, "ball", **around)
    assert found.status.tolist() == [[ORACLE, AGREE, DISAGREE]]
    assert found.odd_one_out.tolist() == [[TORCH, NOBODY, ALONE]]


def test_who_stands_against_the_subject_is_who_is_wrong() -> None:
    witness_wrong = settled(ROWS["a witness off less than both bounds"])
    assert {w: bool(a.item()) for w, a in witness_wrong.against.items()} == {
        "ball": False,
        "torch": False,
        "jax": True,
    }
    subject_wrong = settled(ROWS["the subject alone"])
    assert {w: bool(a.item()) for w, a in subject_wrong.against.items()} == {"ball": True, "torch": True, "jax": True}


def test_the_resolution_is_two_bounds_and_the_radius() -> None:
    found = settled(Row((4.0, 1e-6), (4.0, 1e-7), (4.0, 4.0), AGREE))
    assert found.resolution.item() == pytest.approx((2e-6 + 1e-7) / 4.0)


def test_an_error_of_one_and_a_half_resolutions_is_found_wherever_the_right_value_lay() -> None:
    """The subject's right value may lie anywhere within its bound, on either side, and so may the reference."""
    bound, radius, true = 1e-6, 1e-7, 4.0
    size = 1.5 * (2 * bound + radius) / true
    for own in np.linspace(-bound, bound, 9):
        for off in np.linspace(-radius, radius, 5):
            for sign in (-1.0, 1.0):
                row = Row((true + own + sign * size * true, bound), (true + off, radius), (true, true), DISAGREE, ALONE)
                assert settled(row).status.item() == DISAGREE


def test_within_a_branch_the_held_bound_counts() -> None:
    wide = Party("subject", np.array([[1.5]]), np.array([[10.0]]), within_branch=np.array([[BOUND]]))
    witnesses = (party("ball", (0.5, 0.5)), party("torch", 1.0), party("jax", 0.0))
    around = {"parted": np.array([True]), "point_scale": np.array([1.0])}
    voted = compare("w", wide, witnesses, **around)
    assert voted.status.item() == Status.UNDECIDABLE
    found = arbitrate(voted, wide, witnesses, "ball", **around)
    assert (found.status.item(), found.odd_one_out.item()) == (DISAGREE, ALONE)
