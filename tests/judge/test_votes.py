"""One entry at a time: what the parties say, how far each may be off, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan

import numpy as np
import pytest

from crosscheck.judge.compare import UNINFORMATIVE, Party, Status, TensorJudgement, compare, difference, resolved

BOUND = 1e-6  # of every party, unless said
AGREE, DISAGREE, ORACLE = Status.AGREE, Status.DISAGREE, Status.ORACLE_DISAGREES
NOBODY, SUBJECT, A, B, C, D = -1, -2, 0, 1, 2, 3

Said = float | tuple[float, float]


@dataclass(frozen=True)
class Row:
    """What the subject says, what the witnesses a, b, c, d say (with another bound where it is a pair)."""

    subject: Said
    witnesses: tuple[Said, ...]
    status: Status
    odd: int = NOBODY
    parted: bool = False
    scale: float = 1.0
    within: float | None = None  # the subject's bound on one side of every branch, where it is another
    overflown: bool = True  # whether something on the way overflows
    deviating: float | None = None  # how wide witness a's bound is where its known deviation is allowed for


# fmt: off
VOTES = {
    "all agree":                              Row(1.0, (1.0, 1.0, 1.0), AGREE),
    "exactly at the bound":                   Row((1.0, 0.0), ((1.25, 0.25),), Status.UNINFORMATIVE),
    "one ulp beyond the bound":               Row((1.0, 0.0), ((np.nextafter(1.25, 2), 0.25),), DISAGREE),
    "the subject against three":              Row(2.0, (1.0, 1.0, 1.0), DISAGREE, SUBJECT),
    "the subject against two":                Row(2.0, (1.0, 1.0), DISAGREE, SUBJECT),
    "the subject against one":                Row(2.0, (1.0,), DISAGREE, NOBODY),
    "one witness against all":                Row(1.0, (1.0, 1.0, 2.0), ORACLE, C),
    "one witness against one and the subject": Row(1.0, (2.0, 1.0), ORACLE, A),
    "two against two":                        Row(1.0, (1.0, 2.0, 2.0), DISAGREE, NOBODY),
    "two against three":                      Row(1.0, (1.0, 1.0, 2.0, 2.0), DISAGREE, NOBODY),
    "everybody differs":                      Row(1.0, (2.0, 3.0), DISAGREE, NOBODY),
    "two witnesses differ, each in its way":  Row(1.0, (1.0, 2.0, 3.0), DISAGREE, NOBODY),
    # A witness that is compatible with both sides could not have resolved the difference, and does not vote.
    "the only support is too wide":           Row(1.0, (2.0, (1.5, 1.0)), DISAGREE, NOBODY),
    "a wide one does not save the subject":   Row(1.0, (2.0, 2.0, (1.5, 1.0)), DISAGREE, SUBJECT),
    "a wide one does not make a quarrel":     Row(1.0, (2.0, (2.5, 1.0), 2.0), DISAGREE, SUBJECT),
    "a wide one beside a real support":       Row(1.0, (2.0, (1.5, 1.0), 1.0), ORACLE, A),
    # Not asked: the witness's own bound is infinite.
    "one was not asked":                      Row(1.0, (1.0, (99.0, inf)), AGREE),
    "one was not asked, the other differs":   Row(1.0, (2.0, (1.0, inf)), DISAGREE, NOBODY),
    "nobody was asked":                       Row(1.0, ((99.0, inf), (98.0, inf)), Status.NOT_COMPARED),
    "there is nobody":                        Row(1.0, (), Status.NOT_COMPARED),
    # Not finite.
    "NaN of the subject":                     Row(nan, (1.0, 1.0), DISAGREE, SUBJECT),
    "NaN of the subject, one witness":        Row(nan, (1.0,), DISAGREE, NOBODY),
    "NaN of a witness":                       Row(1.0, (1.0, nan), ORACLE, B),
    "NaN of everybody":                       Row(nan, (nan, nan), DISAGREE, NOBODY),
    "infinity of the subject":                Row(inf, (1.0, 1.0), DISAGREE, SUBJECT),
    "infinity of a witness":                  Row(1.0, (-inf, 1.0), ORACLE, A),
    "the same infinity":                      Row(inf, (inf, inf), AGREE),
    "opposite infinities":                    Row(inf, (-inf, -inf), DISAGREE, SUBJECT),
    "beyond the range of the subject":        Row((inf, inf), (1e300, 1e300), Status.OVERFLOW),
    "without a bound, and nothing overflows": Row((1.0, inf), (1.0, 1.0), Status.UNINFORMATIVE, overflown=False),
    # Nothing, or too little, could have been seen.
    "the bound is a hundredth":               Row((1.0, 1e-2), (1.0, 1.0), Status.UNINFORMATIVE),
    "so far apart are the sides of a kink":   Row((1.0, 1e-2), (1.0, 1.0), Status.UNDECIDABLE, within=0.0, parted=True),
    "so wide it is on each side":             Row((1.0, 1e-2), (1.0, 1.0), Status.UNINFORMATIVE, parted=True),
    "a kink elsewhere in the point":          Row(1.0, (1.0, 1.0), AGREE, parted=True),
    "wide, and still too far":                Row((1.0, 1e-2), (2.0, 2.0), DISAGREE, SUBJECT),
    "wide, at a kink, and still too far":     Row((1.0, 1e-2), (2.0, 2.0), DISAGREE, SUBJECT, parted=True),
    "one sharp witness is enough":            Row((1.0, 1e-9), ((1.0, 1e-1), (1.0, 1e-9)), AGREE),
    "zeros beside something":                 Row(0.0, (0.0, 0.0), AGREE, scale=1.0),
    "zeros and nothing else":                 Row(0.0, (0.0, 0.0), Status.UNINFORMATIVE, scale=0.0),
    "a wrong entry where all is zero":        Row(1.0, (0.0, 0.0), DISAGREE, SUBJECT, scale=0.0),
    # Known deviations of witness a.
    "a known deviation":                      Row(1.0, (1.1,), ORACLE, A, deviating=0.2),
    "a known deviation, another witness":     Row(1.0, (1.1, 1.0), ORACLE, A, deviating=0.2),
    "a known deviation and another odd one":  Row(1.0, (1.1, 2.0, 1.0), ORACLE, B, deviating=0.2),
    "more than the known deviation":          Row(1.0, (1.5,), DISAGREE, NOBODY, deviating=0.2),
    "more than the known deviation, outvoted": Row(1.0, (1.5, 1.0), ORACLE, A, deviating=0.2),
    "wrong by more than a's deviation":       Row(5.0, (1.1, 1.0), DISAGREE, SUBJECT, deviating=0.2),
    "wrong within a's deviation":             Row(1.2, (1.1, 1.0), DISAGREE, NOBODY, deviating=0.2),
    "no deviation needed":                    Row(1.0, (1.0,), AGREE, deviating=0.2),
}
# fmt: on


def party(name: str, said: Said, within: float | None = None, *, overflown: bool = True) -> Party:
    value, bound = said if isinstance(said, tuple) else (said, BOUND)
    held = None if within is None else np.array([[within]])
    return Party(name, np.array([[value]]), np.array([[bound]]), within_branch=held, overflown=np.array([overflown]))


def judged(row: Row) -> TensorJudgement:
    witnesses = tuple(party(n, s) for n, s in zip("abcd", row.witnesses, strict=False))
    return compare(
        "w",
        party("subject", row.subject, row.within, overflown=row.overflown),
        witnesses,
        parted=np.array([row.parted]),
        point_scale=np.array([row.scale]),
        deviating={} if row.deviating is None else {"a": np.array([[row.deviating]])},
    )


@pytest.mark.parametrize("name", VOTES)
def test_what_becomes_of_an_entry(name: str) -> None:
    row = VOTES[name]
    found = judged(row)
    assert Status(int(found.status.item())) is row.status
    assert found.odd_one_out.item() == row.odd
    assert found.count(row.status) == 1


def test_every_status_is_in_the_table() -> None:
    assert {row.status for row in VOTES.values()} == set(Status)


@pytest.mark.parametrize("name", [n for n, r in VOTES.items() if len(r.witnesses) > 1 and r.deviating is None])
def test_the_order_of_the_witnesses_does_not_matter(name: str) -> None:
    row = VOTES[name]
    there, back = judged(row), judged(Row(**{**vars(row), "witnesses": row.witnesses[::-1]}))
    assert there.status.item() == back.status.item()
    odd = there.odd_one_out.item()
    assert back.odd_one_out.item() == (odd if odd < 0 else len(row.witnesses) - 1 - odd)


def test_each_entry_is_judged_by_itself() -> None:
    subject = Party("subject", np.array([[1.0, 1.0, 5.0], [nan, 1.0, 1.0]]), np.full((2, 3), BOUND))
    a = Party("a", np.array([[1.0, 2.0, 1.0], [1.0, 1.0, 1.0]]), np.full((2, 3), BOUND))
    b = Party("b", np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 9.0]]), np.array([[BOUND] * 3, [BOUND, BOUND, inf]]))
    found = compare("w", subject, (a, b), parted=np.zeros(2, np.bool_), point_scale=np.ones(2))
    assert found.status.tolist() == [[AGREE, ORACLE, DISAGREE], [DISAGREE, AGREE, AGREE]]
    assert found.odd_one_out.tolist() == [[NOBODY, A, SUBJECT], [SUBJECT, NOBODY, NOBODY]]
    assert found.errors["a"][0].tolist() == [0.0, 1.0, 4.0]
    assert found.against["b"].tolist() == [[False, False, True], [True, False, False]]


def test_a_difference_is_exact_where_the_format_is_narrow() -> None:
    a, b = np.array([1.0], np.float32), np.array([1.0 + 2.0**-40])
    assert difference(a, b).tolist() == [2.0**-40]
    assert difference(np.array([3e38], np.float32), np.array([-3e38], np.float32)).item() == pytest.approx(
        6e38, rel=1e-6
    )
    assert np.isnan(difference(np.array([inf, nan]), np.array([nan, nan]))).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, -4.0], [2e-4, 0.5e-4]),  # each against itself
        ([0.0, 4.0], [0.5e-4, 0.5e-4]),  # lost in its bound: against the largest of its tensor
        ([0.0, 0.0], [2e-5, 2e-5]),  # all lost: against the largest of the point, which is 10
        ([1e-4, 0.0], [2e-5, 2e-5]),
    ],
)
def test_what_could_have_been_seen(values: list[float], expected: list[float]) -> None:
    found = resolved(np.full((1, 2), 1e-4), np.array([values]), np.array([10.0]))
    assert found[0].tolist() == pytest.approx(expected)


def test_the_line_between_informative_and_not() -> None:
    def status(bound: float) -> int:
        parties = [Party(n, np.array([[1.0]]), np.array([[bound / 2]])) for n in ("subject", "a")]
        found = compare("w", parties[0], (parties[1],), parted=np.zeros(1, np.bool_), point_scale=np.ones(1))
        return int(found.status.item())

    assert status(0.4 * UNINFORMATIVE) == AGREE
    assert status(0.6 * UNINFORMATIVE) == Status.UNINFORMATIVE
